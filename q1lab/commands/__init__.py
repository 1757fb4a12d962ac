"""One module a command family; q1lab.cli registers them by name and imports them when they are
asked for."""

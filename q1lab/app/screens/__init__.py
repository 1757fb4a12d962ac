"""One screen or dialog per file, each a subclass of base.AppScreen."""

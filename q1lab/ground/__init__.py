"""Files, errors, JSON records, paths, settings, git, and the table of commands.

It knows nothing of studies, and imports no other room.
"""

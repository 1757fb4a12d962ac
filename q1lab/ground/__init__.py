"""Files, text, settings, errors, paths and git.

It knows nothing of studies or of the week, and imports no other room.
"""

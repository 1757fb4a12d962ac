"""The command line: a module for each command, imported when it is called.

It imports every other room.
"""

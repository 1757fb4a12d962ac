"""The command line: a module for each family of commands, imported when it is called.

It imports every room but the doors.
"""

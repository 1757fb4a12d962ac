"""The journal, and SQLite: the journal and the runs' events folded into tables.

Tables that are gone are made again from the files. It imports the runner and below.
"""

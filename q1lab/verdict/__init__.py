"""The comparison of a study: its runs as numbers, judged at the level that its history allows.

It imports the record and below.
"""

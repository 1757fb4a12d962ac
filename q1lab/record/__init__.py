"""The studies on record, the looks at each question, and deleted studies.

It imports the index and below.
"""

"""The journal's public lines, the history of each question, and deleted studies.

It imports the index and below.
"""

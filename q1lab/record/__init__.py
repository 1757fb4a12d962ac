"""The public lines of the journal, the history that they give a study's question, and deleted
studies.

It imports the index and below.
"""

"""The questions that were asked, the ledger that says what they cost, and deleted studies.

It imports the index and below.
"""

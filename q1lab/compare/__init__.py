"""The comparison of a study: its runs as numbers, judged at the level that its looks allow, and how
many pairs a question needs.

It imports the training and below.
"""

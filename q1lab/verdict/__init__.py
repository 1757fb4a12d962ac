"""The comparison of a study: numbers, words and figure, as text, chart and file.

It imports the record and below.
"""

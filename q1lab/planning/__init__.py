"""From a request to a study that trains: one study, or a series.

It imports the week and below.
"""

"""From a request to a study that trains: one study, a series, a proposal to a gate.

It imports the week and below.
"""

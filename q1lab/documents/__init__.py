"""Documents in the learner's repository, pages that the learner shares, and results as files.

A document is gathered as facts, laid out by a template, then saved and committed as it was shown.
This room imports the verify room, the planning room and below.
"""

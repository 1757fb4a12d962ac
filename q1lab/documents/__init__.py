"""Documents in the learner's repository (MODIFICATION.md, the post, Q1_RETRO.md), and results as
files.

A document is gathered as facts, laid out by a template, then saved and committed as it was shown.
It imports the week and below.
"""

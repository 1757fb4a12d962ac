"""The week of study: its text, timer and progress, the learner's lists and model file.

It imports the verdict and below.
"""

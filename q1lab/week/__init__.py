"""The week: its text, timers and progress, the learner's lists, hints and model file.

It imports the comparison and below, but not the training.
"""

"""A study on disk: its plan, the runs' events and states, its text, its bundle.

It imports the statistics and the ground.
"""

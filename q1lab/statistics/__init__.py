"""Pure functions of numbers: intervals, repeated looks, the gate's rule, a prediction's score.

Nothing is read or written here. It imports the ground.
"""

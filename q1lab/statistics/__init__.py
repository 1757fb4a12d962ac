"""Pure functions of numbers: intervals, repeated looks, a prediction's score.

It reads and writes no files, and imports only the ground.
"""

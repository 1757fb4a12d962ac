"""The ways out of this machine: Weights & Biases, and runs from elsewhere.

Each is found by its name in a table. No other room imports them.
"""

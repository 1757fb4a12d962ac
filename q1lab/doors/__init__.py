"""The ways out of this machine: Weights & Biases, and runs from elsewhere.

Each is found by its name in a table, or by an entry point. No other room imports them.
"""

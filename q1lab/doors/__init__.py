"""The ways out of this machine: Ray, Slurm, a notebook, Weights & Biases, runs from elsewhere.

Each is found by its name in a table, or by an entry point. No other room imports them.
"""

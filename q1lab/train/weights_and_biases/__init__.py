"""Weights & Biases: the relay process, and the command that uploads."""

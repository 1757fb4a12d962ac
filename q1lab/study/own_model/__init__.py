"""The learner's model file: what it was made from, and its checks."""

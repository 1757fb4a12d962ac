"""Training side of q1lab: models, the loop, and checks. Imports nothing of q1lab."""

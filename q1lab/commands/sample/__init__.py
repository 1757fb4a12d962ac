"""The passages that both models of a study write from one prompt."""

"""The designs that a study can have, one module each. They import the study room, and nothing of
the index, the verdict or the screens."""

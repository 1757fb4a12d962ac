"""q1lab: a terminal companion and lab tracker for one honest week of changing a transformer."""

__version__ = "0.2.0"

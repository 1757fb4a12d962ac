"""The learner's own model file: made, checked, compared, merged."""

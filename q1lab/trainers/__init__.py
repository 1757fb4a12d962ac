"""What trains a study's runs, one module each. A trainer's record imports the study room alone; the
code that drafts a study is imported inside functions."""

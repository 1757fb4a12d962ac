"""The built-in corpora, by the names that people type."""

CORPUS_TITLES = {"stdlib": "Python's own source text", "shakespeare": "Tiny Shakespeare"}
"""Names of the built-in corpora, with a description for people."""

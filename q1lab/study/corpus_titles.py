"""The built-in corpora, by the names that people type."""

CORPUS_TITLES = {"stdlib": "Python's own source text", "shakespeare": "Tiny Shakespeare"}
"""Names of the built-in corpora, with a description for people."""

DEFAULT_DATA = "stdlib"
"""The corpus that runs train on until the learner chooses one: Python's own source text."""

STDLIB_CHARACTERS = 1_115_394
"""The number of characters of Tiny Shakespeare, so that a run costs the same on either."""


def describe_corpus(name: str) -> str:
    """A corpus described for people who don't know its short name."""
    return CORPUS_TITLES.get(name, name)

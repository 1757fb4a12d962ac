"""A property check, and the result that a person reads.

This module imports neither torch nor another file of this folder, so that each of them can import
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INTERFACE, TOKENS, GAINS, STREAM, IDEA, TRAINING = range(6)
"""The ranks of checks, by their subject: a call, what the logits depend on, norms, the residual
stream, the modification itself, and training. Of checks that fail the lowest shows the cause, and
the others, as a rule, what follows from it."""


@dataclass(frozen=True)
class Check:
    """One property of a model file. `run` takes a Subject and returns what was seen (a Warned, if
    it passes but a person should read it), or raises Wrong or NotJudged."""

    name: str
    expected: str
    why: str
    run: Callable[[Any], str]
    rank: int = IDEA


def change(share: float) -> str:
    """A change as a percentage with its sign: "−0.1%"."""
    return f"{share:+.1%}".replace("-", "−")


@dataclass(frozen=True)
class Result:
    """The result of one check, as a person reads it; times in seconds."""

    name: str
    passed: bool
    expected: str
    seen: str
    why: str
    seconds: float
    warning: bool = False
    """It passed, and `seen` says what to look at."""
    judged: bool = True
    """False if the check could not judge the file: it then neither passed nor failed, and `seen`
    says why."""
    late: bool = False
    """It was not judged, since it ran out of time."""
    vague: bool = False
    """It failed without a name for the mistake."""

    follows: str = ""
    """Of a failed check: the one that failed before it, from whose cause its failure follows as a
    rule."""

    @property
    def failed(self) -> bool:
        return self.judged and not self.passed


class Words(Exception):
    """Ends a check with words for a person, which may run over several lines of the code."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(words: str) -> str:
    return " ".join(words.split())


class Wrong(Words):
    """A check failed; the message says what was seen."""


class Vague(Wrong):
    """The same, without a name for the mistake: a check after it can know one."""


class NotJudged(Words):
    """The check can't judge this file; the message says why."""


class Warned(str):
    """The observation of a check that passes with a warning."""

    def __new__(cls, words: str) -> Warned:
        return super().__new__(cls, one_line(words))


def another_kind(words: str) -> Warned:
    """The observation that code is right, but of another kind than was asked for."""
    return Warned(f"another kind: {words}")


def check(
    name: str, expected: str, why: str, rank: int = IDEA
) -> Callable[[Callable[[Any], str]], Check]:
    return lambda run: Check(name, expected, why, run, rank)

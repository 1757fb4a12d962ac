"""A property check, and the result that a person reads.

This module imports neither torch nor another file of this folder, so that each of them can import
it.
"""

from __future__ import annotations

import re
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
    doubt: str = ""
    """The cases in which the check can be wrong about right code."""
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
    doubt: str = ""
    """Of a failed check: when it can be wrong about right code, and how the file overrules it."""
    overruled: str = ""
    """The reason that the file gives for overruling this check, which then counts as passed."""
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
    name: str, expected: str, why: str, doubt: str = "", rank: int = IDEA
) -> Callable[[Callable[[Any], str]], Check]:
    return lambda run: Check(name, expected, why, run, doubt, rank)


def overrules(text: str) -> dict[str, str]:
    """The checks that a model file overrules, each with its reason: comment lines such as
    `# q1lab: overrule "rope: angles" because the base grows with the layer`."""
    overrule_lines = re.findall(
        r'^[ \t]*#\s*q1lab:\s*overrule\s+"([^"\n]+)"\s+because\s+(\S.*)$', text, re.MULTILINE
    )
    return {name.strip(): reason.strip() for name, reason in overrule_lines}


def how_to_overrule(name: str) -> str:
    return (
        f'if it is wrong about your code, say so in the file: # q1lab: overrule "{name}" because …'
    )

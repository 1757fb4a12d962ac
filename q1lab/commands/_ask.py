"""Questions that a person answers."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

import click

from q1lab.commands._output import remark
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable

MAX_ATTEMPTS, MAX_ANSWER = 3, 100
"""Times that one question is put, and characters read of an answer: input may be endless."""


def ask_user(
    question: str,
    unanswered: Problem,
    answers: Sequence[str] = ("no", "yes"),
    *,
    has_default: bool = True,
) -> str:
    """Put a question on stderr and read the answer, one of ``answers`` or its first letter, from
    stdin, which need not be a terminal. An empty line means the first of ``answers``
    if the question ``has_default``, and else nothing: it is put again.

    Raises ``unanswered`` where no answer can come: stdin has ended or can't be read, or the learner
    sits at a terminal where they don't see the question.
    """
    in_order = sorted(answers, key=lambda word: word != "yes")  # y/N, as everywhere
    default = answers[0] if has_default else None
    choices = "/".join(word[0].upper() if word == default else word[0] for word in in_order)
    for _ in range(MAX_ATTEMPTS):
        at_terminal = is_at_terminal()
        if at_terminal and not sys.stderr.isatty():
            raise unanswered
        click.echo(printable(f"{question} [{choices}] "), nl=False, err=True)
        line = ""
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or not text
            line = sys.stdin.readline(MAX_ANSWER)
        if not at_terminal:
            click.echo(printable(line.strip()), err=True)
        if not line:
            raise unanswered
        typed = line.strip().lower() or default
        for word in answers:
            if typed in (word, word[0]):
                return word
    raise Problem(f"nothing was changed: the answer is one of {', '.join(answers)}")


def ask_direction(problem: Problem) -> str:
    """The better direction, for a Problem about the field ``better``; it stays where no one
    answers. Enter alone says neither: a wrong one would turn the verdict around."""
    return ask_user(problem.what, problem, ("lower", "higher"), has_default=False)


def is_at_terminal() -> bool:
    """True if what a person types in a terminal is read from stdin."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def agrees_to_run(commands: str, otherwise: str, yes: bool = False) -> bool:
    """True if the learner lets the command of another person's study run; ``yes`` answers for them.
    The command is shown in any case. Where no one answers, Problem with ``otherwise`` as next."""
    remark(f"The study's command {commands}")
    unanswered = Problem("its command was not run: ", next=otherwise)
    return yes or ask_user("Run it?", unanswered) == "yes"

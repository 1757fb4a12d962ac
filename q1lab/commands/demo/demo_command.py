"""`q1lab demo`: eight pairs of runs that ship, replayed in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from q1lab.commands._ask import is_at_terminal
from q1lab.commands._output import print_wrapped
from q1lab.commands._verdict import print_verdict
from q1lab.commands.demo import demo_text
from q1lab.commands.demo.shipped_runs import ShippedRuns, read_runs
from q1lab.ground.errors import OK
from q1lab.ground.text_formats import signed
from q1lab.judgment.judgment import Judgment

PAIR_SECONDS = 2.0
"""The pause between two pairs, for whoever sits at the terminal."""


@click.command(
    epilog="""\b
Examples:
  q1lab demo
  q1lab demo --full
  q1lab demo | less"""
)
@click.option("--full", is_flag=True, help="Then print the whole verdict: figure, seeds, scope.")
def demo(full: bool) -> int:
    """Watch a first verdict come, in about a minute.

    Eight trainings of a small transformer and eight with a squared ReLU, which ship with q1lab, are
    replayed at speed, and judged as they come. You are asked first what you expect. Without a
    terminal, it asks nothing and waits for nothing.

    It trains nothing and keeps nothing: no study, no line in your journal, no file.
    """
    shipped, asks = read_runs(), is_at_terminal() and sys.stdout.isatty()
    print_wrapped(demo_text.question(shipped), indent=0)
    guess = _guess(shipped) if asks else None
    click.echo()
    for line in demo_text.explanations(shipped):
        print_wrapped(line, indent=0)
    click.echo()
    print_wrapped(demo_text.looks_sentence(shipped), indent=0)
    if asks:
        click.prompt("\nEnter shows the runs", default="", show_default=False, prompt_suffix=" ")
    click.echo()
    for line in _pairs(shipped):
        click.echo(line)
        if asks:
            time.sleep(PAIR_SECONDS)
    click.echo()
    _print_end(shipped, shipped.judge(guess), full)
    return OK


def _guess(shipped: ShippedRuns) -> dict[str, Any] | None:
    """What the reader expects; None for no idea."""
    direction = _answer("Your guess", demo_text.DIRECTIONS)
    if direction not in ("lower", "higher"):
        return demo_text.guess_of(direction)
    click.echo()
    print_wrapped(demo_text.size_question(shipped), indent=0)
    return demo_text.guess_of(direction, _answer("Your guess", demo_text.SIZES))


def _answer(question: str, answers: Mapping[str, str]) -> str:
    """The answer that was chosen by its number."""
    for number, words in enumerate(answers.values(), 1):
        click.echo(f"  {number}  {words}")
    number = click.prompt(question, type=click.IntRange(1, len(answers)))
    return list(answers)[number - 1]


def _pairs(shipped: ShippedRuns) -> Iterator[str]:
    """The pairs in a line each; from the first look on with the interval after it."""
    design, values = shipped.study.design, shipped.differences
    for count, (seed, value) in enumerate(zip(shipped.study.seeds, values, strict=True), 1):
        line = f"pair of seed {seed}: {signed(value)}"
        if count >= design.pairs[0] and (ends := design.interval_at(values[:count])) is not None:
            line += f"    after {count} pairs: {signed(ends[0])} to {signed(ends[1])}"
        yield line


def _print_end(shipped: ShippedRuns, judgment: Judgment, full: bool) -> None:
    print_verdict(judgment, full=full)
    click.echo()
    for line in (
        "" if full else demo_text.guess_sentence(judgment),
        demo_text.stop_sentence(shipped),
        demo_text.NEXT,
    ):
        if line:
            print_wrapped(line, indent=0)

"""`q1lab demo`: eight pairs of runs that ship, replayed in the terminal."""

from __future__ import annotations

import statistics
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
from q1lab.judgment.character_axis import CharacterAxis
from q1lab.judgment.judgment import Judgment

LABEL_COLUMNS, AXIS_COLUMNS = 26, 52
"""Columns of a line before the axis, and of the axis."""
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

    Eight trainings of a small transformer and eight with one line more, which ship with q1lab, are
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
    else:
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
    """The pairs in a line each, on one axis: a ring for the pair's difference; from the first look
    on a bar for the interval after it, with the mean of the pairs so far."""
    design, values = shipped.study.design, shipped.differences
    looks = [design.interval_at(values[:count]) for count in range(1, len(values) + 1)]
    ends = [end for look in looks for end in look or ()]
    axis = CharacterAxis.around([*values, *ends], AXIS_COLUMNS)
    yield f"{'difference in nats':<{LABEL_COLUMNS}}{axis.ticks()}".rstrip()
    for count, (seed, value, look) in enumerate(
        zip(shipped.study.seeds, values, looks, strict=True), 1
    ):
        row = axis.points([value], "○")
        if look is not None:
            row = axis.bar(*look, statistics.fmean(values[:count]), "─", "├┤", "●")
        yield f"{f'pair of seed {seed}  {signed(value)}':<{LABEL_COLUMNS}}{row}".rstrip()


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

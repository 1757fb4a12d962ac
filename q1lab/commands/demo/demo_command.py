"""`q1lab demo`: eight pairs of runs that ship, replayed in a terminal, or as plain text."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from q1lab.commands._documents import is_at_terminal
from q1lab.commands._output import print_wrapped
from q1lab.commands._verdict import print_verdict
from q1lab.ground.errors import OK
from q1lab.ground.text_formats import IN_PANE, signed

if TYPE_CHECKING:
    from q1lab.commands.demo.shipped_runs import ShippedRuns
    from q1lab.judgment.records import Judgment


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
    replayed at speed, and judged as they come. You are asked first what you expect. Any key
    moves on; Esc leaves. Without a terminal, it prints plain text and asks nothing.

    It trains nothing and keeps nothing: no study, no line in your journal, no file.
    """
    from q1lab.commands.demo.shipped_runs import read_runs

    shipped = read_runs()
    if not _has_screen():
        for line in _told(shipped):
            print_wrapped(line, indent=0)
        _print_end(shipped, shipped.judge(), full)
        return OK
    from q1lab.commands.demo.demo_app import DemoApp

    app = DemoApp()
    app.run()
    if app.judgment is not None:
        _print_end(shipped, app.judgment, full)
    return app.return_code or app.status


def _has_screen() -> bool:
    """True if a person sits at a terminal that is large enough for the screen."""
    from q1lab.tui.screens.base import LEAST

    columns, lines = shutil.get_terminal_size()
    return (
        is_at_terminal()
        and sys.stdout.isatty()
        and os.environ.get("TERM") != "dumb"
        and IN_PANE not in os.environ
        and columns >= LEAST.width
        and lines >= LEAST.height
    )


def _told(shipped: ShippedRuns) -> Iterator[str]:
    """The demo as plain lines, up to the verdict."""
    from q1lab.commands.demo import demo_text
    from q1lab.verdict.progress_figure import pairs_figure

    yield demo_text.question(shipped)
    yield ""
    yield from demo_text.explanations(shipped)
    yield ""
    yield demo_text.looks_sentence(shipped)
    yield ""
    figure = pairs_figure(shipped.study, shipped.at(len(shipped.study.seeds)))
    (pairs,) = (bar.parts for bar in figure.bars if bar.parts)
    looks = {bar.label: bar for bar in figure.bars if bar.kind == "interval"}
    for place, pair in enumerate(pairs, 1):
        line = f"{pair.label}: {pair.text}"
        look = looks.get(f"after {place} pairs")
        if look is not None and look.low is not None and look.high is not None:
            line += f"    after {place} pairs: {signed(look.low)} to {signed(look.high)}"
        yield line
    yield ""


def _print_end(shipped: ShippedRuns, judgment: Judgment, full: bool) -> None:
    from q1lab.commands.demo import demo_text

    print_verdict(judgment, full=full)
    click.echo()
    for line in (
        "" if full else demo_text.guess_sentence(judgment),
        demo_text.stop_sentence(shipped),
        demo_text.NEXT,
    ):
        if line:
            print_wrapped(line, indent=0)

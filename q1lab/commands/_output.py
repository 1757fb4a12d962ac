"""Output of the commands: JSON for programs on stdout, remarks for people on stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from q1lab.ground.files import printable
from q1lab.ground.text_formats import IN_PANE
from q1lab.ground.write_intents import is_stream

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def print_json(record: object) -> None:
    """Print a record on stdout, for programs. What JSON has no type for is printed as text."""
    click.echo(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def remark(text: str, *, quiet: bool = False) -> None:
    """Print a line for a person on stderr. ``quiet`` where a program reads: prints nothing."""
    if not quiet:
        click.echo(printable(text), err=True)


def print_text(text: str) -> None:
    """Print text from outside on stdout, without its control characters."""
    click.echo(printable(text), nl=not text.endswith("\n"))


def say_written(path: Path, after: str = "") -> None:
    """Say that a file was written; not of standard output or a pipe, where its content went."""
    if not is_stream(path):
        click.echo(f"wrote {printable(str(path))}{after}")


def print_paged(console: Console, *contents: RenderableType, soft_wrap: bool = False) -> None:
    """Print on stdout, line by line; at a terminal that has fewer lines through $PAGER, or less."""
    with console.capture() as capture:
        for content in contents:
            console.print(content, soft_wrap=soft_wrap)
    text = capture.get()
    if sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text.removesuffix("\n"))
    else:
        sys.stdout.write(text)


def print_diff(text: str, *, err: bool = False, paged: bool = False) -> None:
    """Print a diff; on a terminal it has colors, and long lines are wrapped."""
    stream = sys.stderr if err else sys.stdout
    if text and stream.isatty():
        from rich.console import Console
        from rich.syntax import Syntax

        console = Console(file=stream)
        colored = Syntax(
            printable(text), "diff", theme="ansi_dark", background_color="default", word_wrap=True
        )
        if paged:
            print_paged(console, colored)
        else:
            console.print(colored)
    elif text:
        click.echo(printable(text), nl=False, err=err)


def width_shown() -> int | None:
    """The columns of the terminal or of the app's pane that stdout is shown in; None if it is in
    neither."""
    if not (sys.stdout.isatty() or IN_PANE in os.environ):
        return None
    return shutil.get_terminal_size().columns


def wrapped(text: str, indent: int, max_width: int | None = 100) -> str:
    """``text`` broken between words for a terminal of at most ``max_width`` columns. Its first line
    begins ``indent`` cells from the left, and the others are indented by as many. Returned as it is
    where stdout is neither a terminal nor a pane of the app."""
    columns = width_shown()
    if columns is None:
        return text
    width = max(30, min(columns, max_width or columns) - indent)
    return click.wrap_text(text, width).replace("\n", "\n" + " " * indent)


def print_wrapped(text: str, indent: int = 2) -> None:
    """Print sentences on stdout, broken between words; later lines are indented."""
    click.echo(wrapped(text, indent))

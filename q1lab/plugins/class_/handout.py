"""The page to hand out: seeds of their own for each person, and the commands to type."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.ground.files import os_reason, printable, read_text
from q1lab.plugins.class_.class_table import html_page

FIRST_SEED = 100
"""The first person's first seed: the default ones, which everybody has, come before."""
SEEDS_EACH = 3
MOST_NAMES = 1000

TITLE = "Your seeds, and what to type"
STYLE = "pre { white-space: pre-wrap; padding: 0.6em; border: 1px solid; break-inside: avoid; }\n"


def read_names(file: Path) -> list[str]:
    """The names in a text file, one a line. Problem for a file that has none, or one twice."""
    try:
        text = read_text(file, 1 << 20)
    except (OSError, UnicodeDecodeError) as error:
        why = os_reason(error) if isinstance(error, OSError) else "not UTF-8 text"
        raise Problem(f"{file}: {why}", next="give a text file with a name on each line") from None
    names = [name for line in text.splitlines() if (name := " ".join(printable(line).split()))]
    if not 0 < len(names) <= MOST_NAMES:
        raise Problem(
            f"{file} has {len(names):,} names", next=f"give 1 to {MOST_NAMES:,}, one a line"
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise Problem(f"{file}: {twice[0]!r} is there twice", next="make the names differ")
    return names


def seeds_of(number: int) -> list[int]:
    """The seeds of the person on line ``number`` (from 0): nobody else has one of them, and a name
    that is added at the end moves none."""
    first = FIRST_SEED + SEEDS_EACH * number
    return list(range(first, first + SEEDS_EACH))


def handout_page(names: list[str]) -> str:
    """The page, for a browser or a printer."""
    parts = [
        f"<h1>{TITLE}</h1>",
        "<p>Each of you trains with seeds that nobody else has: then the results of the class are "
        "independent, and can be put together. Your model file is <code>mine.py</code>; the "
        "baseline is q1lab's own.</p>",
    ]
    for number, name in enumerate(names):
        seeds = ",".join(map(str, seeds_of(number)))
        commands = (
            "q1lab check mine.py\n"
            f"q1lab run ./mine.py --seeds {seeds}\n"
            "q1lab compare\n"
            "q1lab export --format archive"
        )
        parts.append(f"<h2>{escape(name)}</h2>\n<pre>{escape(commands)}</pre>")
    parts.append(
        "<p>Hand in <code>mine.py</code> and the archive, or push the repository into which "
        "<code>q1lab keep</code> put the study: its commits show when it was declared.</p>"
    )
    return html_page(TITLE, "\n".join(parts), STYLE)

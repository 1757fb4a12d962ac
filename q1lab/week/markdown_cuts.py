"""Where the Markdown files of a week are cut: markdown-it says which lines are a heading, a list's
item, a fence or HTML.

Loading it takes longer than reading a whole week, and a command such as `q1lab status` reads one
each time. So the cuts of the last texts are kept, by the texts' hashes.
"""

from __future__ import annotations

import contextlib
import json
from typing import NamedTuple

from q1lab import __version__
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import read_text, sha256_text, write_atomic


class Cut(NamedTuple):
    """A block that a page may be cut at: markdown-it's name of it, how many lists and quotations it
    is in, its first line, counted from 0, and the line behind it."""

    kind: str
    level: int
    first: int
    last: int


KINDS = ("heading_open", "list_item_open", "fence", "html_block")


class Cuts:
    """The cuts of texts, from markdown-it or as they were kept."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Cut]] = {}
        self._used: dict[str, list[Cut]] = {}
        with contextlib.suppress(OSError, ValueError):
            told, _, body = read_text(paths.week_cuts()).partition("\n")
            if sha256_text(body) == told:  # else a disk that forgets moves the cuts
                kept = json.loads(body)
                self._kept = {key: [Cut(*cut) for cut in cuts] for key, cuts in kept.items()}

    def cuts_of(self, text: str) -> list[Cut]:
        key = sha256_text(f"{__version__}\n{text}")
        self._used[key] = self._kept[key] if key in self._kept else parse_cuts(text)
        return self._used[key]

    def save(self) -> None:
        """Keep the cuts of the texts that were asked for. What can't be kept is made again."""
        if self._used.keys() - self._kept.keys() and paths.home().is_dir():
            body = json.dumps(self._used)
            with contextlib.suppress(Problem):
                write_atomic(paths.week_cuts(), f"{sha256_text(body)}\n{body}")


def parse_cuts(text: str) -> list[Cut]:
    """Blocks only, and of those what a page is cut at: the text between is for the viewer."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("zero", {"html": True}).enable(["heading", "fence", "list", "html_block"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    tokens = (token for token in parser.parse(text + "\n") if token.type in KINDS)
    return [Cut(one.type, one.level, one.map[0], one.map[1]) for one in tokens if one.map]

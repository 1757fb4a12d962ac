"""The places at which a week's Markdown files are cut: markdown-it says which lines are a heading,
a list's item, a fence or HTML.

Loading it takes longer than reading a whole week, and a command such as `q1lab status` reads one
each time. So the cuts of the last texts are cached, by the texts' hashes.
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
    """A block at which a page may be cut: markdown-it's name for it, the number of lists and
    quotations around it, its first line (from 0), and the line after its last."""

    kind: str
    level: int
    first: int
    last: int


KINDS = ("heading_open", "list_item_open", "fence", "html_block")


class Cuts:
    """The cuts of texts, from the cache or from markdown-it."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Cut]] = {}
        self._used: dict[str, list[Cut]] = {}
        with contextlib.suppress(OSError, ValueError):
            stored_sha, _, body = read_text(paths.week_cuts_file()).partition("\n")
            if sha256_text(body) == stored_sha:  # else a damaged cache would move the cuts
                stored_cuts = json.loads(body)
                self._kept = {key: [Cut(*cut) for cut in cuts] for key, cuts in stored_cuts.items()}

    def cuts_of(self, text: str) -> list[Cut]:
        key = sha256_text(f"{__version__}\n{text}")
        self._used[key] = self._kept[key] if key in self._kept else parse_cuts(text)
        return self._used[key]

    def save(self) -> None:
        """Save the cuts of the texts read this time. A failure is harmless: they are parsed
        again."""
        if self._used.keys() - self._kept.keys() and paths.home().is_dir():
            body = json.dumps(self._used)
            with contextlib.suppress(Problem):
                write_atomic(paths.week_cuts_file(), f"{sha256_text(body)}\n{body}")


def parse_cuts(text: str) -> list[Cut]:
    """Parse the blocks at which a page is cut; the viewer renders the text between them."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("zero", {"html": True}).enable(["heading", "fence", "list", "html_block"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    tokens = (token for token in parser.parse(text + "\n") if token.type in KINDS)
    return [
        Cut(token.type, token.level, token.map[0], token.map[1]) for token in tokens if token.map
    ]

"""Passages of both models as text: side by side where there is room, else one below the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from q1lab.commands.sample.passages import PassagePair
from q1lab.judgment.terminal_text import STYLES
from q1lab.study.studies import Study

TOKENS = 500
"""Characters of a passage, unless said otherwise."""
BESIDE = 100
"""From this width in cells, two passages stand side by side."""
GAP = 3
"""Cells between them."""
WIDEST = 66
"""Cells of a column at most: longer lines are hard to read."""


class Passage(NamedTuple):
    """One passage with its heading, which has a style. ``shared`` is the number of characters that
    both begin with."""

    heading: str
    text: str
    style: str = ""
    shared: int = 0


def pair_lines(
    study: Study, pair: PassagePair, width: int, styles: Mapping[str, str] = STYLES
) -> Iterator[Text]:
    """A prompt and what both models of a study wrote from it, laid out for ``width`` cells; their
    shared beginning is dim."""
    yield from prompt_lines(pair.prompt, width, styles)
    names = {"baseline": study.baseline, "modified": study.variant}
    heads = {arm: arm if name == arm else f"{arm} ({name})" for arm, name in names.items()}
    yield from passage_lines(
        [
            Passage(heads["baseline"], pair.baseline, styles["baseline"], pair.shared),
            Passage(heads["modified"], pair.modified, styles["modified"], pair.shared),
        ],
        width,
        styles,
    )
    yield Text(_shared_sentence(pair.shared, max(len(pair.baseline), len(pair.modified))))


def _shared_sentence(shared: int, longest: int) -> str:
    """The place where two passages of at most ``longest`` characters part."""
    if shared == longest:
        return "They write the same."
    if not shared:
        return "They part at the first character."
    if shared == 1:
        return f"Only the first of {longest} characters is the same."
    return f"The first {shared} of {longest} characters are the same."


def passage_lines(
    passages: Sequence[Passage], width: int, styles: Mapping[str, str] = STYLES
) -> Iterator[Text]:
    """Two passages, side by side from ``BESIDE`` cells on, else one below the other."""
    if width < BESIDE:
        for passage in passages:
            yield from (*_column(passage, min(width, WIDEST), styles), Text())
        return
    room = min(WIDEST, (width - GAP) // 2)
    for left, right in zip_longest(*(_column(passage, room, styles) for passage in passages)):
        line = left or Text()
        line.pad_right(room + GAP - line.cell_len)
        yield line.append_text(right or Text())
    yield Text()


def prompt_lines(prompt: str, width: int, styles: Mapping[str, str] = STYLES) -> Iterator[Text]:
    """The prompt that passages go on from, as it was written."""
    shown = prompt.expandtabs(4).strip("\n") or "(a new line)"
    yield from Text(f"after:\n{shown}", styles["dim"]).wrap(Console(), min(width, BESIDE))
    yield Text()


def _column(passage: Passage, width: int, styles: Mapping[str, str]) -> list[Text]:
    text = Text(passage.text.expandtabs(4))
    text.stylize(styles["dim"], 0, passage.shared)
    return [Text(passage.heading, f"bold {passage.style}"), *text.wrap(Console(), width)]

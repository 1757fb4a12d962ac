"""A stop for futility in words: what it saved, and the command that goes to the end all the same.

Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.text_formats import plural
from q1lab.judgment.futility import LEAST_CHANCE

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def futility_line(c: Judgment) -> str:
    """The line of the short form: the pairs that were saved, and the command that trains them; a
    series has one that is longer than a line."""
    if c.subject.share is not None:
        return f"Stopped, {_pairs_saved(c)} saved. --full has the command that goes to its end."
    return f"Stopped, {_pairs_saved(c)} saved. To its end: `{c.subject.whole_range_command}`"


def futility_sentence(c: Judgment, *, published: bool = False) -> str:
    """The reason that a range stopped early without a claim, and, unless ``published``, the way to
    its end; empty where it did not."""
    if not c.stopped_for_futility:
        return ""
    claim = "say HELPS" if c.analysis.one_sided else "claim something"
    text = (
        f"It stopped after {c.analysis.n} pairs, since the chance that any later look would "
        f"{claim} had fallen below {LEAST_CHANCE:.0%}. That saved {_pairs_saved(c)}."
    )
    command = c.subject.whole_range_command
    if published or not command:
        return text
    return f"{text} To train them all the same, at the same levels: `{command}`."


def _pairs_saved(c: Judgment) -> str:
    return plural(c.subject.plan.pairs[1] - c.analysis.n, "pair")

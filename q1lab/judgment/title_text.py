"""Titles of a comparison: above a picture, and of a page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.text_formats import MINUS, plural, printable
from q1lab.judgment.difference_text import mean_text
from q1lab.judgment.label_text import arm_names, brief_names, sample_text, verdict_word

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def comparison_title(c: Judgment) -> str:
    """One line above a picture: verdict, difference, seeds, data."""
    return f"{_finding(c, arm_names(c))} ({comparison_sample(c)})"


def brief_title(c: Judgment) -> str:
    """The verdict and the difference, short enough for two lines of a page."""
    return _finding(c, brief_names(arm_names(c)))


def _finding(c: Judgment, names: tuple[str, str]) -> str:
    base, modified = names
    text = f"{modified} against {base}"
    if c.analysis.mean is not None:
        text = f"{modified} {MINUS} {base} = {mean_text(c.analysis)}{c.metric.suffix}"
    return f"{verdict_word(c)}: {text}"


def comparison_sample(c: Judgment) -> str:
    """The runs behind a comparison: ``8 pairs, shakespeare, cpu preset``."""
    many = f"{plural(c.lost, 'run')} diverged" if c.lost else sample_text(c)
    preset = f"{c.subject.preset} preset" if c.subject.preset else ""
    return ", ".join(filter(None, (many, printable(c.subject.data_name), preset)))

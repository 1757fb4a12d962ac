"""MODIFICATION.md: one experiment from the choice to the verdict. Rendering is a pure function of
its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.documents.facts import DIRECTION_WORDS, StudyFacts
from q1lab.documents.markdown import Md
from q1lab.documents.templates import Rendered, render

FILE = "MODIFICATION.md"
TEMPLATE = "modification.md.j2"


@dataclass(frozen=True)
class Answer:
    """A step's question and what the learner wrote."""

    question: str
    text: str


@dataclass(frozen=True)
class Prediction:
    """A prediction as the document shows it; ``amended`` are the earlier ones, newest first."""

    direction_words: str
    size: float
    matters: float
    confidence: float | None
    reasoning: str
    created: str
    locked_words: str
    amended: tuple[Prediction, ...] = ()


@dataclass(frozen=True)
class Modification:
    """Everything that MODIFICATION.md says. ``study`` is the newest finished study of the
    modification, or None."""

    week: str
    title: str
    variant: str
    variant_title: str
    paper: str
    base: str
    chosen: bool
    chosen_on: str | None = None
    reasoning: tuple[Answer, ...] = ()
    notes: tuple[Answer, ...] = ()
    sketch: tuple[Answer, ...] = ()
    prediction: Prediction | None = None
    predicted: tuple[Answer, ...] = ()
    analysis: tuple[Answer, ...] = ()
    diff: str = ""
    diff_lines: Mapping[str, int] | None = None
    study: StudyFacts | None = None
    other_studies: Md | None = None
    command: str = ""


def document(record: Modification, root: Path | None = None) -> Rendered:
    """The document and its regions."""
    return render(TEMPLATE, record, root)


def shown_prediction(found: Mapping[str, Any]) -> Prediction:
    """A prediction of the journal as the document shows it."""
    locked = found.get("locked")
    return Prediction(
        direction_words=DIRECTION_WORDS.get(found["direction"], str(found["direction"])),
        size=float(found.get("size") or 0),
        matters=float(found.get("matters") or 0),
        confidence=found.get("confidence"),
        reasoning=str(found.get("reasoning") or ""),
        created=str(found["created"]),
        locked_words=f"{locked[:10]}, by {found.get('locked_by') or 'hand'}"
        if locked
        else "not yet",
        amended=tuple(shown_prediction(old) for old in found.get("amended") or ()),
    )

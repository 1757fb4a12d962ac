"""The picture of a study beside a document of the learner's: ``figures/rope-1.svg``, which the
document shows."""

from __future__ import annotations

from pathlib import Path

from q1lab.compare import comparison_cache
from q1lab.compare.comparison import Comparison
from q1lab.compare.published_names import with_published_names
from q1lab.documents.change import read_document
from q1lab.ground import write_intents
from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.judgment import picture as drawing
from q1lab.judgment.picture import Curves
from q1lab.study import studies

FOLDER = "figures"
HEAD = 4000
"""Bytes at the beginning of a picture that say who drew it."""


def picture_path(study_id: str) -> str:
    """The picture's path from the document's folder."""
    return f"{FOLDER}/{study_id}.svg"


def picture_files(store: Store, document: Path, text: bytes, study_id: str) -> dict[Path, bytes]:
    """The picture that goes with a document, by its path; none where the ``text`` shows none, as a
    learner may have taken it out. One that shows the study as it is now stays as it was drawn.
    Problem for a file of that name that q1lab did not draw."""
    if picture_path(study_id).encode() not in text:
        return {}
    path = document.parent / picture_path(study_id)
    old = read_document(path)
    if old is not None and not (write_intents.is_last_written(path, old) or is_drawn_by_q1lab(old)):
        raise Problem(
            f"{path} is not a picture that q1lab drew",
            next=f"rename it: {document.name} shows its own picture of {study_id} there",
            file=path,
        )
    study = studies.load(study_id)
    record = with_published_names(comparison_cache.compare(store, study))
    curves = comparison_cache.read_curves(store, study)
    if old is not None and _shows(old, record, curves):
        return {path: old}
    return {path: drawing.draw_comparison(record, curves, "svg")}


def is_drawn_by_q1lab(content: bytes) -> bool:
    """True if an SVG is a picture of a study that q1lab drew."""
    return b"<metadata>q1lab " in content[:HEAD]


def _shows(picture: bytes, c: Comparison, curves: Curves) -> bool:
    """True if a picture shows this comparison, however it is drawn."""
    return drawing.facts_mark(c, curves).encode() in picture[:HEAD]

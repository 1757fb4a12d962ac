"""The modification of the week: the studies and documents that belong to each, and the question
that q1lab asks before the learner changes to another.

Every modification has a record of its own: its model file, the ticks and answers of the steps after
the choice, its prediction, its studies, and its document. A study belongs to the modification that
it trained, whatever is chosen by then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from q1lab.journal import learner_tables, stored_results
from q1lab.journal.store import Store
from q1lab.study.own_model import parents


def study_trained(study: str, trained_variant: str, names: Collection[str], variant: str) -> bool:
    """True if a study whose modified arm is called ``trained_variant`` trained the modification
    ``variant``, whose studies run under ``names``. The first line of the file that trained is
    believed before its name: one file may have carried two modifications, one after the other."""
    return trained_variant in names and parents.variant_trained_by(study) in (None, variant)


def studies_of_variant(store: Store, week: str, variant: str) -> list[str]:
    """The studies that train or trained a modification, the newest first."""
    row = learner_tables.modification_row(store, learner_tables.record_key(store, week, variant))
    names = learner_tables.names_of_modification(row) | {variant}
    return [
        row["id"]
        for row in stored_results.list_studies(store)
        if study_trained(row["id"], row["variant"].removesuffix("*"), names, variant)
    ]


def change_question(store: Store, week: str, variant: str) -> str:
    """The question that a learner answers before they change from the modification that they have
    trained to another; "" before the first run, and for the same modification."""
    before = learner_tables.chosen_variant(store, week)
    if before is None or before == variant:
        return ""
    studies = studies_of_variant(store, week, before)
    if not studies:
        return ""
    more = f" and {len(studies) - 1} more" if len(studies) > 1 else ""
    return (
        f"You have trained {before} ({studies[0]}{more}). Change to {variant}? What you wrote and "
        f"ran for {before} is kept, and comes back when you choose it again."
    )


# ── the documents


def note_document_written(
    store: Store,
    week: str,
    variant: str | None,
    path: Path,
    *,
    committed: bool,
    prediction: int | None = None,
) -> None:
    """Note that the document of a modification (None: before the choice) was written just now, and
    the prediction that it holds. A file belongs to the modification that it was written for
    last."""
    store.add(
        "document",
        week=week,
        variant=variant or "",
        path=str(path),
        committed=committed,
        prediction=prediction,
    )


def noted_documents(store: Store, week: str) -> Mapping[str, Mapping[str, Any]]:
    """The notes on each modification's document, by the modification's name ("": before the
    choice): path, at (when it was written), committed, prediction (the one that it holds, by its
    row)."""
    return {
        row["variant"]: {"path": row["file"], "at": row["at"], **json.loads(row["facts"])}
        for row in learner_tables.evidence_rows(store, week)
        if row["act"] == "modification"
    }


def document_path(store: Store, week: str, variant: str, usual: Path) -> Path:
    """The path of a modification's document, written or not. It is ``usual``, unless that file
    belongs to another modification that has been trained: then the variant's name is added."""
    documents_by_variant = noted_documents(store, week)
    own_document = documents_by_variant.get(variant)
    if own_document is not None and Path(own_document["path"]).parent == usual.parent:
        return Path(own_document["path"])
    for name, document in documents_by_variant.items():
        if document["path"] == str(usual) and name and studies_of_variant(store, week, name):
            return usual.with_name(f"{usual.stem}-{variant}{usual.suffix}")
    return usual

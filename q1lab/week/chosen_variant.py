"""The modification of the week: what belongs to which, and what changing one's mind asks first.

Every modification has a record of its own: its model file, the ticks and answers of the steps after
the choice, its prediction, its studies, and its document. A study belongs to the modification that
it trained, whatever is chosen by then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.index import learner_tables, stored_results
from q1lab.week.own_model import parents

if TYPE_CHECKING:
    from q1lab.index.store import Store


def study_trained(study: str, its_variant: str, names: Collection[str], variant: str) -> bool:
    """Whether a study whose modified arm is called ``its_variant`` trained the modification
    ``variant``, whose studies run under ``names``. The first line of the file that trained is
    believed before its name: one file may have carried two modifications, one after the other."""
    return its_variant in names and parents.variant_trained_by(study) in (None, variant)


def studies_of_variant(store: Store, week: str, variant: str) -> list[str]:
    """The studies that train or trained a modification, the newest first."""
    row = learner_tables.modification_row(store, learner_tables.stored_week(store, week, variant))
    names = learner_tables.variant_names(row) | {variant}
    return [
        row["id"]
        for row in stored_results.list_studies(store)
        if study_trained(row["id"], row["variant"].removesuffix("*"), names, variant)
    ]


def change_question(store: Store, week: str, variant: str) -> str:
    """What a person is asked before they choose another modification than the one that they have
    trained; "" where nothing is lost from sight: before the first run, and for the same one."""
    before = learner_tables.chosen_variant(store, week)
    if before is None or before == variant:
        return ""
    studies = studies_of_variant(store, week, before)
    if not studies:
        return ""
    ran = studies[0] if len(studies) == 1 else f"{studies[0]} and {len(studies) - 1} more"
    return (
        f"You have trained {before} ({ran}). Change to {variant}? What you wrote and ran for "
        f"{before} is kept, and comes back when you choose it again."
    )


# ── the documents


def note_document(
    store: Store,
    week: str,
    variant: str | None,
    path: Path,
    *,
    committed: bool,
    prediction: int | None = None,
) -> None:
    """Note that the document of a modification (None: before the choice) was written just now, and
    which prediction it holds. A file tells of one modification: the one that it was written for
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
    """What was noted of each modification's document, by its name ("": before the choice): path,
    at (when it was written), committed, prediction (the one that it holds, by its row)."""
    return {
        row["variant"]: {"path": row["file"], "at": row["at"], **json.loads(row["facts"])}
        for row in learner_tables.evidence_rows(store, week)
        if row["act"] == "modification"
    }


def document_path(store: Store, week: str, variant: str, usual: Path) -> Path:
    """Where the document of a modification is, or is to be. It is ``usual``, unless that one tells
    of another modification that has been trained: then it has its name in it."""
    kept = noted_documents(store, week)
    mine = kept.get(variant)
    if mine is not None and Path(mine["path"]).parent == usual.parent:
        return Path(mine["path"])
    for name, found in kept.items():
        if found["path"] == str(usual) and name and studies_of_variant(store, week, name):
            return usual.with_name(f"{usual.stem}-{variant}{usual.suffix}")
    return usual

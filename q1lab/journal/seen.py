"""The numbers that could be seen of the studies on record, and how their runs ended.

A run is seen from its first number on: it ended with one, was evaluated, or logged 50 training
losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from q1lab.ground import paths
from q1lab.journal import on_record
from q1lab.journal.on_record import DeletedStudy, StudyKey
from q1lab.journal.store import Row, Store
from q1lab.judgment.run_states import ENDED, RunState
from q1lab.study.run_ends import RunEnd, RunEnds
from q1lab.study.studies import Study

SEEN_LOSSES = 50
"""The number of training losses from which a run is seen: fewer tell nothing of how it will end."""


def shows_number(run: Row) -> bool:
    """True if a number of a run could be seen."""
    return (
        run["state"] == RunState.FINISHED
        or run["eval_loss"] is not None
        or run["farthest"] >= SEEN_LOSSES
    )


def ends_of(store: Store, asked: Iterable[Study]) -> dict[StudyKey, RunEnds | None]:
    """The ends of the runs of each study, also of one that was deleted; None where its folder was
    removed by hand."""
    here: dict[StudyKey, dict[tuple[str, int], RunEnd]] = {
        (row["id"], row["created"]): {}
        for row in store.db.execute("SELECT id, created FROM studies")
    }
    for row in store.db.execute(
        "SELECT s.id, s.created, r.arm, r.seed, r.state, r.val_loss, r.ended "
        "FROM runs r JOIN studies s ON s.id = r.study_id WHERE r.state IN ('finished', 'diverged')"
    ):
        end = RunEnd(row["state"], row["val_loss"], row["ended"] or "")
        here[row["id"], row["created"]][row["arm"], row["seed"]] = end
    ends: dict[StudyKey, RunEnds | None] = {}
    for study in asked:
        key = on_record.study_key(study)
        if key in here:
            ends[key] = here[key]
        elif (deleted := on_record.deleted_study(store, *key)) is not None:
            ends[key] = _deleted_ends(study, deleted)
        else:
            ends[key] = {} if paths.study_dir(study.id).exists() else None
    return ends


def _deleted_ends(study: Study, deleted: DeletedStudy) -> RunEnds:
    recorded = [(run, deleted.runs.get(run.name, {})) for run in study.runs]
    return {
        (run.arm, run.seed): RunEnd(
            str(facts["state"]), _number(facts.get("val_loss")), str(facts.get("ended") or "")
        )
        for run, facts in recorded
        if facts.get("state") in ENDED
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None

"""The numbers that could be seen of the studies on record, and how their runs ended.

A run is seen from its first number on: it ended with one, was evaluated, or logged 50 training
losses.
"""

from __future__ import annotations

from typing import Any

from q1lab.ground import paths
from q1lab.journal import on_record
from q1lab.journal.store import Row, Store
from q1lab.judgment.run_states import ENDED, RunState
from q1lab.study.run_ends import RunEnd
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


def all_ends(store: Store) -> dict[str, dict[tuple[str, int], RunEnd]]:
    """The ends of the runs of all studies that are here, by study."""
    ends: dict[str, dict[tuple[str, int], RunEnd]] = {}
    for row in store.db.execute(
        "SELECT study_id, arm, seed, state, val_loss, ended FROM runs "
        "WHERE state IN ('finished', 'diverged')"
    ):
        ends.setdefault(row["study_id"], {})[row["arm"], row["seed"]] = _end(row)
    return ends


def _end(row: Row) -> RunEnd:
    return RunEnd(row["state"], row["val_loss"], row["ended"] or "")


def recorded_ends(store: Store, study: Study) -> dict[tuple[str, int], RunEnd]:
    """The ends of a study's runs, also of one that was deleted."""
    rows = store.runs(study.id) if paths.study_dir(study.id).exists() else []
    if rows:
        ended = [row for row in rows if row["state"] in ENDED]
        return {(r["arm"], r["seed"]): _end(r) for r in ended}
    deleted = on_record.deleted_study(store, *on_record.study_key(study))
    facts_by_run = (
        [] if deleted is None else [(r, deleted.runs.get(r.name, {})) for r in study.runs]
    )
    return {
        (run.arm, run.seed): RunEnd(
            str(facts["state"]), _number(facts.get("val_loss")), str(facts.get("ended") or "")
        )
        for run, facts in facts_by_run
        if facts.get("state") in ENDED
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None

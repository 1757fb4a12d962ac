"""The numbers that could be seen of the studies on record: which of their runs showed one, and how
their runs ended.

A run is seen from its first number on: it ended with one, was evaluated, or logged 50 training
losses. A study of which no run was seen costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from q1lab.ground import paths
from q1lab.index.store import Row, Store
from q1lab.record import declarations, on_record
from q1lab.record.history import Line
from q1lab.study.run_ends import RunEnd
from q1lab.study.run_states import ENDED, RunState
from q1lab.study.studies import ARMS, Study, run_name

SEEN_LOSSES = 50
"""The number of training losses from which a run is seen: fewer tell nothing of how it will end."""


def shows_number(run: Row) -> bool:
    """True if a number of a run could be seen."""
    return (
        run["state"] == RunState.FINISHED
        or run["eval_loss"] is not None
        or farthest_iter(run) >= SEEN_LOSSES
    )


def farthest_iter(run: Row) -> int:
    """The farthest iter of all attempts at a run."""
    attempts = json.loads(run["attempts"])
    return max(int(run["iter"]), *(int(before) for _, before, _ in attempts), 0)


@dataclass
class SeenRuns:
    """The runs of which a number could be seen, and those that diverged, by the declared names of
    their studies."""

    seen: dict[str, list[str]] = field(default_factory=dict)
    diverged: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, run: str, state: str, is_seen: bool) -> None:
        if state == RunState.DIVERGED:
            self.diverged.setdefault(name, []).append(run)
        elif is_seen:
            self.seen.setdefault(name, []).append(run)

    def news_since(self, lines: Iterable[Line]) -> dict[str, Any]:
        """Those that none of these lines lists."""
        news: dict[str, Any] = {"seen": dict(self.seen), "diverged": dict(self.diverged)}
        for line in lines:
            for key, now in news.items():
                for name, listed in line.get(key, {}).items():
                    if name in now:
                        now[name] = [run for run in now[name] if run not in listed]
        return {
            key: {name: runs for name, runs in now.items() if runs} for key, now in news.items()
        }


def seen_runs(store: Store, lines: Iterable[Line]) -> SeenRuns:
    """The runs that could be seen of the studies that these lines put on record. Of a folder that
    was removed by hand all of them could."""
    result = SeenRuns()
    folders = dict(store.db.execute("SELECT id, created FROM studies"))
    for row in store.db.execute(
        "SELECT study_id, arm, seed, state, iter, eval_loss, attempts FROM runs "
        "WHERE state <> 'queued'"
    ):
        name = declarations.declared_name(row["study_id"], folders[row["study_id"]])
        is_seen = shows_number(row)
        result.add(name, run_name(row["arm"], row["seed"]), row["state"], is_seen)
    declared = {declarations.declared_name(*key) for key in folders.items()}
    for deleted in on_record.deleted_studies(store):
        name = declarations.declared_name(deleted.id, deleted.created)
        if name not in declared:
            declared.add(name)
            for run, facts in deleted.runs.items():
                result.add(name, run, str(facts.get("state")), _was_seen(facts))
    keys = on_record.study_keys(store)
    for line in lines:
        name = line["study"]
        if name in keys and name not in declared and not paths.study_dir(keys[name][0]).exists():
            result.seen[name] = [
                run_name(arm, seed) for batch in line["seeds"] for seed in batch for arm in ARMS
            ]
    return result


def _was_seen(facts: Mapping[str, Any]) -> bool:
    """True if a run of a deleted study had shown a number; its line may be an older q1lab's."""
    farthest = facts.get("iter")
    trained = isinstance(farthest, int) and farthest >= SEEN_LOSSES
    return trained or bool(facts.get("seen", facts.get("state") is not None))


# ── how runs ended


def recorded_ends(store: Store, study: Study) -> dict[tuple[str, int], RunEnd]:
    """The ends of a study's runs, also of one that was deleted."""
    rows = store.runs(study.id) if paths.study_dir(study.id).exists() else []
    if rows:
        ended = [row for row in rows if row["state"] in ENDED]
        return {(r["arm"], r["seed"]): RunEnd(r["state"], r["val_loss"]) for r in ended}
    deleted = on_record.deleted_study(store, *on_record.study_key(study))
    facts_by_run = (
        [] if deleted is None else [(r, deleted.runs.get(r.name, {})) for r in study.runs]
    )
    return {
        (run.arm, run.seed): RunEnd(str(facts["state"]), _number(facts.get("val_loss")))
        for run, facts in facts_by_run
        if facts.get("state") in ENDED
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None

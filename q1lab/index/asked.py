"""What the ledger of questions is read from: the plans of studies, how their runs began, and how
far they came. Computes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection

from q1lab.index.store import Row, Store


def plans(store: Store) -> list[Row]:
    """(id, created, plan) of every study, oldest first; ``plan`` is its study.json."""
    return store.db.execute(
        "SELECT id, created, plan FROM studies ORDER BY created, rowid"
    ).fetchall()


def runs(store: Store, ids: Collection[str]) -> list[Row]:
    """(study_id, arm, seed, state, started, ended, iter, max_iters, eval_loss, val_loss) of these
    studies' runs that were started."""
    return store.db.execute(
        "SELECT study_id, arm, seed, state, started, ended, iter, max_iters, eval_loss, val_loss "
        "FROM runs WHERE study_id IN (SELECT value FROM json_each(?)) AND state <> 'queued'",
        (json.dumps(list(ids)),),
    ).fetchall()


def first_losses(store: Store, ids: Collection[str], iters: int) -> list[Row]:
    """(study_id, arm, seed, iter, value): training losses (nats) of the first ``iters`` iters of
    these studies' runs, as far as they were logged and finite."""
    return store.db.execute(
        "SELECT r.study_id, r.arm, r.seed, m.iter, m.value FROM runs r JOIN metrics m "
        "ON m.run_id = r.id AND m.name = 'train_loss' AND m.iter BETWEEN 1 AND ? "
        "WHERE r.study_id IN (SELECT value FROM json_each(?)) AND m.value IS NOT NULL",
        (iters, json.dumps(list(ids))),
    ).fetchall()

"""What the ledger of questions is read from: the plans of studies on the same data, and how their
runs ended. Computes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection

from q1lab.index.store import Row, Store


def plans(store: Store, data_sha256: str) -> list[Row]:
    """(id, created, plan) of every study on this data, oldest first; ``plan`` is its study.json."""
    return store.db.execute(
        "SELECT id, created, plan FROM studies WHERE data_sha256 = ? ORDER BY created, rowid",
        (data_sha256,),
    ).fetchall()


def ends(store: Store, ids: Collection[str]) -> list[Row]:
    """(study_id, arm, seed, state, ended, val_loss) of the runs of these studies that finished or
    diverged."""
    return store.db.execute(
        "SELECT study_id, arm, seed, state, ended, val_loss FROM runs "
        "WHERE study_id IN (SELECT value FROM json_each(?)) AND state IN ('finished', 'diverged')",
        (json.dumps(list(ids)),),
    ).fetchall()

"""The comparison of a study: the record of ``q1lab compare --json``, put together from the store.

Pure statistics are in stats.py, wording in verdict.py, pictures in charts.py; here they get their
numbers.
"""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

from q1lab.compare import stats
from q1lab.files import sha256_text
from q1lab.index import ingest, results
from q1lab.index.store import Row, Store
from q1lab.study.states import State
from q1lab.study.studies import ARMS, Study

Record = dict[str, Any]


def compare(store: Store, study: Study) -> Record:
    """The comparison of everything that has ended. Kept in ``results`` and computed again when a
    run changes."""
    ingest.verify(store, study)
    rows = store.runs(study.id)
    fingerprint = _fingerprint(study, rows)
    kept = results.kept(store, study.id)
    if kept is not None and kept["fingerprint"] == f"{fingerprint} {sha256_text(kept['record'])}":
        record: Record = json.loads(kept["record"])
        return record
    record = build(study, rows)
    text = json.dumps(record, allow_nan=False)
    results.keep(store, study.id, f"{fingerprint} {sha256_text(text)}", text)
    return record


def build(study: Study, rows: list[Row]) -> Record:
    """The record, from a study's plan and its runs' rows."""
    values = {arm: _values(rows, arm) for arm in ARMS}
    analysis = stats.analyse(
        values["baseline"],
        values["modified"],
        headline="welch" if study.headline == "welch" else "paired",
        looks=len(study.looks),
        delta=(study.prediction or {}).get("matters"),
        complete=_complete(rows),
    )
    found = analysis.to_dict()
    warnings = [*found.pop("warnings"), *_warnings(study, rows)]
    return {
        "study": study.id,
        "created": study.created,
        "variant": study.variant,
        "baseline": study.baseline,
        "metric": "val_loss",
        **found,
        "warnings": warnings,
        "arms": {arm: _arm(study, rows, arm) for arm in ARMS},
        "floor": _floor(values["baseline"]),
        "seeds": list(study.seeds),
        "data": {"name": study.data.name, "sha256": study.data.sha256},
        "config": study.config,
        "preset": study.preset,
        "dtype": study.dtype,
        "device": study.device,
        "versions": study.versions,
        "repo": study.repo,
        "prediction": study.prediction,
        "reused": [_name(row) for row in rows if row["reused_from"]],
        "complete": _complete(rows),
    }


def curves(store: Store, study: Study) -> dict[str, dict[int, dict[str, list[float]]]]:
    """Loss curves for the charts: ``{arm: {seed: {iter, train_loss, eval_iter, val_loss}}}``.

    The val curve is over fixed windows from beginning to end; the exact val loss only closes a
    curve that stops before the last iter, as curves from elsewhere may; where a loss was not finite
    the curve has NaN.
    """
    found: dict[str, dict[int, dict[str, list[float]]]] = {arm: {} for arm in ARMS}
    for row in store.runs(study.id):
        train = store.curve(row["id"], "train_loss")
        val = store.curve(row["id"], "val_loss")
        val += [
            point
            for point in store.curve(row["id"], "final_val_loss")
            if not val or val[-1][0] < point[0]
        ]
        found[row["arm"]][row["seed"]] = {
            "iter": [float(i) for i, _ in train],
            "train_loss": [_or_nan(value) for _, value in train],
            "eval_iter": [float(i) for i, _ in val],
            "val_loss": [_or_nan(value) for _, value in val],
        }
    return found


def _floor(values: dict[int, float | None]) -> dict[str, float] | None:
    """The noise floor, A/A: how far apart baseline runs are that differ in nothing but their seed
    (the widest of their differences, in both directions). None below two such runs, or when one
    diverged."""
    losses = [value for value in values.values() if value is not None]
    if len(losses) < 2 or len(losses) < len(values):
        return None
    widest = max(losses) - min(losses)
    return {"low": -widest, "high": widest}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _values(rows: list[Row], arm: str) -> dict[int, float | None]:
    """Final val loss by seed; None for a diverged run; runs that have not ended are not there."""
    return {
        row["seed"]: row["val_loss"] if row["state"] == State.FINISHED else None
        for row in rows
        if row["arm"] == arm and row["state"] in (State.FINISHED, State.DIVERGED)
    }


def _arm(study: Study, rows: list[Row], arm: str) -> dict[str, Any]:
    values = _values(rows, arm)
    finished = [value for value in values.values() if value is not None]
    ended = [row for row in rows if row["arm"] == arm and row["state"] == State.FINISHED]
    speeds = [row["tokens_per_s"] for row in ended if row["tokens_per_s"]]
    seconds = [row["seconds"] for row in ended]
    plan = study.arms[arm]
    whole = len(finished) == len(values)
    return {
        "variant": plan.variant,
        "title": plan.title,
        "mean": statistics.fmean(finished) if finished and whole else None,
        "std": statistics.stdev(finished) if len(finished) > 1 and whole else None,
        "values": {str(seed): value for seed, value in sorted(values.items())},
        "n_params": plan.n_params,
        "flops_per_token": plan.flops_per_token,
        "tokens_per_s": statistics.median(speeds) if speeds else None,
        "wall_s": statistics.fmean(seconds) if seconds else None,
        "sha256": plan.sha256,
        "origin": plan.origin,
    }


def _complete(rows: list[Row]) -> bool:
    """Whether every planned run has ended: before that a verdict would be a look that nobody
    counted."""
    return all(row["state"] in (State.FINISHED, State.DIVERGED) for row in rows)


def _warnings(study: Study, rows: list[Row]) -> list[str]:
    notes = []
    left = [_name(row) for row in rows if row["state"] not in (State.FINISHED, State.DIVERGED)]
    if left:
        notes.append(f"{len(left)} of {len(rows)} runs have not finished: {', '.join(left)}")
    bad = sum(row["bad_lines"] for row in rows)
    if bad:
        notes.append(f"{bad} damaged lines in the event files were passed over")
    if study.unchecked:
        notes.append("the model file was trained without its checks (--unchecked)")
    return notes


def _name(row: Row) -> str:
    return f"{row['arm']}-seed{row['seed']}"


def _fingerprint(study: Study, rows: list[Row]) -> str:
    """Changes whenever the record would: the plan, or any run's state or numbers (and this code's
    version)."""
    parts = [
        [
            row[k]
            for k in ("arm", "seed", "state", "val_loss", "tokens_per_s", "seconds", "bad_lines")
        ]
        for row in rows
    ]
    return sha256_text(json.dumps([VERSION, study.to_dict(), parts], sort_keys=True))


VERSION = 3
"""Raise it when the record's computation changes, so that kept ones are made anew."""

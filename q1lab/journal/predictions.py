"""Predictions: what the learner expects, written before the runs, and how it came out.

A prediction says which way the final val loss will go, by how much, the smallest difference that
would matter (δ), and how sure one is. It locks when it is committed or when the first study that
carries it is planned. After that it can only be amended: the old one stays, the new one has its own
date, and what a study carries is what is scored. The scoring is pure.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.errors import Problem
from q1lab.files import utc_now

if TYPE_CHECKING:
    from q1lab.index.store import Store

DIRECTIONS = ("lower", "higher", "same")
"""Of the modified arm's final val loss against the baseline's; ``same`` means within ±δ."""

_SETTLED = {"helps": "lower", "hurts": "higher", "too small to matter": "same"}


def predict(
    store: Store,
    week: str,
    variant: str,
    direction: str,
    *,
    size: float,
    matters: float,
    confidence: float,
    reasoning: str = "",
    amend: bool = False,
) -> dict[str, Any]:
    """Record a prediction and return it (see ``newest``).

    ``size`` and ``matters`` are nats, ≥ 0; ``confidence`` is a probability. While the prediction is
    unlocked, it is replaced; once locked, Problem unless ``amend``, which keeps the old one and
    dates the new one.
    """
    if direction not in DIRECTIONS:
        raise Problem(
            f"a prediction's direction is one of {', '.join(DIRECTIONS)}, not {direction!r}"
        )
    for name, value in (("size", size), ("smallest difference that matters", matters)):
        if not math.isfinite(value) or value < 0:
            raise Problem(f"the {name} is a number of nats, 0 or more, not {value}")
    if not matters:
        raise Problem("the smallest difference that matters must be above 0 nats")
    if not math.isfinite(confidence) or not 0 <= confidence <= 1:
        raise Problem(f"how sure you are is a share between 0 and 100%, not {confidence}")
    if direction == "same" and size > matters:
        raise Problem(
            f"'same' means within ±{matters:g} nats, but the size is {size:g}: give --size 0, or a direction"
        )
    values = (direction, size, matters, confidence, reasoning.strip(), utc_now())
    with store.write() as db:
        now = _newest(db, week, variant)
        if now is not None and now["locked"] is None:
            db.execute(
                "UPDATE predictions SET direction = ?, size = ?, matters = ?, confidence = ?, "
                "reasoning = ?, created = ? WHERE id = ?",
                (*values, now["id"]),
            )
        elif now is not None and not amend:
            raise Problem(
                f"your prediction for {variant} has been locked since {now['locked']} ({now['locked_by']}); "
                "--amend adds a dated amendment and keeps the first one"
            )
        else:
            db.execute(
                "INSERT INTO predictions (direction, size, matters, confidence, reasoning, created, "
                "week, variant, amends) VALUES (?,?,?,?,?,?,?,?,?)",
                (*values, week, variant, now["id"] if now else None),
            )
    found = newest(store, variant, week)
    assert found is not None
    return found


def newest(store: Store, variant: str, week: str | None = None) -> dict[str, Any] | None:
    """The newest prediction for ``variant`` (of ``week``, else of any), or None.

    Keys: id, week, variant, direction, size, matters, confidence, reasoning, created, locked,
    locked_by, and ``amended``: the earlier versions, newest first, with the same keys but that one.
    """
    row = _newest(store.db, week, variant)
    return _with_history(store.db, row) if row else None


def every(store: Store, week: str | None = None) -> list[dict[str, Any]]:
    """The newest prediction for every week and variant, oldest first."""
    rows = store.db.execute(
        "SELECT * FROM predictions p WHERE (? IS NULL OR week = ?) "
        "AND id NOT IN (SELECT amends FROM predictions WHERE amends IS NOT NULL) ORDER BY id",
        (week, week),
    ).fetchall()
    return [_with_history(store.db, row) for row in rows]


def lock(store: Store, variant: str, by: str, week: str | None = None) -> dict[str, Any] | None:
    """Lock the newest prediction for ``variant``; ``by`` says what locked it (``commit 1a2b3c``).
    None without one."""
    with store.write() as db:
        row = _newest(db, week, variant)
        if row is not None and row["locked"] is None:
            db.execute(
                "UPDATE predictions SET locked = ?, locked_by = ? WHERE id = ?",
                (utc_now(), by, row["id"]),
            )
    return newest(store, variant, week)


def locked_prediction(
    store: Store, variant: str, by: str = "the first run of its study"
) -> dict[str, Any] | None:
    """What a study that is being planned carries: the newest prediction for ``variant``, locked
    from now on.

    Returns plain JSON types (the dict of ``newest``), or None when nothing was predicted.
    """
    found = lock(store, variant, by)
    if found is None:
        # The learner's own file: the prediction was made for the modification that the file
        # implements.
        for row in store.db.execute(
            "SELECT variant, file FROM modifications WHERE file IS NOT NULL"
        ):
            if Path(row["file"]).stem == variant.removesuffix("*"):
                found = found or lock(store, row["variant"], by)
    return found


def _newest(db: sqlite3.Connection, week: str | None, variant: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM predictions WHERE variant = ? AND (? IS NULL OR week = ?) ORDER BY id DESC LIMIT 1",
        (variant, week, week),
    ).fetchone()
    return row


def _with_history(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    found = _plain_row(row)
    earlier = []
    before = row["amends"]
    while before is not None:
        old = db.execute("SELECT * FROM predictions WHERE id = ?", (before,)).fetchone()
        earlier.append(_plain_row(old))
        before = old["amends"]
    found["amended"] = earlier
    return found


def _plain_row(row: sqlite3.Row) -> dict[str, Any]:
    return {key: row[key] for key in row.keys() if key != "amends"}  # noqa: SIM118  (a Row iterates over values)


@dataclass(frozen=True)
class Score:
    """A prediction against the outcome of a study.

    ``outcome`` is ``hit``, ``miss`` or ``open`` (the comparison could not tell). ``off`` is how far
    the predicted difference was from the measured one, in nats, or None without a mean. ``inside``
    says whether the predicted difference lies in the 95% interval.
    """

    outcome: str
    predicted: float
    measured: float | None
    off: float | None
    inside: bool | None
    confidence: float | None

    def sentence(self) -> str:
        """The score in plain words."""
        words = {
            "hit": "Hit: the direction came out as predicted.",
            "miss": "Miss: the direction did not come out as predicted.",
            "open": "Open: this comparison cannot settle the direction, so it counts neither way.",
        }[self.outcome]
        if self.off is None:
            return words
        words += f" Predicted {signed(self.predicted)} nats, measured {signed(self.measured)}: "
        words += f"off by {self.off:.3f}."
        if self.inside is not None:
            words += f" The predicted size lies {'inside' if self.inside else 'outside'} the 95% interval."
        return words


def score(predicted: Mapping[str, Any], record: Mapping[str, Any]) -> Score:
    """Score a prediction against a comparison record (the dict of ``q1lab compare --json``)."""
    size = float(predicted.get("size") or 0.0)
    difference = {"lower": -size, "higher": size, "same": 0.0}[predicted["direction"]]
    found = record.get("difference") or {}
    measured = found.get("mean")
    ends = found.get(found.get("headline") or "welch")
    settled = _SETTLED.get(record.get("verdict", ""))
    outcome = "open" if settled is None else "hit" if settled == predicted["direction"] else "miss"
    return Score(
        outcome,
        difference,
        measured,
        None if measured is None else abs(difference - measured),
        None if ends is None else bool(ends["low"] <= difference <= ends["high"]),
        predicted.get("confidence"),
    )


def calibration(scores: Sequence[Score]) -> str:
    """One line over all scored predictions: how sure one was, and how often right."""
    settled = [item for item in scores if item.outcome != "open" and item.confidence is not None]
    still_open = sum(item.outcome == "open" for item in scores)
    tail = f" {still_open} still open." if still_open else ""
    if not settled:
        return "No prediction has been settled by a comparison yet." + tail
    sure = sum(item.confidence or 0.0 for item in settled) / len(settled)
    hits = sum(item.outcome == "hit" for item in settled)
    brier = sum(
        ((item.confidence or 0.0) - (item.outcome == "hit")) ** 2 for item in settled
    ) / len(settled)
    many = "prediction" if len(settled) == 1 else "predictions"
    return (
        f"Over {len(settled)} settled {many} you were {sure:.0%} sure on average and right in {hits} "
        f"({hits / len(settled):.0%}); Brier score {brier:.2f} (0 is perfect, 0.25 is a coin)."
        + tail
    )


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign, a real minus: ``−0.012``."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"

"""Predictions: the result that the learner expects, written before the runs.

A prediction says which way the final metric will go, by how much, the smallest difference that
would matter (δ), and how sure one is. It locks when it is committed or when the first study that
carries it is planned. After that it can only be amended: the old one stays, the new one has its own
date, and what a study carries is what is scored (judgment/prediction_score.py).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.secret_text import refuse_secret
from q1lab.journal import acts
from q1lab.journal.store import Store
from q1lab.judgment.prediction_score import DIRECTIONS, Score


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The result that a learner expects: ``size`` and ``matters`` in the metric's unit, ≥ 0;
    ``confidence`` a probability. Problem for values that don't go together."""

    direction: str
    size: float
    matters: float
    confidence: float
    reasoning: str = ""

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise Problem(
                f"a prediction's direction is one of {', '.join(DIRECTIONS)}, not "
                f"{self.direction!r}"
            )
        numbers = {"size": self.size, "smallest difference that matters": self.matters}
        for name, value in numbers.items():
            if not math.isfinite(value) or value < 0:
                raise Problem(f"the {name} is a number, 0 or more, not {value}")
        if not self.matters:
            raise Problem("the smallest difference that matters must be above 0")
        if not 0 <= self.confidence <= 1:  # nor NaN
            raise Problem(f"how sure you are is a share between 0 and 100%, not {self.confidence}")
        if self.direction == "same" and self.size > self.matters:
            raise Problem(
                f"'same' means within ±{self.matters:g}, but the size is {self.size:g}: ",
                next="give --size 0, or a direction",
            )
        if self.direction != "same" and not self.size:
            raise Problem(
                f"{self.direction!r} by 0 is 'same': ", next="choose that, or give a size above 0"
            )


def record_prediction(
    store: Store, week: str, variant: str, expected: Expected, *, amend: bool = False
) -> dict[str, Any]:
    """Record a prediction and return it (see ``newest_prediction``).

    While the prediction is unlocked, it is replaced; once locked, Problem unless ``amend``, which
    keeps the old one and dates the new one.
    """
    with store.act() as add:
        now = _newest(store.db, week, variant)
        if now is not None and now["locked"] is not None and not amend:
            raise Problem(
                f"your prediction for {variant} has been locked since {now['locked']} "
                f"({now['locked_by']})",
                next="--amend adds a dated amendment and keeps the first one",
            )
        add(
            "predict",
            week=week,
            variant=variant,
            direction=expected.direction,
            size=expected.size,
            matters=expected.matters,
            confidence=expected.confidence,
            reasoning=refuse_secret(expected.reasoning.strip(), "the reason"),
        )
    prediction = newest_prediction(store, variant, week)
    assert prediction is not None
    return prediction


def parse_prediction(typed: Mapping[str, str], names: Mapping[str, str]) -> Expected:
    """A prediction as typed: ``direction``, ``size``, ``matters``, ``sure``, ``why``. Problem
    naming the part that is wrong, or missing, as ``names`` calls it."""
    parts = {"size": _parse_difference, "matters": _parse_difference, "sure": _parse_percentage}
    values = {}
    for name, read in parts.items():
        try:
            if typed[name]:
                values[name] = read(names[name], typed[name])
        except Problem as problem:
            problem.field = name
            raise
    if typed["direction"] == "same":
        values.setdefault("size", 0.0)
    if not typed["direction"]:
        raise Problem(f"{names['direction']} is missing", field="direction")
    for name in parts:
        if name not in values:
            raise Problem(f"{names[name]} is missing", field=name)
    return Expected(
        direction=typed["direction"],
        size=values["size"],
        matters=values["matters"],
        confidence=values["sure"],
        reasoning=typed["why"],
    )


def _parse_difference(name: str, text: str) -> float:
    """A difference without its sign, which the direction says."""
    try:
        value = float(text.replace("−", "-").replace(",", "."))
    except ValueError:
        raise Problem(f"{name} is a number such as 0.03, not {text!r}") from None
    if not math.isfinite(value) or value < 0:
        way = "--direction" if name.startswith("--") else "the direction"
        raise Problem(f"{name} is a number, 0 or more; {way} says which way")
    return value


def _parse_percentage(name: str, text: str) -> float:
    """70, 70% or 0.7 as 0.7."""
    try:
        value = float(text.strip().removesuffix("%").replace(",", "."))
    except ValueError:
        raise Problem(f"{name} is a percentage such as 70%, not {text!r}") from None
    if text.strip().endswith("%") or value > 1:
        value /= 100
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise Problem(f"{name} lies between 0 and 100%, not {text}")
    return value


def newest_prediction(store: Store, variant: str, week: str | None = None) -> dict[str, Any] | None:
    """The newest prediction for ``variant`` (of ``week``, else of any), or None.

    Keys: id, week, variant, direction, size, matters, confidence, reasoning, created, locked,
    locked_by, and ``amended``: the earlier versions, newest first, with the same keys but that one.
    """
    row = _newest(store.db, week, variant)
    return _with_history(store, row) if row else None


def all_predictions(store: Store, week: str | None = None) -> list[dict[str, Any]]:
    """The newest prediction for every week and variant, oldest first."""
    rows = store.db.execute(
        "SELECT week, variant FROM predictions WHERE week = coalesce(?, week) "
        "GROUP BY week, variant ORDER BY max(id)",
        (week,),
    ).fetchall()
    return [_with_history(store, row) for row in rows]


def lock_prediction(
    store: Store, variant: str, by: str, week: str | None = None
) -> dict[str, Any] | None:
    """Lock the newest prediction for ``variant``; ``by`` says what locked it (``commit 1a2b3c``).
    None without one."""
    with store.act() as add:
        row = _newest(store.db, week, variant)
        if row is not None and row["locked"] is None:
            add("lock", week=row["week"], variant=variant, by=by)
    return newest_prediction(store, variant, week)


def locked_prediction(
    store: Store,
    variant: str,
    by: str = "the first run of its study",
    seen_before: Callable[[str], str | None] = lambda when: None,
) -> dict[str, Any] | None:
    """The prediction that a study carries from its plan on: the newest prediction for ``variant``
    that was locked before results could be seen; the newest is locked from now on.

    ``seen_before(when)`` names a study whose results could be seen before a time. Returns plain
    JSON types (the dict of ``newest_prediction``), or None when nothing was predicted. ``after``
    names such a study where there is no version from before; ``later`` is when a newer one was
    locked.
    """
    prediction = _locked(store, variant, by)
    if prediction is None:
        return None
    versions = [prediction, *prediction["amended"]]
    in_time = next(
        (version for version in versions if seen_before(version["locked"]) is None), None
    )
    if in_time is None:
        return {**prediction, "after": seen_before(prediction["locked"])}
    later = {} if in_time is prediction else {"later": prediction["locked"]}
    return {**in_time, "amended": versions[versions.index(in_time) + 1 :], **later}


def _locked(store: Store, variant: str, by: str) -> dict[str, Any] | None:
    predicted_name = _predicted_name(store, variant)
    return None if predicted_name is None else lock_prediction(store, predicted_name, by)


def prediction_for(store: Store, variant: str) -> dict[str, Any] | None:
    """The newest prediction that a study of ``variant`` would lock now, see ``newest_prediction``;
    None without one."""
    predicted_name = _predicted_name(store, variant)
    return None if predicted_name is None else newest_prediction(store, predicted_name)


def unpredicted(store: Store, names: Iterable[str]) -> list[str]:
    """Those modifications without a prediction that no study has trained, and that the learner was
    not asked about yet (``note_asked``)."""
    from q1lab.study import studies  # not before the app's first frame

    settled = {study.variant for study in studies.load_readable()} | {*store.setting("asked", [])}
    return [name for name in names if name not in settled and prediction_for(store, name) is None]


def note_asked(store: Store, names: Iterable[str]) -> None:
    """Note that the learner was asked whether to predict these modifications before their runs."""
    store.add("setting", key="asked", value=sorted({*store.setting("asked", []), *names}))


BROKEN_TEXTS = ("same", "worse", "rubbish")
"""What the model that speaks may write once a part of it is broken."""


def broken_prediction(store: Store, name: str) -> dict[str, Any] | None:
    """The prediction for a break of the model that speaks: ``says`` (one of ``BROKEN_TEXTS``),
    ``loss`` in nats, ``sure`` (a share), and, once it was seen, ``text``, ``measured`` and ``off``.
    None without one."""
    found: dict[str, Any] | None = store.setting("broken", {}).get(name)
    return found


def record_broken(store: Store, name: str, *, says: str, loss: float, sure: str) -> None:
    """Record a prediction for a break, which no later one replaces."""
    acts.refuse_agents("predict")
    entry = {"says": says, "loss": loss, "sure": _parse_percentage("--sure", sure)}
    with store.act() as add:
        kept = store.setting("broken", {})
        add("setting", key="broken", value={name: entry, **kept})


def score_broken(store: Store, name: str, text: str, measured: float) -> dict[str, Any]:
    """Add what a break does to its prediction, the first time that it is seen; returns it."""
    with store.act() as add:
        kept = store.setting("broken", {})
        seen = {"text": text, "measured": measured, "off": abs(kept[name]["loss"] - measured)}
        kept[name] = {**seen, **kept[name]}
        add("setting", key="broken", value=kept)
    return dict(kept[name])


def broken_scores(store: Store) -> list[Score]:
    """The scores of all predictions for breaks that were seen."""
    return [
        Score("hit" if one["says"] == one["text"] else "miss", None, None, None, None, one["sure"])
        for one in store.setting("broken", {}).values()
        if "text" in one
    ]


def _predicted_name(store: Store, variant: str) -> str | None:
    """The name that the prediction for ``variant`` was made under; None without a prediction. For
    the learner's own file that is the modification that the file implements."""
    rows = store.db.execute(
        "SELECT variant, file FROM modifications WHERE file IS NOT NULL "
        "ORDER BY length(week)"  # those that are chosen before those that are put aside
    ).fetchall()
    implemented = [
        row["variant"] for row in rows if Path(row["file"]).stem == variant.removesuffix("*")
    ]
    names = (variant, *implemented)
    return next((name for name in names if _newest(store.db, None, name) is not None), None)


def _newest(db: sqlite3.Connection, week: str | None, variant: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM predictions WHERE variant = ? AND week = coalesce(?, week) "
        "ORDER BY id DESC LIMIT 1",
        (variant, week),
    ).fetchone()
    return row


def _with_history(store: Store, row: sqlite3.Row) -> dict[str, Any]:
    rows = store.db.execute(
        "SELECT * FROM predictions WHERE week = ? AND variant = ? ORDER BY id DESC",
        (row["week"], row["variant"]),
    )
    newest, *earlier = map(dict, rows)
    return {**newest, "amended": earlier}

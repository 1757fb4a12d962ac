"""Comparisons out of the store, and back into it: made when something changed, else as kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakSet

from q1lab.compare.comparison import (
    Comparison,
    build_comparison,
    from_record,
    start_conditions,
    to_record,
)
from q1lab.ground.files import sha256_json, sha256_text
from q1lab.journal import ingest_events, on_record, stored_results
from q1lab.journal.home_history import StudyHistory, study_history
from q1lab.journal.store import Row, Store
from q1lab.judgment.face import Face
from q1lab.judgment.intervals import MIN_FOR_VERDICT, Interval
from q1lab.judgment.svg import Point
from q1lab.study import studies
from q1lab.study.events import standard_names
from q1lab.study.studies import ARMS, Study

T = TypeVar("T")


def compare(store: Store, study: Study) -> Comparison:
    """The comparison of everything that has ended. Kept in ``results``, and computed again when a
    run changes."""
    ingest_events.ingest_study(store, study)
    _take_in_the_others(store)
    rows = store.runs(study.id)
    question = study_history(store, study)
    starts = {row["id"]: start_conditions(study, row) for row in rows}
    floor = measured_floor(store, study)
    fingerprint = _fingerprint(study, rows, question, list(starts.values()), floor)
    cached = stored_results.cached_row(store, study.id)
    result = None
    if (
        cached is not None
        and cached["fingerprint"] == f"{fingerprint} {sha256_text(cached['record'])}"
    ):
        unchanged = from_record(json.loads(cached["record"]))
        result = unchanged and replace(unchanged, asked=question.asked)
        if result == unchanged is not None:
            return unchanged
    if result is None:
        curves = {row["id"]: store.curve(row["id"], study.metric.key()) for row in rows}
        name = study.trainer.loop.beside
        beside = {row["id"]: store.curve(row["id"], name) for row in rows if name}
        result = build_comparison(study, rows, question, starts, floor, curves, beside)
    text = json.dumps(to_record(result), allow_nan=False)
    stored_results.cache_record(store, study.id, f"{fingerprint} {sha256_text(text)}", text)
    return result


def read_study(name: str) -> Face:
    """The comparison of a study in q1lab's home, by the study's name. Raises Problem if there is
    none."""
    planned = studies.load(name)
    with Store() as store:
        return Face(compare(store, planned))


def cached_comparison(store: Store, study_id: str) -> Comparison | None:
    """The comparison that was computed last for a study, if any; computes nothing."""
    row = stored_results.cached_row(store, study_id)
    return None if row is None else from_record(json.loads(row["record"]))


def leading_study(
    candidates: Sequence[T],
    pairs: Callable[[T], int],
    has_ended: Callable[[T], bool] = lambda _: True,
) -> T | None:
    """Of the studies of a modification, oldest first, the one that answers for it: the newest that
    was planned with ``pairs`` enough for a verdict, if possible one that has ended. One with fewer
    is an experiment beside it, and answers only where no other is planned."""
    return max(
        reversed(candidates),
        key=lambda each: (pairs(each) >= MIN_FOR_VERDICT, has_ended(each)),
        default=None,
    )


def resolve_study_id(name: str) -> str:
    """The study of this name; where there is none, the foremost of the modification so named."""
    if name in studies.ids():
        return name
    same_variant = [study for study in studies.load_readable() if study.variant == name]
    leading = leading_study(same_variant, lambda study: len(study.seeds))
    return leading.id if leading else name


def measured_floor(store: Store, study: Study) -> Interval | None:
    """The interval of the newest study that compares this study's baseline with itself under the
    same conditions; None if there is no such study, and for such a study itself."""
    for floor_study in reversed(on_record.floor_studies(store, study)):
        floor = compare(store, floor_study)
        if floor.analysis.ends is not None and floor.analysis.reason is None:
            return floor.analysis.ends
    return None


_up_to_date: WeakSet[Store] = WeakSet()


def _take_in_the_others(store: Store) -> None:
    """Once per store: a history counts studies that were not looked at through it."""
    if store not in _up_to_date:
        ingest_events.ingest_all(store)
        _up_to_date.add(store)


def read_curves(store: Store, study: Study) -> dict[str, dict[int, dict[str, list[Point]]]]:
    """The curves of every number that the runs reported, for the charts: ``{arm: {seed: {name:
    [(iter, value)]}}}``; where a value was not finite the curve has NaN.

    The metric's curve is over fixed windows from beginning to end; its exact value only closes a
    curve that stops before the last iter, as curves from elsewhere may.
    """
    curves: dict[str, dict[int, dict[str, list[Point]]]] = {arm: {} for arm in ARMS}
    _, metric, final = standard_names(study.metric)
    for row in store.runs(study.id):
        points = {
            name: [(float(i), _or_nan(value)) for i, value in store.curve(row["id"], name)]
            for name in store.metric_names(row["id"])
        }
        curve = points.setdefault(metric, [])
        curve += [point for point in points.pop(final, []) if not curve or curve[-1][0] < point[0]]
        curves[row["arm"]][row["seed"]] = points
    return curves


def _fingerprint(
    study: Study,
    rows: list[Row],
    question: StudyHistory,
    starts: Sequence[Mapping[str, Any]],
    floor: Interval | None,
) -> str:
    """A hash that changes whenever the record would: with the plan, with any run's state or
    numbers, and with this code's version."""
    keys = "arm", "seed", "state", "val_loss", "tokens_per_s", "seconds", "bad_lines"
    # what else was asked changes no number
    asked = replace(question.asked, about_it=0, questions=0, expected=0.0)
    return sha256_json(
        [
            stored_results.RECORD_VERSION,
            study.to_dict(),
            [[row[key] for key in keys] for row in rows],
            repr(replace(question, asked=asked)),
            list(starts),
            repr(floor),
        ]
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value

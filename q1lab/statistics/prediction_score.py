"""A prediction against the outcome of a study. Pure; the words are in prediction_text.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from q1lab.statistics.intervals import Analysis

Outcome = Literal["hit", "miss", "open"]

DIRECTIONS = ("lower", "higher", "same")
"""Of the modified arm's final val loss against the baseline's; ``same`` means within ±δ."""


@dataclass(frozen=True)
class Score:
    """``open``: the comparison could not tell. ``predicted`` and ``measured`` are differences in
    nats, modified − baseline, None where there is none; ``off`` is how far apart they are;
    ``inside``: the predicted difference lies in the headline interval; ``confidence`` is a share.
    """

    outcome: Outcome
    predicted: float | None
    measured: float | None
    off: float | None
    inside: bool | None
    confidence: float | None


def score_prediction(predicted: Mapping[str, Any], found: Analysis) -> Score:
    """Score a prediction (``direction``, ``size`` ≥ 0 nats, ``confidence``) against an analysis."""
    difference = predicted_difference(predicted)
    settled = None
    if found.verdict in ("helps", "hurts") and found.mean is not None:
        settled = "lower" if found.mean < 0 else "higher"
    elif found.verdict == "too small to matter":
        settled = "same"
    outcome: Outcome = "open"
    if settled is not None and predicted.get("direction") in DIRECTIONS:
        outcome = "hit" if settled == predicted["direction"] else "miss"
    off = inside = None
    if difference is not None and found.mean is not None:
        off = abs(difference - found.mean)
    if difference is not None and found.ends is not None:
        inside = found.ends.low <= difference <= found.ends.high
    return Score(outcome, difference, found.mean, off, inside, predicted.get("confidence"))


def predicted_difference(predicted: Mapping[str, Any]) -> float | None:
    """The predicted modified − baseline in nats: the direction gives the size its sign."""
    size = predicted.get("size")
    return {
        "lower": None if size is None else -abs(float(size)),
        "higher": None if size is None else abs(float(size)),
        "same": 0.0,
    }.get(str(predicted.get("direction")))


SMALL = re.compile(r"^(?:.*\D)?(\d{1,2}|100) *%.*?\b(right|wrong)\b", re.I | re.M)
"""A small prediction as its learner scored it: ``order of the four, 60%: wrong``."""


def small_predictions(text: str) -> list[Score]:
    """The small predictions that are scored in a text, a line each."""
    found = []
    for sure, how in SMALL.findall(text):
        outcome: Outcome = "hit" if how.lower() == "right" else "miss"
        found.append(Score(outcome, None, None, None, None, int(sure) / 100))
    return found


@dataclass(frozen=True)
class Calibration:
    """All settled predictions that say how sure one was: ``sure`` is the mean of that (a share),
    ``brier`` the mean squared error (0 is perfect, 0.25 a coin)."""

    settled: int
    still_open: int
    hits: int
    sure: float
    brier: float


def calibrate(scores: Sequence[Score]) -> Calibration:
    """How sure one was, and how often right, over all scored predictions."""
    settled = [
        (one.confidence, one.outcome == "hit")
        for one in scores
        if one.outcome != "open" and one.confidence is not None
    ]
    many = max(1, len(settled))
    return Calibration(
        settled=len(settled),
        still_open=sum(one.outcome == "open" for one in scores),
        hits=sum(hit for _, hit in settled),
        sure=sum(sure for sure, _ in settled) / many,
        brier=sum((sure - hit) ** 2 for sure, hit in settled) / many,
    )

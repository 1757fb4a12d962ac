"""Score predictions against the outcomes of studies. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from q1lab.judgment.intervals import Analysis

Outcome = Literal["hit", "miss", "open"]

DIRECTIONS = ("lower", "higher", "same")
"""Of the modified arm's final val loss against the baseline's; ``same`` means within ±δ."""


@dataclass(frozen=True)
class Score:
    """``hit``: the verdict is on the predicted side, or TOO SMALL TO MATTER as predicted; ``miss``:
    it is another one, unless TOO SMALL TO MATTER stands beside an interval that contains what was
    predicted; ``open``: all else. ``predicted`` and ``measured`` are differences in nats, modified
    − baseline, None if unknown; ``off`` is the distance between them; ``inside``: the predicted
    difference lies in the headline interval; ``confidence`` is a share.
    """

    outcome: Outcome
    predicted: float | None
    measured: float | None
    off: float | None
    inside: bool | None
    confidence: float | None


def score_prediction(predicted: Mapping[str, Any], analysis: Analysis) -> Score:
    """Score a prediction (``direction``, ``size`` ≥ 0 nats, ``confidence``) against an analysis."""
    difference = predicted_difference(predicted)
    off = inside = None
    if difference is not None and analysis.mean is not None:
        off = abs(difference - analysis.mean)
    if difference is not None and analysis.ends is not None:
        inside = analysis.ends.low <= difference <= analysis.ends.high
    outcome = _outcome(str(predicted.get("direction")), inside, analysis)
    return Score(outcome, difference, analysis.mean, off, inside, predicted.get("confidence"))


def _outcome(direction: str, inside: bool | None, analysis: Analysis) -> Outcome:
    """``Score.outcome``; ``inside`` is None for a prediction without a size."""
    if direction not in DIRECTIONS or analysis.mean is None:
        return "open"
    if analysis.verdict in ("helps", "hurts"):
        return "hit" if direction == ("lower" if analysis.mean < 0 else "higher") else "miss"
    if analysis.verdict != "too small to matter":
        return "open"
    if direction == "same":
        return "hit"
    return "miss" if inside is False else "open"


def predicted_difference(predicted: Mapping[str, Any]) -> float | None:
    """The predicted modified − baseline in nats: the direction gives the size its sign."""
    size = predicted.get("size")
    return {
        "lower": None if size is None else -abs(float(size)),
        "higher": None if size is None else abs(float(size)),
        "same": 0.0,
    }.get(str(predicted.get("direction")))


SMALL = re.compile(
    r"^(?:.*\D)?(\d{1,2}|100) *%(?!.*\b(?:half|partly)[ -](?:right|wrong)\b)"
    r".*?\b(?<!not )(right|wrong)\b",
    re.I | re.M,
)
"""A small prediction as its learner scored it: ``order of the four, 60%: wrong``. What is half
right has no score."""


def small_predictions(text: str) -> list[Score]:
    """The scores of the small predictions in a text, one per line."""
    scores = []
    for confidence, grade in SMALL.findall(text):
        outcome: Outcome = "hit" if grade.lower() == "right" else "miss"
        scores.append(Score(outcome, None, None, None, None, int(confidence) / 100))
    return scores


@dataclass(frozen=True)
class Calibration:
    """Calibration over all settled predictions with a confidence: ``sure`` is the mean confidence
    (a share), ``brier`` the mean squared error (0 is perfect, 0.25 a coin flip), ``so_few`` and
    ``so_many`` the chances of at most and at least so many hits if every confidence were right."""

    settled: int
    still_open: int
    hits: int
    sure: float
    brier: float
    so_few: float = 1.0
    so_many: float = 1.0

    @property
    def judgment(self) -> str:
        """``too sure`` or ``not sure enough``; empty where the hits may well be luck."""
        if self.so_few < TELLING:
            return "too sure"
        return "not sure enough" if self.so_many < TELLING else ""


TELLING = 0.1
"""Hits that come up less often than this, if every confidence is right, say that some are not."""


def calibrate(scores: Sequence[Score]) -> Calibration:
    """Compare confidence with hits over all scored predictions."""
    settled = [
        (score.confidence, score.outcome == "hit")
        for score in scores
        if score.outcome != "open" and score.confidence is not None
    ]
    count = max(1, len(settled))
    hits = sum(hit for _, hit in settled)
    chance_of_hits = [1.0]
    for sure, _ in settled:
        more, as_many = [0.0, *chance_of_hits], [*chance_of_hits, 0.0]
        chance_of_hits = [sure * a + (1 - sure) * b for a, b in zip(more, as_many, strict=True)]
    return Calibration(
        settled=len(settled),
        still_open=sum(score.outcome == "open" for score in scores),
        hits=hits,
        sure=sum(sure for sure, _ in settled) / count,
        brier=sum((sure - hit) ** 2 for sure, hit in settled) / count,
        so_few=sum(chance_of_hits[: hits + 1]),
        so_many=sum(chance_of_hits[hits:]),
    )

"""The prediction of a study against its outcome, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from q1lab.ground.text_formats import plural, printable
from q1lab.judgment.difference_text import level_text, mean_text, number_writer
from q1lab.judgment.metric import Metric
from q1lab.judgment.prediction_score import (
    Calibration,
    Score,
    calibrate,
    predicted_difference,
)

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


OUTCOME_TEXT = {
    "hit": "as predicted",
    "miss": "not as predicted",
    "open": "so the prediction is neither right nor wrong",
}


def prediction_sentence(c: Judgment) -> str:
    """The recorded prediction against the outcome, or that there was none."""
    if not c.subject.prediction:
        return (
            "No prediction was recorded before the first of these runs, so there is nothing to "
            "score: one that is written later could know a result."
        )
    predicted = predicted_sentence(c.subject.prediction, c.metric)
    if c.score is None:
        return (
            f"{predicted} It was locked after results could be seen "
            f"({printable(str(c.subject.prediction['after']))}), so it is not scored."
        )
    later = ""
    if c.subject.prediction.get("later"):
        later = " A later version, locked after results could be seen, is not scored."
    return f"{predicted} {score_sentence(c.score, c)}{later}"


def direction_text(direction: object, metric: Metric) -> str:
    """The direction of a prediction: ``the val loss falls``."""
    verb = {"lower": "falls", "higher": "rises"}.get(str(direction))
    if verb is not None:
        return f"the {metric.name} {verb}"
    return "no difference that matters" if direction == "same" else printable(str(direction))


def predicted_sentence(prediction: Mapping[str, Any], metric: Metric) -> str:
    """A prediction as it was made: ``Predicted: the val loss falls by 0.03 nats, 70% sure.``"""
    direction = prediction.get("direction") or "no direction"
    text = f"Predicted: {direction_text(direction, metric)}"
    size = predicted_difference(prediction)
    if size is not None and direction != "same":
        text += f" by {abs(size):g}{metric.suffix}"
    if prediction.get("matters"):
        text += f" ({abs(prediction['matters']):g}{metric.suffix} or more would matter)"
    if prediction.get("confidence") is not None:
        text += f", {prediction['confidence']:.0%} sure"
    return text + "."


def score_sentence(score: Score, c: Judgment) -> str:
    """The outcome of a prediction: ``Outcome: HELPS, as predicted. …``"""
    analysis = c.analysis
    number = number_writer(analysis)
    text = f"Outcome: {analysis.verdict.upper()}, {OUTCOME_TEXT[score.outcome]}."
    if score.off is None:
        return text
    text += (
        f" The measured {mean_text(analysis)}{c.metric.suffix} is {number.size(score.off)} away "
        "from the prediction"
    )
    if score.inside is not None:
        contains = "contains" if score.inside else "does not contain"
        text += f", which the {level_text(analysis)} interval {contains}"
    return text + "."


def calibration_sentence(all_of_them: Calibration) -> str:
    """The learner's confidence over all predictions, and the share that was right."""
    many = all_of_them.settled
    if not many:
        return "No prediction has been scored by a comparison yet."
    judgment = f", so {all_of_them.judgment}" if all_of_them.judgment else ""
    return (
        f"Over {plural(many, 'scored prediction')} I was {all_of_them.sure:.0%} sure on average "
        f"and right in {all_of_them.hits} ({all_of_them.hits / many:.0%}){judgment}; Brier score "
        f"{all_of_them.brier:.2f} (0 is perfect, always saying 50% gives 0.25)."
    )


def one_outcome(scores: Sequence[Score]) -> str:
    """The outcome of the only scored prediction. A hit on the direction says nothing about the
    size: ``its direction was right, its size was not``."""
    if not calibrate(scores).hits:
        return "it was wrong"
    if _right_in_direction_alone(scores):
        return "its direction was right, its size was not"
    return "it was right"


def _right_in_direction_alone(scores: Sequence[Score]) -> int:
    settled = [score for score in scores if score.confidence is not None]
    return sum(score.outcome == "hit" and score.inside is False for score in settled)

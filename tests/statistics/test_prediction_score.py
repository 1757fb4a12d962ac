"""A prediction against the outcome, and all of them together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from q1lab.statistics.prediction_score import (
    Outcome,
    Score,
    calibrate,
    score_prediction,
    small_predictions,
)
from q1lab.verdict import prediction_text
from tests.kit import document_records as records


@pytest.mark.parametrize(
    ("outcome", "direction", "scored"),
    [
        ("helps", "lower", "hit"),
        ("helps", "higher", "miss"),
        ("hurts", "higher", "hit"),
        ("hurts", "same", "miss"),
        ("too small to matter", "same", "hit"),
        ("too small to matter", "lower", "miss"),
        ("cannot tell", "lower", "open"),
        ("cannot tell", "same", "open"),
        ("no verdict", "lower", "open"),
        ("diverged", "lower", "open"),
    ],
)
def test_scores(outcome: str, direction: str, scored: str) -> None:
    predicted = {**records.PREDICTION, "direction": direction}
    found = records.comparison(outcome, predicted)
    assert found.score is not None
    assert found.score == score_prediction(predicted, found.analysis)
    assert found.score.outcome == scored
    expected = {"lower": -0.03, "higher": 0.03, "same": 0.0}[direction]
    assert found.score.predicted == expected
    if found.analysis.mean is None:
        assert found.score.off is None
        assert found.score.inside is None
    else:
        assert found.score.off == pytest.approx(abs(expected - found.analysis.mean))
    assert prediction_text.OUTCOME_TEXT[found.score.outcome] in prediction_text.prediction_sentence(
        found
    )


def test_whether_the_size_lies_inside() -> None:
    assert "contains the predicted" in prediction_text.prediction_sentence(
        records.comparison("helps")
    )
    outside = records.comparison("helps", {**records.PREDICTION, "size": 0.5})
    assert outside.score is not None
    assert outside.score.inside is False
    assert "the 95% interval does not contain the predicted" in prediction_text.prediction_sentence(
        outside
    )


@pytest.mark.parametrize("predicted", [{}, {"direction": "sideways"}, {"direction": "lower"}])
def test_a_prediction_that_lacks_something_is_told_and_not_scored(
    predicted: dict[str, object],
) -> None:
    found = records.comparison("helps", {"matters": 0.01, **predicted})
    assert found.score is not None
    assert found.score.predicted is found.score.off is None
    assert "None" not in prediction_text.prediction_sentence(found)


def test_calibration_over_the_weeks() -> None:
    def one(outcome: Outcome, confidence: float) -> Score:
        return Score(outcome, 0.0, None, None, None, confidence)

    assert "No prediction has been settled" in prediction_text.calibration_sentence(calibrate([]))
    line = prediction_text.calibration_sentence(
        calibrate([one("hit", 0.9), one("miss", 0.7), one("open", 0.5)])
    )
    assert line.startswith(
        "Over 2 settled predictions you were 80% sure on average and right in 1 (50%)"
    )
    assert "Brier score 0.25" in line
    assert line.endswith("1 still open.")


def test_small_predictions_are_scored_together_as_their_learner_scored_them() -> None:
    text = """order of the four, 60%: wrong
- parameters of both arms (90 %) Right
the first loss: 100% sure, right
(b) of the broken files, 55%, wrong; it was tied
no number: right
70%: not yet
"""
    found = [(one.outcome, one.confidence) for one in small_predictions(text)]
    assert found == [("miss", 0.6), ("hit", 0.9), ("hit", 1.0), ("miss", 0.55)]
    assert calibrate(small_predictions(text)).settled == 4


@given(st.text(max_size=300))
def test_any_text_can_be_looked_at_for_small_predictions(text: str) -> None:
    assert all(0 <= (one.confidence or 0) <= 1 for one in small_predictions(text))

"""A prediction against the outcome, and all of them together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from q1lab.documents.retro import calibration_words
from q1lab.judgment import facts
from q1lab.judgment.prediction_score import (
    Outcome,
    Score,
    calibrate,
    score_prediction,
    small_predictions,
)
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
    comparison = records.comparison(outcome, predicted)
    assert comparison.score is not None
    assert comparison.score == score_prediction(predicted, comparison.analysis)
    assert comparison.score.outcome == scored
    expected = {"lower": -0.03, "higher": 0.03, "same": 0.0}[direction]
    assert comparison.score.predicted == expected
    if comparison.analysis.mean is None:
        assert comparison.score.off is None
        assert comparison.score.inside is None
    else:
        assert comparison.score.off == pytest.approx(abs(expected - comparison.analysis.mean))


@pytest.mark.parametrize(("size", "scored"), [(0.00003, "open"), (0.03, "miss"), (None, "open")])
def test_a_size_that_lies_in_the_interval_is_not_wrong_where_the_difference_is_small(
    size: float | None, scored: str
) -> None:
    predicted = {**records.PREDICTION, "direction": "lower", "size": size}
    comparison = records.comparison("too small to matter", predicted)
    assert comparison.score is not None
    assert comparison.score.outcome == scored, comparison.analysis.ends


def test_whether_the_size_lies_inside() -> None:
    assert "the interval contains that size" in facts.prediction(records.comparison("helps"))
    outside = records.comparison("helps", {**records.PREDICTION, "size": 0.5})
    assert outside.score is not None
    assert outside.score.inside is False
    assert "leaves out that size" in facts.prediction(outside)


@pytest.mark.parametrize("predicted", [{}, {"direction": "sideways"}, {"direction": "lower"}])
def test_a_prediction_that_lacks_something_is_told_and_not_scored(
    predicted: dict[str, object],
) -> None:
    comparison = records.comparison("helps", {"matters": 0.01, **predicted})
    assert comparison.score is not None
    assert comparison.score.predicted is comparison.score.off is None
    assert "None" not in facts.prediction(comparison)


def test_calibration_over_the_weeks() -> None:
    def score(outcome: Outcome, confidence: float) -> Score:
        return Score(outcome, 0.0, None, None, None, confidence)

    assert "No prediction" in calibration_words([])
    three = [score("hit", 0.9), score("miss", 0.7), score("open", 0.5)]
    assert calibration_words(three) == (
        "Of 2 predictions I was 80% sure on average, and 1 came true (Brier score 0.25; a coin has "
        "0.25). 1 prediction is open: its runs can't tell."
    )


def test_small_predictions_are_scored_together_as_their_learner_scored_them() -> None:
    text = """order of the four, 60%: wrong
- parameters of both arms (90 %) Right
the first loss: 100% sure, right
(b) of the broken files, 55%, wrong; it was tied
no number: right
70%: not yet
80%: half right (the first, not the last), half wrong
75%: partly right (the second number was wrong)
85%: not right
"""
    scores = [(score.outcome, score.confidence) for score in small_predictions(text)]
    assert scores == [("miss", 0.6), ("hit", 0.9), ("hit", 1.0), ("miss", 0.55)]
    assert calibrate(small_predictions(text)).settled == 4


@given(st.text(max_size=300))
def test_any_text_can_be_looked_at_for_small_predictions(text: str) -> None:
    assert all(0 <= (score.confidence or 0) <= 1 for score in small_predictions(text))

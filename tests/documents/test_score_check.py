"""Scores of small predictions, held against the runs that they are about."""

from __future__ import annotations

import pytest

from q1lab.documents.document_data import Answer, stray_lines
from q1lab.documents.score_check import contradicted_scores
from tests.kit.document_records import comparison

PREDICTED = (
    "The baseline at iter 100: 2.4 to 2.8, 80% sure. Its final val loss: 1.7 to 2.0 (70%). "
    "The sd over three seeds: 0.005 to 0.03 (60%). Tokens per second: 80-90% of the baseline's."
)


@pytest.mark.parametrize(
    ("scored", "named"),
    [
        ("the final val loss, 70%: right", ""),
        ("the final val loss, 70%: wrong", "I predicted 1.7 to 2.0, and the runs say 1.9"),
        ("its sd, 60%: right", "I predicted 0.005 to 0.03, and the runs say 0.002"),
        ("its standard deviation, 60%: wrong", ""),
        ("tokens per second, 80%: right", "I predicted 80-90, and the runs say 94"),
        ("order of the four, 60%: right", ""),
        ("the final val loss, 70%: half right", ""),
        ("the final val loss: 1.9", ""),
    ],
)
def test_a_score_that_the_runs_contradict_is_named(scored: str, named: str) -> None:
    said = list(contradicted_scores(PREDICTED, scored, comparison("helps")))
    assert len(said) == bool(named)
    assert all(scored in sentence and named in sentence for sentence in said), said


def test_what_was_predicted_in_no_range_contradicts_nothing() -> None:
    assert not list(contradicted_scores("final: low", "final, 70%: right", comparison("helps")))


def test_a_line_of_one_letter_is_named_before_it_is_published() -> None:
    """A “u” stood under “Two lines of the change”: the key that goes to the next step."""
    answers = [Answer("Two lines", "u\nblank 1: x\n\n- a list"), Answer("Code", "x = {\n}\n1")]
    assert list(stray_lines(answers)) == ["“u” stands alone on a line of “Two lines”"]

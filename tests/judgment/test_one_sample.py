"""One arm against a number: its words say what the interval is, and on which side it lies."""

from __future__ import annotations

import json

import pytest

from q1lab.judgment.metric import Metric
from q1lab.judgment.one_sample import SampleJudgment, judge_sample
from tests.kit.commands import q1lab

LOSS = Metric("val_loss", "", "lower")
NANO = (3.2764, 3.2777, 3.2771, 3.2772, 3.2796)


def judged(*values: float | None, against: float = 3.28, **how: tuple[str, ...]) -> SampleJudgment:
    return judge_sample(dict(enumerate(values)), against, metric=LOSS, name="new", **how)  # type: ignore[arg-type]


def test_the_words_of_each_side() -> None:
    assert judged(*NANO).short().split("\n") == [
        "BELOW 3.28   mean of new = 3.2776 (lower is better; 5 runs)",
        "The true mean is 3.2761 to 3.2791 (95% t interval), so below 3.28.",
        "If the true mean were 3.28, at most 5 in 100 such samples would claim a side.",
        "3.28 is taken as exact, and what else differs from these runs is not known.",
        "Exploratory: how many runs were left out is not known.",
    ]
    assert judged(*NANO, against=3.27).short().startswith("ABOVE 3.27   mean of new = 3.2776")
    open_ = judged(*NANO, against=3.278).short()
    assert open_.startswith("CANNOT TELL   mean of new")
    assert "The true mean may be 3.2761 to 3.2791 (95% t interval), and 3.278 lies in it." in open_
    assert "A true distance of about 0.002" in open_


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((3.27,), "1 run: a verdict needs at least 3"),
        ((3.27, 3.26), "2 runs: a verdict needs at least 3"),
        ((3.27, None, 3.26, 3.25), "1 of 4 runs diverged"),
        ((3.27, 3.27, 3.27), "All runs have the same number"),
        ((3.28, 3.28, 3.28), "All runs have the same number"),
    ],
)
def test_without_runs_enough_there_is_no_verdict(
    values: tuple[float | None, ...], words: str
) -> None:
    sample = judged(*values)
    assert sample.verdict == "no verdict"
    assert sample.short().startswith("NO VERDICT   mean of new")
    assert words in sample.short()


def test_a_run_that_did_not_finish_leaves_it_open() -> None:
    sample = judged(*NANO, unfinished=("new, seed 7 (crashed)",))
    assert sample.verdict == "no verdict"
    assert "1 of 6 runs did not finish: new, seed 7 (crashed)." in sample.short()


def test_both_ends_stand_on_their_side_of_the_number_as_printed() -> None:
    for shift in (1e-6, -1e-6):
        low, _ = judged(*NANO).interval or (0.0, 0.0)
        sample = judged(*NANO, against=low - shift)
        shown = float(sample.short().split("true mean ")[1].split()[1 if shift > 0 else 2])
        assert (shown >= round(low - shift, 6)) == (sample.verdict != "cannot tell")


def test_the_command_says_it_in_every_form() -> None:
    words = ["--modified", "3.2764,3.2777,3.2771,3.2772,3.2796", "--against", "3.28"]
    record = json.loads(q1lab("judge", *words, "--json").stdout)
    assert (record["verdict"], record["n"], record["against"]) == ("below", 5, 3.28)
    assert record["interval"] == pytest.approx(judged(*NANO).interval)
    full = q1lab("judge", *words, "--full").stdout
    assert "run 1  3.2764" in full
    assert "mean   3.2776" in full
    for bad in ("nan", "inf"):
        assert "not a finite number" in q1lab("judge", *words[:3], bad, code=2).stderr
    assert "nothing to judge" in q1lab("judge", "--against", "3.28", code=2).stderr

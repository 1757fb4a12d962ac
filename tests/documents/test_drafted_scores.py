"""The small predictions of the week, drafted with their outcomes for the learner to finish."""

from __future__ import annotations

from pathlib import Path

from q1lab.documents.drafted_scores import drafted_scores
from q1lab.ground import paths
from q1lab.journal.store import Store
from q1lab.judgment.prediction_score import small_predictions
from q1lab.week import content, progress
from tests.kit import lab_home


def test_each_prediction_is_listed_with_what_the_runs_say(home: Path) -> None:
    week = content.load_week(paths.content_dir())
    with Store() as store:
        progress.choose_modification(store, week, "rope")
        learner = progress.learner_week(week, progress.recorded_progress(store, week.label))
        assert drafted_scores(store, learner) == "", "a list where nothing was predicted"
        for step, text in {
            "a1-guess": "The val loss rises by 0.1. I'm 80% sure.",
            "b2-numbers": "val loss at iter 200: 2.4 to 2.8, 80%\nfinal val loss 1.2 to 1.5 (70%).\n"
            "sd: 0.005 to 0.03, 60%; tokens per second: 80-120% of the baseline's, 90%\nA guess.",
        }.items():
            progress.save_answer(store, week.label, step, text)
        before = drafted_scores(store, learner)
        assert before.splitlines()[0] == "The val loss rises by 0.1. I'm 80% sure: ?"
        assert not small_predictions(before), "a prediction has a score before its runs"
        study = lab_home.make_study()
        lab_home.finish(study, effect=-0.03)
        lab_home.compared(study)
        drafted = drafted_scores(store, learner)
        outcomes = [score.outcome for score in small_predictions(drafted)]
        assert outcomes == ["miss", "miss", "miss", "hit"], drafted

"""Beginning a study, going on and stopping: one way for commands and app."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from labs.sharing import planned
from q1lab.compare.comparison import Comparison
from q1lab.compare.comparison_cache import compare
from q1lab.ground import files, paths
from q1lab.ground.errors import Problem
from q1lab.journal import ingest_events, predictions
from q1lab.journal.predictions import Expected
from q1lab.journal.store import Store
from q1lab.study import kinds, studies
from q1lab.study.command_line import Request
from q1lab.train import begin_study, launch, machine
from q1lab.train.crew import Crew
from tests.kit.comparisons import told
from tests.kit.lab_home import finish, make_study, train
from tests.kit.plans import begin_one, declare_one, notes_on, plan_one
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

SMALL = Request("rope", preset="quick", overrides={"max_iters": "20"})
MORE = Request("rope", seeds="5", preset="quick", overrides={"max_iters": "20"})


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


@pytest.fixture
def slow(fake_trainer: Callable[..., None]) -> Iterator[None]:
    """Studies train until they are stopped, and are."""
    fake_trainer(pause=0.3)
    yield
    for study_id in studies.ids():
        launch.stop_study(studies.load(study_id))


@pytest.mark.usefixtures("slow")
def test_a_study_that_came_alive_after_the_estimate_is_left_alone(store: Store) -> None:
    begin_one(SMALL, store)
    launch.stop_study(studies.load("rope-1"))
    declared = declare_one(MORE, store)
    begin_study.resume_study("rope-1", store)
    before = studies.load("rope-1").files.plan.read_bytes()
    with pytest.raises(Problem, match="rope-1 is running already"):
        begin_study.begin_studies(declared, store)
    assert studies.load("rope-1").files.plan.read_bytes() == before


@pytest.mark.usefixtures("slow")
def test_a_stop_that_comes_while_a_trainer_is_being_started_reaches_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_one(SMALL, store)
    launch.stop_study(studies.load("rope-1"))
    study = studies.load("rope-1")
    lock = files.try_lock(study.files.lock)
    assert lock is not None
    crew = Crew(study, 2, lock)
    start = crew._start_trainer

    def asked_to_stop_meanwhile() -> subprocess.Popen[bytes]:
        trainer = start()
        crew.stop()  # what the signal's handler does
        return trainer

    monkeypatch.setattr(crew, "_start_trainer", asked_to_stop_meanwhile)
    crew.run()
    os.close(lock)
    assert len(begin_study.resume_study("rope-1", store)) == len(study.runs)


@pytest.mark.usefixtures("slow")
def test_a_study_that_was_begun_elsewhere_since_is_not_begun_twice(store: Store) -> None:
    declared = declare_one(SMALL, store)
    begin_one(SMALL, store)
    with pytest.raises(Problem, match="rope-1 is running already"):
        begin_study.begin_studies(declared, store)
    assert studies.ids() == ["rope-1"]


def test_runs_that_finished_since_the_estimate_are_not_trained_again(
    fake_trainer: Callable[..., None], store: Store
) -> None:
    first = begin_study.save_plan(plan_one(SMALL, store), store)
    other = replace(SMALL, variant="gqa")
    declared = declare_one(other, store)
    train(first, "baseline", 0)
    (begun,) = begin_study.begin_studies(declared, store).studies
    assert f"{first.id}/baseline-seed0" in begun.files.run("baseline-seed0").events.read_text()
    wait_for(lambda: not launch.is_alive(begun.files))


def test_each_finished_study_is_read_once_on_the_way_to_a_plan(
    fake_trainer: Callable[..., None], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variant in ("gqa", "rmsnorm"):
        plan = plan_one(replace(SMALL, variant=variant), store)
        finish(begin_study.save_plan(plan, store))
    ingest_events.ingest_all(store)
    load, reads = studies.load, Counter[str]()

    def counted(study_id: str) -> studies.Study:
        reads[study_id] += 1
        return load(study_id)

    monkeypatch.setattr(studies, "load", counted)
    plan_one(SMALL, store)
    assert reads == {"gqa-1": 1, "rmsnorm-1": 1}


@pytest.mark.usefixtures("slow")
def test_going_on_with_a_running_study_is_refused(store: Store) -> None:
    begin_one(SMALL, store)
    assert launch.is_alive(studies.load("rope-1").files)
    with pytest.raises(Problem, match="running already"):
        begin_study.resume_study("rope-1", store)
    with pytest.raises(Problem, match="running already"):
        begin_study.train_run_again("rope-1", "modified-seed2")


def test_more_runs_at_once_than_cores_are_not_faster(
    fake_trainer: Callable[..., None], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 6 runs needs 10 s of training on one of 2 cores, and some for its evaluations."""
    monkeypatch.setattr(machine, "cores", lambda: 2)
    long = replace(SMALL, overrides={"max_iters": "10000"})
    one_job, two_jobs, six_jobs = (
        (plan_one(replace(long, jobs=jobs), store).seconds or 0) for jobs in (1, 2, 6)
    )
    assert one_job > 1.5 * two_jobs
    assert six_jobs >= two_jobs > 6 * 10 / 2


def test_who_is_waited_for_is_said(fake_trainer: Callable[..., None], store: Store) -> None:
    lock, messages = contextlib.ExitStack(), []
    lock.enter_context(begin_study.planning_lock("swiglu"))

    def say(text: str) -> None:
        messages.append(text)
        lock.close()

    store.on_wait = say
    begin_one(SMALL, store)
    launch.stop_study(studies.load("rope-1"))
    (message,) = messages
    assert str(os.getpid()) in message
    assert "begins swiglu" in message
    with begin_study.planning_lock("swiglu"), pytest.raises(Problem, match="begins swiglu"):
        files.exclusive_lock(paths.plan_lock_file(), wait=0).__enter__()


def test_a_plan_that_still_holds_is_begun_as_it_was_shown(
    fake_trainer: Callable[..., None], store: Store
) -> None:
    declared = declare_one(SMALL, store)
    begun = begin_study.begin_studies(declared, store)
    assert begun.studies[0].id == "rope-1"
    assert begun.studies[0].created == declared.studies[0].created
    assert begun.plans[0].missing == declared.plans[0].missing
    launch.stop_study(studies.load("rope-1"))


def test_a_smallest_difference_that_is_named_after_the_runs_is_not_the_studys(
    fake_trainer: Callable[..., None], store: Store
) -> None:
    begun = begin_one(SMALL, store)
    wait_for(lambda: not launch.is_alive(begun.files))
    expected = Expected(direction="lower", size=0.1, matters=5.0, confidence=0.7)
    predictions.record_prediction(store, "A1", "rope", expected)
    assert plan_one(SMALL, store).study.prediction is None
    assert compare(store, begun).analysis.delta is None


def predict(store: Store, **changes: Any) -> None:
    """Predict in a second of its own: times are kept in whole seconds, and the runs of a trainer
    without torch end in the one they begin in."""
    time.sleep(1.0 - time.time() % 1.0)
    prediction = {"direction": "same", "size": 0.0, "matters": 0.5, "confidence": 0.99, **changes}
    predictions.record_prediction(store, "A1", "rope", Expected(**prediction), amend=True)


def trained(store: Store, request: Request) -> Comparison:
    study = begin_one(request, store)
    wait_for(lambda: not launch.is_alive(study.files))
    return compare(store, study)


@pytest.mark.usefixtures("fake_trainer")
def test_what_is_said_to_matter_after_runs_could_be_seen_decides_nothing(store: Store) -> None:
    trained(store, SMALL)
    predict(store)
    later = trained(store, replace(SMALL, seeds="fresh:3"))
    assert (later.analysis.delta, later.score, later.analysis.verdict) == (None, None, "helps")
    assert "Not scored" in told(later)["prediction"]
    ranged = plan_one(replace(SMALL, seeds="3..5"), store)
    assert begin_study.save_plan(ranged, store).smallest_that_matters is None
    other = trained(store, replace(SMALL, variant="swiglu"))
    assert (len(other.reused), other.study.prediction) == (3, None)


@pytest.mark.usefixtures("fake_trainer")
def test_a_prediction_from_before_the_runs_counts_again_and_its_amendment_does_not(
    store: Store,
) -> None:
    predict(store, direction="lower", size=0.1, matters=0.01)
    assert trained(store, SMALL).analysis.delta == 0.01
    predict(store)
    later = trained(store, replace(SMALL, seeds="fresh:3"))
    assert (later.analysis.delta, later.score and later.score.outcome) == (0.01, "hit")


@pytest.mark.usefixtures("fake_trainer")
def test_reused_baseline_runs_void_no_prediction(store: Store) -> None:
    trained(store, replace(SMALL, variant="swiglu"))
    predict(store, direction="lower", size=0.1, matters=0.01)
    comparison = trained(store, SMALL)
    assert (len(comparison.reused), comparison.analysis.delta) == (3, 0.01)
    assert comparison.score is not None


@pytest.mark.usefixtures("fake_trainer")
def test_seeds_that_nobody_chose_are_drawn_anew_for_each_asking(store: Store) -> None:
    """They are no run's and the same for the same command; a verdict over them stands."""
    trained(store, SMALL)
    request = replace(SMALL, seeds="fresh:3")
    begun = plan_one(request, store)
    assert re.search(r"fresh|drew", " ".join(notes_on(request, store)))
    assert plan_one(request, store).study.seeds == begun.study.seeds
    comparison = trained(store, request)
    assert comparison.analysis.verdict == "helps"
    seeds = comparison.study.seeds
    assert seeds == begun.study.seeds
    assert len(set(seeds) - {0, 1, 2}) == 3
    assert not plan_one(request, store).is_new
    assert kinds.request(comparison.study).seeds == "fresh:3"
    next_seeds = plan_one(replace(request, fresh=True), store).study.seeds
    assert not set(next_seeds) & set(seeds)


def test_a_design_that_sees_little_of_the_predicted_difference_says_so(store: Store) -> None:
    request = replace(SMALL, preset="cpu")
    expected = Expected(direction="lower", size=0.05, matters=0.012, confidence=0.7)
    predictions.record_prediction(store, "M03-W04", "rope", expected)
    little = "would find a difference of 0.012 nats (δ) in"
    notes = notes_on(request, store)
    assert any(f"3 pairs {little} 18 of 100 studies; `--seeds 3..18`" in note for note in notes)
    longer = notes_on(replace(request, seeds="3..18"), store)
    assert not any(little in note for note in longer)
    predictions.record_prediction(store, "M03-W04", "rope", replace(expected, matters=0.05))
    assert not any("(δ)" in note for note in notes_on(request, store))


def test_the_arm_that_begins_a_pair_alternates() -> None:
    """Else a processor that grows warm would favor the arm that always begins."""
    study = make_study(seeds=(0, 1, 2, 3))
    trained = [(run.arm, run.seed) for run in study.runs_as_trained]
    assert planned(study.to_dict()) == trained, "launchers and trainers have one order"
    assert [arm for arm, _ in trained[::2]] == ["baseline", "modified"] * 2
    assert sorted(trained) == sorted((run.arm, run.seed) for run in study.runs)

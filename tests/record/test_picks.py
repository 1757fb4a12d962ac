"""Seeds picked by what their runs did get no verdict, however the question is dressed; the honest
ways stay open. Through planning, with a trainer without torch."""

from __future__ import annotations

import random
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.planning import study_plan
from q1lab.record import delete_restore
from q1lab.record.picked_seeds import ArmOnRecord, LikeArms, Relation, Relations, find_picks
from q1lab.record.recorded_studies import RecordedStudy
from q1lab.runner import launch
from q1lab.statistics.intervals import ALPHA, Reason
from q1lab.study import command_line
from q1lab.study.command_line import Request
from q1lab.study.identity import (
    LARGEST_DISTANCE,
    ArmTraining,
    begin_alike,
    code_hash,
    find_same_arm,
    loss_distance,
)
from q1lab.study.studies import ARMS
from q1lab.verdict import verdict_text
from q1lab.verdict.comparison import Comparison
from q1lab.verdict.comparison_cache import compare
from tests.kit import lab_home
from tests.kit.comparisons import times_asked
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

TEXT = "First Citizen: before we proceed any further, hear me speak.\n" * 100


@pytest.fixture
def ask(fake_trainer: Callable[..., None], tmp_path: Path) -> Iterator[Callable[..., Comparison]]:
    """Train and compare a study of the learner's own file, as the command does."""
    model = (paths.models_dir() / "rope.py").read_text()
    (tmp_path / "mine.py").write_text(model)
    (tmp_path / "base.py").write_text((paths.models_dir() / "baseline.py").read_text())
    (tmp_path / "text.txt").write_text(TEXT)
    with Store() as store:

        def asked(seeds: str, variant: str = "mine.py", **more: object) -> Comparison:
            request: dict[str, object] = {
                "baseline": str(tmp_path / "base.py"),
                "preset": "quick",
                "overrides": {"max_iters": "20"},
                "data": str(tmp_path / "text.txt"),
                "unchecked": True,
                **more,
            }
            name = str(tmp_path / variant) if variant.endswith(".py") else variant
            study = study_plan.begin_study(Request(name, seeds=seeds, **request), store).study  # type: ignore[arg-type]
            wait_for(lambda: not launch.is_alive(study.files))
            return compare(store, study)

        yield asked


def edit(file: Path, old: str = "", new: str = "") -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new) if old else f"{text}# a comment\n")


def dress(how: str, folder: Path) -> dict[str, object]:
    """Change nothing that trains; returns what the next study is asked with."""
    model, base = folder / "mine.py", folder / "base.py"
    match how:
        case "a newline":
            edit(folder / "text.txt", TEXT, TEXT + "\n")
        case "another first character":
            edit(folder / "text.txt", TEXT, "E" + TEXT[1:])
        case "a newline before the text":
            edit(folder / "text.txt", TEXT, "\n" + TEXT)
        case "another learning rate":
            return {"overrides": {"max_iters": "20", "learning_rate": "1.03e-3"}}
        case "another budget":
            return {"overrides": {"max_iters": "40"}}
        case "log_interval":
            return {"overrides": {"max_iters": "20", "log_interval": "11"}}
        case "a comment":
            edit(model)
        case "a file renamed, with a comment":
            edit(model)
            model.rename(folder / "other.py")
            return {"variant": "other.py"}
        case "a renamed local":
            edit(model, "logits", "scores")
        case "both files edited":
            edit(model)
            edit(base, "logits", "scores")
        case "both files edited, the study deleted" | "both files edited, the study removed":
            edit(model, "logits", "scores")
            edit(base, "logits", "scores")
            if "deleted" in how:
                with Store() as store:
                    delete_restore.delete_study(store, "mine-1")
            else:
                shutil.rmtree(paths.study_dir("mine-1"))
        case "dtype":
            return {"dtype": "bf16"}
        case "the baseline's worst seeds":
            return {"variant": "swiglu"}
    return {}


@pytest.mark.parametrize(
    "how",
    [
        "nothing",
        "a newline",
        "another first character",
        "a newline before the text",
        "another learning rate",
        "another budget",
        "log_interval",
        "a comment",
        "a file renamed, with a comment",
        "a renamed local",
        "both files edited",
        "both files edited, the study deleted",
        "both files edited, the study removed",
        "dtype",
        "the baseline's worst seeds",
    ],
)
def test_seeds_picked_in_any_dress_get_no_verdict(
    ask: Callable[..., Comparison], tmp_path: Path, how: str
) -> None:
    assert ask("8").analysis.reason is None
    comparison = ask("1,4,6", **dress(how, tmp_path), fresh=True)
    assert comparison.analysis.reason is Reason.CHOSEN
    assert "seeds 0, 2, 3, 5, 7 (mine-1)" in verdict_text.verdict_sentence(comparison)


def test_seeds_in_another_spelling_are_the_same_asking(ask: Callable[..., Comparison]) -> None:
    first = ask("0,1,2")
    for spelled in ("2,1,0", " 0, 1,2", "00,1,2,", "3", "003"):
        comparison = ask(spelled)
        assert comparison.study.id == first.study.id
        assert comparison.asking.total == first.asking.total
    for senseless in ("0..2", "00", "0,00,1", "0-2", "３"):
        with pytest.raises(Problem) as raised:
            ask(senseless)
        assert "\n" not in str(raised.value)
        assert "--seeds" in str(raised.value)


def test_a_pick_is_said_before_anything_trains_with_a_command_that_gets_a_verdict(
    ask: Callable[..., Comparison], tmp_path: Path
) -> None:
    ask("8", "swiglu")
    request = Request(str(tmp_path / "mine.py"), seeds="3,4,5", baseline=str(tmp_path / "base.py"))
    request = replace(request, preset="quick", overrides={"max_iters": "30"}, unchecked=True)
    request = replace(request, data=str(tmp_path / "text.txt"))
    with Store() as store:
        notes = study_plan.plan_study(request, store).notes
        (note,) = [note for note in notes if "no verdict will come" in note]
        assert "swiglu-1 has seeds 0, 1, 2, 6, 7" in note
        command = command_line.request_from_argv(shlex.split(note.split("`")[1]))
        assert command is not None
        study = study_plan.begin_study(replace(command, yes=True), store).study
        wait_for(lambda: not launch.is_alive(study.files))
        assert compare(store, study).analysis.reason is None


def test_the_first_of_eight_pairs_that_could_be_seen_are_picked_too(
    ask: Callable[..., Comparison], tmp_path: Path
) -> None:
    """Only first losses tell that a file with a line more trains the same."""
    ask("8")
    edit(tmp_path / "mine.py", "import math\n", "import math\n\nUNUSED = 1\n")
    assert ask("3", fresh=True).analysis.reason is Reason.CHOSEN


def test_an_edit_that_changes_what_trains_asks_with_the_first_seeds(
    ask: Callable[..., Comparison], tmp_path: Path
) -> None:
    ask("8")
    edit(tmp_path / "mine.py", "import math\n", "import math\n\nprint(math.sqrt(2))\n")
    assert ask("3", fresh=True).analysis.reason is None


def test_a_file_rewritten_so_that_it_trains_the_same_asks_the_same_question(
    ask: Callable[..., Comparison], tmp_path: Path
) -> None:
    ask("3", "swiglu")
    ask("3,4,5")
    edit(tmp_path / "mine.py", "import math\n", "import math\n\nUNUSED = 1\n")
    assert times_asked(ask("3,4,5", fresh=True)) == (2, 2)
    edit(tmp_path / "mine.py", "UNUSED = 1\n", "print(math.sqrt(2))\n")
    assert times_asked(ask("3,4,5", fresh=True)) == (1, 1)


def test_the_same_seeds_each_time_are_fine_once_they_were_declared(
    ask: Callable[..., Comparison],
) -> None:
    ask("3", "baseline", baseline="baseline")
    for variant in ("swiglu", "rmsnorm", "gqa"):
        comparison = ask("42,43,44", variant, baseline="baseline")
        assert (comparison.analysis.reason, comparison.analysis.alpha) == (None, ALPHA), variant
        assert comparison.asking.total == pytest.approx(ALPHA)


def test_a_baseline_compared_with_itself_first_costs_nothing(
    ask: Callable[..., Comparison],
) -> None:
    ask("8", "baseline", baseline="baseline")
    comparison = ask("3", "swiglu", baseline="baseline")
    assert (comparison.analysis.alpha, comparison.asking.total) == (ALPHA, pytest.approx(ALPHA))


@pytest.mark.parametrize("seeds", ["3", "8"])
def test_another_modification_on_the_first_seeds_keeps_its_verdict(
    ask: Callable[..., Comparison], seeds: str
) -> None:
    ask(seeds)
    comparison = ask(seeds, "swiglu")
    assert len(comparison.reused) == int(seeds), "the baseline's runs"
    assert (comparison.analysis.reason, comparison.analysis.alpha) == (None, ALPHA)


def test_a_declared_set_that_is_used_whole_was_not_picked(ask: Callable[..., Comparison]) -> None:
    assert ask("2,3,5,7").analysis.reason is None
    assert ask("2,3,5,7", "swiglu").analysis.reason is None
    assert ask("2,3,5", "rmsnorm").analysis.reason is Reason.CHOSEN
    assert ask("2,3,5", "gqa").analysis.reason is Reason.CHOSEN, (
        "declaring a picked set is no way out"
    )


def test_seeds_of_which_nothing_is_known_are_not_picked(ask: Callable[..., Comparison]) -> None:
    ask("8")
    assert ask("21,33,48", fresh=True).analysis.reason is None


def test_code_is_the_same_whatever_its_locals_are_called() -> None:
    code = code_hash("def f(x):\n    y = g(x)\n    return y\n")
    assert code == code_hash("def f(a):\n    b = g(a)  # the same\n    return b\n")
    assert code != code_hash("def f(x):\n    y = g(x)\n    return x\n")
    assert code != code_hash("def f(x):\n    y = h(x)\n    return y\n")


def test_first_losses_that_agree_with_both_arms_speak_for_the_nearer_one() -> None:
    """RMSNorm begins within 1 in 1,000 of the baseline, and is not the baseline."""

    def training(code: str, shift: float) -> ArmTraining:
        return ArmTraining(
            frozenset({"text"}), code, "", {0: dict.fromkeys(range(1, 9), 4.2 + shift)}
        )

    arms = {"baseline": training("base", 0.0), "modified": training("rmsnorm", 0.002)}
    assert find_same_arm(training("base", 0.0), arms) == "baseline"
    assert find_same_arm(training("a renamed local", 0.0021), arms) == "modified"
    assert find_same_arm(training("felt only later", 0.0), arms) == "baseline"
    assert find_same_arm(training("rope", 0.03), arms) is None


@pytest.mark.parametrize(
    ("arms", "seeds", "picked", "alternatives"),
    [
        (("baseline", "modified"), (1, 3, 4), True, 0),
        (("baseline",), (0, 1, 2), False, 1),
    ],
)
def test_the_worked_examples_of_picked_seeds(
    arms: tuple[str, ...], seeds: tuple[int, ...], picked: bool, alternatives: int
) -> None:
    first = lab_home.make_study("rope-1", seeds=tuple(range(6)))
    seen = {(run.arm, run.seed): first.created for run in first.runs}
    earlier = RecordedStudy(first, (first.created,), seen_since=seen)
    study = lab_home.make_study("study-2", seeds=seeds, created="2026-03-09T10:00:00+00:00")
    like_arms = {arm: LikeArms([ArmOnRecord(earlier, arm, 0, (0, 1))]) for arm in ARMS}
    by_arms = {like_arms[arm]: Relation(like_arms[arm], arm, arm, None) for arm in arms}
    relations = Relations(1, by_arms, lambda _, arm: like_arms[arm])
    picks = find_picks(RecordedStudy(study, (study.created,)), relations, lambda _: False)
    assert (picks.picked, len(picks.alternatives)) == (picked, alternatives)


def test_runs_that_begin_alike_are_found_without_comparing_all_of_them() -> None:
    rng = random.Random(3)

    def losses() -> dict[int, float]:
        iters = rng.choice([range(1, 9), range(1, 9), range(2, 6), range(1, 3)])
        level = 4.2 + 0.001 * rng.randrange(12)
        return {at: level - 0.1 * at + rng.choice([0, 0, 0.0005]) for at in iters}

    trainings = [
        ArmTraining(frozenset({"text"}), str(at), "", {seed: losses() for seed in range(3)})
        for at in range(40)
    ]
    near = {
        (first, second): distance
        for first in trainings
        for second in trainings
        if first is not second and (distance := loss_distance(first, second)) <= LARGEST_DISTANCE
    }
    alike = begin_alike(trainings)
    assert near
    assert near == {
        (first, second): distance
        for first, others in alike.items()
        for second, distance in others.items()
    }

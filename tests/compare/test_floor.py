"""A file against itself: how far apart equals are, measured by a study of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from q1lab.compare.comparison import comparison_json
from q1lab.ground import paths, python_source
from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.judgment import layout
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.lines import plain_lines
from q1lab.study import command_line, identity, kept_folder, kinds, studies
from q1lab.study.command_line import Request
from q1lab.study.studies import Run, Study
from q1lab.study.trainer import SEED_OFFSET
from q1lab.train import finished_runs, launch
from tests.kit.comparisons import told
from tests.kit.lab_home import compared, finish, make_study
from tests.kit.plans import begin_one, changed, plan_one
from tests.kit.waiting import wait_for

Fake = Callable[..., None]


def trained(variant: str, **options: object) -> Study:
    with Store() as store:
        study = begin_one(Request(variant, preset="quick", **options), store)  # type: ignore[arg-type]
        wait_for(lambda: not launch.is_alive(study.files))
    return study


def floor_of_baseline(name: str = "baseline-1", **how: object) -> Study:
    """A finished study of the baseline against itself, as a plan has it."""
    study = make_study(name, "baseline", **how)  # type: ignore[arg-type]
    study = changed(study, seed_shift={"modified": SEED_OFFSET})
    studies.save(study)
    finish(study, effect=0.0, noise=0.02)
    return study


def test_the_baseline_against_itself_trains_on_other_seeds(fake_trainer: Fake) -> None:
    study = trained("baseline", seeds="4")
    assert study.id == "baseline-1"
    assert study.is_floor
    assert study.drawn_seed(Run("baseline", "baseline", 2)) == 2
    assert study.drawn_seed(Run("modified", "baseline*", 2)) == SEED_OFFSET + 2
    comparison = compared(study)
    assert comparison.analysis.n == 4
    assert len(set(comparison.analysis.pairs.values())) == 4, "no pair is of two equal runs"
    assert comparison.floor is None
    assert command_line.command_text(kinds.request(study)).startswith(
        "q1lab run baseline --seeds 4"
    )
    with Store() as store:
        plan = plan_one(kinds.request(study), store)
    assert (plan.study.id, plan.missing) == (study.id, ())


def test_a_floor_claims_nothing_about_a_modification() -> None:
    comparison = compared(floor_of_baseline())
    assert comparison.word == "NOTHING CHANGED"
    assert "luck alone" in told(comparison)["answer"]
    assert set(told(comparison)) <= {"answer", "scope", "measured"}, "it claims, or it asks"
    unequal = make_study("baseline-2", "baseline")
    finish(unequal, effect=-0.2, noise=0.001)
    assert "a false claim" in told(compared(unequal))["answer"]


def test_its_interval_is_the_row_of_every_later_verdict_of_the_same_baseline() -> None:
    study = make_study("rope-1")
    finish(study)
    assert compared(study).floor is None
    floor = floor_of_baseline(seeds=(0, 1, 2, 3, 4))
    after = compared(study)
    assert after.floor == compared(floor).analysis.ends is not None
    assert "baseline against itself" in "\n".join(plain_lines(layout.full_lines(after)))
    assert comparison_json(after)["floor"] == asdict(after.floor)
    other = make_study("rope-2", preset="quick")
    other = changed(other, config={**other.trainer.config, "n_layer": 2})
    studies.save(other)
    finish(other)
    assert compared(other).floor is None, "of another size"


def test_a_floor_that_is_not_done_changes_no_row() -> None:
    study = make_study("rope-1")
    finish(study)
    make_study("baseline-1", "baseline")
    assert compared(study).floor is None


def test_a_floor_is_no_look_at_any_question_and_pays_for_none() -> None:
    floor_of_baseline()
    study = make_study("rope-1", created="2026-03-08T10:00:00+00:00")
    finish(study)
    comparison = compared(study)
    assert (comparison.analysis.alpha, comparison.asked.questions) == (ALPHA, 1)
    assert "looks" not in told(comparison)
    second = floor_of_baseline("baseline-2", seeds=(3, 4, 5), created="2026-03-09T10:00:00+00:00")
    assert compared(second).analysis.alpha == ALPHA, "nor does another floor"


def test_its_runs_are_kept_for_other_studies_and_its_own(fake_trainer: Fake) -> None:
    first = trained("baseline", seeds="3")
    rope = trained("rope", seeds="3")
    comparison = compared(rope)
    assert set(comparison.reused) == {f"baseline-seed{seed}" for seed in range(3)}
    assert compared(first).arms["baseline"].values == comparison.arms["baseline"].values
    assert not finished_runs.find_copies(changed(first, seed_shift=None), studies.StudiesOnDisk())[
        3:
    ], "equal names, other seeds"


def test_a_copy_with_another_name_is_still_refused(fake_trainer: Fake, tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text((paths.models_dir() / "baseline.py").read_text())
    with Store() as store, pytest.raises(Problem, match="hold the same code"):
        plan_one(Request(str(copy), baseline="baseline"), store)
    floor = trained(str(copy), baseline=str(copy), seeds="3", unchecked=True)
    assert floor.is_floor
    assert compared(floor).analysis.n == 3


@pytest.mark.slow
def test_a_kept_floor_trains_again(fake_trainer: Fake, tmp_path: Path) -> None:
    study = trained("baseline", seeds="3")
    for path, data in kept_folder.files_to_keep(study, tmp_path).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with Store() as store:
        plan = plan_one(Request(str(tmp_path / "studies" / study.id), fresh=True), store)
    assert plan.study.is_floor
    assert plan.study.to_dict()["seed_shift"] == {"modified": SEED_OFFSET}


def a_copy(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """q1lab's baseline as a file of one's own, with a comment below."""
    text = (paths.models_dir() / "baseline.py").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(f"{text}# the same\n")
    return str(folder / name)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_copy_with_a_comment_is_an_a_a_test_and_no_question(
    fake_trainer: Fake, tmp_path: Path, noise: float
) -> None:
    fake_trainer(effect=-2 * noise, noise=noise / 10)
    same = trained(a_copy(tmp_path, "same.py"), seeds="3", unchecked=True, baseline="baseline")
    assert "seed_shift" not in same.to_dict(), "the same seeds for both arms"
    result = compared(same)
    answer = told(result)["answer"]
    if noise:  # as on a GPU that adds in another order each time
        assert "Both arms run the same code, so this is a false claim" in answer
    else:
        assert result.analysis.verdict == "no verdict"
        assert "as they should, of the same code" in answer
    fake_trainer(effect=-0.02, noise=0.01)
    rope = compared(trained("rope", seeds="3"))
    assert (rope.asked.questions, rope.asked.about_it) == (1, 1)


def test_a_changed_copy_asks_a_question(fake_trainer: Fake, tmp_path: Path) -> None:
    """Also one whose change the fingerprint of a question does not see, which leaves the names of
    arguments out."""
    study = trained(
        a_copy(tmp_path, "own.py", ("eps=1e-5", "eps=1e-6")),
        seeds="3",
        unchecked=True,
        baseline="baseline",
    )
    assert not study.is_floor
    assert study.counts_as_asking
    swapped = "def f(a, b):\n    return a - b\n", "def f(b, a):\n    return b - a\n"
    assert identity.code_hash(swapped[0]) == identity.code_hash(swapped[1])
    assert len(set(map(python_source.code_of, swapped))) == 2
    assert python_source.code_of("x = 1\n") == python_source.code_of('"""Doc."""\n\nx=1 # why\n')

"""Studies declared together: a sweep over modifications that share one baseline arm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands.cli import run_command_line as q1lab
from q1lab.compare import series_reader
from q1lab.compare.comparison_cache import compare
from q1lab.ground.errors import Problem
from q1lab.journal import delete_restore
from q1lab.journal.store import Store
from q1lab.judgment import interim_analyses, series_table
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.lines import plain_lines
from q1lab.study import kinds, studies
from q1lab.study.command_line import Request
from q1lab.study.own_model.run_checks import CheckReport
from q1lab.train import begin_study, launch, own_loop_draft, series_members, study_plan
from tests.kit.commands import study_toml
from tests.kit.comparisons import told
from tests.kit.lab_home import finish
from tests.kit.plans import begin_one
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

Fake = Callable[..., None]
SMALL = Request("", preset="quick", overrides={"max_iters": "20"}, wandb="disabled")
NAMES = ("rmsnorm", "rope", "swiglu")


@pytest.fixture
def store() -> Iterator[Store]:
    """When it is done with, every study that still trains is stopped."""
    with Store() as opened:
        yield opened
    for study in studies.load_readable():
        launch.stop_study(study)


def request(**changes: Any) -> Request:
    import dataclasses

    return dataclasses.replace(SMALL, **changes)


def swept(
    store: Store, names: tuple[str, ...] = NAMES, **changes: Any
) -> series_table.SeriesResult:
    """A sweep that was begun, when nothing of it trains any more."""
    begun = begin_study.begin_studies(study_plan.declare(request(**changes), names, store), store)
    wait_for(lambda: over(begun.series.id))
    return series_reader.read_series(store, begun.series.id)


def over(series_id: str) -> bool:
    members = series_members.load_members(series_id).values()
    return not any(
        launch.is_alive(study.files) or series_members.has_runs_left(study) for study in members
    )


def test_a_sweep_shares_the_baseline_runs_and_ranks_what_came_out(
    fake_trainer: Fake, store: Store
) -> None:
    result = swept(store, seeds="3")
    assert [member.name for member in result.members] == list(NAMES)
    assert result.complete
    means = [member.mean for member in result.ranked]
    assert means == sorted(means), "lowest first"
    first, *rest = (member.comparison for member in result.members)
    assert first is not None
    assert not first.reused
    for comparison in rest:
        assert comparison is not None
        assert set(comparison.reused) == {f"baseline-seed{seed}" for seed in range(3)}
        assert comparison.arms["baseline"].values == first.arms["baseline"].values


def test_each_of_a_sweep_has_its_share_of_5_percent(fake_trainer: Fake, store: Store) -> None:
    result = swept(store, seeds="3")
    for member in result.members:
        c = member.comparison
        assert c is not None
        assert c.analysis.alpha == pytest.approx(ALPHA / 3)
        assert not c.asked.earlier
        assert "share one 5% error rate" in told(c)["siblings"]
    assert result.any_claim_chance == pytest.approx(ALPHA)
    assert "Bonferroni" in series_table.correction_sentence(result)
    assert "98.33%" in series_table.correction_sentence(result)


def test_a_planned_sweep_stops_each_member_when_it_is_known(
    fake_trainer: Fake, store: Store
) -> None:
    fake_trainer(effect=-0.5, noise=0.001)
    result = swept(store, seeds="3..6")
    assert result.pairs_planned == (3, 6)
    for member in result.members:
        c = member.comparison
        assert c is not None
        assert (c.analysis.verdict, c.analysis.n) == ("helps", 3)
        assert c.analysis.alpha == interim_analyses.level_per_look(3, 6, total=ALPHA / 3)
        assert interim_analyses.chance_of_any_claim(
            [(n, c.analysis.alpha) for n in range(3, 7)]
        ) == pytest.approx(ALPHA / 3, abs=0.0001)
        assert "about 1.67 in 100 such studies" in told(c)["chance"]


def test_everything_is_declared_before_the_first_run(
    fake_trainer: Fake, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids_at_each_start: list[list[str]] = []
    monkeypatch.setattr(
        launch, "start_runner", lambda study: ids_at_each_start.append(studies.ids())
    )
    begin_study.begin_studies(study_plan.declare(request(seeds="3..8"), NAMES, store), store)
    assert ids_at_each_start == [["rmsnorm-1", "rope-1", "swiglu-1"]], (
        "one start, when all plans are written"
    )
    plans = [studies.load(name) for name in ids_at_each_start[0]]
    assert len({study.seeds for study in plans}) == 1
    assert len({tuple(study.design.declared_rule() or ()) for study in plans}) == 1


def test_a_refused_file_stops_its_own_arm_alone(
    fake_trainer: Fake, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from q1lab.ground import paths

    bad, broken = tmp_path / "bad.py", tmp_path / "broken.py"
    bad.write_text((paths.models_dir() / "rope.py").read_text() + "\n# mine\nBAD = 1\n")
    broken.write_text("def (\n")

    def check(file: Any, settings: Any, baseline: Any) -> CheckReport:
        raise Problem(f"{file.path.name} fails 1 of 9 checks")

    monkeypatch.setattr(own_loop_draft, "check_model_file", check)
    asked = request(seeds="3", baseline="baseline")
    declared = study_plan.declare(asked, ("rope", str(bad), "swiglu", str(broken)), store)
    assert [study.variant for study in declared.studies] == ["rope", "swiglu"]
    assert str(declared.refused[str(bad)]) == "bad.py fails 1 of 9 checks"
    assert "broken.py:1: " in str(declared.refused[str(broken)])
    begun = begin_study.begin_studies(declared, store)
    assert begun.refused == declared.refused, "the reasons are lost when the sweep begins"
    wait_for(lambda: over(begun.series.id))
    assert len(series_members.load_members(begun.series.id)) == 2
    with pytest.raises(Problem, match=r"broken.py:1: .*; bad.py fails 1 of 9 checks$"):
        study_plan.declare(asked, (str(bad), str(broken)), store)


def test_files_that_can_not_be_read_are_named_and_the_others_offered(
    fake_trainer: Fake, store: Store, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def (\n")
    with pytest.raises(Problem) as caught:
        study_plan.declare(request(seeds="3"), ("rope", str(bad), "no_such"), store)
    assert "bad.py:1: " in str(caught.value)
    assert "no_such" in str(caught.value)
    assert str(caught.value).endswith(
        ": q1lab run rope --seeds 3 --preset quick --max-iters 20 --wandb disabled"
    )
    assert studies.ids() == []


@pytest.mark.parametrize(
    ("names", "changes", "says"),
    [
        (("rope", "rope"), {}, "listed twice"),
        (("rope", "baseline"), {}, "baseline itself"),
        (("rope", "rop"), {}, "'rope'"),
        (("rope", "gqa"), {"seeds": "12..3"}, "a range goes up"),
        (("rope", "gqa"), {"seeds": "3..3"}, "a range goes up"),
        (("rope", "gqa"), {"seeds": "1..5"}, "begins at 3 pairs"),
    ],
)
def test_what_cannot_be_swept_is_one_line(
    fake_trainer: Fake, store: Store, names: tuple[str, ...], changes: dict[str, str], says: str
) -> None:
    with pytest.raises(Problem, match=says) as raised:
        study_plan.declare(request(**changes), names, store)
    assert "\n" not in str(raised.value)
    assert studies.ids() == []


def test_the_same_command_goes_on_and_in_another_order(fake_trainer: Fake, store: Store) -> None:
    fake_trainer(fail=["modified-seed1"])
    result = swept_once(store)
    assert [member.why for member in result.ranked] == ["1 of 6 runs failed"] * 3, (
        "shown, not hidden"
    )
    resumed = study_plan.declare(request(seeds="3"), NAMES[::-1], store)
    assert (resumed.series.id, resumed.missing) == ("sweep-1", 3)
    assert not any(plan.is_new for plan in resumed.plans)
    fake_trainer()
    begin_study.begin_studies(resumed, store)
    wait_for(lambda: over("sweep-1"))
    assert series_reader.read_series(store, "sweep-1").complete
    assert len(studies.ids()) == 3


def swept_once(store: Store) -> series_table.SeriesResult:
    """A sweep after its first way through, whatever it lacks."""
    begun = begin_study.begin_studies(study_plan.declare(request(seeds="3"), NAMES, store), store)
    last = begun.studies[-1].files

    def ended() -> bool:
        return (last.root / "launch.json").exists() and not any(
            launch.is_alive(study.files) for study in begun.studies
        )

    wait_for(ended)
    return series_reader.read_series(store, begun.series.id)


def test_a_sweep_begins_though_another_study_was_planned_meanwhile(
    fake_trainer: Fake, store: Store
) -> None:
    planned = study_plan.declare(request(seeds="3..8"), NAMES, store)
    alone = begin_one(request(variant="rope", seeds="3"), store)
    wait_for(lambda: not launch.is_alive(alone.files))
    begun = begin_study.begin_studies(planned, store)
    assert len(begun.studies) == len(NAMES)
    assert begun.series.seeds[0] == 3, "its seeds are those that nobody knows now"
    for study in begun.studies:
        launch.stop_study(study)


def test_a_diverged_member_is_a_row_without_a_rank(fake_trainer: Fake, store: Store) -> None:
    names = ("rope", "rmsnorm")
    planned = study_plan.declare(request(seeds="3"), names, store)
    begun = [begin_study.save_plan(plan, store) for plan in planned.plans]
    finish(begun[0])
    finish(begun[1])
    lost = begun[1].files.run("modified-seed2").events
    lines = [json.loads(line) for line in lost.read_text().splitlines()]
    lines[-1] = {"type": "exit", "state": "diverged", "iter": 5, "time": lines[-1]["time"]}
    lost.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = series_reader.read_series(store, "sweep-1")
    assert [member.name for member in result.ranked] == ["rope", "rmsnorm"]
    text = "\n".join(plain_lines(series_table.series_lines(result)))
    assert "1 of 6 runs diverged" in text
    assert series_reader.failed_members(result) == ["rmsnorm"]


def test_a_deleted_member_stays_a_row_and_is_not_trained_again(
    fake_trainer: Fake, store: Store
) -> None:
    swept(store, seeds="3")
    alone = begin_one(request(variant="rope", seeds="3"), store)
    wait_for(lambda: not launch.is_alive(alone.files))
    for name in ("rope-1", alone.id):
        delete_restore.delete_study(store, name)
    result = series_reader.read_series(store, "sweep-1")
    assert "was deleted" in "\n".join(plain_lines(series_table.series_lines(result)))
    assert result.any_claim_chance == pytest.approx(ALPHA), "its share stays spent"
    resumed = study_plan.declare(request(seeds="3"), NAMES, store)
    assert (resumed.missing, len(resumed.plans)) == (0, 2)


def test_the_ledger_counts_each_member(fake_trainer: Fake, store: Store) -> None:
    swept(store, seeds="3")
    study = begin_one(request(variant="rope", seeds="3"), store)
    wait_for(lambda: not launch.is_alive(study.files))
    assert study.id == "rope-2", "a study by itself is not the sweep's"
    c = compare(store, study)
    assert len(c.asked.earlier) == 1
    assert c.analysis.alpha == ALPHA / 2
    assert c.asked.total == pytest.approx(ALPHA / 3 + ALPHA / 2)


def test_a_question_that_was_asked_before_pays_in_a_sweep_too(
    fake_trainer: Fake, store: Store
) -> None:
    study = begin_one(request(variant="rope", seeds="3"), store)
    wait_for(lambda: not launch.is_alive(study.files))
    result = swept(store, ("rope", "rmsnorm"), seeds="3")
    rope, rmsnorm = (member.comparison for member in result.members)
    assert rope is not None
    assert rmsnorm is not None
    assert (rope.analysis.alpha, rmsnorm.analysis.alpha) == (ALPHA / 4, ALPHA / 2)
    assert len(rope.asked.earlier) == 1
    assert result.any_claim_chance == pytest.approx(ALPHA / 4 + ALPHA / 2)
    third = swept(store, ("rope", "rmsnorm"), seeds="3", fresh=True)
    assert third.any_claim_chance == pytest.approx(ALPHA / 8 + ALPHA / 4)


def test_another_range_in_mid_sweep_is_refused(fake_trainer: Fake, store: Store) -> None:
    planned = study_plan.declare(request(seeds="3..8"), NAMES, store)
    for plan in planned.plans:
        begin_study.save_plan(plan, store)
    with pytest.raises(Problem, match="3 to 8 pairs"):
        study_plan.declare(request(seeds="3..12"), NAMES, store)
    other = study_plan.declare(request(seeds="3..12", fresh=True), NAMES, store)
    assert other.series.id == "sweep-2"


def test_what_goes_on_is_said_as_the_command_of_the_whole_sweep(
    fake_trainer: Fake, store: Store
) -> None:
    planned = study_plan.declare(request(seeds="3..8"), NAMES, store)
    study = begin_study.save_plan(planned.plans[1], store)
    text = kinds.resume_command(study)
    assert text.startswith("q1lab run rmsnorm rope swiglu --seeds 3..8 --preset quick")
    assert "--max-iters 20" in text


def test_the_command_trains_prints_and_prints_again(
    fake_trainer: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "rope,gqa", "--seeds", "3", "--preset", "quick", "--max-iters", "20"]
    assert q1lab(words) == 0
    out = capsys.readouterr().out
    assert re.search(r"^sweep-1: rope, gqa .*3 seeds", out, re.MULTILINE)
    assert "2 comparisons (Bonferroni)" in out
    assert max(map(len, out.partition("\n\n")[2].splitlines())) <= 100
    assert q1lab(["run", "sweep-1"]) == 2
    assert "q1lab run rope gqa --seeds 3" in capsys.readouterr().err
    assert q1lab(["compare", "sweep-1"]) == 0
    assert out.endswith(capsys.readouterr().out), "the table that run printed"
    assert q1lab(["compare", "sweep-1", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["correction"] == {
        "method": "Bonferroni",
        "members": 2,
        "each": 0.025,
        "total": 0.05,
    }
    assert [member["comparison"]["plan"]["sibling_name"] for member in record["members"]] == [
        "sweep-1"
    ] * 2
    assert q1lab(["run", "sweep-7"]) == 2


def test_an_arm_may_have_the_name_of_a_sweep(
    fake_trainer: Fake,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for plan in study_plan.declare(request(seeds="3"), NAMES, store).plans:
        begin_study.save_plan(plan, store)
    monkeypatch.chdir(tmp_path)
    words = study_toml("true {seed}", metric="loss", baseline="", **{"sweep-1": "--fast"})
    assert q1lab([*words, "--preset", "quick"]) == 2
    assert "--preset is for" in capsys.readouterr().err


def test_a_damaged_record_is_a_damaged_plan(fake_trainer: Fake, store: Store) -> None:
    planned = study_plan.declare(request(seeds="3"), NAMES, store)
    study = begin_study.save_plan(planned.plans[0], store)
    record = json.loads(study.files.plan.read_text())
    for damage in ({"at": 3}, {"alpha": 0}, {"members": []}, {"at": None}):
        broken = {**record["series"], **damage}
        study.files.plan.write_text(json.dumps({**record, "series": broken}))
        with pytest.raises(Problem, match=r"damaged \(series"):
            studies.load(study.id)

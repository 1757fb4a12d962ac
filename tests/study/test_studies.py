"""Whole studies through the command line, with a trainer that needs no torch."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.journal import ingest_events
from q1lab.journal.store import Store
from q1lab.study import liveness, studies, variants
from q1lab.train import launch
from tests.kit.commands import q1lab
from tests.kit.fonts import needs_font
from tests.kit.plans import changed
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

Fake = Callable[..., None]
Q1LAB = [sys.executable, "-m", "q1lab"]
SMALL = ("--preset", "quick", "--max-iters", "20")


def record(*args: str, code: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(q1lab(*args, "--json", code=code).stdout)
    return answer


def test_a_study_from_plan_to_verdict(fake_trainer: Fake) -> None:
    fake_trainer(effect=-0.1, noise=0.01)
    comparison = record("run", "rope", *SMALL)
    assert comparison["study"] == "rope-1"
    assert comparison["verdict"] == "helps"
    assert comparison["n"] == 3
    assert set(comparison["arms"]["modified"]["values"]) == {"0", "1", "2"}
    assert comparison["prediction"] is None
    text = q1lab("compare", "--full").stdout
    assert "HELPS" in text


def test_the_same_command_again_prints_and_trains_nothing(fake_trainer: Fake) -> None:
    record("run", "rope", *SMALL)
    second = q1lab("run", "rope", *SMALL)
    assert studies.ids() == ["rope-1"]
    assert liveness.last_launch(studies.load("rope-1").files)["launch"] == 1
    assert "rope − baseline" in second.stdout
    record("run", "rope", *SMALL, "--fresh")
    assert studies.ids() == ["rope-1", "rope-2"]


def test_a_finished_baseline_is_reused(fake_trainer: Fake) -> None:
    record("run", "rope", *SMALL)
    comparison = record("run", "swiglu", *SMALL)
    assert comparison["reused"] == ["baseline-seed0", "baseline-seed1", "baseline-seed2"]
    claims = {claim.name for claim in studies.load("swiglu-1").files.claims.iterdir()}
    assert claims == {"1-modified-seed0", "1-modified-seed1", "1-modified-seed2"}
    first, second = (
        studies.load(study_id).files.run("baseline-seed0") for study_id in ("rope-1", "swiglu-1")
    )
    assert second.log.read_text() == first.log.read_text() != ""
    fresh = record("run", "swiglu", *SMALL, "--fresh")
    assert fresh["reused"] == []


def test_adding_seeds_later_is_said_and_paid_for(fake_trainer: Fake) -> None:
    assert record("run", "rope", *SMALL)["alpha"] == 0.05
    comparison = record("run", "rope", *SMALL, "--seeds", "5")
    assert comparison["study"] == "rope-1"
    assert (comparison["n"], comparison["alpha"]) == (5, 0.025)
    assert len(comparison["asked"]["earlier"]) == 1
    fewer = record("run", "rope", *SMALL, "--seeds", "3")
    assert fewer["n"] == 5


def test_a_diverged_run_is_shown_and_leaves_no_mean_verdict(fake_trainer: Fake) -> None:
    fake_trainer(diverge=["modified-seed1"])
    comparison = record("run", "rope", *SMALL, code=1)
    assert comparison["verdict"] == "no verdict"
    assert comparison["diverged"]["modified"] == [1]
    assert comparison["arms"]["modified"]["mean"] is None
    second = q1lab("run", "rope", *SMALL, code=1)
    assert "modified-seed1 diverged" in second.stderr
    assert liveness.last_launch(studies.load("rope-1").files)["launch"] == 1, (
        "a diverged run is never silently retried"
    )


@pytest.mark.parametrize("fault", ["fail", "crash"])
def test_one_cell_heals(fake_trainer: Fake, fault: str) -> None:
    fake_trainer(**{fault: ["modified-seed1"]})
    first = q1lab("run", "rope", *SMALL, code=1)
    assert "modified-seed1" in first.stderr
    with Store() as store:
        before = {r["id"]: (r["state"], r["attempt"]) for r in store.runs("rope-1")}
    comparison = record("run", "rope", *SMALL)
    assert comparison["complete"]
    with Store() as store:
        after = {r["id"]: (r["state"], r["attempt"]) for r in store.runs("rope-1")}
    assert [a for a in after if after[a] != before[a]] == [
        a for a in before if before[a][0] != "finished"
    ]
    assert sorted(attempt for _, attempt in after.values()) == [1, 1, 1, 1, 1, 2]


def test_too_little_memory_goes_on_with_fewer_at_once(fake_trainer: Fake) -> None:
    fake_trainer(oom=["modified-seed1"])
    comparison = record("run", "rope", *SMALL, "--jobs", "2")
    assert comparison["complete"]
    assert "going on with 1 at once" in studies.load("rope-1").files.runner_log.read_text()


def test_detach_attach_stop_and_go_on(fake_trainer: Fake) -> None:
    fake_trainer(pause=0.5)
    out = q1lab("run", "rope", *SMALL, "--detach").stdout
    assert "q1lab attach rope-1" in out
    study = studies.load("rope-1")
    busy = q1lab("run", "rope", *SMALL, code=2)
    assert "q1lab attach rope-1" in busy.stderr
    wait_for(lambda: study.files.run("baseline-seed0").events.exists())
    stopped = record("stop")
    assert (stopped["study"], stopped["stopped"]) == ("rope-1", True)
    assert stopped["resume"].startswith("q1lab run rope")
    assert not launch.is_alive(study.files)
    study_record = json.loads(q1lab("status", "rope-1", "--json").stdout)["studies"][0]
    assert study_record["state"] == "stopped"
    assert "running" not in {run["state"] for run in study_record["runs"]}
    fake_trainer()
    assert record("run", "rope", *SMALL)["complete"]
    assert q1lab("attach").stdout.count("HELPS") == 1
    assert "not running" in q1lab("stop").stdout


def test_ctrl_c_stops_cleanly_and_prints_how_to_go_on(fake_trainer: Fake) -> None:
    fake_trainer(pause=0.2)
    child = subprocess.Popen(
        [*Q1LAB, "run", "rope", *SMALL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    while "baseline seed 0" not in (line := child.stdout.readline()):  # from then on it is watched
        assert line, child.communicate()
    child.send_signal(signal.SIGINT)
    output = child.communicate(timeout=30)
    assert child.returncode == 130, output
    err = output[1]
    assert "Go on with: q1lab run rope --seeds 3 --preset quick --data stdlib --max-iters 20" in err
    assert "Traceback" not in err
    assert not launch.is_alive(studies.load("rope-1").files)


def test_training_outlives_viewer_and_runner(fake_trainer: Fake) -> None:
    fake_trainer(pause=0.05)
    child = subprocess.Popen(
        [*Q1LAB, "run", "rope", *SMALL], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(
        lambda: (
            bool(studies.ids())
            and studies.load("rope-1").files.run("modified-seed0").events.exists()
        )
    )
    child.kill()
    child.wait()
    study = studies.load("rope-1")
    os.kill(liveness.last_launch(study.files)["pid"], signal.SIGKILL)
    assert launch.is_alive(study.files), "the trainers hold the lock that the runner handed down"
    wait_for(lambda: not launch.is_alive(study.files), seconds=30)
    assert record("compare")["complete"]


def test_runs_train_from_copies(fake_trainer: Fake, tmp_path: Path) -> None:
    model = tmp_path / "my_rope.py"
    model.write_text("class GPTConfig: pass\nclass GPT: pass\n")
    comparison = record("run", str(model), "--baseline", "baseline", *SMALL, "--unchecked")
    assert comparison["variant"] == "my_rope"
    study = studies.load("my_rope-1")
    copy = study.files.root / study.arms["modified"].source
    model.write_text("class GPTConfig: pass\nclass GPT: x = 1\n")
    assert "x = 1" not in copy.read_text()
    record("run", str(model), "--baseline", "baseline", *SMALL, "--unchecked")
    assert studies.ids() == ["my_rope-1", "my_rope-2"], "another file is another study"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rpoe"], "'rope'"),
        (["rope", "--seeds", ""], "--seeds"),
        (["rope", "--seeds", "0"], "at least 1"),
        (["rope", "--seeds", "-1"], "give how many (3)"),
        (["rope", "--seeds", "0,1,2"], "give how many (3)"),
        (["rope", "--seeds", "a,b"], "--seeds 'a,b'"),
        (["rope", "--seeds", "²"], "give how many (3)"),
        (["rope", "--max-iters", "0"], "give a whole number from 1 up"),
        (["rope", "--jobs", "0"], "--jobs '0': give a whole number from 1 up"),
        (["rope", "--jobs", "5" + " " * 19 + "x"], "give a whole number from 1 up"),
        (["rope", "--jobs", "1" * 25], "give a whole number from 1 up"),
        (["rope", "--device", "cuda"], "no cuda device here"),
        (["rope", "--device", "tpu"], "tpu"),
        (["rope", "--data", "nowhere.txt"], "no such file"),
        (["rope", "--set", "learning_rat=1"], "'learning_rate'"),
        (["rope", "--set", "n_layer=two"], "whole number"),
        (["rope", "--set", "n_layer"], "KEY=VALUE"),
        (["rope", "--set", "n_head=3"], "not divisible"),
        (["./none.py"], "no such model file"),
        (["rope", "--preset", "huge"], "huge"),
        (["rope", "--frehs"], "--fresh"),
    ],
)
def test_bad_input_gets_one_line_and_creates_nothing(
    fake_trainer: Fake, args: list[str], message: str
) -> None:
    done = q1lab("run", *args, code=2)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Looking at")]
    assert len(lines) == 1, done.stderr
    assert message in lines[0]
    assert studies.ids() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a\x00b" * 999, "binary"),
        (b"abc", "at least 650"),
    ],
)
def test_a_corpus_that_cannot_serve_is_refused(
    fake_trainer: Fake, tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "corpus.txt"
    file.write_bytes(content)
    assert message in q1lab("run", "rope", "--data", str(file), code=2).stderr


def test_an_unknown_command_names_the_nearest() -> None:
    assert "'compare'" in q1lab("compair", code=2).stderr


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        *((word, "status") for word in ("list", "ls", "history", "results")),
        ("show", "compare STUDY"),
        ("log", "attach STUDY --log"),
        ("rm", "delete STUDY"),
    ],
)
def test_a_command_typed_from_habit_is_told_the_one_that_does_it(typed: str, command: str) -> None:
    assert f"`q1lab {command}`" in q1lab(typed, code=2).stderr


def test_the_output_of_a_run_is_followed_to_its_end(fake_trainer: Fake) -> None:
    fake_trainer(pause=0.2)
    q1lab("run", "rope", *SMALL, "--seeds", "1", "--detach")
    study = studies.load("rope-1")
    log = study.files.run("baseline-seed0").log
    wait_for(lambda: log.is_file())
    followed = q1lab("attach", "rope-1", "baseline-seed0", "--log").stdout
    assert followed == log.read_text()
    assert '"exit"' in study.files.run("baseline-seed0").events.read_text()
    q1lab("attach", "--json")
    logs = {study.files.run(run.name).log.read_text() for run in study.runs}
    assert q1lab("attach", "--log").stdout in logs, "of the run that wrote last"
    assert "'baseline-seed0'" in q1lab("attach", "rope-1", "baseline-seed", "--log", code=2).stderr
    assert "--log follows" in q1lab("attach", "rope-1", "baseline-seed0", code=2).stderr


def test_a_file_whose_name_is_not_its_study_s_is_told(fake_trainer: Fake, tmp_path: Path) -> None:
    one_pair = ("--baseline", "baseline", "--unchecked", *SMALL, "--seeds", "1")
    text = variants.find_variant("rope").path.read_text() + "\n# mine\n"
    files = [tmp_path / f"{name}.py" for name in ("日本語のモデル", "twin", "r" * 60)]
    for file, end in zip(files, ("", "", "# longer\n"), strict=True):
        file.write_text(text + end)

    def told(file: Path) -> str:
        return " ".join(q1lab("run", str(file), *one_pair).stdout.split())

    first = told(files[0])
    assert (
        "A to Z, digits and _ only, and the file is 日本語のモデル: the study is called model-N"
        in first
    )
    assert "twin has the code of 日本語のモデル, which model-1 trains" in told(files[1])
    assert "40 letters of the file's 60" in told(files[2])
    assert studies.ids() == ["model-1", f"{'r' * 40}-1"]


def test_an_unwritable_home_is_one_line(
    fake_trainer: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    monkeypatch.setenv("Q1LAB_HOME", str(blocker / "home"))
    done = q1lab("run", "rope", *SMALL, code=1)
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(blocker) in done.stderr


@needs_font
def test_the_plot_is_drawn(fake_trainer: Fake, tmp_path: Path) -> None:
    record("run", "rope", *SMALL)
    for suffix, magic in (("svg", b"<svg "), ("png", b"\x89PNG")):
        file = tmp_path / f"plot.{suffix}"
        q1lab("compare", "--plot", str(file))
        assert file.read_bytes().startswith(magic)
    assert "svg" in q1lab("compare", "--plot", str(tmp_path / "plot.txt"), code=2).stderr


def test_each_trainer_gets_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from q1lab.train import machine, own_loop_draft
    from q1lab.train.crew import gpu_for

    cards = [machine.Gpu("card", 0, 0, 1)] * 2
    monkeypatch.setattr(machine, "gpus", lambda: cards)
    assert [gpu_for(worker, None) for worker in range(3)] == ["0", "1", "0"]
    assert [gpu_for(worker, "3,5") for worker in range(3)] == ["3", "5", "3"]
    assert own_loop_draft.slots("cuda", 6, None) == (2, 1)
    assert own_loop_draft.slots("cuda", 1, None) == (1, 1)
    assert own_loop_draft.slots("mps", 6, None) == (1, 1)
    assert machine.free_slots("cuda", 4) == 2, "another run at once shares a GPU"


def test_the_setting_decides_about_wandb_unless_the_command_does(
    fake_trainer: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("Q1LAB_WANDB")
    q1lab("config", "wandb", "disabled")
    record("run", "rope", *SMALL)
    assert studies.load("rope-1").trainer.wandb == "disabled"
    assert "W&B off" in q1lab("status", "rope-1").stdout
    record("run", "rope", *SMALL, "--fresh", "--wandb", "offline")
    assert studies.load("rope-2").trainer.wandb == "offline"


def test_what_plan_says_of_the_next_look_is_so(fake_trainer: Fake) -> None:
    """The command that it prints gets the level and the notes that it tells of."""
    fake_trainer(effect=0.0, noise=0.01)
    record("run", "rope", *SMALL)
    shown = " ".join(q1lab("plan", "rope", "--detect", "0.1").stdout.split())
    assert "looked at once before, so this look is judged by a 97.5% interval" in shown
    record("run", "rmsnorm", *SMALL, "--seeds", "3..5")
    command = shlex.split(
        q1lab("plan", "rmsnorm", "--detect", "0.1").stdout.rstrip().splitlines()[-2]
    )
    assert record(*command[1:])["study"] == "rmsnorm-2", "a range is not continued with other pairs"


def test_a_planned_range_stops_by_itself_when_it_knows(fake_trainer: Fake) -> None:
    fake_trainer(effect=-0.1, noise=0.001, pause=0.01)
    comparison = record("run", "rope", *SMALL, "--seeds", "3..12")
    assert (comparison["verdict"], comparison["n"]) == ("helps", 3)
    assert comparison["plan"]["pairs"] == [3, 12]
    assert comparison["level"] == pytest.approx(0.9894, abs=2e-4)
    study = studies.load("rope-1")
    assert study.seeds == (0, 1, 2), "the plan names what was needed"
    with Store() as store:
        ingest_events.ingest_study(store, study)
        assert len(store.runs("rope-1")) == 6
        assert store.unfinished_runs("rope-1") == []
    second = q1lab("run", "rope", *SMALL, "--seeds", "3..12")
    assert "3 to 12 pairs" in " ".join(second.stdout.split())
    assert studies.ids() == ["rope-1"]


def test_a_planned_range_without_an_effect_goes_to_its_end(fake_trainer: Fake) -> None:
    fake_trainer(effect=0.0, noise=0.05)
    whole = record("run", "rope", *SMALL, "--seeds", "3..8")
    assert (whole["verdict"], whole["n"], whole["complete"]) == ("cannot tell", 8, True)
    again = record("run", "rope", *SMALL, "--seeds", "3..8")
    assert (again["study"], again["n"], again["asked"]["earlier"]) == ("rope-1", 8, [])


def test_a_study_is_given_the_pairs_that_a_verdict_needs_by_its_name(fake_trainer: Fake) -> None:
    fake_trainer(effect=-0.1, noise=0.01)
    lone = record("run", "rope", *SMALL, "--seeds", "1")
    advice = lone["next"]
    assert advice.startswith("To get a verdict: ")
    words = shlex.split(advice.partition("`")[2].removesuffix("`"))
    assert words == ["q1lab", "run", "rope-1", "--seeds", "3"], "as many as the default"
    compared = record(*words[1:])
    assert (compared["study"], compared["n"], compared["verdict"]) == ("rope-1", 3, "helps")


def test_an_option_that_equals_its_default_is_refused_like_any_other(
    fake_trainer: Fake, tmp_path: Path
) -> None:
    record("run", "rope", *SMALL, "--seeds", "4")
    q1lab("export", "rope-1", str(tmp_path / "rope-1"))
    folder = str(tmp_path / "rope-1")
    for option in (("--device", "auto"), ("--dtype", "auto")):
        assert "leave all options but" in q1lab("run", "rope-1", *option, code=2).stderr
        assert "leave the other options out" in q1lab("run", folder, *option, code=2).stderr
    assert "leave the other options out" in q1lab("run", folder, "--seeds", "3", code=2).stderr


def test_a_diverged_run_at_the_look_that_would_stop_ends_the_range_without_a_verdict(
    fake_trainer: Fake,
) -> None:
    fake_trainer(effect=0.0, noise=0.05, diverge=["modified-seed4"])
    ended = record("run", "rope", *SMALL, "--seeds", "3..8", code=1)
    assert (ended["verdict"], ended["diverged"]["modified"]) == ("no verdict", [4])
    assert studies.load("rope-1").seeds == (0, 1, 2, 3, 4)


def test_a_plan_of_a_newer_version_is_one_line_and_never_a_smaller_total(
    fake_trainer: Fake,
) -> None:
    fake_trainer(effect=0.0, noise=0.05)
    record("run", "rope", *SMALL, "--seeds", "3..8")
    later = record("run", "rope", *SMALL, "--fresh")
    file = studies.load("rope-1").files.plan
    file.write_text(json.dumps({**json.loads(file.read_text()), "v": 99}))
    refused = q1lab("run", "rope-1", "--seeds", "3..8", code=1).stderr
    assert len(refused.strip().splitlines()) == 1
    assert "newer q1lab" in refused
    assert record("compare", later["study"])["asked"]["total"] >= later["asked"]["total"]


def test_a_second_plan_pays_for_the_first_and_takes_new_seeds(fake_trainer: Fake) -> None:
    fake_trainer(effect=0.0, noise=0.05)
    record("run", "rope", *SMALL, "--seeds", "3")
    comparison = record("run", "rope", *SMALL, "--seeds", "3..4")
    assert comparison["study"] == "rope-2"
    assert comparison["seeds"] == [3, 4, 5, 6][: comparison["n"]]
    assert comparison["level"] > 0.98
    assert comparison["asked"]["earlier"] == ["cannot tell"]
    assert comparison["asked"]["total"] == pytest.approx(0.075)


@pytest.mark.parametrize(
    ("seeds", "says"),
    [
        ("12..3", "a range goes up"),
        ("3..3", "a range goes up"),
        ("1..5", "begins at 3 pairs or more"),
        ("3..", "two whole numbers"),
        ("..5", "two whole numbers"),
        ("3..99", "at most 24"),
        ("9..12", "3..8"),
    ],
)
def test_a_range_that_is_none_is_one_line(fake_trainer: Fake, seeds: str, says: str) -> None:
    done = q1lab("run", "rope", *SMALL, "--seeds", seeds, code=2)
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert studies.ids() == []


def test_another_plan_of_a_range_is_refused(fake_trainer: Fake) -> None:
    fake_trainer(effect=-0.1, noise=0.001)
    record("run", "rope", *SMALL, "--seeds", "3..5")
    for other in ("3..8", "8"):
        done = q1lab("run", "rope", *SMALL, "--seeds", other, code=2)
        assert "3 to 5 pairs" in done.stderr
    assert studies.ids() == ["rope-1"]


def test_an_upgrade_between_the_looks_is_said(fake_trainer: Fake) -> None:
    record("run", "rope", *SMALL)
    study = studies.load("rope-1")
    older = {**study.trainer.versions, "trainer": "0123456789ab"}
    studies.save(changed(study, versions=older))
    comparison = record("run", "rope", *SMALL, "--seeds", "4")
    assert comparison["study"] == "rope-1"
    assert any("upgraded" in fact["text"] for fact in comparison["facts"])

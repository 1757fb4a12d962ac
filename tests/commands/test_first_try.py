"""The first try of a command that shows no number: what it says, what it costs, and how it goes
on."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from q1lab.study import plan_notes, studies
from tests.kit.commands import q1lab, study_toml
from tests.kit.places import ROOT

TRAIN = """
import argparse, random
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--act", default="relu")
parser.add_argument("--form", default="epoch {e}: train_mse={t} eval/mse={v}")
args = parser.parse_args()
noise = random.Random(f"{args.seed} {args.act}")
for epoch in (20, 40, 60):
    value = round(1 / epoch + noise.gauss(0, 0.001) - (0.01 if args.act == "gelu" else 0), 5)
    print(args.form.format(e=epoch, t=value / 2, v=value))
print("done in 0.4 s")
"""
ARMS = {"relu": "", "gelu": "--act=gelu"}
SEED = "--seed={seed}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with somebody's train.py; commands are typed there."""
    work = tmp_path / "proj"
    work.mkdir()
    (work / "train.py").write_text(TRAIN)
    (work / "broken.py").write_text("import no_such_module\n")
    monkeypatch.chdir(work)
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    return work


def typed(words: str = SEED, file: str = "train.py", **arms: str) -> tuple[str, ...]:
    command = f"{shlex.quote(sys.executable)} {file} {words} {{args}}"
    return study_toml(command, metric="eval/mse", **{**ARMS, **arms})


def prints(form: str) -> str:
    return f"{SEED} --form={shlex.quote(form)}"


def starts(study: str) -> dict[str, int]:
    """The attempts at each run of a study that started."""
    runs = sorted((studies.load(study).files.root / "runs").glob("*/events.jsonl"))
    return {
        run.parent.name: run.read_text().count('"type": "start"')
        for run in runs
        if '"type": "start"' in run.read_text()
    }


def verdict_of(*words: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(q1lab(*words, "--json").stdout)
    return record


def test_a_trackers_script_is_read_as_it_prints() -> None:
    record = verdict_of(*typed())
    assert record["verdict"] == "helps"
    events = (studies.load("gelu-1").files.run("baseline-seed0").events).read_text()
    assert [json.loads(line)["iter"] for line in events.splitlines() if '"eval"' in line] == [
        *(20, 40, 60),
        60,
    ]


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ({"words": SEED + " --form=silent"}, "reported no number"),
        ({"words": prints("eval mse {v}")}, "reported no number"),
        ({"file": "broken.py"}, "No module named 'no_such_module'"),
        ({"words": SEED + " --akt=1"}, "unrecognized arguments: --akt=1"),
    ],
)
def test_a_try_that_fails_before_any_number_costs_nothing_and_keeps_its_name(
    first: dict[str, str], why: str
) -> None:
    failed = q1lab(*typed(**first), code=1)
    assert list(starts("gelu-1")) == ["baseline-seed0"], "the others would fail, too"
    assert (failed.stdout + failed.stderr).count(why) == 1, "the error is told once"
    assert "NO VERDICT" not in failed.stdout
    right = q1lab(*typed())
    assert studies.ids() == ["gelu-1"]
    assert "asked before" not in right.stdout
    assert "(95% interval)" in right.stdout
    q1lab("export", "gelu-1", "gelu-1.zip")
    checked = json.loads(q1lab("verify", "gelu-1.zip", "--yes", "--json").stdout)
    assert checked["refused"] == []


def test_deleting_the_failed_try_changes_nothing() -> None:
    q1lab(*typed(words=prints("eval mse {v}")), code=1)
    q1lab("delete", "gelu-1", "--yes")
    assert "(95% interval)" in q1lab(*typed()).stdout


def test_the_option_that_is_offered_goes_on_with_the_study_as_it_stands() -> None:
    form = "epoch {e}: train mse {t}, eval mse {v}"
    failed = q1lab(*typed(words=prints(form)), "--jobs", "2", code=1)
    assert list(starts("gelu-1")) == ["baseline-seed0"], "with --jobs 2, too, one run comes first"
    offered = re.search(r"q1lab (run gelu-1 --metric .*)", failed.stdout)
    assert offered is not None
    record = verdict_of(*shlex.split(offered[1]))
    assert (record["study"], record["verdict"]) == ("gelu-1", "helps")
    assert studies.load("gelu-1").trainer.jobs == 2
    refused = q1lab("run", "gelu-1", "--metric", "eval/mse", code=2).stderr
    assert "has shown no number yet" in refused


def test_a_program_that_is_corrected_goes_on_by_the_name_of_its_study(folder: Path) -> None:
    (folder / "train.py").write_text(TRAIN.replace("eval/mse={v}", "{v}"))
    q1lab(*typed(), code=1)
    (folder / "train.py").write_text(TRAIN)
    assert verdict_of("run", "gelu-1")["verdict"] == "helps"
    assert studies.ids() == ["gelu-1"]


def test_an_arm_whose_first_run_fails_ends_the_study(folder: Path) -> None:
    failed = q1lab(*typed(gelu="--akt=gelu"), code=1)
    assert list(starts("gelu-1")) == ["baseline-seed0", "modified-seed0"]
    assert failed.stdout.count("unrecognized arguments: --akt=gelu") == 1
    assert "(95% interval)" in q1lab(*typed()).stdout
    assert studies.ids() == ["gelu-1"]


def test_a_sweep_ends_with_the_first_run_that_shows_nothing() -> None:
    tanh = {"tanh": "--act=tanh"}
    failed = q1lab(*typed(prints("eval mse {v}"), **tanh), code=1)
    assert (starts("gelu-1"), starts("tanh-1")) == ({"baseline-seed0": 1}, {})
    assert "--metric 'eval mse'" in failed.stdout
    right = json.loads(q1lab(*typed(**tanh), "--json").stdout)
    assert [member["study"] for member in right["members"]] == ["gelu-1", "tanh-1"]
    assert sorted(studies.ids()) == ["gelu-1", "tanh-1"]


def test_a_study_in_the_background_ends_there_too() -> None:
    q1lab(*typed(words=prints("eval mse {v}")), "--detach")
    attached = q1lab("attach", "gelu-1", code=1)
    assert list(starts("gelu-1")) == ["baseline-seed0"]
    assert "q1lab run gelu-1 --metric 'eval mse'" in attached.stdout


def test_how_the_runs_are_compared_is_said_before_any_of_them_trains() -> None:
    lines = q1lab(*typed()).stdout.splitlines()
    note = next(at for at, line in enumerate(lines) if "compared pair by pair" in line)
    assert note < next(at for at, line in enumerate(lines) if "running" in line)
    assert "pair by pair" not in q1lab(*typed()).stdout


def test_an_arm_of_a_command_does_not_take_the_figures_of_its_namesake() -> None:
    command = f"{shlex.quote(sys.executable)} train.py {SEED} {{args}}"
    words = study_toml(command, metric="eval/mse", relu="", rope="--act=gelu")
    first = q1lab(*words).stdout
    assert "four studies out of five, if pairs" not in first.partition("running")[0]
    again = " ".join(q1lab(*words, "--seeds", "fresh:3").stdout.split())
    assert "if pairs spread like rope-1 (proj)" in again.partition("running")[0]


def test_one_rule_is_told_everywhere() -> None:
    words = " ".join((ROOT / "docs" / "verdict.md").read_text().split())
    assert plan_notes.LOOK_RULE in words
    assert plan_notes.LOOK_RULE in plan_notes.later_look_note(1, 0.025)

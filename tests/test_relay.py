"""The relay with the real wandb client, against a stand-in for the server on 127.0.0.1."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from q1lab import wandb_state
from q1lab.wandb_state import ERROR, OFFLINE, SYNCED
from tests import wandb_study as lab
from tests.wandb_server import KEY, WandbServer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_online_study_appears_as_the_learner_expects(home: Path) -> None:
    study = lab.plan(seeds=(0, 1))
    ids = wandb_state.mint(study)
    with WandbServer() as server, lab.relay(study, lab.environment(server.url)) as child:
        with lab.alive(study):
            lab.append(study, "baseline-seed0", lab.events(0)[:12])
            lab.until(lambda: server.runs and server.run("baseline-seed0").history, "rows while it trains")
            assert server.run("baseline-seed0").state == "running"
            lab.append(study, "baseline-seed0", lab.events(0)[12:])
            for run in study.runs[1:]:
                lab.append(study, run.name, lab.events(run.seed, arm=run.arm))
            lab.until(lambda: all(r.exitcode == 0 for r in server.runs.values()) and len(server.runs) == 4,
                      "all four finished")  # fmt: skip
        assert child.wait(timeout=60) == 0, lab.log_of(study)
        assert not server.errors
    assert sorted(r.name for r in server.runs.values()) == [
        "baseline-seed0", "baseline-seed1", "modified-seed0", "modified-seed1",
    ]  # fmt: skip
    for run in study.runs:
        there = server.run(run.name)
        assert there.id == ids[run.name]
        assert (there.project, there.group) == ("q1-capstone", "rope-1")
        assert there.values["cfg"] == run.arm
        assert there.values["seed"] == run.seed
        assert there.values["learning_rate"] == 1e-3
        assert there.values["data_sha256"] == "c" * 64
        assert [row["_step"] for row in there.history] == list(range(lab.ROWS))
        wanted = lab.events(run.seed, arm=run.arm)
        assert there.points("train_loss") == [
            (e["iter"], e["train_loss"]) for e in wanted if e["type"] == "iter"
        ]
        assert there.points("val_loss") == [
            (e["iter"], e["val_loss"]) for e in wanted if e["type"] == "eval" and not e.get("final")
        ]
        assert there.summary["val_loss"] == wanted[-1]["val_loss"]
        assert there.summary["state"] == "finished"
        metrics = {m.get("1"): m for m in there.config["_wandb"]["value"]["m"]}
        names = [m["1"] for m in there.config["_wandb"]["value"]["m"]]
        for metric in ("train_loss", "val_loss"):
            assert names[metrics[metric]["5"] - 1] == "iter", "the loss's own step is the iter"
    status = wandb_state.status(study)
    assert status.state == SYNCED
    assert status.url == f"{server.url}/learner/q1-capstone"
    for run in wandb_state.read(study).values():
        (folder,) = wandb_state.folders(study, run.id)
        assert list(folder.glob("*.wandb.synced"))
    assert not lab.files_with(home, KEY.encode()), "the key is nowhere on the disk"
    assert all(path.stat().st_mode & 0o077 == 0 for path in study.files.wandb.rglob("*") if path.is_file())


def test_offline_stays_here_and_says_how_to_open_it(home: Path) -> None:
    study = lab.plan(wandb="offline")
    wandb_state.mint(study)
    with lab.relay(study, lab.environment("http://127.0.0.1:9", key=False)) as child:
        with lab.alive(study):
            lab.append(study, "baseline-seed0", lab.events(0)[:12])
            lab.until(lambda: _rows_on_disk(study, "baseline-seed0") >= 11, "rows on the disk while it trains")
            lab.append(study, "baseline-seed0", lab.events(0)[12:])
            lab.append(study, "modified-seed0", lab.events(0, arm="modified")[:9])  # dies without a word
            lab.until(lambda: _rows_on_disk(study, "modified-seed0") >= 8, "the second run's rows")
        assert child.wait(timeout=60) == 0, lab.log_of(study)
    assert lab.states(study) == {OFFLINE}
    assert wandb_state.status(study).words == "offline; `q1lab sync` uploads"
    runs = wandb_state.read(study)
    (folder,) = wandb_state.folders(study, runs["baseline-seed0"].id)
    assert folder.name.startswith("offline-run-")
    summary = _inspect(folder)
    assert summary["state"] == "finished"
    assert summary["name"] == "baseline-seed0"
    assert str(study.files.wandb) in wandb_state.leet_command(study)
    assert not list(home.glob(".config*")), "nothing is written outside the study"
    assert {path.name for path in home.iterdir()} == {"studies"}


def _wandb_file(study: lab.Study, name: str) -> Path | None:
    for folder in wandb_state.folders(study, wandb_state.read(study)[name].id):
        for file in folder.glob("*.wandb"):
            return file
    return None


def _leet(file: Path, *options: str) -> str:
    out = subprocess.run(
        [str(Path(os.sys.executable).with_name("wandb")), "leet", "inspect", *options, str(file)],  # type: ignore[attr-defined]
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return out.stdout


def _rows_on_disk(study: lab.Study, name: str) -> int:
    file = _wandb_file(study, name)
    return _leet(file, "--json").count('"train_loss"') if file else 0


def _inspect(folder: Path) -> dict[str, str]:
    (file,) = folder.glob("*.wandb")
    print(_leet(file, "--summary"))
    return json.loads(_leet(file, "--summary", "--json"))

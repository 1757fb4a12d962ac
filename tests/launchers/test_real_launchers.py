"""Runs behind Slurm, Ray and ssh: the same as on this machine. `make test-launchers` runs them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from q1lab.study import liveness, studies
from q1lab.study.liveness import has_jobs, has_runner, is_alive
from q1lab.train import launch
from tests.kit.commands import q1lab, without_torch
from tests.kit.launched import begin, log, run, states
from tests.kit.repos import begun, of_its_own
from tests.kit.waiting import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    of_its_own(tmp_path, monkeypatch)
    without_torch(monkeypatch, pause=0.2, points=10)
    monkeypatch.chdir(begun(tmp_path / "repo", {"model.py": "x = 1\n"}))
    yield
    for name in studies.ids():
        study = studies.load(name)
        if is_alive(study.files):
            launch.stop_study(study)


def test_every_run_is_a_job(launcher: str) -> None:
    run(launcher)
    assert set(states().values()) == {"finished"}


def test_stop_and_resume(launcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch, pause=1.0, points=20)
    study = begin(launcher)
    wait_for(lambda: has_jobs(study.files), "a job")
    q1lab("stop", study.id)
    assert not is_alive(study.files)
    assert "stopped" in states().values()
    without_torch(monkeypatch)
    run("")
    assert set(states().values()) == {"finished"}


def test_a_killed_runner(launcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs go on, are found, stop when they are asked to, and none is started twice."""
    without_torch(monkeypatch, pause=1.0, points=20)
    study = begin(launcher)
    wait_for(lambda: has_jobs(study.files), "a job")
    os.killpg(liveness.last_launch(study.files)["pid"], signal.SIGKILL)
    wait_for(lambda: not has_runner(study.files), "the runner's end")
    if is_alive(study.files):  # ssh closes its pipes, and may take the training with it
        assert "rope-1 is running already" in run(launcher, code=2).stderr
        q1lab("stop", study.id)
    assert not is_alive(study.files)
    without_torch(monkeypatch)
    run("")
    assert set(states().values()) == {"finished"}


def test_a_command_that_is_not_there_fails_its_run(launcher: str) -> None:
    done = run(f"{launcher} /nowhere/trainer", code=1)
    assert set(states().values()) == {"failed"}
    assert "before the training began" in " ".join(done.stderr.split())
    assert "/nowhere/trainer" in log("baseline-seed0")


def test_a_job_that_slurm_cancels(slurm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    without_torch(monkeypatch, pause=1.0, points=20)
    study = begin(slurm)
    wait_for(lambda: has_jobs(study.files), "a job")
    wait_for(lambda: study.files.run("baseline-seed0").events.exists(), "its first event")
    subprocess.run(["scancel", "--name=rope-1-baseline-seed0"], check=True)
    wait_for(lambda: states()["baseline-seed0"] == "stopped", "the end of the job")
    assert is_alive(study.files), "the others go on"


def test_a_job_that_slurm_keeps_waiting(slurm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch, pause=1.0, points=20)
    study = begin(slurm, "--jobs", "4")
    wait_for(lambda: has_jobs(study.files), "a job")
    assert "2 runs waiting for the launcher" in q1lab("status").stdout
    q1lab("stop", study.id)
    assert not is_alive(study.files)

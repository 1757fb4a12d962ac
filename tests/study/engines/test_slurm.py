"""A real Slurm on loopback: a study by the command a person types, and what goes wrong there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.study import launch, studies
from q1lab.study.engines import record
from tests.kit.engines import slurm as kit
from tests.kit.places import KIT
from tests.kit.waiting import wait_for

pytestmark = [
    pytest.mark.skipif(bool(kit.missing()), reason=f"Slurm is not installed: {kit.missing()}"),
    pytest.mark.xdist_group("slurm"),
]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Slurm]:
    found = kit.Slurm(tmp_path_factory.mktemp("slurm"), array=4)
    found.up()
    yield found
    found.down()


@pytest.fixture
def q1lab(cluster: kit.Slurm, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a q1lab command on the login node, with the trainer without torch."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.env[name])

    def run(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "Q1LAB_TRAINER": f"{sys.executable} {KIT / 'fake_train.py'}",
            "Q1LAB_PROBE": f"{sys.executable} {KIT / 'fake_probe.py'}",
            "FAKE_TRAIN": json.dumps({"effect": -0.1, **how}),
            "PYTHONPATH": str(KIT.parents[1]),
        }
        return subprocess.run(
            [sys.executable, "-P", "-m", "q1lab", *arguments],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )

    return run


RUN = ("run", "rope", "--preset", "quick", "--max-iters", "20", "--engine", "slurm")


def word(study: str = "rope-1") -> record.Word:
    found = record.read(studies.load(study).files.root)
    assert found is not None
    return found


def test_a_study_larger_than_one_array(q1lab: Run) -> None:
    done = q1lab(*RUN, "--seeds", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "helps"
    assert word().job.id.count("+") == 2  # this Slurm takes arrays of at most three tasks
    again = q1lab(*RUN, "--seeds", "3", "--json")
    assert json.loads(again.stdout)["difference"] == json.loads(done.stdout)["difference"]


def test_stop_and_go_on(q1lab: Run) -> None:
    assert q1lab(*RUN, "--seeds", "1", "--detach", pause=0.3).returncode == 0
    assert q1lab("stop").returncode == 0
    assert word().over
    assert not launch.is_alive(studies.load("rope-1").files)
    done = q1lab(*RUN, "--seeds", "1", "--json")
    assert done.returncode == 0, done.stderr


def test_a_partition_that_is_not_there(q1lab: Run) -> None:
    done = q1lab(*RUN, "--seeds", "1", "--engine-option", "partition=gpu")
    assert done.returncode == 1
    assert "invalid partition" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert studies.ids() == []


def test_an_option_that_slurm_does_not_know(q1lab: Run) -> None:
    done = q1lab(*RUN, "--seeds", "1", "--engine-option", "color=red")
    assert done.returncode == 1
    assert "unrecognized option" in done.stderr
    assert studies.ids() == []


def test_cancelled_by_somebody_else(q1lab: Run, cluster: kit.Slurm) -> None:
    assert q1lab(*RUN, "--seeds", "1", "--detach", pause=0.4).returncode == 0
    files = studies.load("rope-1").files
    wait_for(lambda: (found := record.read(files.root)) is not None and found.submitted)
    number = word().job.id.partition("+")[0]
    subprocess.run(["scancel", number], env=cluster.env, check=True)
    wait_for(lambda: not launch.is_alive(files))
    assert "cancelled at Slurm" in {seen.words for seen in word().cells.values()}
    done = q1lab(*RUN, "--seeds", "1", "--json")
    assert done.returncode == 0, done.stderr


def test_a_trainer_that_dies_is_handed_over_again(q1lab: Run) -> None:
    done = q1lab(*RUN, "--seeds", "1", "--json", crash=["modified-seed0"])
    assert done.returncode == 0, done.stderr
    assert len(word().jobs) == 2


def test_the_doctor_says_what_is_there(q1lab: Run) -> None:
    done = q1lab("doctor", "--engine", "slurm")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nodes see" in done.stdout


def test_without_slurm_one_line_says_so(q1lab: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    done = q1lab(*RUN, "--seeds", "1")
    assert done.returncode == 1
    assert "q1lab runs on the login node" in done.stderr

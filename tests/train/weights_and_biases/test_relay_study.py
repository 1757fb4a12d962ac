"""A whole study through the command line, with the relay at its side: W&B never keeps it
waiting."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.ground.files import is_locked
from q1lab.study import studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.train import runner
from tests.kit import wandb_study as lab
from tests.kit.waiting import wait_for
from tests.kit.wandb_server import KEY, WandbServer


@pytest.fixture
def server(fake_trainer: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    monkeypatch.delenv("Q1LAB_WANDB")
    running = WandbServer()
    running.start()
    monkeypatch.setenv("WANDB_BASE_URL", running.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    return running


def train() -> None:
    """`q1lab run rope` as the learner types it, in a process of its own."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "q1lab",
            "run",
            "rope",
            "--seeds",
            "2",
            "--max-iters",
            "20",
            "--preset",
            "quick",
        ],
        check=True,
        timeout=60,
    )


def test_a_study_is_whole_at_wandb(server: WandbServer) -> None:
    try:
        train()
        study = studies.load(studies.latest())
        assert study.trainer.wandb == "online", "a key is configured"
        wait_for(lambda: not wandb_state.pending_runs(study), "the last upload")
        for each in study.runs:
            received = server.run(each.name)
            assert received.exitcode == 0
            assert received.group == study.id
            assert received.values["max_iters"] == 20
            assert received.id == wandb_state.read_relayed_runs(study)[each.name].id
            assert received.summary["state"] == "finished"
    finally:
        server.stop()


def test_a_study_ends_while_wandb_hangs(home: Path, server: WandbServer) -> None:
    """The server takes every connection and never answers. The study's end is there, and the
    verdict, while the relay still waits for its first answer."""
    server.fault = "hang"
    try:
        train()
        study = studies.load(studies.latest())
        assert not is_locked(study.files.lock)
        wait_for(lambda: is_locked(wandb_state.relay_lock(study)), "the relay is at it")
        assert not server.runs
        server.fault = ""
        server.dead.set()  # lets go of the connections that wait
        server.dead.clear()
        wait_for(
            lambda: not is_locked(wandb_state.relay_lock(study)), "the relay's end", seconds=100
        )
    finally:
        server.stop()


def test_a_relay_that_keeps_dying_is_started_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wandb that crashes at once must not cost the trainings a core; the first restart comes at
    once."""
    study = lab.plan()
    monkeypatch.setattr(
        runner.child_processes,
        "python_module",
        lambda _: [sys.executable, "-c", "raise SystemExit(1)"],
    )
    now = 1000.0
    monkeypatch.setattr(runner.time, "monotonic", lambda: now)
    study_runner = runner.Runner(study, 1, -1)
    starts: list[float] = []
    for _ in range(370):
        before = study_runner.relay
        study_runner._keep_relay()
        if study_runner.relay is not before:
            starts.append(now - 1000.0)
            assert study_runner.relay is not None
            study_runner.relay.wait()
        now += 0.5
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps == [0.5, 1.5, 2.5, 4.5, 8.5, 16.5, 32.5, 60.5]

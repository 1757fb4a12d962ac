"""Whoever watches a study is told that it has ended, that a run diverged, and that nothing comes."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable

from q1lab.train import alerts
from tests.kit import wandb_study as lab

RUN = ("run", "rope", "--preset", "quick", "--max-iters", "20", "--wandb", "disabled")


def test_a_stall_and_a_divergence_are_told_once() -> None:
    study = lab.plan(wandb="disabled", seeds=(0, 1))
    whole = lab.events(0)
    lab.append(study, "baseline-seed0", whole[:3])
    now = 1000.0
    watch = alerts.AlertWatch(study, lambda: now)

    def later(seconds: float) -> list[str]:
        nonlocal now
        now += seconds
        return watch.poll()

    assert later(10) == []
    assert later(alerts.STALL) == [alerts.STALLED]
    assert later(alerts.STALL) == []
    lab.append(study, "baseline-seed0", whole[3:5])
    assert later(10) == []
    assert later(alerts.STALL) == [alerts.STALLED], "it went on, and stalled again"
    lab.append(
        study, "modified-seed0", [{"type": "exit", "state": "diverged", "iter": 3, "t": 1.0}]
    )
    assert later(10) == [alerts.DIVERGED]
    lab.append(study, "baseline-seed0", whole[5:6])
    assert later(10) == []
    assert alerts.AlertWatch(study, lambda: now).diverged == {"modified-seed0"}


def in_terminal(words: list[str], env: dict[str, str]) -> bytes:
    """All that a q1lab command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "q1lab", *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **env},
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # Linux says the end of a terminal so
        while block := os.read(ours, 65536):
            output += block
    os.close(ours)
    assert child.wait(timeout=60) == 0, output
    return output


def test_whoever_watches_hears_the_end(fake_trainer: Callable[..., None]) -> None:
    """In a terminal of its own: the bell rings; not where it is off."""
    fake_trainer(pause=0.1)
    for extra, rings in (({}, True), ({"Q1LAB_BELL": "false"}, False)):
        output = in_terminal([*RUN, "--seeds", "1", "--fresh"], {"TERM": "xterm-256color", **extra})
        assert (b"\a" in output) is rings

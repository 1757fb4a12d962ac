"""A person is told when a study is over: by their own command, with the verdict in its
environment."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands import run_on_end
from q1lab.commands.cli import run_command_line as main
from q1lab.ground import config, paths
from q1lab.ground.errors import Problem
from q1lab.study import studies
from q1lab.study.liveness import is_alive
from q1lab.train import alerts, launch
from tests.kit import wandb_study as lab
from tests.kit.waiting import wait_for

RUN = ("run", "rope", "--preset", "quick", "--max-iters", "20", "--wandb", "disabled")


def command(tmp_path: Path) -> Path:
    """Set an on_end command that writes its environment to a file; returns the file."""
    out = tmp_path / "told"
    config.save_setting(
        "on_end",
        f'printf "%s|" "$Q1LAB_STUDY" "$Q1LAB_WHAT" "$Q1LAB_VERDICT" "$Q1LAB_SENTENCE" >> {out}; echo >> {out}',
    )
    return out


def lines(file: Path) -> list[list[str]]:
    text = file.read_text() if file.exists() else ""
    return [line.split("|")[:4] for line in text.splitlines() if line.endswith("|")]


def test_the_end_is_told_with_the_verdict(
    tmp_path: Path, fake_trainer: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake_trainer(effect=-0.5, noise=0.001)
    out = command(tmp_path)
    assert main([*RUN, "--seeds", "5"]) == 0
    wait_for(lambda: lines(out))
    ((study, state, verdict, sentence),) = lines(out)
    assert (study, state, verdict) == ("rope-1", "ended", "helps")
    assert sentence.startswith("rope-1 has ended. ")
    assert "\n" not in sentence


def test_a_divergence_is_told(tmp_path: Path, fake_trainer: Callable[..., None]) -> None:
    fake_trainer(diverge=["modified-seed0"], pause=0.2)
    out = command(tmp_path)
    main([*RUN, "--seeds", "1", "--detach"])
    wait_for(lambda: any(line[1] == "ended" for line in lines(out)))
    assert {line[1] for line in lines(out)} <= {"diverged", "ended"}


def test_a_study_that_was_stopped_tells_nobody(
    tmp_path: Path, fake_trainer: Callable[..., None]
) -> None:
    fake_trainer(pause=5)
    out = command(tmp_path)
    main([*RUN, "--seeds", "1", "--detach"])
    study = studies.load("rope-1")
    wait_for(lambda: study.files.run("baseline-seed0").events.exists())
    assert launch.stop_study(study)
    assert "stopped" in study.files.runner_log.read_text()
    assert lines(out) == []


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


def test_a_command_that_hangs_or_fails_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_on_end, "MAX_SECONDS", 0.5)
    with pytest.raises(Problem, match="took longer"):
        run_on_end.run_in_shell("sleep 600 & sleep 600", {})
    assert run_on_end.run_in_shell("exit 7", {}) == 7
    assert run_on_end.run_in_shell('test "$Q1LAB_WHAT" = ended', {"Q1LAB_WHAT": "ended"}) == 0
    with pytest.raises(Problem, match="usage"):
        run_on_end.main(["rope-1", "nonsense"])


def test_a_setting_that_is_damaged_does_not_end_the_runner(
    fake_trainer: Callable[..., None],
) -> None:
    fake_trainer(pause=0.1)
    main([*RUN, "--seeds", "1", "--detach"])
    paths.config_file().write_text("on_end = [")
    study = studies.load("rope-1")
    wait_for(lambda: not is_alive(study.files))
    log = study.files.runner_log.read_text()
    assert "config.toml: not valid TOML" in log
    assert "Traceback" not in log


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

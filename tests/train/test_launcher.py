"""Runs behind a launcher: real programs that stand before each training."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from q1lab.study import liveness, studies
from q1lab.study.liveness import has_jobs, has_runner, is_alive
from q1lab.train import launch
from tests.kit.commands import q1lab, without_torch
from tests.kit.launched import SMALL, begin, log, run, states
from tests.kit.repos import begun, of_its_own
from tests.kit.waiting import wait_for


@pytest.fixture(autouse=True)
def place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    of_its_own(tmp_path, monkeypatch)
    without_torch(monkeypatch)
    monkeypatch.chdir(begun(tmp_path / "repo", {"model.py": "x = 1\n"}))
    yield
    for name in studies.ids():
        study = studies.load(name)
        if is_alive(study.files):
            launch.stop_study(study)


def program(tmp_path: Path, text: str) -> str:
    """A launcher: a shell script, which gets the training's command as its arguments."""
    file = tmp_path / "launcher"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


AWAY = (
    "setsid python3 -c 'import os, sys; os.closerange(3, 99); os.execvp(sys.argv[1], sys.argv[1:])'"
    ' "$@"'
)
"""The training leaves the launcher's session and its locks, as one on another machine does."""
DETACHED = f"{AWAY} & exec sleep 100"


def test_each_run_is_a_job_with_its_name(tmp_path: Path) -> None:
    run(program(tmp_path, f'echo "$1" >> {tmp_path}/jobs; shift; exec "$@"') + " {run}")
    assert sorted((tmp_path / "jobs").read_text().split()) == [
        f"rope-1-{arm}-seed{seed}" for arm in ("baseline", "modified") for seed in (0, 1)
    ]
    assert set(states().values()) == {"finished"}
    assert not studies.load("rope-1").files.launched.exists()


def test_the_setting_is_the_launcher_of_all_studies(tmp_path: Path) -> None:
    q1lab("config", "launcher", program(tmp_path, f'echo x >> {tmp_path}/jobs; exec "$@"'))
    q1lab("run", "rope", "--seeds", "1", *SMALL)
    assert (tmp_path / "jobs").read_text() == "x\nx\n"
    q1lab("run", "rope", "--seeds", "1", "--fresh", "--launcher", "", *SMALL)
    assert (tmp_path / "jobs").read_text() == "x\nx\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo no such partition >&2; exit 7", "ended with exit status 7 before the training"),
        ("kill -9 $$", "ended by signal 9 before the training"),
        ("exit 0", "ended with exit status 0 before the training"),
    ],
)
def test_one_that_ends_at_once_fails_its_run_and_the_others_go_on(
    text: str, said: str, tmp_path: Path
) -> None:
    one = f'case "$*" in *modified-seed0*) {text};; esac; exec "$@"'
    done = run(program(tmp_path, one), code=1)
    assert states() == {
        "baseline-seed0": "finished",
        "modified-seed0": "failed",
        "baseline-seed1": "finished",
        "modified-seed1": "finished",
    }
    assert said in " ".join(done.stderr.split())
    assert said in log("modified-seed0")
    if "echo" in text:
        assert "no such partition" in log("modified-seed0")
    run(program(tmp_path, 'exec "$@"'))
    assert set(states().values()) == {"finished"}


def test_one_that_does_not_exist_is_said() -> None:
    done = run("/nowhere/srun --gres=gpu:1", code=1)
    assert "/nowhere/srun did not start: No such file" in " ".join(done.stderr.split())
    assert "/nowhere/srun did not start" in log("baseline-seed0")


def test_an_open_quote_is_refused_before_anything_is_written() -> None:
    done = run("srun 'x", code=2)
    assert '--launcher "srun \'x": No closing quotation' in done.stderr.splitlines()[-1]
    assert studies.ids() == []


def test_swallowed_output_and_another_exit_status_lose_nothing(tmp_path: Path) -> None:
    run(program(tmp_path, '"$@" >/dev/null 2>&1; exit 3'))
    assert set(states().values()) == {"finished"}
    assert "ended with exit status 3, after the training" in log("baseline-seed0")
    assert "training baseline-seed0, attempt 1" in log("baseline-seed0")


def test_a_job_that_waits_says_so_and_stops(tmp_path: Path) -> None:
    study = begin(program(tmp_path, 'sleep 100; exec "$@"'))
    wait_for(lambda: "waiting for the launcher" in q1lab("status").stdout, "the word")
    q1lab("stop", study.id)
    assert not is_alive(study.files)
    assert set(states().values()) == {"queued"}


def test_a_job_whose_launcher_ends_is_followed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch, pause=0.1)
    begun = 'until [ -s "runs/${1#rope-1-}/events.jsonl" ]; do sleep 0.1; done'
    text = f"run=$1; shift; {AWAY} & set -- $run; {begun}; exit 5"
    run(program(tmp_path, text) + " {run}")
    assert set(states().values()) == {"finished"}
    assert "ended with exit status 5; the training goes on" in log("baseline-seed0")


def test_stop_reaches_a_job_that_no_signal_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch, pause=0.2, points=20)
    study = begin(program(tmp_path, DETACHED))
    wait_for(lambda: has_jobs(study.files), "a job")
    q1lab("stop", study.id)
    assert not is_alive(study.files)
    assert "stopped" in states().values()
    without_torch(monkeypatch)
    run(program(tmp_path, 'exec "$@"'))
    assert set(states().values()) == {"finished"}


def test_a_job_that_outlives_its_runner_is_found_and_never_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch, pause=0.2, points=20)
    study = begin(program(tmp_path, DETACHED))
    wait_for(lambda: has_jobs(study.files), "a job")
    os.killpg(liveness.last_launch(study.files)["pid"], signal.SIGKILL)
    wait_for(lambda: not has_runner(study.files), "the runner's end")
    assert is_alive(study.files)
    refused = run(program(tmp_path, 'exec "$@"'), code=2)
    assert "rope-1 is running already" in refused.stderr
    wait_for(lambda: not is_alive(study.files), "the jobs' end")
    run(program(tmp_path, 'exec "$@"'))
    assert set(states().values()) == {"finished"}
    for name in ("baseline-seed0", "modified-seed0"):
        assert study.files.run(name).events.read_text().count('"type": "start"') == 1


def test_jobs_that_outlived_their_runner_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch, pause=0.2, points=20)
    study = begin(program(tmp_path, DETACHED))
    wait_for(lambda: has_jobs(study.files), "a job")
    os.killpg(liveness.last_launch(study.files)["pid"], signal.SIGKILL)
    wait_for(lambda: not has_runner(study.files), "the runner's end")
    q1lab("stop", study.id)
    assert not is_alive(study.files)
    assert "stopped" in states().values()


def test_a_job_of_an_earlier_launch_that_begins_late_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    late = f'while [ ! -e {gate} ]; do sleep 0.1; done; exec "$@"'
    study = begin(program(tmp_path, f"setsid sh -c '{late}' sh \"$@\" & exec sleep 100"))
    wait_for(lambda: "waiting for the launcher" in q1lab("status").stdout, "the word")
    q1lab("stop", study.id)
    run(program(tmp_path, 'exec "$@"'))
    before = {name: study.files.run(name).events.read_bytes() for name in states()}
    gate.touch()
    wait_for(lambda: not any(late in line for line in processes()), "the late jobs")
    assert {name: study.files.run(name).events.read_bytes() for name in states()} == before


def processes() -> list[str]:
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return lines


def test_a_range_ends_its_jobs_when_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch, pause=0.02)
    words = ("run", "rope", "--seeds", "3..8", *SMALL, "--launcher")
    q1lab(*words, program(tmp_path, DETACHED.replace("exec sleep 100", "wait")))
    assert len(states()) < 16


def test_a_command_has_a_launcher_too(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import sys\nfor i in range(3): print(f'step {i} loss {2 - i / 10 + float(sys.argv[1])}')\n"
    )
    commands = [f"python {tmp_path}/train.py {shift}.{{seed}}" for shift in ("0", "1")]
    launcher = program(tmp_path, f'echo x >> {tmp_path}/jobs; exec "$@"')
    words = ("--seeds", "2", "--metric", "loss", "--yes", "--wandb", "disabled")
    q1lab("run", *commands, *words, "--launcher", launcher)
    assert len((tmp_path / "jobs").read_text().split()) >= 3

"""The q1lab command as a person types it, with an engine at work; and what is then true of the
study.

The trainer and the probe are those without torch, here and on the engine's machines, unless the
real ones are asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from q1lab.runner import launch
from q1lab.study import engine_state, studies
from q1lab.study.engine_state import EngineStatus
from q1lab.study.studies import Study
from tests.kit.places import KIT, ROOT
from tests.kit.waiting import wait_for

RUN = ("run", "rope", "--preset", "quick", "--max-iters", "20", "--wandb", "disabled")


def q1lab(
    *arguments: str,
    real: bool = False,
    probe: bool = True,
    cwd: Path | None = None,
    timeout: float = 900,
    **how: Any,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; it shows no traceback. ``real``: with torch. ``probe`` False:
    with the engine's probe as the environment has it. ``how`` goes to the trainer without torch
    (tests/kit/fake_train.py)."""
    env = {**os.environ, "FAKE_TRAIN": json.dumps({"effect": -0.1, **how})}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    if not real:
        # there, python3 is the cluster's own
        for where, python in (("Q1LAB_ENGINE_", "python3"), ("Q1LAB_", sys.executable)):
            env[f"{where}TRAINER"] = f"{python} {KIT / 'fake_train.py'}"
            if probe or where == "Q1LAB_":
                env[f"{where}PROBE"] = f"{python} {KIT / 'fake_probe.py'}"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "q1lab", *arguments],
        env=env,
        cwd=cwd or studies.paths.ensure_home(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def begin(engine: str, *more: str, **how: Any) -> Study:
    """Start the first study on the engine, and leave."""
    done = q1lab(*RUN, "--engine", engine, *more, "--detach", **how)
    assert done.returncode == 0, done.stderr
    return studies.load("rope-1")


def last_status(study: Study | str = "rope-1") -> EngineStatus | None:
    """The last status of a study on its engine."""
    loaded = studies.load(study) if isinstance(study, str) else study
    return engine_state.read_status(loaded.files.root)


def status_of(study: Study | str = "rope-1") -> EngineStatus:
    """The same, where there has to be one."""
    status = last_status(study)
    assert status is not None
    return status


def is_submitted(study: Study) -> bool:
    status = last_status(study)
    return status is not None and status.submitted


def is_over(study: Study) -> bool:
    status = last_status(study)
    return status is not None and status.over


def kill_runner(study: Study) -> bool:
    """Kill a study's runner and resume the study; True if there was a runner to kill."""
    pid = launch.last_launch(study.files).get("pid")
    is_killed = False
    if isinstance(pid, int) and launch.has_runner(study.files):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            is_killed = True
    wait_for(lambda: not launch.has_runner(study.files))
    launch.resume_runner(study)
    return is_killed


def is_running(study: Study, count: int) -> bool:
    """True if the engine reported that at least ``count`` runs are running."""
    status = last_status(study)
    return status is not None and sum(s.state == "running" for s in status.cells.values()) >= count


def events(study: Study, run: str) -> list[dict[str, Any]]:
    """A run's events so far, without a line that is still being written."""
    file = study.files.run(run).events
    if not file.exists():
        return []
    text = file.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def lost_and_doubled(study: Study) -> tuple[int, int, int]:
    """(attempts at most, lines lost, lines doubled) of a study whose runs have all finished.

    A run's trainer without torch counts its iters: each attempt goes on where its start says, in
    even steps to the end or to where it was broken off; only what was broken off may come again.
    """
    most = lost = doubled = 0
    for run in study.runs:
        run_events = events(study, run.name)
        assert run_events[-1]["type"] == "exit", (run.name, run_events[-1])
        assert run_events[-1]["state"] == "finished", (run.name, run_events[-1])
        starts = [n for n, event in enumerate(run_events) if event["type"] == "start"]
        numbers = [run_events[n]["attempt"] for n in starts]
        most = max(most, *numbers)
        doubled += len(numbers) - len(set(numbers))
        lost += numbers != sorted(numbers)
        for first, end in zip(starts, [*starts[1:], len(run_events)], strict=True):
            iters = [e["iter"] for e in run_events[first:end] if e["type"] == "iter"]
            doubled += len(iters) - len(set(iters))
            step = study.max_iters // 10
            began = int(run_events[first]["resumed_from"])
            lost += len(set(range(began + step, max(iters, default=0) + 1, step)) - set(iters))
        lost += [e["iter"] for e in run_events if e["type"] == "iter"][-1] != study.max_iters
        doubled += sum(e["type"] == "exit" and e["state"] == "finished" for e in run_events) - 1
    return most, lost, doubled


def ladder(*options: str) -> None:
    """The same at two values of a hyperparameter, trained on the engine that ``options`` name: each
    of them is a study of six cells."""
    plain = [word for word in options if word not in ("--max-iters", "20")]
    done = q1lab(*plain, "--seeds", "3", "--over", "max_iters=10,20", "--json", effect=-0.1)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["members"]
    assert [row["comparison"]["verdict"] for row in rows] == ["helps", "helps"]
    members = [studies.load(name) for name in sorted(studies.ids())]
    assert [study.trainer.hyperparameters["max_iters"] for study in members] == [10, 20]
    assert [len(status_of(study).job.cells) for study in members] == [6, 6]

"""A small study behind a launcher, from its start to the states of its runs."""

from __future__ import annotations

import json
import subprocess

from q1lab.ground import paths
from q1lab.study import studies
from q1lab.study.studies import Study
from tests.kit.commands import q1lab

SMALL = ("--preset", "quick", "--max-iters", "20", "--wandb", "disabled")


def run(launcher: str, *more: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Two pairs of rope, to their end."""
    words = ("--seeds", "2", "--jobs", "2", *SMALL, "--launcher", launcher, *more)
    return q1lab("run", "rope", *words, code=code)


def begin(launcher: str, *more: str) -> Study:
    """The same in the background."""
    run(launcher, "--detach", *more)
    return studies.load("rope-1")


def states() -> dict[str, str]:
    """Each run's state."""
    record = json.loads(q1lab("status", "rope-1", "--json").stdout)
    return {run["run"]: run["state"] for run in record["studies"][0]["runs"]}


def log(run: str) -> str:
    return paths.StudyPaths(paths.study_dir("rope-1")).run(run).log.read_text()

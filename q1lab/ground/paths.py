"""The locations and names of all files of q1lab.

Everything lives under one folder, ``Q1LAB_HOME`` (default: the platform's user data folder)::

    config.toml                what the learner set by hand
    q1lab.db                   SQLite: the learner's acts, and tables of them and of runs
    acts.jsonl                 a copy of the acts, one line each; read when the database is gone
    data/<sha256>.txt          corpora by content, so that a study can always resume
    cache/week-<hash>.json     the week's texts as they were shown last
    scratch/                   working folder of child processes that need none
    studies/rope-1/            one study: see StudyPaths
    trash/rope-1/              a deleted study, until `q1lab delete --empty`
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground.files import home as home
from q1lab.ground.files import os_errors_as_problems, private_folder

PACKAGE = Path(__file__).resolve().parents[1]


def ensure_home() -> Path:
    """The home folder, made private to the user when it is new. Problem when it can't be
    written."""
    folder = home()
    with os_errors_as_problems(f"cannot use {folder} for q1lab's files"):
        private_folder(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "permission denied")
    return folder


def database_file() -> Path:
    return home() / "q1lab.db"


def config_file() -> Path:
    return home() / "config.toml"


def week_texts_file(name: str) -> Path:
    """The texts of a week as one learner read them last."""
    return home() / "cache" / f"week-{name}.json"


def data_dir() -> Path:
    return home() / "data"


def studies_dir() -> Path:
    return home() / "studies"


def study_dir(study_id: str) -> Path:
    return studies_dir() / study_id


def trash_dir() -> Path:
    """Studies that were deleted and can be brought back."""
    return home() / "trash"


def plan_lock_file() -> Path:
    """Held while a study is looked up or created, so that two commands never launch the same one
    twice."""
    return home() / "plan.lock"


def scratch_dir() -> Path:
    """The working folder of child processes that need none; it holds none of the learner's files.
    The root folder where q1lab's home can't be written."""
    folder = home() / "scratch"
    try:
        private_folder(folder)
    except OSError:
        return Path("/")
    return folder


def models_dir() -> Path:
    """The folder of the reference model files (``labs/models``)."""
    return PACKAGE.parent / "labs" / "models"


def content_dir() -> Path:
    """The shipped week: ``content/`` of a checkout, or its copy inside an installed package."""
    installed = PACKAGE / "_content"
    return installed if installed.is_dir() else PACKAGE.parent / "content"


@dataclass(frozen=True)
class RunPaths:
    """The files of one run, ``studies/<id>/runs/<arm>-seed<n>/``."""

    root: Path

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.root / "run.log"

    @property
    def lock(self) -> Path:
        """Held by the trainer for as long as it works on this run."""
        return self.root / "lock"

    @property
    def model(self) -> Path:
        """Final weights, a state dict."""
        return self.root / "model.pt"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"


@dataclass(frozen=True)
class StudyPaths:
    """The files of one study."""

    root: Path

    @property
    def plan(self) -> Path:
        return self.root / "study.json"

    @property
    def lock(self) -> Path:
        """Held by the runner and every trainer of the study: free means that no process is
        alive."""
        return self.root / "lock"

    @property
    def launch(self) -> Path:
        """The latest runner: process id (also the process group), host, time, launch number."""
        return self.root / "launch.json"

    @property
    def runner_log(self) -> Path:
        return self.root / "runner.log"

    @property
    def relay_log(self) -> Path:
        return self.root / "relay.log"

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def launched(self) -> Path:
        """There while runs train behind a launcher: they hold no lock but their own."""
        return self.root / "launched"

    @property
    def claims(self) -> Path:
        """One empty file per run and launch: its creator trains that run."""
        return self.root / "claims"

    @property
    def wandb(self) -> Path:
        return self.root / "wandb"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def run(self, name: str) -> RunPaths:
        return RunPaths(self.runs / name)

"""The only place that knows where q1lab keeps its files and what they are called.

Everything lives under one folder, ``Q1LAB_HOME`` (default: the platform's user data folder)::

    config.toml                what the learner set by hand
    journal.jsonl              what the learner did, said and asked, a line an act, only appended
    timer.json                 the timer's heartbeat
    week.json                  where the week's text is cut, made again when it is gone
    q1lab.db                   SQLite: an index of the journal and of the studies' events
    data/<sha256>.txt          corpora, kept by content so that a study can always go on
    scratch/                   where children stand that have no folder of their own
    studies/rope-1/            one study: see StudyPaths
    trash/rope-1/              one that was deleted, until `q1lab prune`
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


def journal_file() -> Path:
    """What the learner did and said."""
    return home() / "journal.jsonl"


TIMER = "timer.json"
"""The timer's heartbeat: its name in q1lab's home."""


def week_cuts_file() -> Path:
    """Where the week's text is cut: see week/markdown_cuts.py."""
    return home() / "week.json"


def config_file() -> Path:
    return home() / "config.toml"


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
    """Held while a study is looked up or made, so that two commands never launch the same one
    twice."""
    return home() / "plan.lock"


def scratch_dir() -> Path:
    """Where children stand that have no folder of their own: nothing of the learner's is there.
    The root folder where q1lab's home can't be written."""
    folder = home() / "scratch"
    try:
        private_folder(folder)
    except OSError:
        return Path("/")
    return folder


def models_dir() -> Path:
    """Where the reference model files lie (``labs/models``)."""
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
        """Held by the runner and every trainer of the study: free means that nothing is alive."""
        return self.root / "lock"

    @property
    def launch(self) -> Path:
        """Who was started last: process id (also the process group), host, time, launch number."""
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
    def claims(self) -> Path:
        """One empty file per run and launch: whoever makes it first trains that run."""
        return self.root / "claims"

    @property
    def wandb(self) -> Path:
        return self.root / "wandb"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def run(self, name: str) -> RunPaths:
        return RunPaths(self.runs / name)

"""The learner's own editor and folder: what screens need of the world outside the app."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from q1lab.week import progress as domain
from q1lab.week.syllabus import Step

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab


def folder(app: Q1Lab) -> Path:
    """Where commands run and documents are: the learner's repository, while it is there."""
    repo = app.config.repo
    return repo if repo is not None and repo.is_dir() else app.setup.cwd


def editor() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        return shlex.split(chosen) or ["vi"]
    except ValueError:
        return [chosen]


def in_editor(app: Q1Lab, step: Step) -> None:
    """Write a step's answer in $EDITOR. What was saved there is kept; an unchanged file changes
    nothing."""
    before = app.snapshot.progress.of(step.id).answer or ""
    after = edit_text(app, before, step.id)
    if after is not None and after != before:
        app.desk.ask(lambda store: domain.save_answer(store, app.week.label, step.id, after))


def edit_text(app: Q1Lab, text: str, name: str) -> str | None:
    """``text`` after a visit to $EDITOR; None when that did not work (the reason is shown)."""
    with tempfile.TemporaryDirectory(prefix="q1lab-") as place:
        file = Path(place) / f"{name}.md"
        file.write_text(text)
        code = edit_file(app, file)
        if code:
            app.tell(f"{editor()[0]} ended with {code}; the answer stays as it was")
        if code != 0:
            return None
        try:
            return file.read_text(errors="replace")
        except OSError:
            return None


def edit_file(app: Q1Lab, file: Path) -> int | None:
    """Open a file in $EDITOR; its exit status, or None when it did not start (the reason is
    shown)."""
    argv = [*editor(), str(file)]
    try:
        with app.suspend():
            return subprocess.run(argv, check=False).returncode
    except SuspendNotSupported:
        app.notify(
            "An editor can't open from here: there is no terminal of its own.", severity="warning"
        )
    except OSError as error:
        app.tell(f"cannot start {argv[0]!r}: {error.strerror}; set EDITOR to your editor's command")
    return None

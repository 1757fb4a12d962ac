"""The learner's folder, and texts and files in the learner's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from textual.app import SuspendNotSupported

from q1lab.app.week_app import WeekApp
from q1lab.ground.errors import Problem
from q1lab.ground.files import os_errors_as_problems, printable, read_bytes
from q1lab.week import progress as domain
from q1lab.week.syllabus import Step

MOST = 256 << 10
"""Bytes of a file that is shown: nobody reads a longer one on a screen."""


def learner_folder(app: WeekApp) -> Path:
    """The folder where commands run and documents are: the learner's repository if it exists, else
    the folder in which the app was started."""
    repo = app.config.repo
    return repo if repo is not None and repo.is_dir() else app.setup.cwd


def shown_text(file: Path) -> str:
    """A file's text, to be shown. Problem if it can't be read, or is too large for that."""
    if not file.exists():
        raise Problem(f"There is no {file.name} in your folder yet.", file=file)
    with os_errors_as_problems(f"cannot read {file.name}"):
        return printable(read_bytes(file, MOST).decode(errors="replace"))


def editor_command() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        return shlex.split(chosen) or ["vi"]
    except ValueError:
        return [chosen]


def edit_answer(app: WeekApp, step: Step) -> None:
    """Open a step's answer in $EDITOR, and save it if it was changed there."""
    before = app.snapshot.progress.of(step.id).answer or ""
    after = edit_text(app, before, step.id)
    if after is not None and after != before:
        app.store_thread.submit(
            lambda store: domain.save_answer(store, app.week.label, step.id, after)
        )


def edit_text(app: WeekApp, text: str, name: str) -> str | None:
    """``text`` as saved in $EDITOR; None if the editor failed (the app shows the reason)."""
    with tempfile.TemporaryDirectory(prefix="q1lab-") as place:
        file = Path(place) / f"{name}.md"
        file.write_text(text)
        code = edit_file(app, file)
        if code:
            app.show_error(f"{editor_command()[0]} ended with {code}; the answer stays as it was")
        if code != 0:
            return None
        try:
            return file.read_text(errors="replace")
        except OSError:
            return None


def edit_file(app: WeekApp, file: Path) -> int | None:
    """Open a file in $EDITOR. Returns the editor's exit status, or None if it did not start (the
    app shows the reason)."""
    argv = [*editor_command(), str(file)]
    try:
        with app.suspend():
            return subprocess.run(argv, check=False).returncode
    except SuspendNotSupported:
        app.notify("No editor can open here: q1lab has no terminal of its own.", severity="warning")
    except OSError as error:
        app.show_error(
            f"cannot start {argv[0]!r}: {error.strerror}; set EDITOR to your editor's command"
        )
    return None

"""The welcome: the week at a glance, and a form for the learner's repository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.content import Content
from textual.widgets import Static

from q1lab.app.screens.command_output import run_in_pane
from q1lab.app.screens.form import Field, FormScreen
from q1lab.app.week_app import WeekApp
from q1lab.ground import config
from q1lab.ground.errors import Problem
from q1lab.ground.files import absolute_path, os_reason
from q1lab.week import progress as domain

NEW = "transformer-from-scratch"
"""The name offered for a new repository."""


def repository_of(folder: Path) -> Path | None:
    """The git repository that ``folder`` is in: the nearest folder upwards with a ``.git``."""
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            return parent
    return None


def repository_to_offer(folder: Path) -> Path:
    """The repository to offer: the one that contains ``folder``; else the folder itself if it has a
    model.py; else a new one in it. From inside q1lab's own clone, a new one beside the clone."""
    repository = repository_of(folder)
    if repository is not None and (repository / "q1lab" / "app" / "app.py").is_file():
        return repository.parent / NEW
    return repository or (folder if (folder / "model.py").is_file() else folder / NEW)


def describe_repository(text: str) -> str:
    """The sentence about a typed folder. Problem for what can't be a folder."""
    if not text:
        return "Documents are written and committed there. Later: `q1lab config repo FOLDER`."
    folder = absolute_path(text)
    try:
        if folder.exists() and not folder.is_dir():
            raise Problem(f"{folder.name} is a file", next="give the folder of your repository")
        is_there, repository = folder.is_dir(), repository_of(folder)
    except OSError as error:  # it may not be read, or its name is too long
        raise Problem(f"{text}: {os_reason(error)}", next="give another folder") from None
    if not is_there:
        return "It isn't there yet: `q1lab new --baseline` makes it, with a model.py in it."
    if repository is None:
        return "No git repository is there: documents are written, not committed, until `git init`."
    return "Documents are written there; every commit is shown before it is made."


class WelcomeScreen(FormScreen):
    """One screen, one question, one button. Esc leaves the repository as it was."""

    AUTO_FOCUS = "#keep"
    shape = "form welcome"
    other = "A first verdict in a minute"

    def __init__(self, app: WeekApp) -> None:
        self.week = app.week
        repo = str(app.config.repo or repository_to_offer(app.setup.cwd))
        field = Field("repo", "your repo", repo, "folder of your git repository")
        title = f"q1lab · {self.week.name}"
        super().__init__(
            title, [field], lambda typed: describe_repository(typed["repo"]), do="Begin"
        )

    def body(self) -> ComposeResult:
        yield Static(Content.styled(self.week.title, "bold $primary"))
        hours = f" Plan on {self.week.hours} hours." if self.week.hours else ""
        yield Static(self.week.goal + hours, markup=False)
        yield Static(self._glance(tight=self.app.size.height < 24), id="glance")
        yield from super().body()

    def _glance(self, tight: bool) -> Content:
        """The sessions: what is done in each, and when, where there is room for that."""
        lines = []
        for session in self.week.sessions:
            name = (f"{session.id.upper()}  ", "bold $primary")
            lines.append(Content.assemble(name, (session.title, "bold")))
            if not tight:
                lines.append(Content.assemble(("   " + session.when_and_hours, "$muted")))
        return Content("\n").join(lines)

    def do_other(self) -> None:
        """Replay the demo over the welcome, which stays."""
        run_in_pane(self.q1, ["q1lab", "demo"])

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close; the welcome does not come by itself again. With values, save the repository."""
        app, label = self.q1, self.week.label
        app.store_thread.submit(
            lambda store: domain.save_week_setting(store, label, "welcomed", True)
        )
        if result and result["repo"]:
            with app.errors_as_dialogs():
                folder = absolute_path(result["repo"])
                config.save_setting("repo", str(folder))
                app.config = replace(app.config, repo=folder)
        return super().dismiss(result)

"""The welcome: the week at a glance, this machine, and the learner's repository."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from q1lab.app.screens.base import Dialog, ScrollingBox
from q1lab.ground import config
from q1lab.ground.errors import Problem
from q1lab.ground.files import absolute_path, os_reason
from q1lab.ground.text_formats import short_hours
from q1lab.journal.store import Store
from q1lab.week import content
from q1lab.week import progress as domain
from q1lab.week.syllabus import Week

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


def describe_machine(_: Store) -> str:
    """This machine in words, without importing torch."""
    from q1lab.train.machine import cores, gpus, likely_device

    device = likely_device("auto")
    count = f"{cores()} CPU core" + ("s" if cores() != 1 else "")
    if device == "cuda":
        card = gpus()[0]
        return f"{card.name} ({card.memory_total >> 10} GiB), {count}: studies train on the GPU"
    if device == "mps":
        return f"Apple GPU (mps), {count}: studies train on the GPU"
    return f"{count}, no GPU: studies train on the CPU"


def describe_repository(text: str) -> tuple[str, bool]:
    """The sentence about a typed folder, and True if it is a git repository, or nothing was typed.
    Problem for what can't be a folder."""
    if not text:
        return "Documents are written and committed there. Later: `q1lab config repo FOLDER`.", True
    folder = absolute_path(text)
    try:
        if folder.exists() and not folder.is_dir():
            raise Problem(f"{folder.name} is a file", next="give the folder of your repository")
        is_there, repository = folder.is_dir(), repository_of(folder)
    except OSError as error:  # it may not be read, or its name is too long
        raise Problem(f"{text}: {os_reason(error)}", next="give another folder") from None
    if not is_there:
        return "It isn't there yet: `q1lab new --baseline` makes it, with a model.py in it.", False
    if repository is None:
        return (
            "No git repository is there: documents are written, not committed, until `git init`.",
            False,
        )
    return "Documents are written there; every commit is shown before it is made.", True


class FolderInput(Input):
    """The field of the path. ``?`` is no letter of it: it shows the keys, as everywhere."""

    def on_key(self, event: events.Key) -> None:
        if event.character == "?":
            event.prevent_default()
            event.stop()
            self.app.action_help()  # type: ignore[attr-defined]


class WelcomeScreen(Dialog[bool]):
    """One screen, one question, one button. Esc leaves the repository as it was."""

    AUTO_FOCUS = "#begin"
    keeps_digits = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "app.help", "help"),
    ]

    kind, shape = ScrollingBox, "welcome"
    keys = "Enter begins · Tab goes to the folder and the buttons · ? help"
    accepted = ""
    """The folder that Begin takes without a question: the one that is offered, then the one that
    was asked about."""

    @cached_property
    def week(self) -> Week:
        """The week. At a first start the learner hasn't said yet whether they follow the course, so
        it is the week on its own, which is true for everyone."""
        app = self.q1
        if "welcomed" not in app.snapshot.progress.settings:
            with contextlib.suppress(Problem):
                return content.load_week(app.setup.week.root, course=False)
        return app.week

    def body(self) -> ComposeResult:
        app, week = self.q1, self.week
        tight = app.size.height < 24
        self.box.set_class(tight, "-tight")
        self.box.border_title = f"q1lab · {week.name}"
        yield Static(Content.styled(week.title, "bold $primary"))
        yield Static(week.goal, markup=False)
        yield Static(self._glance(tight), id="glance")
        yield Static(Content.assemble(("this machine  ", "$muted"), "looking…"), id="machine")
        with Horizontal(classes="field"):
            yield Label("your repo   ")
            self.accepted = str(app.config.repo or repository_to_offer(app.setup.cwd))
            # without select_on_focus: the first key after Tab would replace the path
            yield FolderInput(
                self.accepted,
                placeholder="folder of your git repository",
                id="repo",
                select_on_focus=False,
            )
        yield Static(id="about", classes="muted", markup=False)
        with Horizontal(classes="buttons"):
            yield Button("Begin", variant="primary", id="begin")
            yield Button("A first verdict in a minute", id="demo")

    def _glance(self, tight: bool) -> Content:
        """The sessions: what is done in each, and when, where there is room for that."""
        lines = []
        for session in self.week.sessions:
            minutes = [part.minutes for part in session.parts if part.minutes]
            parts = session.when or (short_hours(60 * sum(minutes)) if minutes else "")
            if minutes and self.q1.size.width >= 72:
                parts += ": " + " + ".join(str(count) for count in minutes) + " min"
            lines.append(
                Content.assemble(
                    (f"{session.id.upper()}  ", "bold $primary"), (session.title, "bold")
                )
            )
            if not tight:
                lines.append(Content.assemble(("   " + parts, "$muted")))
        return Content("\n").join(lines)

    def on_mount(self) -> None:
        app = self.q1
        app.run_job(describe_machine, self._machine)
        self._about()

    def _machine(self, text: str) -> None:
        for line in self.query("#machine").results(Static):  # empty if the dialog has closed
            line.update(Content.assemble(("this machine  ", "$muted"), text))

    @property
    def typed(self) -> str:
        return self.query_one(Input).value.strip()

    @on(Input.Changed)
    def _about(self) -> None:
        """Describe the folder in the field."""
        try:
            description, _ = describe_repository(self.typed)
        except Problem as problem:
            description = str(problem)
        self.query_one("#about", Static).update(description)

    @on(Button.Pressed, "#demo")
    def _demo(self) -> None:
        from q1lab.app.screens.command_output import run_in_pane

        run_in_pane(self.q1, ["q1lab", "demo"])

    @on(Button.Pressed, "#begin")
    @on(Input.Submitted)
    def _begin(self) -> None:
        """Save the repository, and go to the first step. A folder that is no git repository is
        asked about once, unless it is the one that was offered."""
        app, text = self.q1, self.typed
        try:
            description, is_repository = describe_repository(text)
            if not is_repository and text != self.accepted:
                self.accepted = text
                self.query_one("#about", Static).update(
                    f"{description} Press Begin again to use it."
                )
                return
            if text:
                folder = absolute_path(text)
                config.save_setting("repo", str(folder))
                app.config = replace(app.config, repo=folder)
        except Problem as problem:
            self.query_one("#about", Static).update(str(problem))
            return
        self.action_back()

    def action_back(self) -> None:
        app = self.q1
        app.store_thread.submit(
            lambda store: domain.save_week_setting(store, app.week.label, "welcomed", True)
        )
        self.dismiss(True)

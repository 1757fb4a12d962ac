"""Shows what a command would write and commit, before it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static

from q1lab.ground import config
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.index.store import Store
from q1lab.tui.background import run_in_background
from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.diff_view import diff_text
from q1lab.tui.widgets.fitted_text import FittedText
from q1lab.tui.widgets.theme_colors import palette

if TYPE_CHECKING:
    from q1lab.documents.change import Change, SavedChange


class CommitScreen(Dialog[bool]):
    """Shows message, files and diff; Enter commits, Esc changes nothing.

    The result is True if something was written. Without ``asks`` it commits at once and says so,
    unless the learner must decide something first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "commit", priority=True),
    ]
    AUTO_FOCUS = "VerticalScroll"
    shape, keys = "tall code", "Esc leaves it"

    def __init__(self, argv: Sequence[str], folder: Path, asks: bool = True) -> None:
        super().__init__()
        self.argv = list(argv)
        self.heading = " ".join(self.argv)
        self.folder = folder
        self.asks = asks
        self.change: Change | None = None
        self.confirmed = False
        self.diff = ""
        self.busy = True

    def body(self) -> ComposeResult:
        slow = "Merging and checking …" if "merge" in self.argv else "Looking …"
        yield Static(slow, id="message", markup=False)
        with VerticalScroll():
            yield Static(id="claims", markup=False)
            yield FittedText(self._draw_diff, id="text")
        with Horizontal(classes="buttons"):
            yield Button("Commit", id="commit", variant="primary", disabled=True)
            yield Button("Don't ask again", id="always", disabled=True)
            yield Button("Leave it", id="leave")

    def on_mount(self) -> None:
        self.setup = self.q1.setup
        run_in_background(self, self._propose, self._show, self._failed)

    def _propose(self) -> tuple[Change | None, tuple[Path, ...], str]:
        """The change, the files that it writes, and the branch; runs in a thread."""
        from q1lab.documents import commit_previews

        with Store(self.setup.database) as store:
            change = commit_previews.preview_change(self.argv, store, self.setup.week, self.folder)
        if change is None:
            return None, (), ""
        branch = (change.repo.head().branch or "a detached HEAD") if change.repo else ""
        return change, change.pending(), branch

    def _show(self, preview: tuple[Change | None, tuple[Path, ...], str]) -> None:
        self.change, pending, branch = preview
        self.busy = False
        if self.change is None:
            self._nothing("There is nothing to write.", "Esc closes")
            return
        names = self.change.describe_paths(pending or self.change.files)
        if not pending:
            be = "is" if len(self.change.files) == 1 else "are"
            self._nothing(f"{names} {be} up to date: nothing to commit.", "Esc closes")
            if not self.asks:
                self._end(f"{names}: up to date", False)
            return
        subject = printable(self.change.message.partition("\n")[0])
        if self.change.unsettled:
            self._say(
                f"{printable(self.change.unsettled)}.\n"
                "Nothing is committed, and a copy of the file as it is now is kept.",
                "Enter writes it · Esc leaves it",
            )
            self.query_one("#commit", Button).label = "Write"
        elif branch:
            self._say(
                f"{subject}\non {branch}, with {names} and nothing else",
                "Enter commits it · Esc leaves it",
            )
        else:
            self._say(
                f"{names} in {self.folder}\nThere is no git repository: written, not committed.",
                "Enter writes it · Esc leaves it",
            )
            self.query_one("#commit", Button).label = "Write"
        self._tell_more(self.change)
        for button in self.query(Button):
            button.disabled = False
        self.query_one("#always", Button).display = bool(branch)
        if not self.asks and not self.change.unsettled:
            self.action_commit()

    def _tell_more(self, change: Change) -> None:
        lines = [f"· {printable(claim)}" for claim in change.claims]
        if lines:
            lines.insert(0, "What it will say:")
        lines = [*(printable(f"{note[:1].upper()}{note[1:]}.") for note in change.notes), *lines]
        if not change.diff:
            lines.append("q1lab has nothing new to write; what you wrote would be committed.")
        if change.edited:
            lines.append(
                f"Kept as you edited it: {', '.join(change.edited)}. "
                f"`{' '.join(self.argv)} --overwrite` replaces it."
            )
        self.query_one("#claims", Static).update("\n".join(lines))
        self.query_one("#claims", Static).display = bool(lines)
        self._show_diff(change.diff)

    def _show_diff(self, diff: str) -> None:
        self.diff = printable(diff)
        self._draw_diff()

    def _draw_diff(self) -> None:
        text = self.query_one("#text", FittedText)
        text.update(diff_text(self.diff, palette(self.app), wrap_at=text.room - 1))

    def _nothing(self, text: str, subtitle: str) -> None:
        """Shrink the dialog to a message and a Close button."""
        self._say(text, subtitle)
        self.box.remove_class("tall")
        self.query_one(VerticalScroll).display = False
        for button in self.query(Button):
            button.display = button.id == "leave"
        leave = self.query_one("#leave", Button)
        leave.label, leave.disabled = "Close", False
        leave.focus()

    def _say(self, text: str, subtitle: str) -> None:
        self.query_one("#message", Static).update(text)
        self.box.border_subtitle = subtitle

    def action_enter(self) -> None:
        """Press the focused button; if none is focused, commit."""
        if isinstance(self.focused, Button):
            self.focused.press()
        else:
            self.action_commit()

    @on(Button.Pressed, "#commit")
    def action_commit(self) -> None:
        """Write and commit, in a thread."""
        if self.busy or self.change is None or self.query_one("#commit", Button).disabled:
            return
        self.busy = True
        self.box.border_subtitle = "working …"
        change, confirmed = self.change, self.confirmed

        def act() -> SavedChange:
            with Store(self.setup.database) as store:
                return change.save(store, confirmed=confirmed)

        run_in_background(self, act, self._done, self._failed)

    @on(Button.Pressed, "#always")
    def action_always(self) -> None:
        """Commit, and don't ask before the next one."""
        if self.busy or self.change is None or self.change.repo is None:
            return
        try:
            config.save_setting("ask_before_commit", "false")
        except Problem as problem:
            self._failed(problem)
            return
        self.notify("`q1lab config ask_before_commit true` asks again.", markup=False)
        self.action_commit()

    @on(Button.Pressed, "#leave")
    def action_back(self) -> None:
        """Close; nothing was changed."""
        if not (self.busy and self.change is not None):
            self.dismiss(False)

    def _done(self, done: SavedChange) -> None:
        names = self.change.describe_paths(self.change.files) if self.change else ""
        copy_note = f"; the text before: {done.copy}" if done.copy else ""
        if done.commit is not None and done.sha and self.change and self.change.repo:
            root = self.change.repo.root
            names = self.change.describe_paths(root / name for name in done.commit.files)
            branch = done.commit.branch or "a detached HEAD"
            self._end(f"{names}: committed {done.sha[:7]} on {branch}{copy_note}", True)
            for note in done.commit.notes:
                self.app.notify(printable(note), markup=False)
        else:
            self._end(f"{names}: written, not committed{copy_note}", True)

    def _end(self, words: str, changed: bool) -> None:
        self.app.notify(words, markup=False)
        self.dismiss(changed)

    def _failed(self, problem: Problem) -> None:
        """Show why the command failed. If it only needs a confirmation, the next Enter gives it."""
        from q1lab.ground.git_repository import NeedsYes

        self.busy = False
        if isinstance(problem, NeedsYes):
            self.confirmed = True
            self._say(
                "\n".join(printable(reason) for reason in problem.reasons),
                "Enter goes on · Esc leaves it",
            )
            self.query_one("#commit", Button).label = "Go on"
            self._show_diff(problem.diff)
            return
        self._nothing(printable(str(problem)), "Esc closes")

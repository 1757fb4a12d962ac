"""One hint, to read; or, after passing, how right files differ from the reference, and a diff that
shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Markdown, Static

from q1lab.files import plain
from q1lab.model import learner
from q1lab.model.learner import STAGES, Hint
from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.diff_view import diff_text
from q1lab.tui.widgets.palette import palette

if TYPE_CHECKING:
    from q1lab.index.store import Store
    from q1lab.model.checks import CheckResult
    from q1lab.tui.app import Q1Lab


class HintScreen(Dialog[None]):
    """Markdown, and below it a diff, where there is one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,h,c", "dismiss", "close")]

    def __init__(self, title: str, text: str = "", diff: str = "", more: str = "") -> None:
        super().__init__()
        self.heading, self.text, self.diff = title, text, diff
        self.keys = f"Esc closes{more}"
        self.shape = "tall code" if diff else "hint"

    @classmethod
    def of(cls, hint: Hint, failing: CheckResult | None = None) -> HintScreen:
        """A question, a place, an idea; the last stage is a diff."""
        last = hint.stage == len(STAGES)
        title = f"{hint.variant}, hint {hint.stage} of {len(STAGES)}: {hint.title.lower()}"
        if last:
            return cls(title, _first(failing), diff=hint.text)
        return cls(title, f"{_first(failing)}{hint.text}", more=" · h again, later, gives the next")

    def body(self) -> ComposeResult:
        with VerticalScroll():
            if self.text:
                yield Markdown(plain(self.text), open_links=False)
            if self.diff:
                dark = self.app.current_theme.dark
                yield Static(diff_text(plain(self.diff), palette(self.app), dark=dark))


def _first(failing: CheckResult | None) -> str:
    if failing is None:
        return ""
    lines = [f"**First, what fails: {failing.name}.** {failing.why}"]
    lines += [f"Expected: {failing.expected}"] if failing.expected else []
    lines += [f"Seen: {failing.seen}"] if failing.seen else []
    return "\n\n".join(lines) + "\n\n---\n\n"


def show_next(app: Q1Lab, variant: str | None, failing: Sequence[CheckResult] = ()) -> None:
    """Show the next hint for a modification, and note that it was used. A check that fails comes
    first: what it saw is the best hint there is. Then comes the hint that helps with it."""
    if variant is None:
        app.notify("Hints come with a modification: choose one first.")
        return
    week, screen = app.week, app.screen

    def show(found: Hint) -> None:
        if screen.is_current:
            helped = (one for one in failing if one.name in found.checks)
            app.push_screen(HintScreen.of(found, next(iter((*helped, *failing)), None)))

    def job(store: Store) -> Hint:
        names = [one.name for one in failing]
        return learner.next_hint(store, week.label, week.root, variant, names)

    app.desk.ask(job, lambda found: app.call_later(show, found))

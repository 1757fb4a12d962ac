"""`q1lab check FILE --watch` in a pane: the newest round, with hints and the file in $EDITOR."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from q1lab.app import editing
from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.screens.hint import offer_hints
from q1lab.app.week_app import WeekApp
from q1lab.study import variants

_FAILED = re.compile(r"^✗ (.+)", re.MULTILINE)
"""A check that failed, as `q1lab check` prints it."""


def open_check(app: WeekApp, argv: list[str]) -> None:
    """Check a file at each save; ``argv`` is the command without --watch."""
    app.push_screen(CheckScreen([*argv, "--watch"], editing.learner_folder(app)))


class CheckScreen(CommandOutputScreen):
    """Shows what fails first; at its end, the outcome."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "hint", "hints"),
        Binding("e", "edit", "edit"),
    ]

    def __init__(self, argv: list[str], folder: Path) -> None:
        super().__init__(argv, folder)
        self.file = folder / argv[2]
        self.variant = argv[argv.index("--for") + 1] if "--for" in argv else None

    @property
    def running(self) -> str:
        """The key line: the checks begin again at each save, until Esc."""
        hints = "" if self.variant == "baseline" else " · h hints"
        return f"Esc closes · e edits it{hints} · c copies"

    @property
    def text(self) -> str:
        return self.printed.rpartition(f"{self.file.name} was saved.\n")[2]

    def show_output(self, instead: str = "") -> None:
        """Show the newest round, at what failed, else at its end."""
        super().show_output(instead)
        lines = self.text.split("\n")
        first = next((at for at, line in enumerate(lines) if _FAILED.match(line)), len(lines))
        self.query_one(VerticalScroll).scroll_to(y=first, animate=False)

    def action_edit(self) -> None:
        editing.edit_file(self.q1, self.file)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "hint" or self.variant != "baseline"  # the baseline has no hints

    def action_hint(self) -> None:
        """Offer the hints for the modification; a failing check chooses among combined ones."""
        failing = _FAILED.findall(self.text)
        part = failing[0].partition(":")[0] if failing else ""
        combined = part in variants.modifications()
        variant = part if combined else self.variant or self.q1.week.variant
        offer_hints(self.q1, variant, failing)

"""Property checks of a model file: run in a process of their own, shown as they stand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from q1lab import progress as domain
from q1lab.files import plain
from q1lab.tui import act

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab


class CheckScreen(ModalScreen[None]):
    """`q1lab check FILE --json`, made readable. A step that carries it is ticked when all checks pass."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "close"),
        Binding("r", "again", "check again"),
        Binding("e", "edit", "edit the file"),
    ]

    def __init__(self, file: str, target: str | None, step_id: str | None) -> None:
        super().__init__()
        self.file = file
        self.target = target
        self.step_id = step_id

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall") as dialog:
            dialog.border_title = f"Checks on {self.file}"
            with VerticalScroll():
                yield Static(id="checks", markup=False)

    def on_mount(self) -> None:
        self.action_again()

    def action_again(self) -> None:
        self.query_one(".dialog").border_subtitle = "checking…"
        self.run_worker(self._check(), exclusive=True, exit_on_error=False)

    def action_edit(self) -> None:
        app = cast("Q1Lab", self.app)
        act.edit_file(app, act.folder(app) / self.file)
        self.action_again()

    async def _check(self) -> None:
        app = cast("Q1Lab", self.app)
        argv = [sys.executable, "-m", "q1lab", "check", self.file, "--json"]
        if self.target:
            argv += ["--for", self.target]
        child = await asyncio.create_subprocess_exec(
            *argv, cwd=act.folder(app), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await child.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            await child.wait()
            raise
        try:
            record = json.loads(out)
            checks = record["checks"]
        except (ValueError, KeyError, TypeError):
            said = plain(err.decode(errors="replace")).strip() or "The checks gave no answer."
            self._show(Content.styled(said, "$error"), "not checked · r checks again · Esc closes")
            return
        failed = sum(not one["passed"] for one in checks)
        lines = [line for one in checks for line in _lines(one)]
        ended = "all pass" if not failed else f"{failed} of {len(checks)} fail"
        self._show(Content("\n").join(lines), f"{ended} · r again · e edits the file · Esc closes")
        step_id = self.step_id
        if record.get("passed") and step_id:
            app.desk.ask(lambda store: domain.tick(store, app.week.label, step_id, True))

    def _show(self, content: Content, subtitle: str) -> None:
        self.query_one("#checks", Static).update(content)
        self.query_one(".dialog").border_subtitle = subtitle


def _lines(check: dict[str, Any]) -> list[Content]:
    """One check: its name when it passes; what was expected, what was seen, and why it matters when not."""
    name = plain(str(check["name"]))
    if check["passed"]:
        return [Content.assemble(("✓ ", "$success"), name)]
    lines = [Content.assemble(("✗ ", "bold $error"), (name, "bold"))]
    for label in ("expected", "seen", "why"):
        if check.get(label):
            lines.append(Content.assemble((f"    {label + ':':<10}", "$muted"), plain(str(check[label]))))
    return lines

"""Property checks of the learner's file: run again at every save, with what the file changes beside
them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from q1lab.ground.errors import Problem
from q1lab.ground.files import os_reason, plain
from q1lab.study import variants
from q1lab.tui import editing, pages
from q1lab.tui.background import beside
from q1lab.tui.screens.base import OwnScreen
from q1lab.tui.screens.hint import HintScreen, hints
from q1lab.tui.widgets.check_text import Results, against_source, ending, heading
from q1lab.tui.widgets.diff_view import diff_text
from q1lab.tui.widgets.fitted_text import Fitted
from q1lab.tui.widgets.page_reader import Reader
from q1lab.tui.widgets.theme_colors import palette
from q1lab.week import evidence
from q1lab.week import progress as domain
from q1lab.week.own_model import model_file, parents
from q1lab.week.own_model.run_checks import CheckReport, CheckResult, run_checks

POLL = 1.0
"""Seconds between looks at the file. Looking works everywhere; being told does not on WSL and
network mounts."""

Stamp = tuple[int, int]
"""When a file was changed last (nanoseconds), and its size in bytes: another pair means that it was
saved."""


def stamp(path: Path) -> tuple[Stamp | None, str]:
    """(the file's stamp, ""), or (None, a sentence that says why there is none)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None, f"There is no {path}. It is checked as soon as it is there."
    except OSError as error:
        return None, f"Cannot read {path}: {os_reason(error)}."
    return (found.st_mtime_ns, found.st_size), ""


class CheckScreen(OwnScreen[None]):
    """Checks ``file`` (from the learner's folder) for ``target``; a step that carries it is ticked
    on success.

    ``run`` has the signature of `run_checks.run_checks`; it is called in a thread, and the
    learner's code runs in a process of its own.
    """

    CSS_PATH = "../check.tcss"
    page = "check"

    def __init__(
        self,
        file: str,
        target: str | None,
        step_id: str | None,
        run: Callable[..., CheckReport] = run_checks,
    ) -> None:
        super().__init__()
        self.file, self.target, self.step_id, self.run = file, target, step_id, run
        self.path, self._state = Path(file), ""
        self.results = Results()
        self.report: CheckReport | None = None
        self._cancelled = threading.Event()
        """Ends the round that is under way; nothing more is heard of it."""
        self._seen: Stamp | None = None

    def body(self) -> ComposeResult:
        yield Static(id="check-head", markup=False)
        with Horizontal(id="check"):
            with Vertical(id="check-main"):
                with VerticalScroll(id="check-scroll"):
                    yield Fitted(lambda: self._draw(self._state), id="checks")
                yield Static(id="check-says", markup=False)
            with Vertical(id="check-side"):
                yield Static(id="check-against", markup=False)
                with VerticalScroll(id="check-diff"):
                    yield Static(id="diff", markup=False)
                yield Reader()

    def on_mount(self) -> None:
        self.path = editing.folder(self.q1) / self.file
        self.query_one("#check-scroll").focus()
        self.action_again()
        self.set_interval(POLL, self.look)

    def on_unmount(self) -> None:
        self._cancelled.set()

    # ── the file, and a round of checks

    def look(self) -> None:
        """Begin a round when the file is not the one that was checked: saved, gone, or back
        again."""
        if stamp(self.path)[0] != self._seen:
            self.action_again()

    def action_again(self) -> None:
        """Check the file as it is now; a round under way ends, and its results no longer count."""
        self._cancelled.set()
        self.report = None
        self.results.begin()
        self._seen, missing = stamp(self.path)
        if self._seen is None:
            self._draw("not checked")
            self._say(missing, bad=True)
            return
        self._draw("checking …")
        self._say("")
        self._show_diff()
        self._round()

    def _round(self) -> None:
        """Run the checks beside the screen, and show each result as it comes."""
        app, path, target = self.app, self.path, self.target
        self._cancelled = cancelled = threading.Event()

        def hear(call: Callable[[Any], None], value: Any) -> None:
            if not cancelled.is_set():
                call(value)

        def checked() -> CheckReport:
            def came(result: CheckResult) -> None:
                if app.is_running:
                    app.call_from_thread(hear, self._came, result)

            try:
                return self.run(path, self.target, on_result=came, cancel=cancelled)
            except OSError as error:
                why = f"the checks could not start: {os_reason(error)}"
                return CheckReport(str(path), target or "", False, (), why)

        said = partial(self._say, bad=True)
        beside(self, checked, partial(hear, self._ended), lambda problem: said(str(problem)))

    def _came(self, result: CheckResult) -> None:
        self.results.put(result)
        self._draw(f"checking … {len(self.results.fresh)} so far")

    def _ended(self, report: CheckReport) -> None:
        # saved while it ran: what was found is about another text
        if stamp(self.path)[0] != self._seen:
            self.action_again()
            return
        self.report = report
        if report.unusable is None:
            self.results.end()
        ended = (
            "can't be used" if report.unusable else "all pass" if report.passed else "not all pass"
        )
        self._draw(f"{report.for_}: {ended}".removeprefix(": "))
        chosen = self.q1.snapshot.progress.chosen
        said = ending(report, self.file, chosen, hints=bool(self.check_action("hint", ())))
        self.query_one("#check-says", Static).update(said)
        step_id, week = self.step_id, self.q1.week.label
        if report.passed:
            file, name = self.path, report.for_
            self.q1.desk.ask(lambda store: evidence.note_check(store, week, file, name))
        if report.passed and step_id:
            self.q1.desk.ask(lambda store: domain.tick_step(store, week, step_id, True))

    # ── what is shown

    def _draw(self, state: str) -> None:
        self.query_one("#check-head", Static).update(f" {plain(self.file)}   {state}")
        self._state = state
        rows = self.query_one(Fitted)
        rows.update(self.results.content(rows.room))

    def _say(self, text: str, bad: bool = False) -> None:
        said = self.query_one("#check-says", Static)
        said.update(plain(text))
        said.set_class(bad, "bad")

    def _show_diff(self) -> None:
        try:
            self._side(*against_source(self.path, parents.parent_or_baseline(self.path)))
        except Problem as problem:
            self._side(str(problem), "")

    def _side(self, head: str, diff: str) -> None:
        self.query_one("#check-against", Static).update(plain(head))
        text = diff_text(plain(diff), palette(self.app))
        self.query_one("#diff", Static).update(text)

    def action_diff(self) -> None:
        """Wide, the diff stands beside the checks until this key takes it away; narrow, it takes
        their place."""
        self.toggle_class("-flip")

    def action_text(self) -> None:
        """The part's text in the diff's place, and back; narrow, it takes the checks' place."""
        self.toggle_class("-text")
        reader, sheet = self.query_one(Reader), pages.find(self.q1.week, self.q1.part_id)
        if self.has_class("-text") and sheet is not None:
            reader.fill(sheet, self.q1.snapshot.progress)
            reader.focus()
        else:
            self.query_one("#check-scroll").focus()

    def action_edit(self) -> None:
        editing.edit_file(self.q1, self.path)
        self.look()

    def action_compare(self) -> None:
        """How right files differ from the reference, and how the learner's does, once that
        passes; for one made from other code, what the reference changes."""
        report = self.report
        if report is None or not report.passed or report.for_ not in variants.modifications():
            until = "; h gives hints until then" if self.check_action("hint", ()) else ""
            self.notify(f"The reference comes when all checks of a modification pass{until}.")
            return
        try:
            beside = model_file.compare_with_reference(report.for_, self.path)
        except Problem as problem:
            self.q1.tell(str(problem))
            return
        reference = f"the reference {report.for_}.py"
        title = (
            heading(beside.diff, reference)
            if beside.of_file
            else f"what {reference} changes in its baseline"
        )
        text = model_file.notes_after_passing(report.for_, self.q1.week.root)
        self.app.push_screen(HintScreen(title, text, beside.diff))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "hint" or self.target != "baseline"  # there are none for it

    def action_hint(self) -> None:
        """Show the next hint, and note that it was used."""
        week = self.q1.week
        try:
            variant = self.target or model_file.variant_of_file(self.path) or week.variant
        except Problem:
            variant = week.variant
        failing = [one for one in self.results.rows.values() if one.failed]
        about = failing[0].name.partition(":")[0] if failing else ""
        if about in variants.modifications():  # one made of others fails by one of those
            variant = about
        hints(self.q1, variant, failing)

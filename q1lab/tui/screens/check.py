"""Property checks of the learner's file, run again at every save, with the file's diff beside
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
from q1lab.ground.files import os_reason, printable
from q1lab.study import variants
from q1lab.tui import editing, pages
from q1lab.tui.background import run_in_background
from q1lab.tui.screens.base import FullScreen
from q1lab.tui.screens.hint import HintScreen, offer_hints
from q1lab.tui.widgets.check_text import CheckRows, diff_against_source, diff_heading, round_summary
from q1lab.tui.widgets.diff_view import DiffView
from q1lab.tui.widgets.fitted_text import FittedText
from q1lab.tui.widgets.page_reader import PageReader
from q1lab.week import evidence
from q1lab.week import progress as domain
from q1lab.week.own_model import model_file, parents
from q1lab.week.own_model.model_file import WayToBegin
from q1lab.week.own_model.run_checks import CheckReport, CheckResult, run_checks

POLL = 1.0
"""Seconds between polls of the file. Polling works everywhere; change notifications don't work on
WSL and network mounts."""

Stamp = tuple[int, int]
"""A file's modification time (ns) and size (bytes); a different pair means the file was saved."""


def file_stamp(path: Path) -> tuple[Stamp | None, str]:
    """(stamp, ""), or (None, a sentence with the reason) if the file can't be read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None, f"There is no {path}. It is checked as soon as it is there."
    except OSError as error:
        return None, f"Cannot read {path}: {os_reason(error)}."
    return (status.st_mtime_ns, status.st_size), ""


class CheckScreen(FullScreen[None]):
    """Checks ``file`` (relative to the learner's folder) against the modification ``target``; on
    success, ticks the step ``step_id``.

    ``run`` has the signature of `run_checks.run_checks`; the screen calls it in a thread, and it
    runs the learner's code in a separate process.
    """

    CSS_PATH = "../check.tcss"
    screen_name = "check"

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
        self.results = CheckRows()
        self.report: CheckReport | None = None
        self._cancelled = threading.Event()
        """Set to end the current round of checks; its later results are dropped."""
        self._checked_stamp: Stamp | None = None
        self._offer = ""
        """The ways to make the file, while it is missing."""

    def body(self) -> ComposeResult:
        yield Static(id="check-head", markup=False)
        with Horizontal(id="check"):
            with Vertical(id="check-main"):
                with VerticalScroll(id="check-scroll"):
                    yield FittedText(lambda: self._draw(self._state), id="checks")
                yield Static(id="check-says", markup=False)
            with Vertical(id="check-side"):
                yield Static(id="check-against", markup=False)
                with VerticalScroll(id="check-diff"):
                    yield DiffView()
                yield PageReader()

    def on_mount(self) -> None:
        self.path = editing.learner_folder(self.q1) / self.file
        self.query_one("#check-scroll").focus()
        self.action_again()
        self.set_interval(POLL, self.poll)

    def on_unmount(self) -> None:
        self._cancelled.set()

    # ── the file, and a round of checks

    def poll(self) -> None:
        """Start a round if the file has changed since the last one: saved, deleted or restored."""
        if file_stamp(self.path)[0] != self._checked_stamp:
            self.action_again()

    def action_again(self) -> None:
        """Check the file as it is now; ends a round that is running and drops its results."""
        self._cancelled.set()
        self.report = None
        self.results.begin()
        self._checked_stamp, missing = file_stamp(self.path)
        if self._checked_stamp is None:
            ways = [f"\n{' '.join(way.command)}\n  {way.purpose}" for way in self._ways()]
            begin = "Enter makes it:" if len(ways) == 1 else "Enter makes it, in one of these ways:"
            self._offer = printable("\n".join([begin, *ways]) if ways else "")
            self._draw("not checked")
            self._say(missing, bad=True)
            self.refresh_bindings()
            return
        self._offer = ""
        self.refresh_bindings()
        self._draw("checking …")
        self._say("")
        self._show_diff()
        self._round()

    def _ways(self) -> list[WayToBegin]:
        """The ways to make the file; none where it is there."""
        missing = self._checked_stamp is None and not self.path.exists()
        return model_file.ways_to_begin(self.path, self.target) if missing else []

    def action_begin(self) -> None:
        """Make the missing file, by the only way or by the one that the learner chooses."""
        from q1lab.tui.screens.pick_one import PickScreen

        commands = {" ".join(way.command): way for way in self._ways()}
        if len(commands) == 1:
            self.q1.run_command(next(iter(commands.values())).command)
            return
        rows = [(name, f"{name}\n  {way.purpose}") for name, way in commands.items()]
        pick = PickScreen(f"There is no {self.path.name} yet", rows)
        self.app.push_screen(pick, lambda name: self.q1.run_command(commands[name].command))

    def _round(self) -> None:
        """Run the checks in a thread, and show each result as it comes."""
        app, path, target = self.app, self.path, self.target
        self._cancelled = cancelled = threading.Event()

        def hear(call: Callable[[Any], None], value: Any) -> None:
            if not cancelled.is_set():
                call(value)

        def checked() -> CheckReport:
            def received(result: CheckResult) -> None:
                if app.is_running:
                    app.call_from_thread(hear, self._add_result, result)

            try:
                return self.run(path, self.target, on_result=received, cancel=cancelled)
            except OSError as error:
                why = f"the checks could not start: {os_reason(error)}"
                return CheckReport(str(path), target or "", False, (), why)

        run_in_background(
            self,
            checked,
            partial(hear, self._ended),
            self._show_problem,
        )

    def _show_problem(self, problem: Problem) -> None:
        self._say(str(problem), bad=True)

    def _add_result(self, result: CheckResult) -> None:
        self.results.put(result)
        self._draw(f"checking … {len(self.results.fresh)} so far")

    def _ended(self, report: CheckReport) -> None:
        # the file was saved during the round: the results belong to the old text
        if file_stamp(self.path)[0] != self._checked_stamp:
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
        summary = round_summary(
            report, self.file, chosen, hints=bool(self.check_action("hint", ()))
        )
        self.query_one("#check-says", Static).update(summary)
        step_id, week = self.step_id, self.q1.week.label
        if report.passed:
            file, name = self.path, report.for_
            self.q1.store_thread.submit(lambda store: evidence.note_check(store, week, file, name))
        if report.passed and step_id:
            self.q1.store_thread.submit(lambda store: domain.tick_step(store, week, step_id, True))

    # ── what is shown

    def _draw(self, state: str) -> None:
        self.query_one("#check-head", Static).update(f" {printable(self.file)}   {state}")
        self._state = state
        rows = self.query_one(FittedText)
        rows.update(self.results.content(rows.room) if self.results.rows else self._offer)

    def _say(self, text: str, bad: bool = False) -> None:
        message = self.query_one("#check-says", Static)
        message.update(printable(text))
        message.set_class(bad, "bad")

    def _show_diff(self) -> None:
        try:
            self._side(*diff_against_source(self.path, parents.parent_or_baseline(self.path)))
        except Problem as problem:
            self._side(str(problem), "")

    def _side(self, head: str, diff: str) -> None:
        self.query_one("#check-against", Static).update(printable(head))
        self.query_one(DiffView).show(printable(diff))

    def action_diff(self) -> None:
        """Show or hide the diff: beside the checks on a wide screen, in their place on a narrow
        one."""
        self.toggle_class("-flip")

    def action_text(self) -> None:
        """Show or hide the part's text: in place of the diff on a wide screen, of the checks on a
        narrow one."""
        self.toggle_class("-text")
        reader, page = self.query_one(PageReader), pages.find_page(self.q1.week, self.q1.part_id)
        if self.has_class("-text") and page is not None:
            reader.fill(page, self.q1.snapshot.progress)
            reader.focus()
        else:
            self.query_one("#check-scroll").focus()

    def action_edit(self) -> None:
        editing.edit_file(self.q1, self.path)
        self.poll()

    def action_compare(self) -> None:
        """Compare the learner's file with the reference once it passes. For a file written from
        scratch, show what the reference changes in its baseline."""
        report = self.report
        if report is None or not report.passed or report.for_ not in variants.modifications():
            until = "; h gives hints until then" if self.check_action("hint", ()) else ""
            self.notify(f"The reference comes when all checks of a modification pass{until}.")
            return
        try:
            comparison = model_file.compare_with_reference(report.for_, self.path)
        except Problem as problem:
            self.q1.show_error(str(problem))
            return
        reference = f"the reference {report.for_}.py"
        title = (
            diff_heading(comparison.diff, reference)
            if comparison.of_file
            else f"what {reference} changes in its baseline"
        )
        text = model_file.notes_after_passing(report.for_, self.q1.week.root)
        self.app.push_screen(HintScreen(title, text, comparison.diff))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "begin":
            return bool(self._ways())
        return action != "hint" or self.target != "baseline"  # the baseline has no hints

    def action_hint(self) -> None:
        """Offer the hints for the modification; a failing check chooses among combined ones."""
        week = self.q1.week
        try:
            variant = self.target or model_file.variant_of_file(self.path) or week.variant
        except Problem:
            variant = week.variant
        failing = [row for row in self.results.rows.values() if row.failed and not row.follows]
        about = failing[0].name.partition(":")[0] if failing else ""
        if about in variants.modifications():  # the failing part of a combined modification
            variant = about
        offer_hints(self.q1, variant, failing)

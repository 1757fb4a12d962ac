"""Property checks of the learner's file, run again at every save: what fails stands first, with the
file's diff beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from q1lab.ground.errors import Problem
from q1lab.ground.files import os_reason, printable
from q1lab.study import variants
from q1lab.tui import editing, pages
from q1lab.tui.background import run_in_background
from q1lab.tui.screens.base import FullScreen
from q1lab.tui.screens.hint import HintScreen, offer_hints
from q1lab.tui.widgets.bars import bar
from q1lab.tui.widgets.diff_view import DiffView, diff_text
from q1lab.tui.widgets.fitted_text import FittedText
from q1lab.tui.widgets.page_reader import PageReader
from q1lab.tui.widgets.theme_colors import palette
from q1lab.week import evidence
from q1lab.week import progress as domain
from q1lab.week.own_model import diffs, model_file, parents
from q1lab.week.own_model.check_blocks import (
    CheckBlock,
    check_blocks,
    lay_out,
    outcome_blocks,
    printed_block,
)
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


STUCK = 3
"""After so many red rounds in a row a hint is offered."""

BAR_CELLS = 20
TONES = {"good": "$success", "bad": "bold $error", "warn": "$warning", "name": "bold"}
TONES |= {"words": "$muted", "label": "$muted"}
"""Styles of the roles of `check_blocks`; the others have none."""


class CheckRows:
    """The results on screen by check name. A new round dims them, and each new result replaces the
    old one."""

    def __init__(self) -> None:
        self.rows: dict[str, CheckResult] = {}
        self.fresh: set[str] = set()

    def begin(self) -> None:
        self.fresh.clear()

    def put(self, result: CheckResult) -> None:
        self.rows[result.name] = result
        self.fresh.add(result.name)

    def end(self) -> None:
        """Drop the results of checks that this round did not run."""
        self.rows = {name: result for name, result in self.rows.items() if name in self.fresh}

    @property
    def failing(self) -> list[CheckResult]:
        """Those that failed, but for those that follow from another one."""
        return [result for result in self.rows.values() if result.failed and not result.follows]

    def content(self, width: int, more: list[CheckBlock]) -> Content:
        """All results and ``more``, for a widget that is ``width`` cells wide."""
        old = set(map(printable, self.rows.keys() - self.fresh))
        blocks = check_blocks([*self.rows.values()])
        good = [block.name for block in blocks if block.sign == "✓"]
        if self.failing and good:  # what passes is one line, so that what fails stands out
            folded = CheckBlock("✓", "good", f"{len(good)} pass", f": {', '.join(good)}")
            blocks = [*(block for block in blocks if block.sign != "✓"), CheckBlock(), folded]
        lines = (drawn(block, width, block.name in old) for block in (*blocks, *more))
        return Content("\n").join(lines)


def drawn(block: CheckBlock, width: int, dimmed: bool = False) -> Content:
    """A block in the app's colors; ``dimmed`` if it is of a round that is over."""
    tones = TONES if block.rows else {**TONES, "name": ""}  # what failed stands out

    def tone(role: str) -> str:
        return "$muted" if dimmed else tones.get(role, "")

    lines = lay_out(block, width)
    return Content("\n").join(
        Content.assemble(*((text, tone(role)) for text, role in line)) for line in lines
    )


def score_bar(passed: int, judged: int) -> Content:
    """``━━━━━━━━━─── 19 of 22``: the checks that pass."""
    tone = "$success" if passed == judged else "$warning"
    parts = bar(passed / max(1, judged), BAR_CELLS, tone)
    return Content.assemble(*parts, f"  {passed} of {judged}")


def diff_against_source(path: Path) -> tuple[str, str]:
    """(heading, unified diff) from the file's source to the file; slow, as git may look for the
    source. Problem if one can't be read."""
    source = parents.parent_or_baseline(path)
    old, new = map(editing.shown_text, (source.variant.path, path))
    diff = diffs.unified_diff(old, new, source.name, path.name)
    return diff_heading(diff, source.name), diff


def diff_heading(diff: str, against: str) -> str:
    """``against model.py  +12 −3 lines``."""
    added, removed = diffs.count_changed_lines(diff)
    return (
        f"against {against}  +{added} −{removed} lines" if diff else f"the same code as {against}"
    )


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
        self.reds = 0
        """Red rounds in a row, each of another text of the file."""
        self._score = (0, 0)
        """(passed, judged) of the last round that ended."""
        self._cancelled = threading.Event()
        """Set to end the current round of checks; its later results are dropped."""
        self._checked_stamp: Stamp | None = None
        self._red_stamp: Stamp | None = None
        self._offer = ""
        """The ways to make the file, while it is missing."""

    def body(self) -> ComposeResult:
        yield Static(id="check-head", markup=False)
        with Horizontal(id="check"):
            with Vertical(id="check-main"):
                with VerticalScroll(id="check-scroll"):
                    yield FittedText(lambda: self._draw(self._state), id="checks")
                yield FittedText(self._draw_outcome, id="check-says")
            with Vertical(id="check-side"):
                yield Static(id="check-against", markup=False)
                with VerticalScroll(id="check-diff"):
                    yield DiffView()
                yield PageReader(to_read=True)

    def on_mount(self) -> None:
        self.query_one("#check-scroll").focus()
        self.action_again()
        self.set_interval(POLL, self.poll)

    def on_unmount(self) -> None:
        self._cancelled.set()

    # ── the file, and a round of checks

    def _place(self) -> Path:
        """The file's path: in the repository that the learner named, which `q1lab new` may have yet
        to make."""
        return (self.q1.config.repo or self.q1.setup.cwd) / self.file

    def poll(self) -> None:
        """Start a round if the file has changed since the last one: saved, deleted or restored, or
        made in a repository that was not there."""
        if file_stamp(self._place())[0] != self._checked_stamp:
            self.action_again()

    def action_again(self) -> None:
        """Check the file as it is now; ends a round that is running and drops its results."""
        self._cancelled.set()
        self.report = None
        self.results.begin()
        self.path = self._place()
        self._checked_stamp, missing = file_stamp(self.path)
        is_there = self._checked_stamp is not None
        ways = [f"\n{' '.join(way.command)}\n  {way.purpose}" for way in self._ways()]
        missing += f" `{ways[0].splitlines()[1]}` writes it." if ways else ""
        begin = "Enter makes it:" if len(ways) == 1 else "Enter makes it, in one of these ways:"
        self._offer = printable("\n".join([begin, *ways]) if ways else "")
        self._draw("checking …" if is_there else "not checked")
        self._say(missing, bad=True)
        self.refresh_bindings()
        if is_there:
            self._show_diff()
            self._round()

    def _ways(self) -> list[WayToBegin]:
        """The ways to make the file; none where it is there."""
        missing = self._checked_stamp is None and not self.path.exists()
        return model_file.ways_to_begin(self.path, self.target) if missing else []

    @property
    def enter_words(self) -> str:
        """Enter's effect now; "" for none."""
        if self.report is not None and self.report.passed:
            return "back to the week"
        if self._ways():
            return f"make {self.path.name}"
        return "a hint" if self.stuck else ""

    def action_begin(self) -> None:
        """Go back after success; make a missing file; offer a hint after several red rounds."""
        if self.report is not None and self.report.passed:
            self.action_back()
        elif self._ways():
            self._make()
        else:
            self.action_hint()

    def _make(self) -> None:
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
            self._score = report.score
            self._count_reds(report)
        state = f"for {report.for_}" if report.for_ else ""
        self._draw("can't be used" if report.unusable else state)
        self._draw_outcome()
        self.query_one("#check-scroll").scroll_home(animate=False)
        self.refresh_bindings()
        step_id, week = self.step_id, self.q1.week.label
        if report.passed:
            file, name = self.path, report.for_
            self.q1.store_thread.submit(lambda store: evidence.note_check(store, week, file, name))
        if report.passed and step_id:
            self.q1.store_thread.submit(lambda store: domain.tick_step(store, week, step_id, True))

    def _count_reds(self, report: CheckReport) -> None:
        """Count red rounds in a row; the same text, checked again, is counted once."""
        if report.passed:
            self.reds = 0
        elif self._checked_stamp != self._red_stamp:
            self.reds, self._red_stamp = self.reds + 1, self._checked_stamp

    # ── what is shown

    def _draw(self, state: str) -> None:
        bar = score_bar(*self._score) if any(self._score) else ""
        head = Content.assemble(f" {printable(self.file)}   ", bar, (f"   {state}", "$muted"))
        self.query_one("#check-head", Static).update(head)
        self._state = state
        rows = self.query_one("#checks", FittedText)
        more = [] if self.report is None else printed_block(self.report)
        rows.update(
            self.results.content(rows.room, more) if self.results.rows or more else self._offer
        )

    def _draw_outcome(self) -> None:
        """Say what a round came to, and what is next."""
        report, says = self.report, self.query_one("#check-says", FittedText)
        if report is None:
            return
        chosen = self.q1.snapshot.progress.chosen
        blocks = outcome_blocks(report, self.file, chosen)
        lines = [drawn(block, says.room) for block in blocks]
        hints = self.target != "baseline"
        if self.stuck:
            words = f"That was red {self.reds} times in a row. Enter offers a hint."
            lines.append(Content.styled(words, "bold $accent"))
        elif not report.passed and report.unusable is None:
            helps = "; h gives the hint that helps" if hints else ""
            lines.append(Content(f"Fix the file and save it{helps}."))
        if report.passed and report.for_ in variants.modifications():
            lines.append(Content("^o compares it with the reference."))
        says.set_class(False, "bad")
        says.update(Content("\n").join(lines))

    @property
    def stuck(self) -> bool:
        """True if the file was red so often that a hint is offered."""
        return self.reds >= STUCK and self.target != "baseline"

    def _say(self, text: str, bad: bool = False) -> None:
        message = self.query_one("#check-says", FittedText)
        message.update(printable(text))
        message.set_class(bad, "bad")

    def _show_diff(self) -> None:
        """Read and color the diff in a thread: git may look for the file's source."""
        path, stamp, colors = self.path, self._checked_stamp, palette(self.app)

        def read() -> tuple[str, str, Text]:
            head, diff = diff_against_source(path)
            return head, diff, diff_text(diff, colors)

        def show(head: str, diff: str, colored: Text | None = None) -> None:
            if stamp == self._checked_stamp:
                self.query_one("#check-against", Static).update(printable(head))
                self.query_one(DiffView).show(diff, colored)
                is_same = colored is not None and not diff
                self.set_class(is_same and self._has_text(), "-same")

        run_in_background(
            self, read, lambda shown: show(*shown), lambda problem: show(str(problem), "")
        )

    def action_diff(self) -> None:
        """Show or hide the diff: beside the checks on a wide screen, in their place on a narrow
        one."""
        self.toggle_class("-flip")

    def action_text(self) -> None:
        """Show or hide the part's text: in place of the diff on a wide screen, of the checks on a
        narrow one."""
        shown = bool(self.classes & ({"-text", "-same"} if self.has_class("-wide") else {"-text"}))
        self.remove_class("-same")
        self.set_class(not shown and self._has_text(), "-text")
        self.query_one("#reader" if self.has_class("-text") else "#check-scroll").focus()

    def _has_text(self) -> bool:
        """Fill in the part's text; False if the week has none."""
        page = pages.find_page(self.q1.week, self.q1.part_id)
        if page is not None:
            reader = self.query_one(PageReader)
            # where it was opened, at first; then where the learner has scrolled to
            reader.fill(page, self.q1.snapshot.progress, at=None if reader.page else self.step_id)
        return page is not None

    def action_edit(self) -> None:
        editing.edit_file(self.q1, self.path)
        self.poll()

    def action_compare(self) -> None:
        """Compare the learner's file with the reference once it passes. For a file written from
        scratch, show what the reference changes in its baseline."""
        report = self.report
        if report is None or not report.passed or report.for_ not in variants.modifications():
            until = "; h gives hints until then" if self.target != "baseline" else ""
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
            return bool(self.enter_words)
        return action != "hint" or self.target != "baseline"  # the baseline has no hints

    def action_hint(self) -> None:
        """Offer the hints for the modification; a failing check chooses among combined ones."""
        week = self.q1.week
        try:
            variant = self.target or model_file.variant_of_file(self.path) or week.variant
        except Problem:
            variant = week.variant
        failing = self.results.failing
        about = failing[0].name.partition(":")[0] if failing else ""
        if about in variants.modifications():  # the failing part of a combined modification
            variant = about
        offer_hints(self.q1, variant, failing)

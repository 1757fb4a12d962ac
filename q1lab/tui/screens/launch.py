"""Plan a study: variant with its diff, baseline, preset, data, seeds; see an estimate; start it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.timer import Timer
from textual.widgets import Button, Input, OptionList, Select, Static

from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.runner import child_processes
from q1lab.study import kept_folder, variants
from q1lab.study.command_line import Request
from q1lab.study.corpora import DEFAULT_DATA
from q1lab.tui import editing
from q1lab.tui.background import run_in_background
from q1lab.tui.screens.base import FullScreen
from q1lab.tui.screens.form_drafts import DraftForm
from q1lab.tui.widgets.diff_view import DiffView
from q1lab.tui.widgets.launch_form import LaunchForm, default_values
from q1lab.tui.widgets.launch_text import estimate, prediction_words
from q1lab.week import evidence
from q1lab.week.lists import predictions
from q1lab.week.own_model import diffs, parents

if TYPE_CHECKING:
    from q1lab.planning.study_plan import Plan

SPOILER = """This is q1lab's own implementation.

Its diff gives away the solution, so it is shown once your own file passes its checks. \
Ctrl+O shows it now."""

PAUSE = 0.7
"""Seconds after the last change until the estimate starts: it trains a few steps, too slow for
every key."""


class LaunchScreen(DraftForm, FullScreen[str | None]):
    """The result is the id of the study that was started or is to be watched; None after Esc."""

    CSS_PATH = "../lab.tcss"
    screen_name = "launch"

    def __init__(self, initial: Request | None = None) -> None:
        super().__init__()
        self.initial = initial
        self.heading = "A new study"
        if initial is not None:
            self.heading += f" of {Path(initial.variant).stem}, seeds {initial.seeds}"
        self._diff = ""
        self.eager = False
        """True if Start was pressed before the plan was ready: the study starts as soon as it
        is."""
        self.draft: Plan | None = None
        self._timer: Timer | None = None
        self._estimates = 0
        """The number of estimates that were started; only the newest one is shown."""
        self._planner: int | None = None
        """The id of the thread that makes the plan; None while none runs."""
        self._pair = ""

    def body(self) -> ComposeResult:
        yield Static(id="launch-head", markup=False)
        with Horizontal(id="launch"):
            done, folder = self.q1.snapshot.progress, editing.learner_folder(self.q1)
            chosen = done.chosen or self.q1.week.default or ""
            own_model = folder / f"{chosen}.py"
            yield LaunchForm(
                self.initial or Request(str(own_model) if own_model.is_file() else chosen),
                done.data[2] if done.data else DEFAULT_DATA,
                folder,
            )
            with VerticalScroll(id="launch-diff"):
                yield DiffView()
        with Horizontal(id="launch-plan"):
            with VerticalScroll(id="launch-says"):
                yield Static(id="prediction", markup=False)
                yield Static(id="estimate", markup=False)
            yield Button("Start", id="start", variant="primary", disabled=True, compact=True)

    def on_mount(self) -> None:
        self.begin()
        self.q1.run_job(lambda _: default_values(), self._show_defaults)
        self._show_step(False)
        self.changed()

    def _show_defaults(self, values: dict[str, str]) -> None:
        if self.is_attached and self.draft is None:
            self.query_one(LaunchForm).show_values(values)

    # ── its two steps

    def _show_step(self, second: bool) -> None:
        """Show the form's first step (what to train) or its second (how)."""
        form = self.query_one(LaunchForm)
        form.set_class(second, "-how")
        form.query_one("#data" if second else "#variant").focus()
        self._head()
        self.refresh_bindings()

    @property
    def _how(self) -> bool:
        return self.query_one(LaunchForm).has_class("-how")

    def _head(self, pair: str = "") -> None:
        self._pair = pair or self._pair
        step = "2 of 2: how" if self._how else "1 of 2: what"
        self.query_one("#launch-head", Static).update(f" A new study, {step}   {self._pair}")

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def action_how(self) -> None:
        """Go to the second step: settings that are rarely changed."""
        if not self._how:
            self._show_step(True)

    def action_back(self) -> None:
        """Go back to the first step, or close from there."""
        if self._how:
            self._show_step(False)
        else:
            super().action_back()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "how" or not self._how

    # ── the request

    def request(self) -> Request:
        return self.query_one(LaunchForm).request()

    @on(OptionList.OptionHighlighted)
    @on(Input.Changed)
    @on(Select.Changed)
    def changed(self) -> None:
        """Show the diff at once, and the estimate a moment after the last change."""
        if not self.is_mounted:
            return
        self.draft, self.eager = None, False
        self.query_one("#start", Button).disabled = True
        if self._timer is not None:
            self._timer.stop()
        try:
            request = self.request()
            self._show_diff(request)
        except Problem as problem:
            self._say(str(problem), bad=True)
            self._diff = ""
            self._pair = ""
            self._head()
            self.query_one(DiffView).show_words("")
            return
        tries = "trying a few steps on this machine, for an estimate …"
        is_own_file = (
            request.variant not in variants.modifications()
            and not kept_folder.is_kept_folder(request.variant)
        )
        self._say(f"Checking the model files, then {tries}" if is_own_file else tries.capitalize())
        self.query_one("#start", Button).label = "Start"
        self.query_one("#start", Button).disabled = False
        self._timer = self.set_timer(PAUSE, lambda: self._estimate(request))

    def _show_diff(self, request: Request) -> None:
        if kept_folder.is_kept_folder(request.variant):
            request = kept_folder.retraining_request(
                kept_folder.load_kept_study(Path(request.variant)), request
            )
        pair = parents.find_pair(request.variant, request.baseline)
        old, new = pair.baseline, pair.modified
        diff = diffs.unified_diff(old.text, new.text, old.name, new.name)
        added, removed = diffs.count_changed_lines(diff)
        self._head(f"{new.name} against {old.name}   +{added} −{removed} lines")
        self._diff = diff
        self.query_one(DiffView).show_words("")
        week, reference = self.q1.week.label, request.variant
        self.q1.run_job(
            lambda store: (
                reference not in variants.modifications()
                or evidence.may_show_reference(store, week, reference)
            ),
            partial(self._diff_shown, diff),
        )
        self.q1.run_job(
            lambda store: predictions.newest_prediction(store, new.name),
            partial(self._show_prediction, new.name, request.seeds),
        )

    def _diff_shown(self, diff: str, may: bool) -> None:
        """Show the diff; q1lab's own implementation stays hidden while it would spoil the
        solution."""
        if not self.is_attached or diff != self._diff:
            return
        place = self.query_one(DiffView)
        code = bool(diff) and may
        place.set_class(not code, "-prose")
        if code:
            place.show(diff)
        else:
            place.show_words(SPOILER if diff else "The same code: there is nothing to compare.")

    def action_reference(self) -> None:
        """Show q1lab's own implementation, and record that."""
        try:
            request = self.request()
        except Problem:
            return
        week, variant = self.q1.week.label, request.variant
        if variant in variants.modifications():
            self.q1.run_job(
                lambda store: evidence.note_reference_shown(store, week, variant),
                lambda _: self._show_diff(request),
            )

    def _show_prediction(self, variant: str, seeds: str, record: dict[str, Any] | None) -> None:
        if self.is_attached:
            chosen = (self.q1.snapshot.progress.chosen or self.q1.week.default) == variant
            words = prediction_words(record, variant, chosen, few=seeds in ("1", "2"))
            self.query_one("#prediction", Static).update(words)

    # ── the estimate, and the start

    def _estimate(self, request: Request) -> None:
        self._estimates += 1
        number, database = self._estimates, self.q1.setup.database
        self._let_go()

        def plan() -> Plan:
            from q1lab.planning import study_plan

            self._planner = me = get_ident()
            try:
                with Store(database) as store:
                    return study_plan.plan_study(request, store)
            finally:
                if self._planner == me:
                    self._planner = None

        run_in_background(
            self,
            plan,
            lambda plan: self._estimated(number, request, plan),
            lambda problem: self._estimated(number, request, problem),
        )

    def _let_go(self) -> None:
        """End the trial steps of an outdated plan: they would slow down those of the new one, and
        the runs."""
        if self._planner is not None:
            child_processes.kill_child_of_thread(self._planner)

    def on_unmount(self) -> None:
        self._let_go()

    def _estimated(self, number: int, request: Request, plan: Plan | Problem) -> None:
        try:
            if number != self._estimates or not self.is_attached or self.request() != request:
                return  # the form has changed in the meantime
        except Problem:
            return
        if isinstance(plan, Problem):
            self.query_one("#start", Button).disabled = True
            self._say(str(plan), bad=True)
            return
        self.draft = plan
        self.query_one(LaunchForm).show_plan_values(plan.study)
        button = self.query_one("#start", Button)
        button.label = "Watch it" if plan.is_running else "Start" if plan.missing else "Open it"
        button.disabled = False
        self._say(estimate(plan))
        if self.eager and plan.missing and not plan.is_running:
            self.action_start()

    def _say(self, text: str, bad: bool = False) -> None:
        estimate_text = self.query_one("#estimate", Static)
        estimate_text.update(text.removeprefix("--"))
        estimate_text.set_class(bad, "bad")

    @on(Button.Pressed)
    def action_start(self) -> None:
        """Start the planned study; one that runs already or is complete is opened instead."""
        plan = self.draft
        if plan is None:
            if not self.query_one("#start", Button).disabled:
                self.eager = True
                self._say("It starts as soon as it is planned: a few steps are tried first …")
            return
        if plan.is_running:
            self.ended(plan.study.id)
            return
        self.query_one("#start", Button).disabled = True
        self._say("Starting …")
        self.draft = None
        database = self.q1.setup.database

        def begin() -> Plan:
            from q1lab.planning import study_plan

            with Store(database) as store:
                return study_plan.begin_study(plan.draft.request, store, plan)

        run_in_background(
            self,
            begin,
            lambda begun: self.ended(begun.study.id),
            self._not_started,
        )

    def _not_started(self, problem: Problem) -> None:
        self.q1.show_error(str(problem), "The study was not started")
        self.changed()

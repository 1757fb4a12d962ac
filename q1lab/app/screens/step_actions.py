"""Carries out the steps and actions of a page: opens their forms, screens, links and commands."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from q1lab.app.commands import FORMS, TITLES
from q1lab.app.editing import learner_folder
from q1lab.app.pages import CursorStop
from q1lab.app.week_app import WeekApp
from q1lab.app.widgets.markdown_layout import glossary_word
from q1lab.app.widgets.page_blocks import command_with_form, text_of_action
from q1lab.week.syllabus import Action, Step

if TYPE_CHECKING:
    from q1lab.compare.comparison import Comparison


def open_step_form(app: WeekApp, step: Step) -> bool:
    """Open the form of the step's kind. False if the kind has none."""
    module, _, function = step.behavior.form.partition(":")
    if not module:
        return False
    getattr(importlib.import_module(module), function)(app, step)
    return True


def open_form_of_act(app: WeekApp, step: Step) -> bool:
    """Open the form of the command that completes the step; also for a step that is done, to add
    more (such as a fourth channel). False if there is no such form."""
    name = command_with_form(step)
    if not name:
        return False
    from q1lab.app.screens.forms import open_form

    open_form(app, name)
    return True


def start_action(
    app: WeekApp, action: Action, on_failure: Callable[[], None] | None = None
) -> None:
    """Carry out an action; ``on_failure`` is called when its command has failed."""
    options = action.options
    if action.kind == "run":
        run_command(app, list(action.argv()))
    elif action.kind == "check":
        from q1lab.app.screens.check import open_check

        open_check(app, list(action.argv()))
    elif action.kind == "open" and "url" in options:
        open_url(app, str(options["url"]))
    elif action.kind == "open":
        from q1lab.app.screens.document import DocumentScreen

        app.push_screen(DocumentScreen(learner_folder(app) / str(options["document"])))
    else:
        run_command(app, list(action.argv()), on_failure)


def open_link(app: WeekApp, url: str) -> None:
    """Open the glossary for a link to a word in it; open any other address in a browser."""
    if word := glossary_word(url):
        from q1lab.app.screens.glossary import GlossaryScreen

        terms = sorted(app.week.terms, key=lambda term: term.address.endswith(f"#{word}"))
        app.push_screen(GlossaryScreen(terms[-1:] + terms[:-1]))
    else:
        open_url(app, url)


def open_url(app: WeekApp, url: str) -> None:
    """Open an address in a browser, and copy it in case no browser opens."""
    app.copy_to_clipboard(url)
    app.open_url(url)
    app.notify(f"Opened and copied: {url}", markup=False)


def run_command(
    app: WeekApp, argv: list[str], on_failure: Callable[[], None] | None = None
) -> None:
    """Carry out a command line inside the app: a training opens its form, a commit is shown before
    it is made, and any other command's output opens in a dialog."""
    from q1lab.app.screens import forms
    from q1lab.app.screens.command_output import run_in_pane

    command = " ".join(argv[1:])
    if command in FORMS and command in TITLES:
        forms.open_form(app, command)
        return
    if argv[:2] == ["q1lab", "run"]:
        from q1lab.app.screens.run_form import open_run_form

        open_run_form(app, argv)
        return
    if argv[:2] == ["q1lab", "compare"]:
        open_verdict(app, argv[2] if len(argv) > 2 else None)
        return
    if argv == ["q1lab", "course", "kpi"]:
        app.action_go("progress")
        return
    if argv[:3] == ["q1lab", "config", "course"]:
        app.set_course(argv[3] == "true")
        return
    run_in_pane(app, argv, on_failure=on_failure)


def find_study(app: WeekApp, name: str | None) -> str | None:
    """The id of a study that has ended, or of a modification's foremost one; without a name, of the
    newest. None, and a message, where there is none."""
    from q1lab.compare import comparison_cache
    from q1lab.study.studies import ARMS

    studies = app.snapshot.studies
    ended = [row for row in studies if row.done == row.total]
    asked = [row for row in reversed(studies) if row.variant == name]
    leading = comparison_cache.leading_study(
        asked, lambda row: row.total // len(ARMS), ended.__contains__
    )
    rows = [row for row in studies if row.id == name]
    rows += [row for row in ended if name is None or row == leading]
    if not rows:
        of = f" of {name}" if name else ""
        waits = f"No verdict{of} yet; the lab (2) shows how far the runs are."
        app.notify(waits if studies else "No study yet: r in the lab (2) plans one.", markup=False)
        return None
    return rows[0].id


def open_verdict(app: WeekApp, name: str | None) -> None:
    """Open the comparison of a study that `find_study` finds."""
    from q1lab.compare import comparison_cache

    study_id = find_study(app, name)
    if study_id is None:
        return

    def show(record: Comparison | None) -> None:
        from q1lab.app.screens.verdict import VerdictScreen

        app.store_thread.watch_study(study_id)
        if record is None:  # the lab computes it
            app.action_go("lab")
        else:
            app.push_screen(VerdictScreen(study_id, record))

    app.run_job(lambda store: comparison_cache.cached_comparison(store, study_id), show)


def copy_row(app: WeekApp, row: CursorStop | None) -> None:
    """Copy an action's command, address or document; of a step its answer, or else what its first
    action has. A notice where there is nothing."""
    text = ""
    if isinstance(row, Action):
        text = text_of_action(row)
    elif isinstance(row, Step):
        answer = app.snapshot.progress.of(row.id).answer
        text = answer or (text_of_action(row.actions[0]) if row.actions else "")
    if not text:
        app.notify("There is no command and no answer here to copy.")
        return
    app.copy_text(text, f"`{text}`" if len(text) <= 60 else "the text")

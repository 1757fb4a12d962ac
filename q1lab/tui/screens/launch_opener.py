"""Opens the launch form: for a new study, or for an existing study with more seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from q1lab.study.command_line import Request
    from q1lab.study.studies import Study
    from q1lab.tui.app import Q1Lab


def open_launch_form(app: Q1Lab, request: Request | None = None) -> None:
    """Open the launch form; once the study has started, show it in the lab."""
    from q1lab.tui.screens.launch import LaunchScreen

    app.push_screen(LaunchScreen(request), app.open_study)


def open_form_with_more_seeds(app: Q1Lab, study: Study, n: int | None) -> None:
    """Open the launch form for the same study with ``n`` seeds per arm; None: twice as many, and
    as many as a verdict needs."""
    from q1lab.judgment.intervals import MIN_FOR_VERDICT
    from q1lab.study.command_line import resume_command

    many = n or max(2 * len(study.seeds), MIN_FOR_VERDICT)
    if not study.model_files:  # the form is about model files
        command = resume_command(study)
        more = "" if study.design.resume_instead(study.variant) else f" --seeds {many}"
        app.notify(f"A command trains it. For more: {command}{more}", markup=False)
        return
    seeds = str(max(many, len(study.seeds) + 1))
    if study.design.fresh_seeds or study.design.is_sequential:
        seeds = f"fresh:{seeds}"
    open_launch_form(app, replace(study.trainer.request(study), seeds=seeds))

"""Opening the launch form: for a new study, or for a study's question with more seeds."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from q1lab.study.command_line import Request
    from q1lab.study.studies import Study
    from q1lab.tui.app import Q1Lab


def launch(app: Q1Lab, request: Request | None = None) -> None:
    """Plan a study; once it has started, one is in the lab and looks at it."""
    from q1lab.tui.screens.launch import LaunchScreen

    def launched(study_id: str) -> None:
        app.desk.watch(study_id)
        app.action_go("lab")

    app.push_screen(LaunchScreen(request), launched)


def more_seeds(app: Q1Lab, study: Study, n: int | None) -> None:
    """Plan the same question with ``n`` seeds per arm; without a number, with twice as many."""
    from q1lab.study.command_line import resume_command

    if not study.trainer.has_model_files:  # which are what the form asks for
        line = resume_command(study)
        more = (
            ""
            if study.design.resume_instead(study.variant)
            else f" --seeds {n or 2 * len(study.seeds)}"
        )
        app.notify(f"A command trains it. For more: {line}{more}", markup=False)
        return
    wanted = max(n or 2 * len(study.seeds), len(study.seeds) + 1)
    fresh = (seed for seed in count() if seed not in study.seeds)
    seeds = [*study.seeds, *islice(fresh, wanted - len(study.seeds))]
    plain = seeds == list(range(wanted))
    words = str(wanted) if plain else ",".join(map(str, seeds))
    launch(app, replace(study.trainer.request(study), seeds=words))

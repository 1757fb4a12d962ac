"""Make declared studies real, and train their missing runs: begin them, or resume one.

One lock is held while the studies on disk are read again, the plans are written and the runner
starts, so that two processes never begin one study twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import exclusive_lock, remove_inside
from q1lab.journal import delete_restore, home_history, ingest_events, on_record, predictions
from q1lab.journal.store import Store
from q1lab.judgment.run_states import MISSING, RunState
from q1lab.study import studies, two_commands
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.studies import StudiesOnDisk, Study
from q1lab.train import finished_runs, first_number, launch, series_members
from q1lab.train.study_plan import Declaration, Plan, declare_drafts, prove_command_ran_here


def begin_studies(declared: Declaration, store: Store) -> Declaration:
    """Write every plan, and then start the first study with runs left; the others of a sweep follow
    by themselves. Returns the declaration with the studies as they are now; it is planned anew
    where something has changed since. Problem, with nothing written, if one of them is running."""
    with planning_lock(", ".join(study.variant for study in declared.studies), store):
        if not declared.is_current:
            declared = declare_drafts(declared.drafts, store)
        for plan in declared.plans:
            if not plan.is_new and launch.is_alive(plan.study.files):
                raise launch.already_running(plan.study.id)
        tries = failed_tries([plan.study for plan in declared.plans if plan.is_new])
        begun = tuple(replace(plan, study=save_plan(plan, store, tries)) for plan in declared.plans)
        for plan in begun:
            ingest_events.ingest_study(store, plan.study)
        for plan in begun:
            if plan.missing and series_members.start_study(plan.study):
                break
    return replace(declared, plans=begun)


def resume_study(study_id: str, store: Store) -> list[str]:
    """Train a study's missing runs; returns their names. Problem if it is complete, or running
    already."""
    with planning_lock(study_id, store):
        study = studies.load(study_id)
        prove_command_ran_here(study, study_id)
        ingest_events.ingest_study(store, study)
        missing = [
            studies.run_name(row["arm"], row["seed"])
            for row in store.runs(study_id)
            if RunState(row["state"]) in MISSING
        ]
        if not missing:
            raise Problem(f"{study_id} is complete; there is nothing to resume")
        if not series_members.start_study(study):  # the others of its sweep had those runs
            ingest_events.ingest_study(store, study)
    return missing


def train_run_again(study_id: str, run: str) -> None:
    """Train one missing run of a study, and no other. Problem if the study is running already."""
    with planning_lock(study_id):
        study = studies.load(study_id)
        prove_command_ran_here(study, study_id)
        launch.start_runner(study, only=[run])


def planning_lock(name: str, store: Store | None = None) -> AbstractContextManager[int]:
    """The lock to hold while the plan of ``name`` is made current, saved and launched. While
    another process holds it, ``store.on_wait`` says so."""
    paths.ensure_home()
    say = None if store is None else store.on_wait
    return exclusive_lock(paths.plan_lock_file(), wait=150, doing=f"begins {name}", say=say)


def save_plan(plan: Plan, store: Store, tries: Mapping[str, Study] | None = None) -> Study:
    """Make the study real: a folder of its own, copies of both model files, ``study.json``, and the
    runs that others have finished. A new one takes the name of its variant's failed try, if any
    (``failed_tries``). Of an existing study, it writes the changes (seeds, jobs).

    Call it inside ``planning_lock()``.
    """
    study = plan.study
    if plan.is_new:
        return _make_study(plan, store, (tries or {}).get(study.variant))
    on_record.record_begin(store, study)
    if study != plan.existing:
        studies.save(study)
        _mint(study)
    return study


def _make_study(plan: Plan, store: Store, failed_try: Study | None) -> Study:
    study, draft = plan.study, plan.draft
    failed_try = None if draft.request.fresh else failed_try
    if failed_try is not None:
        delete_restore.delete_study(store, failed_try.id)
        ingest_events.ingest_all(store)  # its rows go before another study has its name
        study = replace(study, created=_later(study.created, failed_try.created))
    given_up = failed_try.id if failed_try is not None else None
    loop = draft.request.loop
    stem = study.variant if loop is None else two_commands.study_name(loop, study.variant)
    study_id = studies.reserve_id(stem, on_record.names_on_record(store), given_up)
    study = replace(study, id=study_id)
    predicted = predictions.locked_prediction(
        store,
        study.variant,
        f"study {study_id}",
        lambda when: home_history.study_with_result(store, study, when),
    )
    study = replace(study, prediction=predicted)
    try:
        on_record.record_begin(store, study)
        draft.write(study)
        studies.make_newest(study.files.source)
        studies.save(study)
    except BaseException:  # a full disk, say: no half of a study stays
        with contextlib.suppress(Problem):
            remove_inside(study.files.root)
        raise
    _mint(study)
    if not draft.request.fresh:
        finished_runs.copy_runs(study, finished_runs.find_copies(study, StudiesOnDisk()))
    return study


def _mint(study: Study) -> None:
    """Give each run its id in W&B before it starts, so that every upload lands on the same run."""
    if study.trainer.wandb != "disabled":
        wandb_state.mint_ids(study)


# ── a name that a corrected command takes over


def failed_tries(drafts: Sequence[Study]) -> dict[str, Study]:
    """The studies, by their variant, that ended with an arm's first run, which showed no number: a
    corrected command goes on under their names. All members of a series end together."""
    on_disk = StudiesOnDisk()
    tries: dict[str, Study] = {}
    for draft in drafts:
        failed_try = _failed_try(draft, on_disk)
        series = failed_try.origin.series if failed_try is not None else None
        if series is not None:
            members = series_members.load_members(series.id).values()
            if not any(map(first_number.shows_number, members)):
                tries = {**{member.variant: member for member in members}, **tries}
        if failed_try is not None:
            tries[draft.variant] = failed_try
    return tries


def _failed_try(draft: Study, on_disk: StudiesOnDisk) -> Study | None:
    """The newest study of the same arms in the same folder, if it ended without a number."""
    command = draft.baseline, draft.variant, draft.trainer.loop.folder
    for study in on_disk:
        if (study.baseline, study.variant, study.trainer.loop.folder) != command:
            continue
        in_series = (study.origin.series is None) == (draft.origin.series is None)
        is_over = in_series and not launch.is_alive(study.files)
        return study if is_over and first_number.silent_run(study) is not None else None
    return None


def _later(time: str, other: str) -> str:
    """``time``, or the second after ``other`` if it is no later: a name and a time are one
    study."""
    if time > other:
        return time
    return (datetime.fromisoformat(other) + timedelta(seconds=1)).isoformat(timespec="seconds")

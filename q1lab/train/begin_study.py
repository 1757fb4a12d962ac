"""Make declared studies real, and train their missing runs: begin them, or resume one.

One lock is held while the studies on disk are read again, the plans are written and the runner
starts, so that two processes never begin one study twice.
"""

from __future__ import annotations

import contextlib
import shutil
from contextlib import AbstractContextManager
from dataclasses import replace

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import exclusive_lock, remove_inside
from q1lab.ground.text_formats import byte_size, plural
from q1lab.journal import delete_restore, home_history, ingest_events, on_record, predictions
from q1lab.journal.store import Store
from q1lab.judgment.run_states import MISSING, RunState
from q1lab.study import first_number, studies, two_commands
from q1lab.study.liveness import is_alive
from q1lab.study.studies import StudiesOnDisk, Study
from q1lab.train import finished_runs, launch, series_members
from q1lab.train.study_plan import Declaration, Plan, declare_drafts, prove_command_ran_here

WEIGHT_BYTES, RECORD_BYTES = 4, 10_000
"""Bytes of a weight, and about those of a run's events and log."""


def begin_studies(declared: Declaration, store: Store) -> Declaration:
    """Write every plan, and then start the first study with runs left; the others of a sweep follow
    by themselves. Returns the declaration with the studies as they are now; it is planned anew
    where something has changed since. Problem, with nothing written, if one of them is running."""
    with planning_lock(", ".join(study.variant for study in declared.studies), store):
        if not declared.is_current:
            declared = declare_drafts(declared.drafts, store, declared.refused)
        for plan in declared.plans:
            if not plan.is_new and is_alive(plan.study.files):
                raise launch.already_running(plan.study.id)
        _prove_room(declared)
        _clear_failed_tries(declared, store)
        begun = tuple(replace(plan, study=save_plan(plan, store)) for plan in declared.plans)
        for plan in begun:
            ingest_events.ingest_study(store, plan.study)
        for plan in begun:
            if plan.missing and series_members.start_study(plan.study):
                break
    return replace(declared, plans=begun)


def _prove_room(declared: Declaration) -> None:
    """Problem where the disk has not the room that the missing runs are known to take: their
    weights, and for each one that trains at once an old and a new checkpoint of weights and both
    moments. What a command writes is not known."""
    needed = 0
    for plan in declared.plans:
        largest = max(arm.n_params for arm in plan.study.arms.values()) * WEIGHT_BYTES
        at_once = min(plan.study.trainer.jobs, len(plan.missing))
        needed += len(plan.missing) * (largest + RECORD_BYTES) + at_once * 6 * largest
    free = shutil.disk_usage(paths.home()).free
    if free < needed:
        raise Problem(
            f"{plural(declared.missing, 'run')} need about {byte_size(needed)}, and "
            f"{byte_size(free)} are free at {paths.home()}: the disk would be full before the end",
            FAILED,
            next="free some space",
        )


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


def save_plan(plan: Plan, store: Store) -> Study:
    """Make the study real: a folder of its own, copies of both model files, ``study.json``, and the
    runs that others have finished. Of an existing study, it writes the changes (seeds, jobs).

    Call it inside ``planning_lock()``.
    """
    study = plan.study
    if plan.is_new:
        return _make_study(plan, store)
    on_record.record_begin(store, study)
    if study != plan.existing:
        studies.save(study)
    return study


def _make_study(plan: Plan, store: Store) -> Study:
    study, draft = plan.study, plan.draft
    loop = draft.request.loop
    stem = study.variant if loop is None else two_commands.study_name(loop, study.variant)
    study_id = studies.reserve_id(stem, on_record.names_on_record(store))
    created = on_record.time_after_namesakes(store, study_id, study.created)
    study = replace(study, id=study_id, created=created)
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
    if not draft.request.fresh:  # more may have finished since the plan was made
        finished_runs.copy_runs(study, finished_runs.find_copies(study, StudiesOnDisk()))
    return study


def _clear_failed_tries(declared: Declaration, store: Store) -> None:
    """Delete the studies that a corrected command begins anew: the newest of the same arms in the
    same folder, where it ended without a number, and the others of its sweep. Nothing speaks of
    them, so their names are free again."""
    if declared.drafts[0].request.fresh or declared.drafts[0].request.loop is None:
        return
    for plan in declared.plans:
        if plan.is_new:
            for study_id in _failed_tries(plan.study, declared.on_disk):
                delete_restore.delete_study(store, study_id)


def _failed_tries(new: Study, on_disk: StudiesOnDisk) -> list[str]:
    """The names of the studies that ended without a number and that ``new`` begins anew."""
    command = new.baseline, new.variant, new.trainer.loop.folder
    for study in on_disk:
        if (study.baseline, study.variant, study.trainer.loop.folder) != command:
            continue
        series = study.origin.series
        is_alike = (series is None) == (new.origin.series is None)
        if not is_alike or is_alive(study.files) or first_number.silent_run(study) is None:
            return []
        members = [] if series is None else list(series_members.load_members(series.id).values())
        if any(map(first_number.shows_number, members)):
            members = []
        return list(dict.fromkeys([study.id, *(member.id for member in members)]))
    return []

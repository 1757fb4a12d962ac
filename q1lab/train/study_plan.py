"""From a request to a study that trains: plan it, begin it, resume it, stop it.

Commands and app both plan here. Slow work (a preflight, checks, timed steps) depends on no other
study and comes first. Then one lock is held while the studies on disk are read again, the plan is
written and the runner starts, so that two processes never begin one study twice.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice

from q1lab.compare import pairs_needed
from q1lab.compare.pairs_needed import Spread
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import exclusive_lock, expand_user, remove_inside, sha256_text
from q1lab.journal import begin, delete_restore, home_history, ingest_events, on_record, predictions
from q1lab.journal.history import level_after
from q1lab.journal.store import Store
from q1lab.judgment import (
    difference_text,
    level_sentences,
    reasons,
    scope_text,
    verdict_text,
)
from q1lab.judgment.run_states import MISSING, RunState
from q1lab.study import (
    identity,
    kept_folder,
    seed_range,
    studies,
    two_commands,
)
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.command_line import Request
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.series import Series
from q1lab.study.studies import StudiesOnDisk, Study
from q1lab.study.study_draft import Draft
from q1lab.study.typed_seeds import TypedSeeds
from q1lab.train import (
    command_draft,
    finished_runs,
    first_number,
    launch,
    own_loop_draft,
    series_members,
)


@dataclass(frozen=True)
class Plan:
    """A study as it will run, and the facts about it that are known before."""

    draft: Draft
    """The draft that it was made from."""
    study: Study
    is_new: bool
    missing: tuple[str, ...]
    """Names of the runs that will train."""
    minutes: float | None
    """Estimate for the missing runs, from a few timed steps; None if no machine that trains
    answered."""
    notes: tuple[str, ...] = ()
    is_running: bool = False
    """True if the study trains already."""
    on_disk: StudiesOnDisk = field(kw_only=True)
    """The studies on disk when it was planned."""
    finished: finished_runs.RunCopies = ()
    """Its runs that studies on disk had finished, if it is new."""

    @property
    def is_current(self) -> bool:
        """True if it can begin as it is. An existing study may have gone on or begun to train
        meanwhile, and another study may have become the same."""
        return self.is_new and self.on_disk.is_current

    @property
    def kept_study(self) -> KeptStudy | None:
        """The folder that the study was read from, where a study of the repository trains again."""
        return self.draft.kept_study


def plan_study(request: Request, store: Store) -> Plan:
    """Check everything and find or draft the study; writes nothing but the corpus.
    ``begin_study`` makes it real.

    Raises Problem for anything that a person can fix, before any study exists.
    """
    draft, on_disk = draft_study(request, store), StudiesOnDisk()
    return plan_from_draft(draft, _study_to_continue(draft, on_disk), store, on_disk)


def _study_to_continue(draft: Draft, on_disk: StudiesOnDisk) -> Study | None:
    """The study on disk that a draft continues; None if it is a new one."""
    return None if draft.request.fresh else find_same_study(draft, on_disk)


def _finished(study: Study, draft: Draft, on_disk: StudiesOnDisk) -> finished_runs.RunCopies:
    """The finished runs that a new study can take over instead of training them."""
    return () if draft.request.fresh else finished_runs.find_copies(study, on_disk)


def draft_study(request: Request, store: Store) -> Draft:
    """The first half of ``plan_study``: everything that does not depend on other studies."""
    request, kept_study = resolve_request(request)
    seeds = request.parsed_seeds if kept_study is None else _seeds_of(kept_study.study)
    draft: Draft
    if request.loop is None:
        draft = own_loop_draft.draft(request, seeds, kept_study, store)
    else:
        draft = command_draft.draft(request, seeds, kept_study, store)
    if not request.yes:
        prove_command_ran_here(
            draft.study, str(kept_study.folder) if kept_study else draft.study.variant
        )
    return draft


def _seeds_of(study: Study) -> TypedSeeds:
    """The seeds with which a kept study trains again: those that it trained."""
    many = len(study.seeds)
    if study.seeds == tuple(range(many)):
        return TypedSeeds(study.seeds, many)
    return TypedSeeds(study.seeds, many, fresh=many, are_drawn=True)


class UnseenCommand(Problem):
    """A study from elsewhere would run a command that never ran here; ``commands`` shows it, for
    one run of each arm."""

    def __init__(self, name: str, commands: str) -> None:
        super().__init__(
            f"the command of {name} never ran here",
            next=f"`q1lab run {name}` shows it and asks",
        )
        self.displayed_commands = commands


def prove_command_ran_here(study: Study, name: str) -> None:
    """UnseenCommand where a study would run a command that never ran here."""
    shown = study.displayed_commands(study.runs[: len(studies.ARMS)], study.trainer.loop.folder)
    if shown and not any(
        is_twin(other, study) and other.files.launch.exists() for other in StudiesOnDisk()
    ):
        raise UnseenCommand(name, shown)


def plan_from_draft(
    draft: Draft,
    existing: Study | None,
    store: Store,
    on_disk: StudiesOnDisk,
    seeds: tuple[int, ...] | None = None,
) -> Plan:
    """The second half of ``plan_study``: continue an existing study, or begin the draft.

    ``seeds`` are those of a planned range, or drawn ones. Without them the study takes the first
    seeds without results, or draws new ones.
    """
    request = draft.request
    finished: finished_runs.RunCopies = ()
    ingest_events.ingest_all(store)
    if existing is not None:
        ingest_events.ingest_study(store, existing)  # one that has ended was passed over just now
        more = existing.seeds if existing.design.fresh_seeds else draft.study.seeds
        study, missing = _go_on(existing, more, store, request.jobs)
        if request.launcher is not None:
            study = study.with_trainer(launcher=request.launcher_words)
    else:
        draft = draft.after_preflight()
        study = declare_design(draft.study, draft.seeds, store, seeds)
        finished = _finished(study, draft, on_disk)
        ready = {run.name for run, _ in finished}
        missing = tuple(run.name for run in study.runs if run.name not in ready)
    seconds = draft.seconds(study, missing)
    return Plan(
        draft,
        study,
        is_new=existing is None,
        missing=missing,
        minutes=None if seconds is None else seconds / 60.0,
        notes=tuple(
            filter(
                None,
                [
                    draft.note,
                    _name_note(draft.study.variant, existing),
                    *_notes(study, existing, draft, store, on_disk),
                ],
            )
        ),
        is_running=existing is not None and launch.is_alive(study.files),
        on_disk=on_disk,
        finished=finished,
    )


def resolve_request(typed_request: Request) -> tuple[Request, KeptStudy | None]:
    """The request to plan: as typed, or, if it names the folder of a kept study, with everything
    that the folder says."""
    if typed_request.loop is not None or not kept_folder.is_kept_folder(typed_request.variant):
        return typed_request, None
    kept_study = kept_folder.load_kept_study(expand_user(typed_request.variant))
    return kept_folder.retraining_request(kept_study, typed_request), kept_study


def begin_study(request: Request, store: Store, shown_plan: Plan | None = None) -> Plan:
    """Make a study of the request and train its missing runs; returns the plan with the study as it
    is now.

    ``shown_plan`` is a plan that was shown before; it is used while nothing has changed since.
    Problem, with nothing written, if the study is running already.
    """
    if shown_plan is None:
        draft, on_disk = draft_study(request, store), StudiesOnDisk()
    else:
        draft, on_disk = shown_plan.draft, shown_plan.on_disk.refreshed()
    if _study_to_continue(draft, on_disk) is None:
        draft = draft.after_preflight()
    with planning_lock(draft.study.variant, store):
        on_disk = on_disk.refreshed()
        if shown_plan is not None and shown_plan.is_current:  # though runs may have finished since
            plan = replace(shown_plan, finished=_finished(shown_plan.study, draft, on_disk))
        else:
            plan = plan_from_draft(draft, _study_to_continue(draft, on_disk), store, on_disk)
        if not plan.is_new and launch.is_alive(plan.study.files):
            raise launch.already_running(plan.study.id)
        study = save_plan(plan, store)
        ingest_events.ingest_study(store, study)
        if plan.missing:
            launch.start_runner(study)
    return replace(plan, study=study)


def resume_study(study_id: str, store: Store) -> list[str]:
    """Train a study's missing runs; returns their names. Problem if it is complete, or running
    already."""
    with planning_lock(study_id, store):
        study = studies.load(study_id)
        prove_command_ran_here(study, study_id)
        ingest_events.ingest_study(store, study)
        missing = _missing_runs(store, study_id)
        if not missing:
            raise Problem(f"{study_id} is complete; there is nothing to resume")
        if study.origin.series is None:
            launch.start_runner(study)
        elif not series_members.start_member(study):  # the others of its series had those runs
            ingest_events.ingest_study(store, study)
    return missing


def _missing_runs(store: Store, study_id: str) -> list[str]:
    """Names of the runs that the same command again would train."""
    return [
        studies.run_name(row["arm"], row["seed"])
        for row in store.runs(study_id)
        if RunState(row["state"]) in MISSING
    ]


def train_run_again(study_id: str, run: str) -> None:
    """Train one missing run of a study, and no other. Problem if the study is running already."""
    with planning_lock(study_id):
        study = studies.load(study_id)
        prove_command_ran_here(study, study_id)
        launch.start_runner(study, only=[run])


def stop_study(study_id: str) -> bool:
    """Stop a study so that it can be resumed; waits until its processes have ended. False if it was
    not running."""
    return launch.stop_study(studies.load(study_id))


def save_plan(plan: Plan, store: Store, tries: Mapping[str, Study] | None = None) -> Study:
    """Make the study real: a folder of its own, copies of both model files, ``study.json``. A new
    one takes the name of its variant's failed try (``failed_tries``; None: look for one).

    Call it inside ``planning_lock()``. Of an existing study, it writes the changes (seeds, jobs).
    """
    study = plan.study
    if plan.is_new:
        return make_study(study, plan.draft, store, plan.finished, tries)
    begin.record_begin(store, study)
    if studies.load(study.id) != study:
        studies.save(study)
        _mint(study)
    return study


def make_study(
    study: Study,
    draft: Draft,
    store: Store,
    finished: finished_runs.RunCopies = (),
    tries: Mapping[str, Study] | None = None,
) -> Study:
    """Make a new study of its plan and of the draft that it comes from, with the runs that others
    have ``finished``; as ``save_plan``."""
    tries = failed_tries([study]) if tries is None else tries
    failed_try = None if draft.request.fresh else tries.get(study.variant)
    if failed_try is not None:
        delete_restore.delete_study(store, failed_try.id)
        ingest_events.ingest_all(store)  # its rows go before another study has its name
        study = replace(study, created=_later(study.created, failed_try.created))
    given_up = failed_try.id if failed_try is not None else None
    taken_names = on_record.names_on_record(store)
    loop = draft.request.loop
    stem = study.variant if loop is None else two_commands.study_name(loop, study.variant)
    study = replace(study, id=studies.reserve_id(stem, taken_names, given_up))
    predicted = predictions.locked_prediction(
        store,
        study.variant,
        f"study {study.id}",
        lambda when: home_history.study_with_result(store, study, when),
    )
    study = replace(study, prediction=predicted)
    try:
        begin.record_begin(store, study)
        draft.write(study)
        studies.make_newest(study.files.source)
        studies.save(study)
    except BaseException:  # a full disk, say: no half of a study stays
        with contextlib.suppress(Problem):
            remove_inside(study.files.root)
        raise
    _mint(study)
    finished_runs.copy_runs(study, finished)
    return study


def _later(time: str, other: str) -> str:
    """``time``, or the second after ``other`` if it is no later: a name and a time are one
    study."""
    if time > other:
        return time
    return (datetime.fromisoformat(other) + timedelta(seconds=1)).isoformat(timespec="seconds")


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
    for study in on_disk.trained_here():
        if (study.baseline, study.variant, study.trainer.loop.folder) != command:
            continue
        in_series = (study.origin.series is None) == (draft.origin.series is None)
        is_over = in_series and not launch.is_alive(study.files)
        return study if is_over and first_number.silent_run(study) is not None else None
    return None


def _mint(study: Study) -> None:
    """Give each run its id in W&B before it starts, so that every upload lands on the same run."""
    if study.trainer.wandb != "disabled":
        wandb_state.mint_ids(study)


def planning_lock(name: str, store: Store | None = None) -> AbstractContextManager[int]:
    """The lock to hold while the plan of ``name`` is made current, saved and launched. While
    another process holds it, ``store.on_wait`` says so."""
    paths.ensure_home()
    say = None if store is None else store.on_wait
    return exclusive_lock(paths.plan_lock_file(), wait=150, doing=f"begins {name}", say=say)


def declare_design(
    study: Study, typed: TypedSeeds, store: Store, seeds: tuple[int, ...] | None = None
) -> Study:
    """A drafted study with its declared design: its seeds (unless given, the first ones without
    results, or drawn ones) and its level, which are fixed before the first run."""
    if seeds is None:
        seeds = typed.seeds
        if typed.is_sequential:
            seeds = unseen_seeds([study], len(typed.seeds), store)
        elif typed.fresh and not typed.are_drawn:
            seeds = draw_seeds(study, store)
    study = study.with_design(batches=(seeds,), fresh_seeds=typed.fresh)
    if not typed.is_sequential:
        return study
    level = level_after(home_history.looks_before(store, study), study)
    return study.with_design(levels=seed_range.declare(typed.fewest, len(typed.seeds), level))


def unseen_seeds(drafts: Sequence[Study], most: int, store: Store) -> tuple[int, ...]:
    """The first seeds at which none of these studies has results yet."""
    ingest_events.ingest_all(store)
    used = set().union(*(home_history.seeds_with_results(store, draft) for draft in drafts))
    return tuple(islice((seed for seed in count() if seed not in used), most))


def draw_seeds(draft: Study, store: Store) -> tuple[int, ...]:
    """Seeds that no run has used, drawn from a hash of the declared question, so that nobody
    chooses them."""
    ingest_events.ingest_all(store)
    used, question = home_history.used_seeds(store), identity.question_hash(draft)
    numbers = (
        int(sha256_text(json.dumps([question, len(draft.seeds), at])), 16) % 10**9 for at in count()
    )
    fresh = (seed for seed in numbers if seed not in used)
    return tuple(islice(dict.fromkeys(islice(fresh, 2 * len(draft.seeds))), len(draft.seeds)))


def is_twin(study: Study, draft: Study) -> bool:
    """True if a study is the planned one in everything but its number of pairs."""
    return (
        studies.identity_key(study) == studies.identity_key(draft)
        and study.design.fresh_seeds == draft.design.fresh_seeds
    )


def is_same(study: Study, draft: Draft) -> bool:
    """True if a study is a draft's in everything but its number of pairs."""
    if draft.seeds.are_drawn and study.seeds != draft.study.seeds:
        return False
    return is_twin(study, draft.study)


def find_same_study(
    draft: Draft, on_disk: StudiesOnDisk, series: Series | None = None
) -> Study | None:
    """The newest study that a request continues: a single one, or a member of a series like
    ``series``. Problem if the newest was declared with another range: a plan can't be changed once
    it has begun."""
    typed = draft.seeds
    for study in on_disk.trained_here():
        if not is_same(study, draft):
            continue
        its_series = study.origin.series
        if (its_series and its_series.question_key()) != (series and series.question_key()):
            continue
        if not study.design.is_sequential:
            return None if typed.is_sequential else study
        plan = study.design.plan()
        if plan.pairs == (typed.fewest, len(typed.seeds)):
            return study
        raise Problem(
            f"{study.id} was planned with {plan.pairs[0]} to {plan.pairs[1]} pairs, and its "
            "level holds for that plan alone: ",
            next=f"go on with --seeds {study.design.typed()}, or ask again with --fresh",
        )
    return None


def _go_on(
    study: Study, seeds: tuple[int, ...], store: Store, jobs: int | None
) -> tuple[Study, tuple[str, ...]]:
    """The study with the requested seeds."""
    new = tuple(seed for seed in seeds if seed not in study.seeds)
    if new and not study.design.is_sequential:
        begun = any(row["attempt"] for row in store.runs(study.id))
        # a look of its own where results may have been seen
        batches = (*study.design.batches, new) if begun else ((*study.seeds, *new),)
        study = study.with_design(batches=batches)
    if jobs:
        study = study.with_trainer(jobs=jobs)
    done = {
        studies.run_name(r["arm"], r["seed"])
        for r in store.runs(study.id)
        if r["state"] in ("finished", "diverged")
    }
    missing = tuple(run.name for run in study.runs if run.name not in done)
    then, now = (
        study.trainer.versions.get("trainer"),
        finished_runs.trainer_version(study.trainer.kind),
    )
    if missing and done and then not in (None, now):
        later = tuple(sorted({*study.trainer.later_versions, now}))
        study = study.with_trainer(later_versions=later)
    return study, missing


def _name_note(variant: str, existing: Study | None) -> str:
    """A sentence where the study's name is not the one of the file that was typed, since that can't
    be one, or since a file of another name with the same code has a study; else empty."""
    if existing is None:
        return studies.shortened_name_note(variant)
    if variant in (existing.variant, existing.variant.removesuffix("*")):
        return ""
    return (
        f"{variant} has the code of {existing.variant}, which {existing.id} trains: this is that "
        f"study (--fresh trains a new one)"
    )


def _notes(
    study: Study,
    existing: Study | None,
    draft: Draft,
    store: Store,
    on_disk: StudiesOnDisk,
) -> list[str]:
    kept_study = draft.kept_study
    notes = []
    if study.is_floor:
        notes.append(reasons.self_comparison_sentence(study.baseline, study.variant))
    if kept_study is not None and (
        other := kept_folder.version_differences(kept_study, study.trainer.versions)
    ):
        notes.append(f"the last digits may differ from then: {other}")
    a, b = study.arms["baseline"].n_params, study.arms["modified"].n_params
    if abs(b - a) >= 0.01 * a > 0:
        notes.append(
            f"{study.variant} has {difference_text.more_or_fewer(a, b)} parameters than "
            f"{study.baseline}: {b:,} and {a:,}"
        )
    notes.append(scope_text.many_passes_warning(study.passes))
    if (series_place := study.origin.series) is not None:
        notes.append(level_sentences.series_share_sentence(series_place.share))
    if existing is None:
        notes.append(command_draft.pairing_note(study))
    elif draft.request.loop is not None:
        notes.append(command_draft.changed_code_note(existing))
    if study.design.fresh_seeds:
        notes.append(verdict_text.drawn_seeds_note(study.seeds))
    looks = home_history.looks_before(store, study)
    if study.design.level is not None:
        notes.append(
            level_sentences.planned_seeds_sentence(study.design.plan(), study.design.level)
        )
    elif existing is None or study.design.batches != existing.design.batches:
        notes.append(look_note(study, looks))
    spread = pairs_needed.spread_for(store, study, on_disk)
    if spread is not None:
        little = "" if existing else _sees_little(study, spread, level_after(looks, study), store)
        notes.append(little or pairs_needed.detectable_sentence(study, spread))
    return notes


def look_note(study: Study, looks: int) -> str:
    """A notice where a study will not be judged as a first look at its question."""
    if not study.counts_as_asking or not looks:
        return ""
    return level_sentences.later_look_note(looks, level_after(looks, study))


def _sees_little(study: Study, spread: Spread, level: float, store: Store) -> str:
    """A sentence where a new study at this level finds the δ that was predicted in few of its like;
    else empty."""
    predicted = predictions.prediction_for(store, study.variant)
    if predicted is None or not study.counts_as_asking:
        return ""
    return pairs_needed.sees_little_sentence(study, spread, float(predicted["matters"]), level)

"""From a request to the studies that it declares: one, or the members of a sweep.

Nothing is written but the corpus; begin_study.py makes the studies real.

Slow work (reading the files, the probe of the machine, the checks) depends on no other study and
makes a draft of each. The studies on disk then say which of them go on, and what is left to train.

The members of a sweep share their baseline runs, train one after another, and share the 5% of false
verdicts: each of k studies may spend 5% / k (Bonferroni). That holds whatever the studies have in
common, such as a baseline arm; it is fixed before the first run, so a planned range can stop by it;
and each study keeps an interval that can be quoted. Methods that look at all results first, such as
Holm's, can do neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count, islice

from q1lab.ground.errors import Problem
from q1lab.ground.files import expand_user, sha256_text
from q1lab.journal import home_history, ingest_events, on_record
from q1lab.journal.store import Store
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.run_states import ENDED
from q1lab.judgment.subject import MOST_MEMBERS
from q1lab.study import command_line, identity, kept_folder, seed_range, studies
from q1lab.study.command_line import Request
from q1lab.study.series import SWEEP, Series
from q1lab.study.studies import ARMS, StudiesOnDisk, Study
from q1lab.study.study_draft import Draft
from q1lab.study.typed_seeds import TypedSeeds
from q1lab.train import command_draft, finished_runs, own_loop_draft, series_members
from q1lab.train.machine import cores


@dataclass(frozen=True)
class Plan:
    """A study as it will run, and the facts about it that are known before."""

    draft: Draft
    """The draft that it was made from."""
    study: Study
    existing: Study | None
    """The study on disk that goes on; None for a new one."""
    missing: tuple[str, ...]
    """Names of the runs that will train."""

    @property
    def is_new(self) -> bool:
        return self.existing is None

    @property
    def seconds(self) -> float | None:
        """The time that the missing runs will take, from a few timed steps; None if unknown."""
        return self.draft.seconds(self.study, self.missing)


@dataclass(frozen=True)
class Declaration:
    """What a request declares: a study, or a sweep of several, in the order in which they train."""

    plans: tuple[Plan, ...]
    series: Series | None
    """The sweep; None for a study alone."""
    drafts: tuple[Draft, ...]
    """The drafts of the studies in the order of the request."""
    on_disk: StudiesOnDisk
    """The studies on disk when they were planned."""
    refused: Mapping[str, Problem] = field(default_factory=dict)
    """The files that the sweep goes on without, as they were requested, each with the reason."""

    @property
    def studies(self) -> tuple[Study, ...]:
        return tuple(plan.study for plan in self.plans)

    @property
    def missing(self) -> int:
        """The number of runs that will train at most. The members of a sweep share their baseline
        runs, so each of those counts once."""
        missing_runs = [name for plan in self.plans for name in plan.missing]
        base_runs = [name for name in missing_runs if name.startswith(f"{ARMS[0]}-")]
        return len(missing_runs) - (len(base_runs) - len(set(base_runs)))

    @property
    def is_current(self) -> bool:
        """True if it can begin as it is. An existing study may have gone on or begun to train
        meanwhile, and another study may have become the same."""
        return all(plan.is_new for plan in self.plans) and self.on_disk.is_current


def declare(request: Request, variants: Sequence[str], store: Store) -> Declaration:
    """Plan the study of ``request``, or a sweep of it over several ``variants``, without those
    files among them that are refused. Problem for anything else that a person can fix, or when no
    file is left; then no part of it exists."""
    if len(variants) > MOST_MEMBERS:
        raise Problem(f"{len(variants)} studies in one sweep; {MOST_MEMBERS} at most")
    is_sweep = len(variants) > 1
    requests = [replace(request, variant=name) for name in variants] if is_sweep else [request]
    drafts, refused = _drafts(requests, store)
    if is_sweep:
        _prove_sweep(drafts)
    return declare_drafts(drafts, store, refused)


def draft_study(request: Request, store: Store) -> Draft:
    """The study that a request would be if there were no others. Problem for anything that a person
    can fix; UnseenCommand for a command that a person has to see first."""
    kept_study = None
    if request.loop is None and kept_folder.is_kept_folder(request.variant):
        kept_study = kept_folder.load_kept_study(expand_user(request.variant))
        request = kept_folder.retraining_request(kept_study, request)
    seeds = request.parsed_seeds if kept_study is None else kept_folder.trained_seeds(kept_study)
    draft: Draft
    if request.loop is None:
        draft = own_loop_draft.draft(request, seeds, kept_study, store)
    else:
        draft = command_draft.draft(request, seeds, kept_study)
    if not request.yes:
        prove_command_ran_here(
            draft.study, str(kept_study.folder) if kept_study else draft.study.variant
        )
    return draft


class UnseenCommand(Problem):
    """A study from elsewhere would run a command that never ran here; ``displayed_commands``
    shows it, for one run of each arm."""

    def __init__(self, name: str, commands: str) -> None:
        super().__init__(
            f"the command of {name} never ran here",
            next=f"`q1lab run {name}` shows it and asks",
        )
        self.displayed_commands = commands


def prove_command_ran_here(study: Study, name: str) -> None:
    """UnseenCommand where a study would run a command that never ran here."""
    shown = study.displayed_commands(study.runs[: len(ARMS)], study.trainer.loop.folder)
    if shown and not any(
        identity.is_twin(other, study) and other.files.launch.exists() for other in StudiesOnDisk()
    ):
        raise UnseenCommand(name, shown)


class _Refused(Problem):
    """Some model files are refused: the reason of each, by the name that was requested."""

    def __init__(self, refused: Mapping[str, Problem]) -> None:
        first = next(iter(refused.values()))
        super().__init__("; ".join(map(str, refused.values())), first.code)
        self.refused = dict(refused)


def _drafts(
    requests: Sequence[Request], store: Store
) -> tuple[tuple[Draft, ...], dict[str, Problem]]:
    """A draft of each, and the reasons why there is none of some files. Problem where something
    else than a file can't be planned, or none can."""
    drafts: list[Draft] = []
    bad: dict[str, Problem] = {}
    for request in requests:
        try:
            drafts.append(draft_study(request, store))
        except Problem as problem:
            if len(requests) == 1:
                raise
            bad.setdefault(request.variant, problem)
    if not drafts or not all(expand_user(name).is_file() for name in bad):
        good = [request.variant for request in requests if request.variant not in bad]
        others = command_line.sweep_command(requests[0], good) if good else ""
        first = next(iter(bad.values()))
        raise Problem(
            "; ".join(map(str, bad.values())),
            first.code,
            next=f"for the others: {others}" if good else "",
        )
    return tuple(drafts), bad


def _prove_sweep(drafts: Sequence[Draft]) -> None:
    """Problem for drafts that can't be members of one sweep."""
    for draft in drafts:
        if draft.kept_study is not None or draft.study.is_floor:
            subject = "a kept study" if draft.kept_study is not None else "the baseline itself"
            raise Problem(
                f"{draft.request.variant}: {subject} can't be part of a sweep",
                next="run it alone",
            )
    labels = _labels(drafts)
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise Problem(f"{twice} is listed twice; each counts once")


def _labels(drafts: Sequence[Draft]) -> tuple[str, ...]:
    return tuple(draft.study.arms["modified"].origin for draft in drafts)


# ── with the studies on disk


def declare_drafts(
    drafts: tuple[Draft, ...], store: Store, refused: Mapping[str, Problem]
) -> Declaration:
    """The declaration of these drafts, with the studies that are on disk now, without those whose
    files the checks refuse, beside the files that were ``refused`` before."""
    on_disk = StudiesOnDisk()
    ingest_events.ingest_all(store)
    try:
        declared = _declare_all(drafts, on_disk, store)
    except _Refused as problem:
        refused = {**refused, **problem.refused}
        good = tuple(draft for draft in drafts if draft.request.variant not in refused)
        if good:
            return declare_drafts(good, store, refused)
        raise _Refused(refused) if len(refused) > 1 else next(iter(refused.values())) from None
    return replace(declared, refused=refused)


def _declare_all(drafts: tuple[Draft, ...], on_disk: StudiesOnDisk, store: Store) -> Declaration:
    """The declaration of drafts. _Refused where the checks of a new study refuse its files."""
    if len(drafts) > 1:
        return _declare_sweep(drafts, on_disk, store)
    (draft,) = drafts
    existing = None if draft.request.fresh else find_same_study(draft, on_disk)
    if existing is None:
        _check(drafts)
    return Declaration((_plan(draft, existing, on_disk, store),), None, drafts, on_disk)


def _declare_sweep(drafts: tuple[Draft, ...], on_disk: StudiesOnDisk, store: Store) -> Declaration:
    """The same sweep on disk with the plans of its members, or a new one."""
    first, labels = drafts[0], _labels(drafts)
    by_name = dict(zip(labels, drafts, strict=True))
    series = Series("", labels, 0, ALPHA / len(labels), fresh=first.request.fresh)
    found = None if first.request.fresh else _find_same_series(series, by_name, on_disk)
    members: dict[int, Study] = {}
    deleted: set[int] = set()
    if found is None:
        series_id = series_members.new_series_id(SWEEP, on_record.names_on_record(store))
        record = replace(series, id=series_id, seeds=_seeds_of_sweep(drafts, store))
    else:
        record, members = found
        deleted = on_record.deleted_places(store, record.id)
    _check([by_name[name] for at, name in enumerate(record.members) if at not in members])
    plans = []
    for at, name in enumerate(record.members):
        if at in members or at not in deleted:
            study = by_name[name].study.with_origin(series=record.with_place(at))
            draft = replace(by_name[name], study=study)
            plans.append(_plan(draft, members.get(at), on_disk, store, record.seeds or None))
    return Declaration(tuple(plans), record, drafts, on_disk)


def _check(drafts: Sequence[Draft]) -> None:
    """Check all files of new studies, several at a time, each once: drafts share their baseline's.
    _Refused where some fail."""
    checks = {name: check for draft in drafts for name, check in draft.checks.items()}
    pool = ThreadPoolExecutor(cores())
    futures = {name: pool.submit(check) for name, check in checks.items()}
    refused: dict[str, Problem] = {}
    try:
        for name, future in futures.items():
            if isinstance(problem := future.exception(), Problem):
                of = (draft.request.variant for draft in drafts if name in draft.checks)
                refused |= dict.fromkeys(of, problem)
            else:
                future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if refused:
        raise _Refused(refused)


def _plan(
    draft: Draft,
    existing: Study | None,
    on_disk: StudiesOnDisk,
    store: Store,
    seeds: tuple[int, ...] | None = None,
) -> Plan:
    """Continue an existing study, or begin the draft.

    ``seeds`` are those of a planned range, or drawn ones. Without them the study takes the first
    seeds without results, or draws new ones.
    """
    if existing is None:
        study = _declare_design(draft.study, draft.seeds, store, seeds)
        copies = () if draft.request.fresh else finished_runs.find_copies(study, on_disk)
        finished = {run.name for run, _ in copies}
    else:
        ingest_events.ingest_study(store, existing)  # one that has ended was passed over
        rows = store.runs(existing.id)
        study = _with_more_seeds(existing, draft, is_begun=any(row["attempt"] for row in rows))
        finished = {
            studies.run_name(row["arm"], row["seed"]) for row in rows if row["state"] in ENDED
        }
        study = _as_asked_now(study, draft.request)
        if finished and any(run.name not in finished for run in study.runs):
            study = _with_trainer_of_now(study)
    missing = tuple(run.name for run in study.runs if run.name not in finished)
    return Plan(draft, study, existing, missing)


def _is_same(study: Study, draft: Draft) -> bool:
    """True if a study is a draft's in everything but its number of pairs."""
    if draft.seeds.are_drawn and study.seeds != draft.study.seeds:
        return False
    return identity.is_twin(study, draft.study)


def find_same_study(
    draft: Draft, on_disk: StudiesOnDisk, series: Series | None = None
) -> Study | None:
    """The newest study that a request continues: a single one, or a member of a series like
    ``series``. Problem if the newest was declared with another range: a plan can't be changed once
    it has begun."""
    typed = draft.seeds
    for study in on_disk:
        if not _is_same(study, draft):
            continue
        its_series = study.origin.series
        if (its_series and its_series.question_key()) != (series and series.question_key()):
            continue
        if not study.design.is_sequential:
            return None if typed.is_sequential else study
        fewest, most = study.design.pairs
        if (fewest, most) == (typed.fewest, len(typed.seeds)):
            return study
        raise Problem(
            f"{study.id} was planned with {fewest} to {most} pairs, and its level holds for that "
            "plan alone: ",
            next=f"go on with --seeds {study.design.typed()}, or ask again with --fresh",
        )
    return None


def _find_same_series(
    series: Series, drafts: Mapping[str, Draft], on_disk: StudiesOnDisk
) -> tuple[Series, dict[int, Study]] | None:
    """The newest sweep on disk that differs at most in its seeds, and its members by their places.
    Problem if it was declared with another range."""
    for draft in drafts.values():
        study = find_same_study(draft, on_disk, series)
        if study is None or study.origin.series is None:
            continue
        record = study.origin.series
        members = series_members.load_members(record.id)
        planned = [drafts[name] for name in record.members]
        if all(_is_same(member, planned[place]) for place, member in members.items()):
            return record, members
    return None


# ── a study that goes on


def _with_more_seeds(study: Study, draft: Draft, *, is_begun: bool) -> Study:
    """The study with the requested seeds."""
    more = study.seeds if study.design.fresh_seeds else draft.study.seeds
    new = tuple(seed for seed in more if seed not in study.seeds)
    if not new or study.design.is_sequential:
        return study
    # a look of its own where results may have been seen
    batches = (*study.design.batches, new) if is_begun else ((*study.seeds, *new),)
    return study.with_design(batches=batches)


def _as_asked_now(study: Study, request: Request) -> Study:
    """The study with the number of jobs and the launcher of this request, if any."""
    if request.jobs:
        study = study.with_trainer(jobs=request.jobs)
    if request.launcher is not None:
        study = study.with_trainer(launcher=request.launcher_words)
    return study


def _with_trainer_of_now(study: Study) -> Study:
    """The study with a record of the trainer's code, if that has changed since it was planned."""
    then = study.trainer.versions.get("trainer")
    now = finished_runs.trainer_version(study.trainer.kind)
    if then in (None, now):
        return study
    later = tuple(sorted({*study.trainer.later_versions, now}))
    return study.with_trainer(later_versions=later)


# ── the seeds and the level of a new study


def _declare_design(
    study: Study, typed: TypedSeeds, store: Store, seeds: tuple[int, ...] | None
) -> Study:
    """A drafted study with its declared design: its seeds (unless given, the first ones without
    results, or drawn ones) and its level, which are fixed before the first run."""
    if seeds is None:
        seeds = typed.seeds
        if typed.is_sequential:
            seeds = _unseen_seeds([study], len(typed.seeds), store)
        elif typed.fresh and not typed.are_drawn:
            seeds = _drawn_seeds(study, store)
    study = study.with_design(batches=(seeds,))
    if not typed.is_sequential:
        return study
    level = home_history.next_look(store, study).level
    return study.with_design(levels=seed_range.declare(typed.fewest, len(typed.seeds), level))


def _seeds_of_sweep(drafts: Sequence[Draft], store: Store) -> tuple[int, ...]:
    """The seeds of a planned range, of which no member has results yet, or drawn ones; empty for a
    fixed number."""
    first = drafts[0]
    if first.seeds.fresh:
        return _drawn_seeds(first.study, store)
    if not first.seeds.is_sequential:
        return ()
    return _unseen_seeds([draft.study for draft in drafts], len(first.seeds.seeds), store)


def _unseen_seeds(drafts: Sequence[Study], most: int, store: Store) -> tuple[int, ...]:
    """The first seeds at which none of these studies has results yet."""
    used = set().union(*(home_history.seeds_with_results(store, draft) for draft in drafts))
    return tuple(islice((seed for seed in count() if seed not in used), most))


def _drawn_seeds(draft: Study, store: Store) -> tuple[int, ...]:
    """Seeds that no run has used, drawn from a hash of the declared question, so that nobody
    chooses them."""
    used, question = home_history.used_seeds(store), identity.question_hash(draft)
    numbers = (
        int(sha256_text(json.dumps([question, len(draft.seeds), at])), 16) % 10**9 for at in count()
    )
    fresh = (seed for seed in numbers if seed not in used)
    return tuple(islice(dict.fromkeys(islice(fresh, 2 * len(draft.seeds))), len(draft.seeds)))

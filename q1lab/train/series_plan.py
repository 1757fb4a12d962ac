"""Declare several studies together, before the first of them begins: a sweep over modifications.

They share their baseline runs, train one after another, and share the 5% of false verdicts: each of
k studies may spend 5% / k (Bonferroni). That holds whatever the studies have in common, such as a
baseline arm; it is fixed before the first run, so a planned range can stop by it; and each study
keeps an interval that can be quoted. Methods that look at all results first, such as Holm's, can do
neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from q1lab.ground.errors import Problem
from q1lab.journal import ingest_events, on_record
from q1lab.journal.store import Store
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.subject import MOST_MEMBERS
from q1lab.study import command_line, studies
from q1lab.study.command_line import Request
from q1lab.study.series import SWEEP, Series
from q1lab.study.studies import ARMS, Study
from q1lab.study.study_draft import Draft
from q1lab.train import launch, series_members, study_plan
from q1lab.train.machine import cores
from q1lab.train.study_plan import Plan


@dataclass(frozen=True)
class DeclaredSeries:
    """A sweep, and the plans of its members in the order in which they train."""

    series: Series
    plans: tuple[Plan, ...]
    requested: Series
    """The sweep as it was requested, with the drafts of its members in that order."""
    drafts: tuple[Draft, ...]

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


def plan_sweep(request: Request, variants: Sequence[str], store: Store) -> DeclaredSeries:
    """Plan the sweep of ``request`` over these modifications; writes nothing but the corpus.
    Problem for anything that a person can fix; then no part of the sweep exists."""
    if len(variants) < 2:
        only_variant = (*variants, "rope")[0]
        command = command_line.command_text(replace(request, variant=only_variant))
        raise Problem(
            "a sweep compares at least two modifications",
            next=f"for one: {command}",
        )
    if len(variants) > MOST_MEMBERS:
        raise Problem(f"{len(variants)} studies in one sweep; {MOST_MEMBERS} at most")
    requests = [replace(request, variant=variant) for variant in variants]
    drafts = _drafts(requests, store)
    for member, draft in zip(requests, drafts, strict=True):
        if draft.kept_study is not None or draft.study.is_floor:
            subject = "a kept study" if draft.kept_study is not None else "the baseline itself"
            raise Problem(
                f"{member.variant}: {subject} can't be part of a sweep",
                next="run it alone",
            )
    labels = tuple(draft.study.arms["modified"].origin for draft in drafts)
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise Problem(f"{twice} is listed twice; each counts once")
    requested = Series("", labels, 0, ALPHA / len(labels), fresh=request.fresh)
    return _find_or_make(requested, tuple(drafts), store)


def begin_series(declared: DeclaredSeries, store: Store) -> DeclaredSeries:
    """Write every plan, and then start the first study with runs left; the others follow by
    themselves. Problem, with nothing started, if one of them is running."""
    with study_plan.planning_lock(", ".join(declared.series.members), store):
        if not declared.plans[0].on_disk.is_current:
            # another study was planned in the meantime
            declared = _find_or_make(declared.requested, declared.drafts, store)
        for plan in declared.plans:
            if not plan.is_new and launch.is_alive(plan.study.files):
                raise launch.already_running(plan.study.id)
        begun = []
        tries = study_plan.failed_tries([plan.study for plan in declared.plans if plan.is_new])
        for plan in declared.plans:
            study = study_plan.save_plan(plan, store, tries)
            ingest_events.ingest_study(store, study)
            begun.append(replace(plan, study=study))
        for plan in begun:
            if series_members.has_runs_left(plan.study) and series_members.start_member(plan.study):
                break
    return replace(declared, plans=tuple(begun))


def _find_or_make(series: Series, drafts: tuple[Draft, ...], store: Store) -> DeclaredSeries:
    """The requested sweep with the plans of its members: the same sweep on disk, or a new one."""
    first = drafts[0]
    by_name = dict(zip(series.members, drafts, strict=True))
    on_disk = studies.StudiesOnDisk()
    record = None if first.request.fresh else _find_same_series(series, by_name, on_disk)
    members_on_disk = {} if record is None else series_members.load_members(record.id)
    deleted = set() if record is None else on_record.deleted_places(store, record.id)
    if record is None:
        series_id = series_members.new_series_id(SWEEP, on_record.names_on_record(store))
        record = replace(series, id=series_id, seeds=_seeds(drafts, store))
    new = [by_name[name] for at, name in enumerate(record.members) if at not in members_on_disk]
    _check(new, [draft.request for draft in drafts])
    plans = []
    for at, name in enumerate(record.members):
        if at in members_on_disk or at not in deleted:
            member = by_name[name].study.with_origin(series=record.with_place(at))
            draft = replace(by_name[name], study=member)
            plans.append(
                study_plan.plan_from_draft(
                    draft, members_on_disk.get(at), store, on_disk, record.seeds or None
                )
            )
    return DeclaredSeries(record, tuple(plans), series, drafts)


def _drafts(requests: Sequence[Request], store: Store) -> list[Draft]:
    """A draft of each. Problem where one can't be planned."""
    drafts: list[Draft] = []
    bad: dict[str, Problem] = {}
    for request in requests:
        try:
            drafts.append(study_plan.draft_study(request, store))
        except Problem as problem:
            bad.setdefault(request.variant, problem)
    if bad:
        raise _refused(requests, bad)
    return drafts


def _check(new: Sequence[Draft], requests: Sequence[Request]) -> None:
    """Check all files of these drafts, several at a time. The first failure ends it, before the
    others are through."""
    pool = ThreadPoolExecutor(cores())
    checks = {  # by name: drafts share their baseline's
        name: (draft.request.variant, check)
        for draft in new
        for name, check in draft.checks.items()
    }
    variant_by_future = {pool.submit(check): variant for variant, check in checks.values()}
    try:
        for future in as_completed(variant_by_future):
            if isinstance(problem := future.exception(), Problem):
                raise _refused(requests, {variant_by_future[future]: problem})
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _refused(requests: Sequence[Request], bad: Mapping[str, Problem]) -> Problem:
    """A Problem that lists those of the ``bad`` modifications, and how to continue without
    them."""
    good = [request.variant for request in requests if request.variant not in bad]
    others = f"for the others: {command_line.sweep_command(requests[0], good)}" if good else ""
    code = next(iter(bad.values())).code
    return Problem("; ".join(map(str, bad.values())), code, next=others)


def _seeds(drafts: Sequence[Draft], store: Store) -> tuple[int, ...]:
    """The seeds of a planned range, of which no member has results yet, or drawn ones; empty for a
    fixed number."""
    first = drafts[0]
    if first.study.design.fresh_seeds:
        return study_plan.draw_seeds(first.study, store)
    if not first.seeds.is_sequential:
        return ()
    return study_plan.unseen_seeds([draft.study for draft in drafts], len(first.seeds.seeds), store)


def _find_same_series(
    series: Series, drafts: Mapping[str, Draft], on_disk: studies.StudiesOnDisk
) -> Series | None:
    """The newest sweep on disk that differs at most in its seeds. Problem if it was declared with
    another range."""
    for draft in drafts.values():
        study = study_plan.find_same_study(draft, on_disk, series)
        if study is None or study.origin.series is None:
            continue
        record = study.origin.series
        members = series_members.load_members(record.id).items()
        planned = [drafts[name] for name in record.members]
        if all(study_plan.is_same(member, planned[place]) for place, member in members):
            return record
    return None

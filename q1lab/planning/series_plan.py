"""Declare several studies together, before the first of them begins: a sweep over modifications, or
one modification over an axis.

They share their baseline runs, train one after another, and share the 5% of false verdicts: each of
k studies may spend 5% / k (Bonferroni). That holds whatever the studies have in common, such as a
baseline arm; it is fixed before the first run, so a planned range can stop by it; and each study
keeps an interval that can be quoted. Methods that look at all results first, such as Holm's, can do
neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from q1lab.designs.tuning import Tuning
from q1lab.ground.errors import UNFINISHED, Problem
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.subject import MOST_MEMBERS, TunedValue
from q1lab.planning import study_plan
from q1lab.planning.study_plan import Plan
from q1lab.record import on_record
from q1lab.runner import launch, series_members
from q1lab.runner.machine import cores
from q1lab.study import command_line, presets, studies, tuned_value
from q1lab.study.command_line import Request
from q1lab.study.design import TypedSeeds
from q1lab.study.series import OVER, SWEEP, TUNE, Series
from q1lab.study.studies import ARMS, Study
from q1lab.study.study_draft import Draft


@dataclass(frozen=True)
class DeclaredSeries:
    """A series, and the plans of its members in the order in which they train."""

    series: Series
    plans: tuple[Plan, ...]
    requested: Series
    """The series as it was requested, with the drafts of its members in that order."""
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
        repeated = len(base_runs) - len(set(base_runs)) if self.series.kind == SWEEP else 0
        return len(missing_runs) - repeated


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
    requests = [replace(request, variant=variant) for variant in variants]
    return _declare(SWEEP, "", None, requests, store)


def plan_axis(request: Request, axis: str, values: Sequence[str], store: Store) -> DeclaredSeries:
    """Plan the study of ``request`` at each value of a hyperparameter; as
    ``plan_sweep``."""
    if axis in request.overrides:
        raise Problem(f"{axis} is given to --over and to --set", next="leave one of them out")
    requests = [
        replace(request, over=None, overrides={**request.overrides, axis: value})
        for value in values
    ]
    return _declare(OVER, axis, tuple(values), requests, store)


def plan_tuning(request: Request, key: str, store: Store) -> DeclaredSeries:
    """Plan the studies that tune a hyperparameter before the study of ``request``: each value in
    both arms, on the seeds of tuning. Problem unless it is a number that can be halved and
    doubled."""
    key = presets.ABBREVIATIONS.get(key, key)
    draft = study_plan.draft_study(replace(request, tune=None, tuned=None), store)
    if key not in draft.study.trainer.hyperparameters:
        presets.resolve_config(draft.study.trainer.recipe, {key: "1"})  # its Problem lists the keys
    around = draft.study.trainer.hyperparameters.get(key)
    if not isinstance(around, float) or around <= 0:
        raise Problem(
            f"--tune {key}: its value is {around}; only a decimal number above 0 can be halved and "
            "doubled, such as learning_rate"
        )
    values = tuple(f"{around * factor:g}" for factor in tuned_value.FACTORS)
    other_overrides = {name: value for name, value in request.overrides.items() if name != key}
    requests = [
        replace(
            request,
            seeds=str(len(tuned_value.TUNING_SEEDS)),
            overrides={**other_overrides, key: value},
            tune=None,
        )
        for value in values
    ]
    return _declare(TUNE, key, values, requests, store, request.seeds)


def tuning_result(record: Series, store: Store) -> TunedValue:
    """The value that each arm chose, once every value was tried. Problem while a run is missing,
    and if every value diverged."""
    members_on_disk = series_members.load_members(record.id)
    unfinished = any(map(series_members.has_runs_left, members_on_disk.values()))
    if unfinished or len(members_on_disk) < len(record.members):
        line = "the same command"
        if members_on_disk:
            line = command_line.resume_command(next(iter(members_on_disk.values())))
        raise Problem(
            f"{record.axis} is not tuned yet: runs of {record.id} are missing",
            UNFINISHED,
            next=f"go on with: {line}",
        )
    tried: dict[str, list[float | None]] = {arm: [] for arm in ARMS}
    for _, member in sorted(members_on_disk.items()):
        ingest_events.ingest_study(store, member)
        for arm, losses in tried.items():
            arm_losses = [row["val_loss"] for row in store.runs(member.id) if row["arm"] == arm]
            losses.append(None if None in arm_losses else sum(arm_losses) / len(arm_losses))
    values = tuple(float(value) for value in record.members)
    chosen: dict[str, float] = {}
    for arm, losses in tried.items():
        best = tuned_value.best_value(values, losses)
        if best is None:
            raise Problem(
                f"every {record.axis} diverged in the {arm} arm", next="set a smaller value"
            )
        chosen[arm] = best
    return TunedValue(
        record.axis,
        around=values[tuned_value.FACTORS.index(1.0)],
        values=values,
        seeds=len(tuned_value.TUNING_SEEDS),
        chosen=chosen,
        losses={arm: tuple(losses) for arm, losses in tried.items()},
        series=record.id,
    )


def parse_axis(text: str) -> tuple[str, tuple[str, ...]]:
    """``max_iters=500,1000,2000`` as the axis and its values, in rising order. Problem for any
    other text."""
    key, sign, rest = text.partition("=")
    axis = presets.ABBREVIATIONS.get(key.strip(), key.strip())
    axis_values = [part.strip() for part in rest.split(",") if part.strip()]
    if not sign or not axis or not axis_values:
        raise Problem(
            f"--over {text!r}: ", next="give KEY=VALUE,VALUE, such as max_iters=500,1000,2000"
        )
    values: dict[float, str] = {}
    for part in axis_values:
        try:
            number = float(part)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise Problem(f"--over {text}: {part} is not a number; an axis takes numbers")
        values.setdefault(number, part)
    if len(values) < 2:
        raise Problem(
            f"--over {text}: an axis has at least two values",
            next=f"for one, leave --over out and give --set {axis}={axis_values[0]}",
        )
    return axis, tuple(values[number] for number in sorted(values))


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


def _declare(
    kind: str,
    axis: str,
    values: tuple[str, ...] | None,
    requests: Sequence[Request],
    store: Store,
    then: str = "",
) -> DeclaredSeries:
    if len(requests) > MOST_MEMBERS:
        raise Problem(f"{len(requests)} studies in one series; {MOST_MEMBERS} at most")
    drafts = _drafts(requests, store)
    if kind == TUNE:
        seeds = TypedSeeds(Tuning, tuned_value.TUNING_SEEDS, len(tuned_value.TUNING_SEEDS))
        drafts = [replace(draft, seeds=seeds) for draft in drafts]
    for request, draft in zip(requests, drafts, strict=True):
        if draft.kept_study is not None or draft.study.is_floor:
            subject = "a kept study" if draft.kept_study is not None else "the baseline itself"
            raise Problem(
                f"{request.variant}: {subject} can't be part of a series",
                next="run it alone",
            )
    labels = values or tuple(draft.study.arms["modified"].origin for draft in drafts)
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise Problem(f"{twice} is listed twice; each counts once")
    first = drafts[0]
    requested = Series(
        "", kind, labels, 0, ALPHA / len(labels), axis, fresh=first.request.fresh, then=then
    )
    return _find_or_make(requested, tuple(drafts), store)


def _find_or_make(series: Series, drafts: tuple[Draft, ...], store: Store) -> DeclaredSeries:
    """The requested series with the plans of its members: the same series on disk, or a new one."""
    first, kind = drafts[0], series.kind
    by_name = dict(zip(series.members, drafts, strict=True))
    on_disk = studies.StudiesOnDisk()
    record = None if first.request.fresh else _find_same_series(series, by_name, on_disk)
    members_on_disk = {} if record is None else series_members.load_members(record.id)
    deleted = set() if record is None else on_record.deleted_places(store, record.id)
    if record is None:
        series_id = series_members.new_series_id(kind, on_record.names_on_record(store))
        record = replace(series, id=series_id, seeds=_seeds(drafts, store))
    if kind == SWEEP:
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
    """The newest series on disk that differs at most in its seeds. Problem if it was declared with
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

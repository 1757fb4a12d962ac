"""The studies on record with their runs, read from the index and the journal's lines.

A study stays on record when it is stopped, deleted, or removed by hand. ledger.py judges what is
read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from q1lab.index.store import Row, Store
from q1lab.record import questions
from q1lab.record.declarations import FirstChain, declaration_of, differing_fields
from q1lab.study.identity import FIRST_LOSSES, Fingerprints
from q1lab.study.liveness import is_alive
from q1lab.study.run_states import ENDED, RunState
from q1lab.study.studies import ARMS, Run, Study


@dataclass(frozen=True)
class RunEnd:
    """The end of a run: ``finished`` or ``diverged``, and its final val loss (nats)."""

    state: str
    val_loss: float | None


RunEnds = Mapping[tuple[str, int], RunEnd]
"""(arm, seed) → its end, for the runs that finished or diverged."""


@dataclass(frozen=True, eq=False)
class RecordedStudy:
    """A study on record, and the facts on record about its runs."""

    study: Study
    begun_at: tuple[str, ...]
    """The time (UTC) at which each batch of its seeds was begun."""
    ends: RunEnds = field(default_factory=dict)
    seen_since: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """(arm, seed) → the time (UTC) from which on a result of that run could be seen."""
    first_result: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """(arm, seed) → the time (UTC) at which the attempt that came to a result began."""
    restarts: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """(arm, seed) → how often that run began again after it had shown a result, where the same seed
    gives other numbers each time."""
    marks: Fingerprints | None = None
    """The fingerprints of its question as they were declared; None if they are those of its
    plan."""
    first_chain: FirstChain | None = None
    """The journal that came with it from another home."""
    alpha_elsewhere: float | None = None
    """The α that it has spent of a gate's budget, and not of its question's."""
    changed: tuple[str, ...] = ()
    """The parts of its plan that differ from the declaration
    (``declarations.DIFFERENCE_CODES``)."""
    losses: Mapping[str, Mapping[int, Mapping[int, float]]] = field(default_factory=dict)
    """Arm → seed → iter → training loss, of the first iters."""
    is_forgotten: bool = False
    """True if the first losses of its runs are not on record: an edit since then may have changed
    nothing that trains."""

    def drawn_seed(self, arm: str, seed: int) -> int:
        """The seed from which a run draws its weights and batches."""
        return self.study.trainer.drawn_seed(Run(arm, "", seed))

    @cached_property
    def seen_at(self) -> dict[str, dict[int, str]]:
        """Arm → drawn seed → the time (UTC) from which on a result of that run could be seen; empty
        where the runs' seeds are not known: nobody could pick among them."""
        seen_at: dict[str, dict[int, str]] = {arm: {} for arm in ARMS}
        if not self.study.design.has_seeds:
            return seen_at
        for (arm, seed), since in self.seen_since.items():
            seen_at[arm][self.drawn_seed(arm, seed)] = since
        return seen_at

    def seen_seeds(self, arm: str, until: str) -> set[int]:
        """The drawn seeds of an arm's runs whose results could be seen by ``until`` (UTC)."""
        return {seed for seed, since in self.seen_at[arm].items() if since <= until}

    @cached_property
    def batches(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """(seeds, time) of each batch that was declared together; the time is that of its first
        result, since until then a study may be begun and given up for another one. A first batch of
        a single pair is an experiment; it counts as one batch with the next."""
        merged: list[tuple[tuple[int, ...], str]] = []
        for seeds, begun_at in zip(self.study.design.batches, self.begun_at, strict=True):
            at = self._chosen_at(seeds, begun_at)
            if len(merged) == 1 and len(merged[0][0]) == 1:
                merged = [((*merged[0][0], *seeds), at)]
            else:
                merged.append((seeds, at))
        return tuple(merged)

    def _chosen_at(self, seeds: tuple[int, ...], begun_at: str) -> str:
        """The time until which these seeds could still be given up unseen; ``~``, later than any
        other, while no run of them has shown a result."""
        times = [
            max(begun_at, self.first_result.get((arm, seed), ""))
            for arm in ARMS
            for seed in seeds
            if (arm, seed) in self.seen_since
        ]
        return min(times, default="~")


def pair_differences(study: Study, ends: RunEnds) -> list[float | None]:
    """The differences (nats) of the first pairs that have ended, in the order of the plan; None for
    a pair with a diverged run."""
    differences: list[float | None] = []
    for seed in study.seeds:
        base_end, modified_end = (ends.get((arm, seed)) for arm in ARMS)
        if base_end is None or modified_end is None:
            break
        base, modified = (
            end.val_loss if end.state == RunState.FINISHED else None
            for end in (base_end, modified_end)
        )
        differences.append(None if base is None or modified is None else modified - base)
    return differences


def counted_losses(
    study: Study, ends: RunEnds
) -> tuple[dict[int, float | None], dict[int, float | None]] | None:
    """The final losses of both arms by seed, baseline first, of the runs that count; None while the
    study is not over."""
    differences = pair_differences(study, ends)
    if study.design.over_after(differences, study.smallest_that_matters) is None:
        return None
    seeds = study.design.counted_seeds(differences, study.smallest_that_matters)
    base, modified = (
        {seed: ends[arm, seed].val_loss for seed in seeds if (arm, seed) in ends} for arm in ARMS
    )
    return base, modified


def read_recorded_studies(store: Store) -> tuple[list[RecordedStudy], int]:
    """Every study on record that asks a question, and the number of lines that can't be read."""
    rows: dict[str, list[Row]] = {}
    for row in questions.started_runs(store):
        rows.setdefault(row["study_id"], []).append(row)
    losses: dict[str, Any] = {}
    for row in questions.read_first_losses(store, FIRST_LOSSES):
        by_seed = losses.setdefault(row["study_id"], {}).setdefault(row["arm"], {})
        by_seed.setdefault(row["seed"], {})[row["iter"]] = row["value"]
    begun_studies, unreadable = questions.begun_studies(store)
    on_disk, deleted = questions.studies_on_disk(store), questions.deleted_plans(store)
    plans = {
        **{key: begun.study for key, begun in begun_studies.items()},
        **{key: study for key, (study, _) in deleted.items()},
        **on_disk,
    }
    iters_by_study = dict(zip(plans, questions.telling_iters(list(plans.values())), strict=True))
    recorded = []
    for key, iters in iters_by_study.items():
        begun = begun_studies.get(key)
        if key in on_disk:
            study = on_disk[key]
            study_rows = rows.get(study.id, [])
            begun = begun or _never_begun(study, begun_studies)
            entry = _from_rows(study, begun, study_rows, losses.get(study.id, {}), iters)
            if begun and begun.study != study:
                changed = differing_fields(declaration_of(begun.study), study)
                entry = _as_declared(entry, begun, changed) if changed else entry
        elif key in deleted:
            entry = _from_deletion(deleted[key][0], begun, deleted[key][1], iters)
        else:
            assert begun is not None
            entry = _removed_by_hand(begun.study, begun)
        if entry.study.design.counts_as_asking:
            if begun is not None:
                entry = replace(
                    entry,
                    marks=begun.marks,
                    first_chain=begun.first_chain,
                    alpha_elsewhere=None if begun.asks else entry.study.design.alpha_elsewhere,
                )
            recorded.append(entry)
    return recorded, unreadable


def _never_begun(
    study: Study, begun_studies: Mapping[questions.StudyKey, questions.BegunStudy]
) -> questions.BegunStudy | None:
    """A study that is on disk and was never put on record, in a home that puts its studies on
    record: a copy of another one, say. Its seeds could be chosen until now. None for a study that
    is older than the record, or that came from elsewhere."""
    first = min((begun.study.created for begun in begun_studies.values()), default="~")
    if not study.origin.is_ours or study.created < first:
        return None
    return questions.BegunStudy(study, ("~",) * len(study.design.batches))


def _as_declared(
    entry: RecordedStudy, begun: questions.BegunStudy, changed: Sequence[str]
) -> RecordedStudy:
    """A study whose plan was changed, with the seeds that were declared: runs that the plan has no
    more may have been seen."""
    declared_runs = {(run.arm, run.seed): begun.begun_at[0] for run in begun.study.runs}
    return replace(
        entry,
        study=begun.study,
        begun_at=begun.begun_at,
        seen_since={**declared_runs, **entry.seen_since},
        changed=tuple(changed),
    )


def _begin_times(study: Study, begun: questions.BegunStudy | None) -> tuple[str, ...]:
    """The time at which each batch was begun; the last known time stands for later batches."""
    times = begun.begun_at if begun is not None else (study.origin.imported_at or study.created,)
    batches = len(study.design.batches)
    return (*times, *[times[-1]] * batches)[:batches]


def _from_rows(
    study: Study,
    begun: questions.BegunStudy | None,
    rows: Iterable[Row],
    losses: Mapping[str, Any],
    iters: int,
) -> RecordedStudy:
    ends: dict[tuple[str, int], RunEnd] = {}
    seen_since: dict[tuple[str, int], str] = {}
    first_result: dict[tuple[str, int], str] = {}
    restarts: dict[tuple[str, int], int] = {}
    for row in rows:
        run = row["arm"], row["seed"]
        attempts = questions.read_attempts(row)
        if row["state"] in ENDED:
            ends[run] = RunEnd(row["state"], row["val_loss"])
        if not questions.shows_result(row, iters):
            continue
        seen_since[run] = row["started"] or row["ended"] or ""
        if row["state"] in ENDED or questions.farthest_iter(row) >= iters:
            times = [at for at, before, _ in attempts if before < max(1, iters)]
            seen_since[run] = max(times, default="") or seen_since[run]
            first_result[run] = "" if row["reused_from"] else seen_since[run]
        else:
            first_result[run] = "~"  # evaluated too early to tell how it will come out
        trained_anew = [since == 0 and before >= max(1, iters) for _, before, since in attempts]
        if not study.trainer.repeats and study.origin.is_ours and any(trained_anew):
            restarts[run] = sum(trained_anew)
    if not rows and study.files.launch.exists() and not is_alive(study.files):
        return _removed_by_hand(study, begun)  # its folder is there, its runs are not
    return RecordedStudy(
        study,
        _begin_times(study, begun),
        ends,
        seen_since,
        first_result,
        restarts,
        losses=losses,
    )


def _from_deletion(
    study: Study,
    begun: questions.BegunStudy | None,
    runs: Mapping[str, Mapping[str, Any]],
    iters: int,
) -> RecordedStudy:
    """A deleted study from its line in the journal. The line doesn't say when its runs were seen:
    they count as seen before anything that was planned later, to be on the safe side."""
    ends: dict[tuple[str, int], RunEnd] = {}
    seen_since: dict[tuple[str, int], str] = {}
    losses: dict[str, dict[int, dict[int, float]]] = {arm: {} for arm in ARMS}
    is_forgotten = False
    for run in study.runs:
        facts = runs.get(run.name)
        facts = facts if isinstance(facts, Mapping) else {"state": "unknown"}
        first_losses = facts.get("first")
        if isinstance(first_losses, Mapping):
            losses[run.arm][run.seed] = {
                int(at): float(loss)
                for at, loss in first_losses.items()
                if isinstance(loss, int | float) and str(at).isdecimal()
            }
        if facts.get("state") in ENDED:
            loss = facts.get("val_loss")
            is_number = isinstance(loss, int | float)
            ends[run.arm, run.seed] = RunEnd(str(facts["state"]), loss if is_number else None)
        farthest = facts.get("iter")
        trained_enough = isinstance(farthest, int) and farthest >= iters
        if trained_enough or facts.get("seen", facts.get("state") is not None):
            seen_since[run.arm, run.seed] = ""
            is_forgotten = is_forgotten or not isinstance(first_losses, Mapping)
    return RecordedStudy(
        study,
        _begin_times(study, begun),
        ends,
        seen_since,
        losses=losses,
        is_forgotten=is_forgotten,
    )


def _removed_by_hand(study: Study, begun: questions.BegunStudy | None) -> RecordedStudy:
    """A study whose files were removed by hand: nothing proves that no result was seen."""
    times = _begin_times(study, begun)
    seen_since = {(run.arm, run.seed): times[0] for run in study.runs}
    return RecordedStudy(study, times, {}, seen_since, is_forgotten=True)

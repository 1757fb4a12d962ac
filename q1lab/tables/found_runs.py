"""The runs that were found, by arm and seed, and the arms that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import printable
from q1lab.ground.options import option
from q1lab.judgment.metric import Metric
from q1lab.judgment.subject import MOST_MEMBERS
from q1lab.study import metric_names
from q1lab.study.run_states import ENDED, RunState
from q1lab.tables.cells import MOST_RUNS, BadCell, has_no_number, number_of_cell, too_many_runs
from q1lab.tables.outside_run import OutsideRun, visible_text

Runs = Mapping[int, OutsideRun]
"""An arm's runs by seed; by their place where no seed is known."""


@dataclass(frozen=True)
class NumberTable:
    """The runs of two arms, baseline first."""

    names: tuple[str, str]
    runs: tuple[Runs, Runs]
    has_seeds: bool
    metric: Metric
    guesses: tuple[str, ...] = ()
    """The columns that were guessed, in words."""
    notes: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    """Every arm of the file that was compared, or could be, with the baseline."""

    def __post_init__(self) -> None:
        for name, runs in zip(self.names, self.runs, strict=True):
            if len(runs) > MOST_RUNS:
                raise Problem(too_many_runs(name))

    @property
    def is_paired(self) -> bool:
        """True if both arms ran with exactly the same seeds."""
        return self.has_seeds and set(self.runs[0]) == set(self.runs[1])


@dataclass(frozen=True)
class TableOptions:
    """The columns and arms as a person names them; None to guess."""

    baseline: str | None = option(
        None,
        "The baseline's name (default: baseline, else the first --arm), or its numbers.",
        metavar="NUMBERS|ARM",
    )
    modified: str | None = option(
        None, "The arm to compare with it, or its numbers.", metavar="NUMBERS|ARM"
    )
    arms: tuple[tuple[str, str], ...] = option(
        (),
        "An arm with its files: base='logs/base*.txt'. Repeatable.",
        flag="--arm",
        is_list=True,
        metavar="NAME=PATTERN",
    )
    arm_key: str | None = option(
        None, "The column or the setting with the arm's name.", metavar="KEY"
    )
    seed_key: str | None = option(None, "The column or the setting with the seed.", metavar="KEY")
    metric: str | None = option(None, "The name of the number to compare.", metavar="NAME")
    pattern: str | None = option(
        None,
        "Read the number from printed lines: nanogpt, nanochat, or a pattern with (?P<value>…).",
        flag="--metric-pattern",
        metavar="PATTERN",
    )
    better: str | None = option(
        None,
        "The better direction, if the metric's name doesn't tell.",
        choices=("lower", "higher"),
    )


UNFINISHED = (
    *("abort", "cancel", "crash", "error", "fail", "interrupt", "kill", "oom", "out of memory"),
    *("pending", "preempt", "queued", "running", "stopped", "timeout", "timed out"),
)
"""Beginnings of the states of a run that did not come to its end."""


def unfinished_state(state: object) -> str | None:
    """The state of a run that did not come to its end; None for another state, and for none."""
    word = printable(str(state or "")).strip()
    return word[:40] if word.lower().startswith(UNFINISHED) else None


def has_diverged(state: object) -> bool:
    return str(state or "").strip().lower().startswith(str(RunState.DIVERGED))


def mark_ended(run: OutsideRun, value: float | None) -> OutsideRun:
    run.final = value
    run.state = RunState.DIVERGED if value is None else RunState.FINISHED
    return run


@dataclass
class Found:
    """The runs that a file was found to hold, by arm and seed."""

    name: str
    """That of the file."""
    metric: Metric
    has_seeds: bool
    guesses: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    arms: dict[str, dict[int, OutsideRun]] = field(default_factory=dict)

    def run(self, arm: str, seed: int) -> OutsideRun:
        """The run of this arm and seed, which is new if it was not there."""
        run = self.arms.get(arm, {}).get(seed)
        return self.add(self._new_run(arm, seed)) if run is None else run

    def _new_run(self, arm: str, seed: int) -> OutsideRun:
        """A run that is unfinished until there is a number."""
        where = f"{arm}-seed{seed} of {Path(self.name).name}"
        return OutsideRun(where, arm, seed, state=RunState.FAILED)

    def add_number(self, arm: str, seed: int, cell: object, state: object = None) -> OutsideRun:
        """Add a run by its one number."""
        run = self._new_run(arm, seed)
        run.message = unfinished_state(state)
        if run.message is None and has_diverged(state):
            mark_ended(run, None)
        elif run.message is None and not has_no_number(cell):
            mark_ended(run, number_of_cell(cell))
        elif run.message is None:
            run.message = f"no {self.metric.name}"
        return self.add(run)

    def add(self, run: OutsideRun) -> OutsideRun:
        """Add a run, and return the one that is used: a run that did not end makes room for one of
        the same seed that did."""
        runs = self.arms.setdefault(run.cfg, {})
        before = runs.get(run.seed)
        if before is None:
            if len(runs) >= MOST_RUNS:
                raise BadCell(too_many_runs(run.cfg))
            runs[run.seed] = run
            return run
        if run.state in ENDED and before.state in ENDED:
            also = f", also in {before.where}" if before.where != run.where else ""
            raise BadCell(f"{run.cfg} has seed {run.seed} twice{also}")
        winner, other = (before, run) if before.state in ENDED else (run, before)
        runs[run.seed] = winner
        self.notes.append(
            f"{run.cfg}, seed {run.seed}, appears twice: one is not used ({other.message})"
        )
        return winner

    def align_ends(self) -> bool:
        """Where the last numbers of the runs are of different steps, let each run end there: what
        is compared was measured there. True if they are."""
        ended = [
            run
            for runs in self.arms.values()
            for run in runs.values()
            if run.evals and run.state in ENDED
        ]
        differ = len({max(run.evals) for run in ended}) > 1
        for run in ended if differ else ():
            run.ended_at = max(run.evals)
        return differ

    def tables(self, options: TableOptions) -> list[NumberTable]:
        """Each arm that was asked for beside the baseline: that of --modified, else all."""
        options = _with_baseline(options)
        baseline, candidates = _arms_compared(list(self.arms), options, self.name)
        for arm in (baseline, *candidates):
            if not self.arms[arm]:  # an empty list
                raise Problem(f"{self.name}: {arm} has no number")
        chosen = candidates if options.modified is None else [_clean(options.modified)]
        return [
            NumberTable(
                (baseline, arm),
                (self.arms[baseline], self.arms[arm]),
                self.has_seeds,
                self.metric,
                self.guesses,
                tuple(self.notes),
                tuple(candidates),
            )
            for arm in chosen
        ]


def _with_baseline(options: TableOptions) -> TableOptions:
    """The options, in which the first --arm is the baseline unless one is called so."""
    labels = [label for label, _ in options.arms]
    if not labels or options.baseline or any(label.lower() == "baseline" for label in labels):
        return options
    return replace(options, baseline=labels[0])


def _arms_compared(names: list[str], options: TableOptions, file: str) -> tuple[str, list[str]]:
    """The baseline, and all arms that it can be compared with."""
    baseline, modified = _clean(options.baseline), _clean(options.modified)
    for flag, arm in (("--baseline", baseline), ("--modified", modified)):
        if arm:
            check_known(arm, names, f"{flag} {arm}: there is no such arm in {file}")
    if len(names) < 2:
        raise Problem(
            f"{file}: there is one arm, {', '.join(names) or 'without numbers'}",
            next="name the files of each arm with --arm NAME=PATTERN, or judge this one with "
            "--against NUMBER",
        )
    baseline = baseline or next((arm for arm in names if arm.lower() == "baseline"), "")
    if not baseline and len(names) == 2 and modified:
        baseline = next(arm for arm in names if arm != modified)
    if not baseline:
        raise Problem(
            f"{file}: there are the arms {', '.join(names)[:200]}", next="say --baseline NAME"
        )
    if modified == baseline:
        raise Problem("--baseline and --modified are the same arm")
    candidates = [arm for arm in names if arm != baseline]
    if len(candidates) > MOST_MEMBERS:
        raise Problem(
            f"{file}: {len(candidates):,} arms besides {baseline}, and at most {MOST_MEMBERS} "
            "can share one level",
            next="leave only the rows of arms that you meant to compare",
        )
    return baseline, candidates


def _clean(typed: str | None) -> str:
    """An arm's name as typed, in the form of those in the file; empty for none."""
    return "" if typed is None else visible_text(typed)


def check_known(word: str, names: Sequence[str], message: str) -> None:
    """Raise a Problem, with the nearest name, if ``word`` is not among ``names``."""
    if word not in names:
        raise Problem(message, next=nearest(word, names))


def named_metric(name: str, better: str | None) -> Metric:
    """The metric of this name. Problem if nobody said which direction is better and the name
    doesn't tell."""
    direction = better or metric_names.direction(name)
    if not direction:
        raise Problem(
            f"{printable(name)}: whether lower or higher is better can't be told from its name",
            next="add --better lower, or --better higher",
        )
    return Metric(printable(name)[:100], "", direction)

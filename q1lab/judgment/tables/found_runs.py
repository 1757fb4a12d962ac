"""The one builder of runs, by arm and seed: every reader adds its runs here, where two of one seed,
too many and unclear ones are refused; and the arms that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from q1lab.ground.errors import UNFINISHED, Problem, nearest
from q1lab.ground.options import option
from q1lab.ground.text_formats import first_names, in_list, plural, printable
from q1lab.judgment import metric_names
from q1lab.judgment.intervals import MIN_FOR_VERDICT, Moments
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import ENDED, RunState
from q1lab.judgment.subject import MOST_MEMBERS
from q1lab.judgment.tables.cells import MOST_RUNS, BadCell, seed_of_cell, too_many_runs
from q1lab.judgment.tables.outside_run import OutsideRun, visible_text


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


class OpenMetric(Problem):
    """Several numbers may be the metric; ``looks`` holds each name with some of its values."""

    def __init__(self, what: str, looks: Mapping[str, str]) -> None:
        names = first_names([printable(name) for name in looks], 12)
        super().__init__(f"{what} ({names})", next="say --metric NAME")
        self.what = what
        self.looks = looks


Runs = Mapping[int, OutsideRun]
"""An arm's runs by seed; by their place where no seed is known."""


@dataclass(frozen=True)
class Understood:
    """Where arms, seeds and numbers were found, in words; empty where a person said it."""

    arms: str = ""
    seeds: str = ""
    numbers: str = ""
    """How the metric is written."""
    rest: tuple[tuple[str, str], ...] = ()
    """What else was found, each with where."""


@dataclass
class Found:
    """The runs that were found, by arm and seed. Every reader adds its runs here."""

    name: str
    """Where they came from, for people."""
    metric: Metric
    understood: Understood = Understood()
    whole: int | None = 1
    """What the metric is a share of, 1 or 100; None where it is no share of items."""
    is_typed: bool = False
    """True for numbers that were typed, of which nothing was to be understood."""
    notes: list[str] = field(default_factory=list)
    has_seeds: bool = True
    """False if a run was added without its seed."""
    arms: dict[str, dict[int, OutsideRun]] = field(default_factory=dict)
    summaries: dict[str, Moments] = field(default_factory=dict)
    """Arms of which only this is known; they have no runs here."""

    def place(self, arm: str, seed: int | None) -> int:
        """The key of a run: its seed; the next place in its arm where that is not known."""
        self.has_seeds = self.has_seeds and seed is not None
        return len(self.arms.get(arm, ())) if seed is None else seed

    def new(self, arm: str, seed: int | None) -> OutsideRun:
        """A run that is unfinished until there is a number, and is not added yet."""
        key = self.place(arm, seed)
        where = f"{arm}-seed{key} of {Path(self.name).name}"
        return OutsideRun(where, arm, key, state=RunState.FAILED)

    def curve(self, arm: str, seed: int | None) -> OutsideRun:
        """The run of this arm and seed, which is added if it was not there."""
        known = self.arms.get(arm, {})
        return known[seed] if seed in known else self.add(self.new(arm, seed))

    def number(self, arm: str, seed: int | None, cell: object, state: object = None) -> OutsideRun:
        """Add a run by its one number."""
        run = self.new(arm, seed)
        run.take_state(state)
        return self.add(run.end(self.metric.name, cell))

    def add_numbers(self, arm: str, numbers: Mapping[Any, object] | Sequence[object]) -> None:
        """Add the runs of an arm by their numbers, by seed or as a list."""
        self.arms.setdefault(arm, {})
        if isinstance(numbers, Mapping):
            for seed, cell in numbers.items():
                self.number(arm, seed_of_cell(seed), cell)
        else:
            for cell in numbers:
                self.number(arm, None, cell)

    def add(self, run: OutsideRun) -> OutsideRun:
        """Add a run, and return the one that is used: a run that did not end makes room for one of
        the same seed that did. BadCell where both did, and for more runs than are compared."""
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
        why = other.message or other.state
        self.notes.append(f"{run.cfg}, seed {run.seed}, appears twice: one is not used ({why})")
        return winner

    def join(self, other: Found) -> None:
        """Add all runs of another source."""
        for arm, runs in other.arms.items():
            self.arms.setdefault(arm, {})
            for seed, run in runs.items():
                run.seed = self.place(arm, seed if other.has_seeds else None)
                self.add(run)
        self.notes.extend(other.notes)

    def _runs(self) -> list[OutsideRun]:
        return [run for runs in self.arms.values() for run in runs.values()]

    def end_curves(self, step_key: str) -> None:
        """Let each run end with its last number, when all points are there. Problem where it isn't
        clear which number is a run's."""
        for run in self._runs():
            last = max(run.evals, default=None)
            if run.disputed == last and run.message is None and run.state not in ENDED:
                raise Problem(
                    f"{self.name}: {run.cfg}, seed {run.seed}, ends at {step_key} {last:g} with "
                    "two numbers",
                    next="leave the rows of one run",
                )
            run.end(self.metric.name)
        if self.align_ends() and not self.has_seeds:
            raise Problem(
                f"{self.name}: rows differ in {step_key}, and no column says which run a row is of",
                next="call the column of its seed 'seed', or give a row per run",
            )

    def align_ends(self) -> bool:
        """Where the last numbers of the runs are of different steps, let each run end there: what
        is compared was measured there. True if they are."""
        ended = [run for run in self._runs() if run.evals and run.state in ENDED]
        differ = len({max(run.evals) for run in ended}) > 1
        for run in ended if differ else ():
            run.ended_at = max(run.evals)
        return differ

    def tables(self, options: TableOptions) -> list[NumberTable]:
        """Each arm that was asked for beside the baseline: that of --modified, else all."""
        baseline, candidates = self._compared(options)
        for arm, runs in self.arms.items():
            if not runs:  # an empty list
                raise Problem(f"{self.name}: {arm} has no number")
        if len(candidates) > 1 and self.arms and all(len(r) == 1 for r in self.arms.values()):
            raise Problem(
                f"{self.name}: each of {len(self.arms)} arms has one run, and one run can't show "
                "how much runs differ",
                UNFINISHED,
                next=f"train those that matter at {MIN_FOR_VERDICT} seeds or more",
            )
        chosen = candidates if options.modified is None else [_clean(options.modified)]
        return [NumberTable(self, (baseline, arm), tuple(candidates)) for arm in chosen]

    def _compared(self, options: TableOptions) -> tuple[str, list[str]]:
        """The baseline, and all arms that it can be compared with."""
        names, file = [*self.arms, *self.summaries], self.name
        baseline, modified = _clean(_baseline(options)), _clean(options.modified)
        for flag, arm in (("--baseline", baseline), ("--modified", modified)):
            if arm:
                check_known(arm, names, f"{flag} {arm}: there is no such arm in {file}")
        if len(names) < 2:
            raise Problem(
                f"{file}: there is one arm, {''.join(names) or 'without numbers'}",
                next="name the files of each arm with --arm NAME=PATTERN",
            )
        baseline = baseline or next((arm for arm in names if arm.lower() == "baseline"), "")
        if not baseline and len(names) == 2 and modified:
            baseline = next(arm for arm in names if arm != modified)
        if not baseline:
            raise Problem(
                f"{file}: there are the arms {', '.join(map(in_list, names))[:200]}",
                next="say --baseline NAME",
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


@dataclass(frozen=True)
class NumberTable:
    """Two arms of the runs that were found, baseline first."""

    found: Found
    names: tuple[str, str]
    candidates: tuple[str, ...]
    """Every arm that was compared, or could be, with the baseline."""

    @property
    def runs(self) -> tuple[Runs, Runs]:
        baseline, modified = (self.found.arms[name] for name in self.names)
        return baseline, modified

    @property
    def is_paired(self) -> bool:
        """True if both arms ran with exactly the same seeds."""
        return self.found.has_seeds and set(self.runs[0]) == set(self.runs[1])

    def told(self) -> tuple[str, str, str]:
        """What was understood, in three lines, with the options that say it otherwise."""
        found, words = self.found, self.found.understood
        many = {arm: len(runs) for arm, runs in found.arms.items()}
        many |= {arm: moments.n for arm, moments in found.summaries.items()}
        shown = [self.names[0], *self.candidates]
        arms = [f"{in_list(arm)} ({plural(many[arm], 'run')})" for arm in shown]
        source = f", from {words.arms} (--arm-key)" if words.arms else ""
        metric = [found.metric.name, words.numbers, found.metric.direction]
        if found.summaries:
            paired = "two groups, by their means and spreads"
        elif self.is_paired:
            paired = "pairs by seed" + (f", from {words.seeds}" if words.seeds else "")
        else:
            why = "the arms have other seeds" if found.has_seeds else "no seed is known"
            paired = f"two groups: {why}"
        rest = [f"{key} from {each}" for key, each in words.rest if each]
        return (
            f"Arms: {first_names(arms, MOST_SHOWN)}{source}.",
            f"Metric: {', '.join(filter(None, metric))} (--metric, --better).",
            f"Runs: {'; '.join([paired, *rest])}.",
        )


MOST_SHOWN = 4
"""Arms that are named."""


def _baseline(options: TableOptions) -> str | None:
    """The baseline as typed, else the first --arm unless one is called so."""
    labels = [label for label, _ in options.arms]
    if not labels or options.baseline or any(label.lower() == "baseline" for label in labels):
        return options.baseline
    return labels[0]


def _clean(typed: str | None) -> str:
    """An arm's name as typed, in the form of those in the file; empty for none."""
    return "" if typed is None else visible_text(typed)


def check_known(word: str, names: Sequence[str], message: str) -> None:
    """Raise a Problem, with the nearest name, if ``word`` is not among ``names``."""
    if word not in names:
        raise Problem(message, next=nearest(word, names))


def named_metric(name: str | None, better: str | None) -> Metric:
    """The metric of this name; None for numbers without one. Problem, about the field ``better``,
    if nobody said which direction is better and the name doesn't tell."""
    direction = metric_names.known_direction(name, better)
    return Metric(printable(name or "value")[:100], "", direction)

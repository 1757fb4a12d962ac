"""Train runs of another person's study again, and compare them with the record.

Where processor, PyTorch, threads and the trainer's code are the same, every number must be equal to
the last bit. Elsewhere the first losses and the first evaluation must nearly be, which says nothing
of how a run ends.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.commands.verify.run_record import (
    LOSS,
    RunRecord,
    largest_distance,
    read_record,
    relative_distance,
)
from q1lab.designs.fixed import Fixed
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable, read_bytes, sha256_json, write_atomic
from q1lab.record import declarations
from q1lab.runner import child_processes
from q1lab.study import corpora, kept_folder, studies
from q1lab.study.bundle import Bundle
from q1lab.study.run_states import ENDED, RunState
from q1lab.study.studies import Run, Study

SOURCE, DATA, BUDGET = (declarations.DIFFERENCE_CODES[key] for key in ("source", "data", "budget"))

FIRST_LOSSES = 8
"""Number of iters at the beginning of a run whose training loss is always logged
(labs/train.py)."""

NEARLY = 1e-3
"""Relative: the distance that the same run's losses may have on another processor or with another
PyTorch, up to its first evaluation: four times the largest distance that was measured, and a fifth
of what lies between two seeds (docs/verify.md)."""

SURELY_OTHER = 0.02
"""Relative: the distance from its end here beyond which a run is refused even where it was trained
on another processor. Nearer, nothing is said of its end."""

DAY_SECONDS = 86_400.0
CONDITIONS = ("torch", "processor", "threads", "device", "dtype")
"""The conditions that must be equal, in addition to the trainer's code, for a run to repeat to the
last bit."""

Tell = Callable[[str], None]
Agree = Callable[[str], bool]
"""Shows a stranger's commands to a person; returns True if they may run."""


@dataclass(frozen=True)
class Agreement:
    """The result of comparing a run with its record: no ``reason`` where they agree."""

    reason: str
    words: str
    to_the_end: bool = True
    """False if only the run's beginning could be compared."""


def training_order(runs: Sequence[Run], key: str, number: int) -> list[Run]:
    """The runs in the order in which they are trained again: neither who made the bundle (``key``
    is its list's hash) nor who gives the number can choose it alone."""
    return sorted(runs, key=lambda run: sha256_json([key, number, run.name]))


@dataclass(frozen=True)
class Retraining:
    """Trains runs of ``bundle`` again, in a ``home`` that holds only its ``study``. ``folder`` is
    the bundle's folder (None for an archive), ``data`` the text if the bundle has none."""

    bundle: Bundle
    study: Study
    home: Path
    folder: Path | None
    data: Path | None

    def records(self) -> dict[Run, RunRecord]:
        """The records in the bundle of the runs that ended."""
        record_by_run = {
            run: read_record(file, self.study.metric)
            for run in self.study.runs
            if (file := self.bundle.files.get(f"runs/{run.name}/events.jsonl")) is not None
        }
        return {run: record for run, record in record_by_run.items() if record.state in ENDED}

    def why_not_here(self) -> str:
        """The reason why nothing can be trained again here; empty if it can. Puts the text in its
        place."""
        data, trainer = self.study.data, self.study.trainer
        if why := trainer.why_not_retrainable():
            return why
        if trainer.loop.folder and self.start is None:
            folder = printable(trainer.loop.folder)[:200]
            return f"its command starts in {folder}, outside its repository"
        if not self.study.model_files:
            return ""
        if self.data is not None:
            text = read_bytes(self.data, corpora.LARGEST_CORPUS)
            write_atomic(self.home / "data" / f"{data.sha256}.txt", text)
        if corpora.cached_corpus(data.sha256) is None and not self._find_text():
            return (
                f"its text {data.name} (SHA-256 {data.sha256[:12]}…) is not here: give it with "
                "--data"
            )
        return ""

    @property
    def start(self) -> Path | None:
        """The folder in which the study's command starts: a folder of the repository that keeps the
        study, else the current folder: an export has none of the command's files. None for a
        folder outside, and for a trainer that needs no folder of the learner's."""
        if not self.study.trainer.loop.folder:
            return None
        folder = self.folder.resolve() if self.folder is not None else None
        if folder is None or folder.parent.name != kept_folder.STUDIES_FOLDER:
            return Path.cwd()
        root = folder.parent.parent
        start = (root / self.study.trainer.loop.folder).resolve()
        return start if start.is_relative_to(root) else None

    def displayed_commands(self, runs: Sequence[Run]) -> str:
        """The commands to show a person before a stranger's command runs."""
        return self.study.displayed_commands(runs, self.start)

    def _find_text(self) -> bool:
        """Find the text in this machine's home, in the folder's repository, or among the built-in
        corpora, and put it into the temporary home. True if it was found."""
        data = self.study.data
        cached = self.home.parent / "data" / f"{data.sha256}.txt"
        try:
            if cached.is_file():
                corpora.store_corpus(data.name, read_bytes(cached, corpora.LARGEST_CORPUS), 1)
            elif self.folder is not None:
                corpora.prepare_corpus(
                    kept_folder.find_data(kept_folder.load_kept_study(self.folder), ""), 1
                )
            elif data.name in corpora.BUILT_IN:
                corpora.prepare_corpus(data.name, 1)
        except (Problem, OSError):
            return False
        return corpora.cached_corpus(data.sha256) is not None

    def train(self, run: Run, iters: int | None = None) -> RunRecord:
        """Train one run in a folder of its own; ``iters``: only its first ones."""
        study = self.study
        name = f"again-{run.name}-{iters or 'whole'}"
        folder = paths.StudyPaths(paths.study_dir(name))
        data = replace(study.data, file=f"data/{study.data.sha256}.txt")
        trainer = replace(study.trainer, launcher="")
        if iters is not None:
            trainer = trainer.with_iters(iters)
        if self.start is not None:
            trainer = replace(trainer, loop=replace(trainer.loop, folder=str(self.start)))
        shutil.copytree(study.files.source, folder.source)
        studies.save(
            replace(
                study,
                id=name,
                data=data,
                trainer=trainer,
                design=Fixed(batches=study.design.batches, headline=study.design.headline),
            )
        )
        command = [*study.trainer.program(), str(folder.root)]
        with child_processes.running_child(
            [*command, "--only", run.name, "--alone"],
            seconds=DAY_SECONDS,
            env=child_processes.stranger_environment(study.trainer.threads),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            child.wait()
        return read_record(folder.run(run.name).events, self.study.metric)

    def compare_run(
        self, run: Run, retrained: RunRecord, record_by_run: Mapping[Run, RunRecord]
    ) -> Agreement:
        """Compare a run that was trained again with its record."""
        recorded = record_by_run[run]
        if not self.study.model_files:
            tolerance = self.study.trainer.repeat_tolerance or 0.0
            return _compare_evaluations(retrained, recorded, tolerance)
        exact = _must_repeat(self.study, retrained, recorded)
        within = 0.0 if exact else NEARLY
        if not recorded.tokens <= retrained.tokens:
            return Agreement(DATA, "its text has another length")
        if retrained.start.get("n_params") != recorded.start.get("n_params"):
            return Agreement(SOURCE, "its model has another number of parameters")
        if relative_distance(retrained.losses.get(1), recorded.losses.get(1)) > within:
            return self._other_arm(run, within, record_by_run)
        last_iters = [max(record.losses, default=0) for record in (retrained, recorded)]
        if (
            last_iters[0] != last_iters[1]
            or largest_distance(retrained.rates, recorded.rates) > 1e-9
        ):
            return Agreement(BUDGET, "its iters and learning rates are not those of the plan")
        first = range(1, 1 + min(FIRST_LOSSES, last_iters[0]))
        first_losses = [record.losses_at(first) for record in (retrained, recorded)]
        if largest_distance(*first_losses) > within:
            return Agreement(BUDGET, "it starts the same, and its first updates are others")
        if exact:
            return _compare_bits(retrained, recorded)
        return _compare_nearly(retrained, recorded)

    def _other_arm(
        self, run: Run, within: float, record_by_run: Mapping[Run, RunRecord]
    ) -> Agreement:
        """Judge a run whose first loss differs: if the other arm's differs too, the text was
        changed, which both arms share; else this arm's model file."""
        for other, record in record_by_run.items():
            if other.seed != run.seed or other.arm == run.arm:
                continue
            first_loss = self.train(other, FIRST_LOSSES).losses.get(1)
            if relative_distance(first_loss, record.losses.get(1)) > within:
                return Agreement(DATA, "its first loss is another, in both arms")
        return Agreement(SOURCE, "its first loss is another, in this arm alone")


def _compare_evaluations(retrained: RunRecord, recorded: RunRecord, within: float) -> Agreement:
    pairs = ((retrained.evals, recorded.evals), (retrained.finals, recorded.finals))
    distance = max(
        relative_distance(retrained.final, recorded.final),
        *(largest_distance(numbers, other_numbers) for numbers, other_numbers in pairs),
    )
    if distance <= within:
        return Agreement("", "equal to 1e-4, as it repeats" if within else "equal to the last bit")
    iteration = min([*retrained.evals, *recorded.evals], default=0)
    begins_alike = (
        relative_distance(retrained.evals.get(iteration), recorded.evals.get(iteration)) <= within
    )
    reason = LOSS if begins_alike else SOURCE
    return Agreement(reason, _describe_difference(retrained, recorded))


def _compare_nearly(retrained: RunRecord, recorded: RunRecord) -> Agreement:
    """Compare a run that was trained elsewhere: up to its first evaluation, and for an end that is
    surely another."""
    iteration = min(retrained.evals, default=0)
    values = (record.evals.get(iteration) for record in (retrained, recorded))
    finals = (retrained.final, recorded.final)
    both_ended = None not in finals
    same_evals = retrained.evals.keys() == recorded.evals.keys()
    if relative_distance(*values) > NEARLY or (
        both_ended and (not same_evals or relative_distance(*finals) > SURELY_OTHER)
    ):
        return Agreement(LOSS, _describe_difference(retrained, recorded))
    words = (
        f"how it ends, since {_first_difference(retrained, recorded)}: up to its first evaluation "
        f"at iter {iteration} it is equal to {NEARLY:g}; it ends at {_describe_end(retrained)} "
        f"here, and at {_describe_end(recorded)} by its record"
    )
    return Agreement("", words, to_the_end=False)


def _compare_bits(retrained: RunRecord, recorded: RunRecord) -> Agreement:
    ends = [
        (record.evals, record.finals, record.final, record.state)
        for record in (retrained, recorded)
    ]
    same = ends[0] == ends[1]
    # (a run that was interrupted means its losses over other iters)
    if same and (not recorded.whole or retrained.losses == recorded.losses):
        return Agreement("", "equal to the last bit")
    return Agreement(LOSS, _describe_difference(retrained, recorded))


def _must_repeat(study: Study, retrained: RunRecord, recorded: RunRecord) -> bool:
    """True if a run must repeat to the last bit."""
    same_conditions = all(
        retrained.start.get(key) and retrained.start.get(key) == recorded.start.get(key)
        for key in CONDITIONS
    )
    versions = {study.trainer.versions.get("trainer"), *study.trainer.later_versions}
    return same_conditions and versions == {study.trainer.code_version()}


def _first_difference(retrained: RunRecord, recorded: RunRecord) -> str:
    """The first condition that differs here from where the run was trained."""
    for key in CONDITIONS:
        recorded_value, value = (
            record.start.get(key) or "not known" for record in (recorded, retrained)
        )
        if recorded_value != value or value == "not known":
            return f"{key} was {printable(str(recorded_value))[:80]}, and is {value}"
    return "the trainer's code is of another version"


def _describe_difference(retrained: RunRecord, recorded: RunRecord) -> str:
    same = retrained.final == recorded.final and retrained.state == recorded.state
    ends = [_describe_end(record) for record in (retrained, recorded)]
    where = "its curve is another" if same else f"it ends at {ends[0]}, not {ends[1]}"
    return f"trained again, {where}"


def _describe_end(record: RunRecord) -> str:
    if record.state == RunState.FINISHED and record.final is not None:
        return f"{record.final:.6f}"
    return record.state

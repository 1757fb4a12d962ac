"""Train runs of another person's study again, to compare them with the record.

Where processor, PyTorch, threads and the trainer's code are the same, every number must be equal to
the last bit. Elsewhere numbers differ, and how far they may is not known: both are told.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.commands.verify.run_record import RunRecord, read_record
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable, read_bytes, sha256_json, write_atomic
from q1lab.judgment.run_states import ENDED
from q1lab.study import child_processes, corpora, kept_folder, studies
from q1lab.study.bundle import Bundle
from q1lab.study.design import Design
from q1lab.study.studies import Run, Study
from q1lab.study.trainer import OWN
from q1lab.train import finished_runs

DAY_SECONDS = 86_400.0
CONDITIONS = ("torch", "processor", "threads", "device", "dtype")
"""The conditions that must be equal, in addition to the trainer's code, for a run to repeat to the
last bit."""

Tell = Callable[[str], None]
Agree = Callable[[str], bool]
"""Shows a stranger's commands to a person; returns True if they may run."""


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

    def train(self, run: Run) -> RunRecord:
        """Train one run in a folder of its own."""
        study = self.study
        name = f"again-{run.name}"
        folder = paths.StudyPaths(paths.study_dir(name))
        data = replace(study.data, file=f"data/{study.data.sha256}.txt")
        trainer = replace(study.trainer, launcher="")
        if self.start is not None:
            trainer = replace(trainer, loop=replace(trainer.loop, folder=str(self.start)))
        shutil.copytree(study.files.source, folder.source)
        studies.save(
            replace(
                study,
                id=name,
                data=data,
                trainer=trainer,
                design=Design(batches=study.design.batches),
            )
        )
        command = [*child_processes.training_program(study.trainer), str(folder.root)]
        with child_processes.running_child(
            [*command, "--only", run.name, "--alone"],
            seconds=DAY_SECONDS,
            env=child_processes.stranger_environment(study.trainer.threads),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            child.wait()
        return read_record(folder.run(run.name).events, self.study.metric)

    def why_not_exact(self, retrained: RunRecord, recorded: RunRecord) -> str:
        """The reason why a run that was trained again need not be equal to its record to the last
        bit, in a clause; empty if it must."""
        trainer = self.study.trainer
        if trainer.kind != OWN:
            return "whether its command repeats is not known"
        for key in CONDITIONS:
            was, value = (run.start.get(key) or "not known" for run in (recorded, retrained))
            if was != value or (value == "not known" and self.study.model_files):
                return f"{key} was {printable(str(was))[:80]}, and is {value}"
        if {trainer.versions.get("trainer"), *trainer.later_versions} != {
            finished_runs.trainer_version(trainer.kind)
        }:
            return "the trainer's code is of another version"
        return ""

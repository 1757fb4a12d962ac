"""An engine of another package, as small as one can be: ``toy=FOLDER`` trains on this machine, one
run after another, in a process of its own. ``install`` makes it known to q1lab by an entry point.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from q1lab.ground import files
from q1lab.ground.hooks import EngineKind, Plugin
from q1lab.runner import child_processes
from q1lab.runner.engine import EngineCheck, JobNews
from q1lab.runner.remote_engine import Remote
from q1lab.study.engine_state import ENDED, RUNNING, WAITING, CellStatus, Job
from q1lab.study.events import has_ended, last_event
from q1lab.study.studies import Study


class Toy(Remote):
    """``FOLDER`` has a file with the process id of each job, which its worker holds locked: a
    process that has just begun may not show its command line yet, but its lock came before it."""

    def __init__(self, address: str, options: Mapping[str, str]) -> None:
        self.folder = Path(address)

    def check(self) -> list[EngineCheck]:
        return [EngineCheck("folder", self.folder.is_dir(), str(self.folder))]

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        return child_processes.ask_child(child_processes.probe_command(), dict(question))

    def submit(self, study: Study, job: Job) -> Job:
        place = self.folder / job.name
        if not place.exists():  # else it was handed over before
            trainer = [*child_processes.trainer_command(), str(study.files.root), "--only"]
            command = [sys.executable, __file__, *job.cells, "--", *trainer]
            lock = files.try_lock(place)
            assert lock is not None
            worker = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[lock]
            )
            os.close(lock)
            place.write_text(str(worker.pid))
        return replace(job, id=place.read_text())

    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        alive = files.is_locked(self.folder / job.name)
        cells = {cell: self._seen(study, cell, alive) for cell in job.cells}
        return JobNews(cells, over=not alive)

    def _seen(self, study: Study, cell: str, alive: bool) -> CellStatus:
        events = study.files.run(cell).events
        if not alive or has_ended(events):
            return CellStatus(ENDED)
        return (
            CellStatus(RUNNING)
            if last_event(events)
            else CellStatus(WAITING, "waits: the toy has one hand")
        )

    def stop(self, job: Job) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(job.id), signal.SIGTERM)


PLUGIN = Plugin(
    about="an engine, for tests",
    engines={"toy": EngineKind("tests.kit.engines.toy:Toy", "toy=FOLDER")},
)


def install(folder: Path) -> None:
    """The metadata that pip would write into site-packages, for a ``folder`` that is on Python's
    path."""
    dist_info = folder / "toy_engine-1.dist-info"
    dist_info.mkdir()
    (dist_info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1\n")
    (dist_info / "entry_points.txt").write_text(
        "[q1lab.plugins]\ntoy = tests.kit.engines.toy:PLUGIN\n"
    )


def main() -> None:
    """Train the cells before ``--`` by the command behind it, until somebody says stop."""
    cells, trainer = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stops.append(number))
    for cell in cells:
        if not stops:
            subprocess.run([*trainer, cell], check=False)


if __name__ == "__main__":
    main()

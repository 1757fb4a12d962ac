"""A run behind the study's launcher: one job, on whatever machine the launcher takes it to.

What is known of it is on disk, in a folder that both machines see: the trainer holds the run's
lock, writes its events, and stops when its stop file is there. So a job whose launcher ended before
it is followed to its end, and one that never began is told as a failed run.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from q1lab.ground.files import file_size, open_private, private_folder, utc_now
from q1lab.study.child_processes import log
from q1lab.study.events import has_ended
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.train import launch

RUN = "{run}"
"""Stands in a launcher for the study's and the run's name, such as rope-1-modified-seed0."""


def launcher_words(launcher: str, study: str, run: str) -> list[str]:
    """The words that a launcher puts before a run's training. ValueError for an open quote."""
    return [word.replace(RUN, f"{study}-{run}") for word in shlex.split(launcher)]


class Job:
    """A run's training behind the launcher, with what the crew asks of a process."""

    def __init__(
        self,
        study: Study,
        launch_number: int,
        run: str,
        trainer: Sequence[str],
        env: Mapping[str, str],
    ) -> None:
        """Start it; the run is claimed for this launch, whatever becomes of it."""
        self.study, self.launch, self.run = study, launch_number, run
        self.files = study.files.run(run)
        self.returncode: int | None = None
        self._told = False
        self._size = self._events_size()
        launch.exclude_runs(study, launch_number, [run])
        private_folder(self.files.root)
        words = launcher_words(study.trainer.launcher, study.id, run)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            with open_private(self.files.log) as output:
                self._process = subprocess.Popen(
                    [*words, *trainer, "--only", run],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=study.files.root,
                    env=env,
                    start_new_session=True,  # srun kills its job at the signal that stops us
                )
        except OSError as error:
            self._fail(f"the launcher {words[0]} did not start: {error.strerror or error}")

    def poll(self) -> int | None:
        """The launcher's exit status once the job is over, which may be later than the launcher;
        negative for a signal. None until then."""
        if self._process is None:
            return self.returncode
        status = self._process.poll()
        if status is None or is_alive(self.files):
            if status is not None and not self._told:
                self._told = True
                self._write(f"the launcher {_ended(status)}; the training goes on")
            return None
        self.returncode = status
        if has_ended(self.files.events):
            if status:
                self._write(f"the launcher {_ended(status)}, after the training")
        elif self._events_size() == self._size:
            asked = any(
                file.exists() for file in launch.stop_files(self.study.files, self.launch, self.run)
            )
            if not asked:
                self._fail(
                    f"the launcher {_ended(status)} before the training began; what it printed is "
                    f"in {self.files.log}"
                )
        self._process = None
        return status

    def terminate(self) -> None:
        """Ask the job to stop: by its stop file, and while it waits, its launcher by a signal."""
        launch.ask_jobs_to_stop(self.study.files, self.launch, self.run)
        if self._process is not None and not is_alive(self.files):
            self._process.terminate()

    def wait(self, timeout: float) -> int | None:
        """Wait for the launcher. subprocess.TimeoutExpired when it takes longer."""
        return None if self._process is None else self._process.wait(timeout)

    def _events_size(self) -> int:
        return file_size(self.files.events)

    def _fail(self, message: str) -> None:
        """Say that the run failed, as its trainer would have."""
        self.returncode = self.returncode or 1
        self._write(message)
        event = {"type": "exit", "state": "failed", "message": message, "time": utc_now()}
        with open_private(self.files.events) as events:
            events.write((json.dumps({**event, "t": 0.0, "total": 0.0}) + "\n").encode())

    def _write(self, text: str) -> None:
        """A line for the run's log, and for the runner's."""
        log(f"{self.run}: {text}")
        with open_private(self.files.log) as output:
            output.write(f"[q1lab: {text}]\n".encode())


def _ended(status: int) -> str:
    return f"ended by signal {-status}" if status < 0 else f"ended with exit status {status}"

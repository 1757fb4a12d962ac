"""The crew of a launch: trainers are children of the runner. They take their runs from the plan by
themselves, so they go on when the runner is killed; those of a range end with it, since only the
runner knows when the range is over.

Behind the study's launcher, such as ``srun --gres=gpu:1``, each run is a job of its own, on
whatever machine sees the same folder: jobs.py says what becomes of it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator

from q1lab.ground.files import open_private
from q1lab.ground.text_formats import plural
from q1lab.study import child_processes, first_number
from q1lab.study.child_processes import log
from q1lab.study.events import has_ended
from q1lab.study.studies import Study
from q1lab.train import early_stopping, launch, machine
from q1lab.train.jobs import Job

OUT_OF_MEMORY = 75
"""A trainer's exit status for "this many at once don't fit" (labs/train.py)."""

LARGEST_LOG, LOG_HEAD = 16 << 20, 1 << 20
"""Bytes that a run's log may grow to, and bytes of its beginning that stay when it is cut."""


class Crew:
    """Works off one launch of one study: starts trainers, and replaces those that die."""

    stopping = False

    def __init__(
        self, study: Study, number: int, lock: int, tick: Callable[[], None] = lambda: None
    ) -> None:
        self.study, self.launch, self.lock, self.tick = study, number, lock, tick
        self.files = study.files
        self.jobs = study.trainer.jobs
        self.workers: list[subprocess.Popen[bytes] | Job] = []
        self.early_stopping = early_stopping.EarlyStopping(study)
        self.first_number = first_number.FirstNumber(study)

    def run(self) -> None:
        with self._marked():
            self._work()

    @contextlib.contextmanager
    def _marked(self) -> Iterator[None]:
        """Say on disk that runs may live where no lock of the study shows it. After a kill that
        stays, and `is_alive` asks the runs."""
        if self.study.trainer.launcher:
            self.files.launched.touch(mode=0o600)
        yield
        self.files.launched.unlink(missing_ok=True)

    def _work(self) -> None:
        count = plural(len(self.runs_left()), "run")
        log(f"launch {self.launch} of {self.study.id}: {count}, {self.jobs} at once")
        # a trainer that dies at once isn't replaced forever
        starts, most = 0, self.jobs + len(self.study.runs)
        while True:
            for worker in list(self.workers):
                status = worker.poll()
                if status is None:
                    continue
                self.workers.remove(worker)
                if status == OUT_OF_MEMORY and self.jobs > 1:
                    self.jobs -= 1
                    log(f"out of memory: going on with {self.jobs} at once")
                elif status < 0:
                    log(f"a trainer was ended by signal {-status}")
            self._end_when_known()
            left = 0 if self.stopping else len(self.runs_left())
            while left and len(self.workers) < self._most_at_once() and starts < most:
                self.workers.append(self._start_trainer())
                left -= 1
                starts += 1
                if self.stopping:  # asked while it was being started: it may not have heard of it
                    self.stop()
                    break
            if not self.workers:
                return
            self._keep_logs_short()
            self.tick()
            time.sleep(0.1)

    def _most_at_once(self) -> int:
        """The trainers that may work now: one, until the study has shown its first number."""
        return 1 if self.jobs > 1 and self.first_number.is_awaited else self.jobs

    def stop(self) -> None:
        """End the launch soon; each run writes a checkpoint where it can. Called from a signal's
        handler: trainers that were started before it got it with the process group."""
        self.stopping = True
        if self.study.trainer.launcher:
            launch.ask_jobs_to_stop(self.files, self.launch)
        for worker in self.workers:
            if worker.poll() is None:
                worker.terminate()

    def _end_when_known(self) -> None:
        """End a study with a planned range at the look that decides it: from then on its plan names
        the pairs up to that look, and the runs beyond it are stopped."""
        end = None if self.stopping else self.early_stopping.over_before_plan()
        if end is None:
            return
        log(f"known after {end} of {len(self.study.seeds)} pairs")
        seeds = self.study.seeds[:end]
        rest = [run.name for run in self.study.runs if run.seed not in seeds]
        launch.exclude_runs(self.study, self.launch, rest)
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(launch.GRACE)
        self.study = early_stopping.cut_study(self.study, end)
        self.early_stopping = early_stopping.EarlyStopping(self.study)

    def runs_left(self) -> list[str]:
        """Names of the runs that no trainer has claimed in this launch and that have not ended
        before; none where an arm's first run showed no number."""
        if first_number.is_over(self.study, self.launch):
            return []
        return [
            run.name
            for run in self.study.runs_as_trained
            if not (self.files.claims / f"{self.launch}-{run.name}").exists()
            and not has_ended(self.files.run(run.name).events)
        ]

    def _start_trainer(self) -> subprocess.Popen[bytes] | Job:
        command = [
            *child_processes.training_program(self.study.trainer),
            str(self.files.root),
            "--launch",
            str(self.launch),
        ]
        env = child_processes.child_environment(self.study.trainer.threads)
        if self.study.trainer.device == "cuda" and (
            card := gpu_for(len(self.workers), env.get("CUDA_VISIBLE_DEVICES"))
        ):
            env["CUDA_VISIBLE_DEVICES"] = card
        if self.study.trainer.launcher:
            return Job(self.study, self.launch, self.runs_left()[0], command, env)
        if self.jobs == 1:
            command.append("--alone")
        ends_with_us = self.study.design.is_sequential
        if ends_with_us:
            command.append("--leash")
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if ends_with_us else subprocess.DEVNULL,
            cwd=self.files.root,
            env=env,
            pass_fds=[self.lock],
        )

    def _keep_logs_short(self) -> None:
        """Cut logs that grew past LARGEST_LOG, so that a model file that prints without end can't
        fill the disk: the beginning stays, and trainers append behind the cut."""
        for run in self.study.runs:
            path = self.files.run(run.name).log
            with contextlib.suppress(OSError):
                if path.stat().st_size > LARGEST_LOG:
                    os.truncate(path, LOG_HEAD)
                    with open_private(path) as out:
                        out.write(
                            b"\n[q1lab: the log grew too large; some of it was left out here]\n"
                        )


def gpu_for(worker: int, visible: str | None) -> str:
    """The GPU of the nth trainer at work: one each, in turn, of those that the learner lets us
    see."""
    allowed = [part for part in visible.split(",") if part] if visible is not None else None
    cards = allowed if allowed is not None else [str(index) for index in range(len(machine.gpus()))]
    return cards[worker % len(cards)] if cards else (visible or "")

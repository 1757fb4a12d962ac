"""The detached process that works a study's plan off: ``python -m q1lab.study.runner STUDY_DIR``.

It starts trainers, replaces those that die while runs are left, and ends when all have ended,
whether anybody watches or not. Trainers take their runs from the plan by themselves, so they go on
when this process is killed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from q1lab import config
from q1lab.errors import Problem
from q1lab.files import open_private, utc_now
from q1lab.study import children, launch, looking, studies, told, turns
from q1lab.study.engines import names
from q1lab.study.events import has_ended
from q1lab.study.studies import Study

if TYPE_CHECKING:
    from q1lab.study.engines.remote import Crew

OUT_OF_MEMORY = 75
"""A trainer's exit status for "this many at once don't fit" (labs/train.py)."""

RELAY_LIVED, RELAY_PAUSE = 60.0, 60.0
"""Seconds after which a relay counts as having worked, and the longest pause between two starts."""

LOG_MOST, LOG_HEAD = 16 << 20, 1 << 20
"""Bytes that a run's log may grow to, and bytes of its beginning that stay when it is cut."""


class Runner:
    """Works off one launch of one study."""

    def __init__(self, study: Study, launch: int, lock: int, trainer: list[str]) -> None:
        self.study, self.launch, self.lock, self.trainer = study, launch, lock, trainer
        self.files = study.files
        self.jobs = study.jobs
        self.workers: list[subprocess.Popen[bytes]] = []
        self.relay: subprocess.Popen[bytes] | None = None
        self.relay_began = self.relay_pause = 0.0
        self.relay_due: float | None = None
        self.stopping = False
        self.tellers: list[subprocess.Popen[bytes]] = []
        self.watch = told.Watch(study)
        self.crew: Crew | None = None
        self.looks = looking.Looks(study)

    def run(self) -> int:
        """Until nothing is left to claim and every trainer has ended."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        choice = self.study.engine or names.LOCAL
        if choice.kind != "local" and not self.stopping:
            return self._remotely(choice)
        log(
            f"launch {self.launch} of {self.study.id}: {len(self.left())} runs, {self.jobs} at once"
        )
        starts, most = (
            0,
            self.jobs + len(self.study.runs),
        )  # a trainer that dies at once isn't replaced for ever
        while True:
            for worker in [w for w in self.workers if w.poll() is not None]:
                self.workers.remove(worker)
                if worker.returncode == OUT_OF_MEMORY and self.jobs > 1:
                    self.jobs -= 1
                    log(f"out of memory: going on with {self.jobs} at once")
                elif worker.returncode < 0:
                    log(f"a trainer was ended by signal {-worker.returncode}")
            self._end_when_known()
            left = 0 if self.stopping else len(self.left())
            while left and len(self.workers) < self.jobs and starts < most:
                self.workers.append(self._start_trainer())
                left -= 1
                starts += 1
            if not self.workers:
                break
            self._keep_relay()
            self._keep_logs_short()
            self._tell_news()
            time.sleep(0.1)
        log("stopped" if self.stopping else "done")
        if not self.stopping:
            self._tell(told.ENDED)
        return 0

    def _tell_news(self) -> None:
        """Have told what the last look at the events shows for the first time."""
        self.tellers = [teller for teller in self.tellers if teller.poll() is None]
        for kind in self.watch.look():
            self._tell(kind)

    def _tell(self, kind: str) -> None:
        """Have the learner's own command run, by a process that outlives this one."""
        try:
            if not config.load().on_end:
                return
            with open_private(self.files.runner_log) as out:
                child = subprocess.Popen(
                    [*children.python_module("q1lab.commands.tell"), self.study.id, kind],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd=self.files.root,
                    start_new_session=True,
                )
        except (Problem, OSError) as error:
            log(f"nobody could be told: {error}")
            return
        self.tellers.append(child)

    def _remotely(self, choice: names.Choice) -> int:
        """The same on an engine: it has the trainers, this process takes their events in."""
        from q1lab.study.engines.remote import Crew

        def beside() -> None:
            self._keep_relay()
            self._tell_news()

        engine = names.engine_of(choice)
        self.crew = Crew(self.study, self.launch, engine, choice.text, log=log, beside=beside)
        status = self.crew.run()
        if not self.stopping:
            self._tell(told.ENDED)
        return status

    def _end_when_known(self) -> None:
        """A study with a planned range is over at the look that knows: its plan then names the
        pairs up to that look, and nothing trains on. Runs under way are beyond it."""
        end = None if self.stopping else self.looks.known_after()
        if end is None:
            return
        log(f"known after {end} of {len(self.study.seeds)} pairs")
        seeds = self.study.seeds[:end]
        rest = [run for run in self.study.runs if run.seed not in seeds]
        launch.take_out(self.study, self.launch, [run.name for run in rest])
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(launch.GRACE)
        self.study = looking.end_after(self.study, end)
        self.looks = looking.Looks(self.study)

    def left(self) -> list[str]:
        """Runs that nobody has claimed in this launch and that have not ended before."""
        return [
            run.name
            for run in self.study.runs
            if not (self.files.claims / f"{self.launch}-{run.name}").exists()
            and not has_ended(self.files.run(run.name).events)
        ]

    def _start_trainer(self) -> subprocess.Popen[bytes]:
        command = [*self.trainer, str(self.files.root), "--launch", str(self.launch)]
        if self.jobs == 1:
            command.append("--alone")
        env = children.environment(self.study.threads)
        if self.study.device == "cuda":
            env["CUDA_VISIBLE_DEVICES"] = gpu_for(
                len(self.workers), env.get("CUDA_VISIBLE_DEVICES")
            )
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            cwd=self.files.root,
            env=env,
            pass_fds=[self.lock],
        )

    def _keep_relay(self) -> None:
        """Have the W&B relay running while runs do. It has a session of its own and no share in the
        lock: whatever happens to it, the study goes on."""
        if self.study.wandb == "disabled" or (self.relay is not None and self.relay.poll() is None):
            return
        if self.relay is not None and self.relay.returncode == 0:
            return
        now = time.monotonic()
        if self.relay is not None and self.relay_due is None:  # it has just died
            # the first restart comes at once; one that keeps dying early waits twice as long each
            # time
            self.relay_pause = 0.0 if now - self.relay_began >= RELAY_LIVED else self.relay_pause
            self.relay_due = now + self.relay_pause
            self.relay_pause = min(max(1.0, 2 * self.relay_pause), RELAY_PAUSE)
        if self.relay_due is not None and now < self.relay_due:
            return
        self.relay_began, self.relay_due = now, None
        with open_private(self.files.relay_log) as out:
            self.relay = subprocess.Popen(
                [*children.python_module("q1lab.tracking.relay"), str(self.files.root)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.files.root,
                start_new_session=True,
            )

    def _keep_logs_short(self) -> None:
        """A model file that prints without end must not fill the disk: of a log that grew past
        LOG_MOST its beginning stays, and what comes next. Trainers append, so they go on behind the
        cut."""
        for run in self.study.runs:
            path = self.files.run(run.name).log
            with contextlib.suppress(OSError):
                if path.stat().st_size > LOG_MOST:
                    os.truncate(path, LOG_HEAD)
                    with open_private(path) as out:
                        out.write(
                            b"\n[q1lab: the log grew too large; some of it was left out here]\n"
                        )

    def _stop(self, *_: object) -> None:
        """SIGTERM went to the whole group, so the trainers know; those that were started since are
        told here."""
        self.stopping = True
        if self.crew is not None:
            self.crew.stop()
        for worker in self.workers:
            if worker.poll() is None:
                worker.terminate()


def gpu_for(worker: int, visible: str | None) -> str:
    """The GPU of the nth trainer at work: one each, in turn, of those that the learner lets us
    see."""
    from q1lab.study.gpus import gpus

    allowed = [part for part in visible.split(",") if part] if visible is not None else None
    cards = allowed if allowed is not None else [str(index) for index in range(len(gpus()))]
    return cards[worker % len(cards)] if cards else (visible or "")


def log(text: str) -> None:
    sys.stderr.write(f"{utc_now()} {text}\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m q1lab.study.runner")
    parser.add_argument("study", type=Path)
    parser.add_argument("--launch", type=int, required=True)
    parser.add_argument(
        "--lock", type=int, required=True, help="inherited descriptor of the study's lock"
    )
    args = parser.parse_args()
    os.environ["Q1LAB_HOME"] = str(args.study.parent.parent)
    os.umask(0o077)  # everything that this process and its children write is private to the user
    os.set_inheritable(args.lock, False)
    study = studies.load(args.study.name)
    launch.note(study.files, args.launch, os.getpid())
    runner = Runner(study, args.launch, args.lock, children.trainer())
    status = runner.run()
    if status == 0 and not runner.stopping:
        try:
            following = turns.start_next(study)
        except Problem as problem:
            log(f"the series does not go on: {problem}")
        else:
            if following is not None:
                log(f"the series goes on with {following.id}")
    return status


if __name__ == "__main__":
    sys.exit(main())

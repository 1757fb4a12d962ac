"""The detached process that carries out a study's plan: ``python -m q1lab.train.runner
STUDY_DIR``.

The crew trains; meanwhile the runner restarts the W&B relay. It ends when all runs have ended, with
or without a viewer.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import time
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.ground.files import open_private
from q1lab.study import child_processes, first_number, studies
from q1lab.study.child_processes import log
from q1lab.study.studies import Study
from q1lab.train import launch, series_members
from q1lab.train.crew import Crew

RELAY_LIVED, RELAY_PAUSE = 60.0, 60.0
"""Seconds after which a relay counts as having worked, and the longest pause between two starts."""


class Runner:
    """Carries out one launch of one study."""

    def __init__(self, study: Study, launch: int, lock: int) -> None:
        self.study = study
        self.files = study.files
        self.crew = Crew(study, launch, lock, self._keep_relay)
        self.relay: subprocess.Popen[bytes] | None = None
        self.relay_began = self.relay_pause = 0.0
        self.relay_due: float | None = None

    def run(self) -> None:
        """Train until nothing of the launch is left."""
        signal.signal(signal.SIGTERM, lambda *_: self.crew.stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        self.crew.run()
        log("stopped" if self.crew.stopping else "done")

    def _keep_relay(self) -> None:
        """Restart the W&B relay; the crew calls this while it trains. It has a session of its own
        and doesn't hold the study's lock: whatever happens to it, the study goes on."""
        if self.study.trainer.wandb == "disabled" or (
            self.relay is not None and self.relay.poll() is None
        ):
            return
        if self.relay is not None and self.relay.returncode == 0:
            return
        now = time.monotonic()
        if self.relay is not None and self.relay_due is None:  # the relay has just died
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
                [
                    *child_processes.python_module("q1lab.train.weights_and_biases.relay"),
                    str(self.files.root),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.files.root,
                start_new_session=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m q1lab.train.runner")
    parser.add_argument("study", type=Path)
    parser.add_argument("--launch", type=int, required=True)
    parser.add_argument(
        "--lock", type=int, required=True, help="inherited descriptor of the study's lock"
    )
    args = parser.parse_args()
    # until there is a crew to stop
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.environ["Q1LAB_HOME"] = str(args.study.parent.parent)
    os.umask(0o077)  # everything that this process and its children write is private to the user
    os.set_inheritable(args.lock, False)
    study = studies.load(args.study.name)
    launch.record_launch(study.files, args.launch, os.getpid())
    runner = Runner(study, args.launch, args.lock)
    runner.run()
    if first_number.FirstNumber(study).is_awaited:
        log("no run has shown a number")
    elif not runner.crew.stopping:
        try:
            following = series_members.start_next(study)
        except Problem as problem:
            log(f"the series does not go on: {problem}")
        else:
            if following is not None:
                log(f"the series goes on with {following.id}")


if __name__ == "__main__":
    main()

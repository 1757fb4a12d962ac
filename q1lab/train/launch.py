"""Start a study's runner detached, take up a launch again, and stop it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Collection
from pathlib import Path

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import (
    open_private,
    os_errors_as_problems,
    private_folder,
    prove_at_home,
    prove_no_links,
    try_lock,
    utc_now,
    write_atomic,
)
from q1lab.ground.paths import StudyPaths
from q1lab.study import child_processes
from q1lab.study.liveness import has_jobs, has_runner, last_launch
from q1lab.study.liveness import is_alive as is_alive
from q1lab.study.studies import Study

GRACE = 10.0
"""Seconds between asking a study to stop and ending it."""


def start_runner(study: Study, only: Collection[str] = ()) -> int:
    """Start the runner in a session of its own; returns the launch's number. ``only`` names the
    runs that it may train; empty: all that are missing.

    The study's lock is taken here and handed down, so that of two viewers only one can start it.
    Problem when it is running already.
    """
    files = study.files
    # the processes that are started write there without checking again
    for folder in (files.runs, files.source, files.claims):
        prove_no_links(folder, left_out="out")
    for path in (files.wandb, files.relay_log, files.runner_log, files.launch):
        prove_at_home(path)
    lock = None if has_jobs(files) else try_lock(files.lock, wait=1.0)
    if lock is None:
        raise already_running(study.id)
    try:
        number = _next_number(files)
        if files.launched.exists():  # what still waits of a killed launch trains nothing
            ask_jobs_to_stop(files, number - 1)
        if only:
            exclude_runs(study, number, [run.name for run in study.runs if run.name not in only])
        command = [
            *child_processes.python_module("q1lab.train.runner"),
            str(files.root),
            "--launch",
            str(number),
            "--lock",
            str(lock),
        ]
        cannot = f"cannot start the training of {study.id}"
        with os_errors_as_problems(cannot), open_private(files.runner_log) as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=files.root,
                env=child_processes.child_environment(study.trainer.threads),
                start_new_session=True,
                pass_fds=[lock],
            )
        # reap it: otherwise a viewer that stays open keeps a dead process around
        threading.Thread(target=child.wait, daemon=True, name=f"reap {child.pid}").start()
        record_launch(files, number, child.pid)
        return number
    finally:
        os.close(lock)


def stop_files(files: StudyPaths, launch: int, run: str = "") -> list[Path]:
    """The files that ask the jobs of a launch to stop: all of them, and one run's (labs.sharing
    looks for them)."""
    return [files.claims / f"{launch}-stop{end}" for end in ("", f"-{run}")[: 2 if run else 1]]


def ask_jobs_to_stop(files: StudyPaths, launch: int, run: str = "") -> None:
    """Ask the jobs of a launch to stop, or one run's: a signal may not reach them."""
    with contextlib.suppress(OSError):
        stop_files(files, launch, run)[-1].touch(mode=0o600)


def already_running(study_id: str) -> Problem:
    """The Problem for a study that runs already."""
    return Problem(
        f"{study_id} is running already", next=f"watch it with `q1lab attach {study_id}`"
    )


def exclude_runs(study: Study, number: int, runs: Collection[str]) -> None:
    """Exclude runs from a launch: trainers skip runs that are claimed."""
    claims = study.files.claims
    with os_errors_as_problems(f"cannot start the training of {study.id}"):
        private_folder(claims)
        for name in runs:
            (claims / f"{number}-{name}").touch(mode=0o600)


def record_launch(files: StudyPaths, number: int, pid: int) -> None:
    """Write the record of a launch. The runner writes it too, in case its starter is killed
    first."""
    launched = {"launch": number, "pid": pid, "host": socket.gethostname(), "started": utc_now()}
    # on a full disk training may still find room, or report it itself
    with contextlib.suppress(Problem):
        write_atomic(files.launch, json.dumps(launched) + "\n")


def _next_number(files: StudyPaths) -> int:
    """The next launch's number: one more than any so far, by the record or (if that is damaged) by
    the claims. With a number that was used before, all runs would count as claimed, and nothing
    would train."""
    recorded = last_launch(files).get("launch")
    numbers = [recorded] if isinstance(recorded, int) and 0 < recorded < 1 << 31 else []
    if files.claims.is_dir():
        heads = (claim.name.partition("-")[0] for claim in files.claims.iterdir())
        numbers += [
            int(head) for head in heads if head.isascii() and head.isdigit() and len(head) < 10
        ]
    return max(numbers, default=0) + 1


def stop_study(study: Study, *, grace: float = GRACE) -> bool:
    """Ask the study to stop and wait until nothing of it lives; after ``grace`` seconds end it.

    Returns False when it was not running. A process id is only signalled while the study's lock is
    held: then its group has a living member, so the number can't belong to another process.
    """
    files = study.files
    if not is_alive(files):
        if files.launched.exists():  # jobs of a killed launch may still wait
            ask_jobs_to_stop(files, last_launch(files).get("launch", 0))
        return False
    if files.launched.exists():
        ask_jobs_to_stop(files, last_launch(files).get("launch", 0))
    pid = _runner_pid(files) if has_runner(files) else None
    if pid is None and not has_jobs(files):
        raise Problem(
            f"{files.launch} doesn't say who runs {study.id}; it ends by itself when its runs have",
            FAILED,
            file=files.launch,
        )
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    killed = False
    while is_alive(files):
        if time.monotonic() > deadline:
            if not has_runner(files):
                raise Problem(
                    f"a job of {study.id} was asked to stop, and still runs",
                    FAILED,
                    next=f"end it where `{study.trainer.launcher}` took it",
                )
            if killed or pid is None:
                raise Problem(
                    f"{study.id} was stopped, but a process that it started left its group and "
                    "lives on",
                    FAILED,
                    next="end it by hand, or start again with --fresh",
                )
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            killed, deadline = True, time.monotonic() + 5
        time.sleep(0.05)
    return True


def _runner_pid(files: StudyPaths) -> int | None:
    for _ in range(40):  # a launch under way writes its record a moment after it takes the lock
        pid = last_launch(files).get("pid")
        if (
            isinstance(pid, int)
            and pid > 1
            and last_launch(files).get("host") == socket.gethostname()
        ):
            return pid
        time.sleep(0.05)
    return None

"""Live progress of a study: a Rich table with a row per run, or plain lines where stdout is not a
terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from q1lab.commands._output import remark
from q1lab.commands.run_lines import run_line
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, Problem, nearest
from q1lab.ground.files import os_reason
from q1lab.ground.log_tail import LogTail
from q1lab.journal.store import Store
from q1lab.journal.study_view import StudyView, read_view
from q1lab.judgment.run_states import ENDED, RunState
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study

POLL_SECONDS = 0.25


def watch_study(store: Store, study: Study, *, quiet: bool = False, hint: str = "") -> StudyView:
    """Show the study's progress until all of its processes have ended. ``quiet`` only waits. Passes
    KeyboardInterrupt through."""
    views = _views(store, study)
    if quiet:
        for view, _ in views:
            last = view
        return last
    if sys.stdout.isatty():
        from q1lab.commands.live_grid import show_grid

        return show_grid(store, views, hint)
    return _print_lines(study, views)


def _poll(store: Store, study: Study) -> tuple[StudyView, bool]:
    """The study's view, and True if a process of it is alive. The processes are checked before the
    view is read, so that the view has their last events."""
    alive = is_alive(study.files)
    return read_view(store, study), alive


def _views(store: Store, study: Study) -> Iterator[tuple[StudyView, bool]]:
    """What ``_poll`` gives, four times a second, until no process is alive."""
    while True:
        view, alive = _poll(store, study)
        yield view, alive
        if not alive:
            return
        time.sleep(POLL_SECONDS)


def _print_lines(study: Study, views: Iterable[tuple[StudyView, bool]]) -> StudyView:
    """Print a line when a run starts or ends, and in between at each tenth of its iters, or each
    time its iters have doubled where their number is not known."""
    printed_progress: dict[str, tuple[RunState, int, str | None]] = {}
    for view, _ in views:
        for run in view.runs:
            place = int(run.progress * 10) if run.max_iters else run.iter.bit_length()
            ending = run.message if run.state is RunState.STOPPED else None
            progress = (run.state, place if run.state is RunState.RUNNING else 0, ending)
            if run.state is RunState.QUEUED and not run.message:
                continue
            if printed_progress.get(run.name) == progress:
                continue
            printed_progress[run.name] = progress
            with_reason = run.state is not RunState.FAILED  # which is told once, at the end
            sys.stdout.write(run_line(run, study.metric, told=with_reason) + "\n")
            sys.stdout.flush()
    return view


def _log_to_follow(study: Study, name: str | None) -> tuple[Path, str]:
    """The log of a run, and the run."""
    names = [run.name for run in study.runs]
    if name is not None and name not in names:
        raise Problem(f"{study.id} has no run called {name!r}", next=nearest(name, names))
    logs = {study.files.run(run).log: run for run in ([name] if name else names)}
    written = list(filter(Path.is_file, logs))
    if not written:
        raise Problem(
            f"no output of {name or study.id} yet", FAILED, next=f"watch: q1lab attach {study.id}"
        )
    log = max(written, key=lambda file: file.stat().st_mtime)
    return log, logs[log]


def follow_run_log(store: Store, study: Study, name: str | None) -> int:
    """Print a run's log until the run has ended: the run ``name``, or else the one that wrote last.
    Returns the exit status. Problem if there is no such run, or nothing was written."""
    log, followed = _log_to_follow(study, name)
    remark(f"{followed}: {log}")
    tail = LogTail(log)
    try:
        while True:
            view, alive = _poll(store, study)  # before the last read, so that no line is missed
            (run,) = (run for run in view.runs if run.name == followed)
            text, _ = tail.read_new()
            sys.stdout.write(text)
            sys.stdout.flush()
            if not text and (run.state in ENDED or not alive):
                for fault in run.why:
                    remark(f"! {fault}")
                return OK
            time.sleep(0 if text else POLL_SECONDS)
    except OSError as error:
        raise Problem(f"{log}: {os_reason(error)}", FAILED, file=log) from None
    except KeyboardInterrupt:
        remark(
            f"\nTraining goes on. Watch: q1lab attach {study.id}" if is_alive(study.files) else ""
        )
        return INTERRUPTED

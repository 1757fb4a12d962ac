"""Limits for a model file while it is checked, of time and memory: protection from accidents, since
it is the learner's own code, run with the learner's own rights. What it starts ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO


class Unusable(Exception):
    """The file can't be used; the message says where, why and what to do."""


class TookTooLong(Exception):
    """A step went over its time, which says nothing of the file but that it is slow."""


class Waits(BaseException):
    """The file waits for what may never come: its line, and what to do. Not an Exception, as
    Late, and no check goes on after it."""


class Late(BaseException):
    """Ends a step that went over its time. Not an Exception, so that a learner's `except Exception`
    doesn't swallow it."""


class TimedSteps:
    """Runs one step after another under a limit of processor time, and turns unwanted ends into
    messages. On a busy machine a step may take longer; one that computes nothing for
    ``waiting_seconds`` (0 sets no limit) raises Waits."""

    def __init__(self, path: Path, seconds: float, waiting_seconds: float = 0.0) -> None:
        self.path, self.seconds, self.waiting_seconds = path, seconds, waiting_seconds
        self.name, self.computed = "", 0.0
        signal.signal(signal.SIGPROF, self._late)
        signal.signal(signal.SIGALRM, self._look)

    def _late(self, *_: object) -> None:
        raise Late

    def _look(self, _: int, frame: FrameType | None) -> None:
        before, self.computed = self.computed, time.process_time()
        if self.computed - before > 0.02 * self.waiting_seconds:
            return
        while frame is not None and frame.f_code.co_filename != str(self.path):
            frame = frame.f_back
        at = f"{self.path}:{frame.f_lineno}" if frame else str(self.path)
        raise Waits(
            f"{at}: it waits, and has computed nothing for {self.waiting_seconds:g} s, while "
            f"{self.name}: take out what sleeps, or waits for input, a program or the network"
        )

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.name, self.computed = name, time.process_time()
        # again and again, should the file catch it
        signal.setitimer(signal.ITIMER_PROF, self.seconds, 0.5)
        signal.setitimer(signal.ITIMER_REAL, self.waiting_seconds, self.waiting_seconds)
        try:
            yield
        except Late as late:
            raise TookTooLong(
                f"{self._at(late)}: took over {self.seconds:g} s of processor time, while {name}"
            ) from late
        except SystemExit as leaving:
            raise Unusable(
                f"{self._at(leaving)}: it calls exit, while {name}: take that out"
            ) from leaving
        except MemoryError as full:
            raise Unusable(
                f"{self._at(full)}: out of memory, while {name}: do its sizes follow GPTConfig?"
            ) from full
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _at(self, error: BaseException) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if f.filename == str(self.path)]
        return f"{self.path}:{lines[-1]}" if lines else str(self.path)


def take_output() -> TextIO:
    """Keep standard output for results; from here on what the file prints goes to standard
    error."""
    results_out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return results_out


def limit_memory(megabytes: int) -> None:
    """Limit data memory to what is in use plus `megabytes`, and written files to 64 MB, where it
    can be done."""
    import resource

    used = 0
    with contextlib.suppress(OSError, IndexError, ValueError):
        status = Path("/proc/self/status").read_text()
        used = int(status.split("VmData:")[1].split()[0]) * 1024
    data = used + megabytes * 2**20
    for kind, limit in ((resource.RLIMIT_DATA, data), (resource.RLIMIT_FSIZE, 64 * 2**20)):
        with contextlib.suppress(OSError, ValueError):
            _, hard = resource.getrlimit(kind)
            capped = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (capped, hard))

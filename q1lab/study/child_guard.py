"""Run a module as a child that ends with the process that started it.

``python -P q1lab/study/child_guard.py --fd N --seconds S --cpu S MODULE ARGUMENTS…``

Run as a file, so that the child loads nothing of q1lab but the module it is for. ``--fd`` is the
read end of a pipe that is never written to; it closes when the process at its other end is gone,
for whatever reason. Then the child and its process group are killed. On Linux the kernel does
this by itself (a signal-driven descriptor), so it also ends a model file that never lets another
thread run; elsewhere a thread waits for it. A limit on wall time and on processor time are the
child's own, should the asker be stopped rather than gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import runpy
import select
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    """Tie this process to its parent, then become the module."""
    options = {"--fd": -1, "--seconds": 0, "--cpu": 0}
    words = sys.argv[1:]
    while words and words[0] in options:
        name, value, *words = words
        options[name] = int(value)
    if not words:
        sys.exit("usage: child_guard.py [--fd N] [--seconds S] [--cpu S] MODULE [ARGUMENTS]")
    tie_to_parent(options["--fd"], options["--seconds"])
    limit_processor_time(options["--cpu"])
    # the package lies here also where it is not installed; last, so that it shadows nothing
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def tie_to_parent(fd: int, seconds: int = 0) -> None:
    """End this process (and its group, where it leads one) once the other end of ``fd`` is closed,
    or after ``seconds``; a negative ``fd`` is ignored, and 0 seconds set no limit."""
    if fd < 0 and not seconds:
        return
    if fd >= 0 and hasattr(fcntl, "F_SETSIG"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpid() if leads_group() else os.getpid())
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_kill_when_alone, args=(fd, seconds), daemon=True, name="leash").start()


def leads_group() -> bool:
    """True if this process leads a group of its own."""
    return os.getpgrp() == os.getpid()


def _kill_when_alone(fd: int, seconds: int) -> None:
    watch = select.poll()
    if fd >= 0:
        watch.register(fd, 0)  # no event is asked for: the end of a pipe is always told
    watch.poll(seconds * 1000 or None)
    if leads_group():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def limit_processor_time(seconds: int) -> None:
    """Let the kernel end this process after this many seconds of processor time; 0 sets no
    limit."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if seconds:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        most = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


if __name__ == "__main__":
    main()

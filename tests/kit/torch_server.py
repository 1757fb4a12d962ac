"""Processes that begin with torch imported: to import it costs two seconds of processor time, and
many tests need the real trainer in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["torch", "torch.utils.flop_counter"])


def start_module(at: Path, module: str, *arguments: str, log: Path) -> BaseProcess:
    """Start ``python -m module`` whose package lies in ``at``; what it prints goes to ``log``."""
    child = _SERVER.Process(target=_run, args=(at, module, arguments, log, dict(os.environ)))
    child.start()
    return child


def exit_status(child: BaseProcess, seconds: float = 120) -> int:
    """Wait for a process that was started so; one that takes longer is killed."""
    child.join(seconds)
    if child.exitcode is None:
        child.kill()
        child.join()
    assert child.exitcode is not None
    return child.exitcode


def _run(
    at: Path, module: str, arguments: tuple[str, ...], log: Path, environment: dict[str, str]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(at)
    sys.path.insert(0, str(at))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

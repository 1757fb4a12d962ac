"""Processes that begin with torch imported: to import it costs over a second of processor time, and
many tests need the real trainer, probe, sampler or checks in a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import select
import subprocess
import sys
import threading
import time
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd  # type: ignore[attr-defined]
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a child loads this module, too
    import pytest

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["labs.torch_import", "torch.utils.flop_counter"])


def start_module(at: Path, module: str, *arguments: str, log: Path) -> BaseProcess:
    """Start ``python -m module`` whose package lies in ``at``, or a script that lies there; what it
    prints goes to ``log``."""
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
    _begin(environment)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(at)
    sys.path.insert(0, str(at))
    sys.argv = [module, *arguments]
    if module.endswith(".py"):
        runpy.run_path(module, run_name="__main__")
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _begin(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for module in ("labs", "labs.torch_import"):  # the child may have another package of that name
        sys.modules.pop(module, None)


_ONE_AT_A_TIME = threading.Lock()
"""A process that is started asks all others for their ends, and an end can be read once."""

WARM = {"labs.checks", "labs.probe", "labs.sample"}
"""The modules with torch that q1lab asks, each in a child of its own."""


def warm_children(patch: pytest.MonkeyPatch) -> None:
    """Start such children from that server; all that they do is what a cold one does, under the
    same guard."""

    from q1lab.runner import child_processes

    def start(command: list[str], **options: Any) -> Any:
        begin = _Child if WARM & {*command} else subprocess.Popen
        return begin(command, **options)

    patch.setattr(
        child_processes, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": start})
    )


class _Child:
    """What is used of a subprocess.Popen, for ``python -P child_guard.py --fd N … MODULE …``."""

    def __init__(
        self,
        command: list[str],
        *,
        pass_fds: list[int],
        cwd: Path,
        env: dict[str, str],
        stdin: int = subprocess.DEVNULL,
        stderr: int = subprocess.PIPE,
        **_: Any,
    ) -> None:
        (guard,) = pass_fds
        out, out_end = os.pipe()
        ends = [os.open(os.devnull, os.O_RDONLY), out_end]
        self.stdin = self.stderr = None
        if stdin == subprocess.PIPE:
            os.close(ends[0])
            ends[0], write = os.pipe()
            self.stdin = os.fdopen(write, "w", encoding="utf-8")
        if stderr == subprocess.PIPE:
            err, stderr = os.pipe()
            self.stderr = os.fdopen(err, "rb")
            ends.append(stderr)
        script = next(at for at, word in enumerate(command) if word.endswith("child_guard.py"))
        passed = _Ends((ends[0], out_end, stderr, guard))
        self._process = _SERVER.Process(
            target=_become, args=(command[script:], str(guard), cwd, env, passed)
        )
        try:
            with _ONE_AT_A_TIME:
                self._process.start()
        except BaseException:
            for pipe in (self.stdin, self.stderr):
                if pipe is not None:
                    pipe.close()
            raise
        finally:
            for end in ends:
                os.close(end)
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.stdout = os.fdopen(out, "rb")

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with _ONE_AT_A_TIME:
            return self._process.exitcode

    def wait(self) -> int:
        connection.wait([self._process.sentinel])
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self, text: str, timeout: float) -> tuple[str, None]:
        assert self.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.stdin.write(text)
            self.stdin.close()
        answer, late = b"", time.monotonic() + timeout
        while select.select([self.stdout], [], [], max(0, late - time.monotonic()))[0]:
            if not (more := os.read(self.stdout.fileno(), 2**16)):
                self.wait()
                return answer.decode(errors="replace"), None
            answer += more
        raise subprocess.TimeoutExpired("", timeout)


class _Ends:
    """Descriptors that go to the child with its arguments."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (tuple(DupFd(number) for number in self.numbers),)


def _received(duplicates: tuple[Any, ...]) -> _Ends:
    return _Ends(tuple(duplicate.detach() for duplicate in duplicates))


def _become(
    command: list[str], asker: str, cwd: Path, environment: dict[str, str], ends: _Ends
) -> None:
    os.setsid()
    _begin(environment)
    *streams, guard = ends.numbers
    for target, number in enumerate(streams):
        os.dup2(number, target)
        os.close(number)
    sys.stdin = os.fdopen(0)  # multiprocessing has put another in its place
    os.chdir(cwd)
    sys.argv = [str(guard) if word == asker else word for word in command]
    runpy.run_path(command[0], run_name="__main__")

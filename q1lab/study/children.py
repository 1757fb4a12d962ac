"""Starting q1lab's child processes: the command, the environment, and asking one of them a
question."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from q1lab import paths
from q1lab.errors import FAILED, Problem


def python_module(module: str) -> list[str]:
    """``python -m module`` with this interpreter; ``-P`` keeps files of the current folder from
    shadowing ours."""
    return [sys.executable, "-P", "-m", module]


def trainer() -> list[str]:
    """The trainer's command. ``Q1LAB_TRAINER`` puts another program in its place (tests use one
    without torch)."""
    return shlex.split(os.environ.get("Q1LAB_TRAINER", "")) or python_module("labs.train")


def prober() -> list[str]:
    """The probe's command; ``Q1LAB_PROBE`` replaces it likewise."""
    return shlex.split(os.environ.get("Q1LAB_PROBE", "")) or python_module("labs.probe")


def environment(threads: int = 1) -> dict[str, str]:
    """The child's environment: so many threads, huge pages for malloc where glibc knows them, and
    compile caches inside q1lab's home."""
    env = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    if "glibc.malloc.hugetlb" not in env.get("GLIBC_TUNABLES", ""):
        known = env.get("GLIBC_TUNABLES")
        env["GLIBC_TUNABLES"] = (known + ":" if known else "") + "glibc.malloc.hugetlb=1"
    env.setdefault("TORCHINDUCTOR_CACHE_DIR", str(paths.home() / "cache" / "inductor"))
    env.setdefault("TRITON_CACHE_DIR", str(paths.home() / "cache" / "triton"))
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def ask(
    command: list[str], question: dict[str, Any], *, threads: int = 1, seconds: float = 120
) -> dict[str, Any]:
    """Run a child with a JSON question on its stdin and return its JSON answer.

    Problem when it takes too long, dies, or answers with an error (its ``error`` is the message).
    """
    noise, write_end = os.pipe()
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=write_end,
        env=environment(threads),
        start_new_session=True,
        text=True,
        errors="replace",
    )
    os.close(write_end)
    printed = _LastWords(noise)
    try:
        out, _ = child.communicate(json.dumps(question), timeout=seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGUSR1)  # the probe writes where it is (labs/probe.py)
        place = printed.place(question.get("files", {}).values(), 2.0)
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise Problem(
            (f"{place}: " if place else "")
            + f"no answer within {seconds:.0f} s while trying the model; does it loop?",
            FAILED,
        ) from None
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        lines = printed.text(1.0).strip().splitlines()
        last = lines[-1] if lines else f"exit status {child.returncode}"
        raise Problem(f"the model could not be tried: {last[:500]}", FAILED) from None
    if "error" in answer:
        raise Problem(str(answer["error"]))
    return answer


CHILD_SECONDS = 120.0


def run_q1lab(arguments: list[str], *, seconds: float = CHILD_SECONDS) -> str:
    """Run a q1lab command in a child; returns its output. Problem with the child's own words when
    it fails.

    The app does so with what needs scipy or matplotlib, which would cost its own process half a
    second and 60 MB.
    """
    command = [*python_module("q1lab"), *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=environment(),
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Problem(
            f"`q1lab {' '.join(arguments)}` took longer than {seconds:.0f} s", FAILED
        ) from None
    except OSError as error:
        raise Problem(f"cannot run `q1lab {' '.join(arguments)}`: {error}", FAILED) from error
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line]
        raise Problem(
            (said[-1] if said else f"exit status {done.returncode}").removeprefix("q1lab: "), FAILED
        )
    return done.stdout


class _LastWords(threading.Thread):
    """Drains a pipe and keeps only its end: a model file may print a gigabyte."""

    KEPT = 64 << 10

    def __init__(self, pipe: int) -> None:
        super().__init__(daemon=True)
        self._pipe, self._end = pipe, b""
        self.start()

    def run(self) -> None:
        while block := os.read(self._pipe, 1 << 16):
            self._end = (self._end + block)[-self.KEPT :]
        os.close(self._pipe)

    def text(self, wait: float) -> str:
        """What was printed last, once the pipe is closed or ``wait`` seconds are over."""
        self.join(wait)
        return self._end.decode("utf-8", "replace")

    def place(self, files: Iterable[str], wait: float) -> str | None:
        """``file:line`` of the innermost frame in one of ``files``, out of a stack that is written
        about now."""
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            stack = self._end.decode("utf-8", "replace").rpartition("(most recent call first)")[2]
            for file, line in re.findall(r'File "(.+?)", line (\d+)', stack):
                if file in files:
                    return f"{file}:{line}"
            time.sleep(0.05)
        return None

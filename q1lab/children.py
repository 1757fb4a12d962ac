"""Starting q1lab's child processes: the command, the environment, and asking one of them a question."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from typing import Any

from q1lab import paths
from q1lab.errors import FAILED, Problem


def python_module(module: str) -> list[str]:
    """``python -m module`` with this interpreter; ``-P`` keeps files of the current folder from shadowing ours."""
    return [sys.executable, "-P", "-m", module]


def trainer() -> list[str]:
    """The trainer's command. ``Q1LAB_TRAINER`` puts another program in its place (tests use one without torch)."""
    return shlex.split(os.environ.get("Q1LAB_TRAINER", "")) or python_module("labs.train")


def prober() -> list[str]:
    """The probe's command; ``Q1LAB_PROBE`` replaces it likewise."""
    return shlex.split(os.environ.get("Q1LAB_PROBE", "")) or python_module("labs.probe")


def environment(threads: int = 1) -> dict[str, str]:
    """The child's environment: so many threads, huge pages for malloc where glibc knows them, and compile caches
    inside q1lab's home."""
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
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(threads),
        start_new_session=True,
        text=True,
        errors="replace",
    )
    try:
        out, err = child.communicate(json.dumps(question), timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise Problem(
            f"no answer within {seconds:.0f} s while trying the model; does it loop?", FAILED
        ) from None
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        last = next(iter(reversed(err.strip().splitlines())), f"exit status {child.returncode}")
        raise Problem(f"the model could not be tried: {last}", FAILED) from None
    if "error" in answer:
        raise Problem(str(answer["error"]))
    return answer

"""Start q1lab's child processes: their command lines, their environment, and JSON questions to one
of them.

There are two kinds. Those that train (runner, trainers, relay) outlive the process that started
them; locks tell if they are alive. All others work for their parent: ``running_child`` starts them,
and they end with the parent, even if it is killed. SECURITY.md says what holds for each.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, utc_now
from q1lab.study.trainer import OWN, Trainer

CHILD_GUARD = Path(__file__).with_name("child_guard.py")

MARGIN = 10
"""Seconds by which a child's own limits exceed the time that its parent waits: the parent gives the
better message."""


def python_module(module: str) -> list[str]:
    """``python -m module`` with this interpreter; ``-P`` keeps files of the current folder from
    shadowing ours."""
    return [sys.executable, "-P", "-m", module]


def trainer_command() -> list[str]:
    """The command of q1lab's own trainer. ``Q1LAB_TRAINER`` puts another program in its place
    (tests use one without torch)."""
    return shlex.split(os.environ.get("Q1LAB_TRAINER", "")) or python_module("labs.train")


def training_program(trainer: Trainer) -> list[str]:
    """The program that trains a study's runs; it takes the study's folder as an argument."""
    if trainer.kind == OWN:
        return trainer_command()
    return command_trainer()


def command_trainer() -> list[str]:
    """The program that trains a person's command, which has q1lab read the files of its runs."""
    return [*python_module("labs.loop"), "--folder-reader", "q1lab.judgment.tables.run_folder"]


def probe_command() -> list[str]:
    """The probe's command; ``Q1LAB_PROBE`` replaces it likewise."""
    return shlex.split(os.environ.get("Q1LAB_PROBE", "")) or python_module("labs.probe")


HARMLESS = re.compile(
    "PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|VIRTUAL_ENV|PYTHONPATH|LD_LIBRARY_PATH"
    "|(CUDA|NVIDIA|HIP|ROCR|OMP|GOMP|MKL|OPENBLAS|ONEDNN|DNNL|ATEN|PYTORCH|TORCH)_.*"
)
"""Names of the environment variables that a stranger's program gets: where programs, files and
languages are, and how PyTorch computes. Keys and tokens have other names."""


def stranger_environment(threads: int) -> dict[str, str]:
    """The environment of a child that runs a stranger's code."""
    harmless = {name: value for name, value in os.environ.items() if HARMLESS.fullmatch(name)}
    return child_environment(threads, harmless)


def child_environment(threads: int = 1, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a child: ``base`` with this number of threads, huge pages for malloc where
    glibc knows them, and compile caches inside q1lab's home.

    Threads that wait for each other spin for 10,000 rounds, and then sleep. With libgomp's 300,000
    two threads beside other programs train at a quarter of the speed for three times the processor
    time; alone on two cores both are equally fast, and a training whose threads sleep at once takes
    30% longer.
    """
    env = dict(base)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    if "OMP_WAIT_POLICY" not in env:
        env.setdefault("GOMP_SPINCOUNT", "10000")
    if "glibc.malloc.hugetlb" not in env.get("GLIBC_TUNABLES", ""):
        tunables = env.get("GLIBC_TUNABLES")
        env["GLIBC_TUNABLES"] = (tunables + ":" if tunables else "") + "glibc.malloc.hugetlb=1"
    env.setdefault("TORCHINDUCTOR_CACHE_DIR", str(paths.home() / "cache" / "inductor"))
    env.setdefault("TRITON_CACHE_DIR", str(paths.home() / "cache" / "triton"))
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


@contextlib.contextmanager
def running_child(
    command: list[str],
    *,
    seconds: float,
    threads: int = 1,
    env: dict[str, str] | None = None,
    **popen_options: Any,
) -> Iterator[subprocess.Popen[Any]]:
    """Run a child for the length of a block, then kill all that is left of its process group.

    It runs isolated: no code of the current folder, a folder of q1lab's to stand in, no standard
    input unless ``how`` (the arguments of Popen) gives one, a session of its own. It ends when this
    process does, even by ``kill -9``, and by limits of its own a little after ``seconds``. A
    ``command`` that is no module (a test's probe) is started without those two.
    """
    with guarded_command(command, seconds=seconds, threads=threads) as (tied, fd):
        child = subprocess.Popen(
            tied,
            **{"stdin": subprocess.DEVNULL, "cwd": paths.scratch_dir(), **popen_options},
            env=child_environment(threads) if env is None else env,
            start_new_session=True,
            pass_fds=[fd],
        )
        try:
            yield child
        finally:
            _kill_group(child)
            child.wait()


def _kill_group(child: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


@dataclass(frozen=True)
class OutputLimits:
    """Limits on a child that is followed: seconds without a message, for one that waits; seconds
    for everything; bytes that it may print beside its messages, and how many of them are kept."""

    seconds: float = 180.0
    seconds_in_all: float = 1200.0
    printed: int = 8 * 2**20
    kept_bytes: int = 16 * 2**10


class Listener(Protocol):
    """Takes the messages of a followed child; ``step`` is what the child does now, in words."""

    step: str

    def take(self, message: dict[str, Any]) -> None: ...


class FollowedOutput:
    """What a child says: messages, JSON objects in a line each, and whatever else it prints."""

    def __init__(self, listener: Listener, limits: OutputLimits) -> None:
        self.listener, self.limits = listener, limits
        self.stopped: str | None = None
        """Why the child was stopped, in words."""
        self.key_pressed = False
        self._rest = self._kept = b""
        self._count = 0
        self._began = self._heard = time.monotonic()

    def hear(self, data: bytes) -> None:
        self._heard = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self.listener.take(json.loads(line))

    def keep(self, data: bytes) -> None:
        self._count += len(data)
        self._kept += data[: max(0, self.limits.kept_bytes - len(self._kept))]

    def press(self, _: bytes) -> None:
        self.key_pressed = True

    @property
    def printed(self) -> str:
        """What it printed beside its messages, cut to the first kilobytes."""
        return printable(self._kept.decode("utf-8", "replace"))

    def is_over_limits(self) -> bool:
        """True, with the reason in ``stopped``, if the child is to be stopped."""
        now, limits = time.monotonic(), self.limits
        if self._count > limits.printed:
            self.stopped = (
                f"it printed more than {limits.printed // 2**20} MB, while {self.listener.step}: "
                "is there a print in forward, or in a loop?"
            )
        for since, most in (
            (self._heard, limits.seconds),
            (self._began, limits.seconds_in_all),
        ):
            if now > since + most:
                self.stopped = f"it did not end within {most:g} s, while {self.listener.step}"
        return self.stopped is not None

    def death(self, code: int) -> str:
        """The reason, in words, why the child ended with ``code`` without its last message."""
        return _death(code, self.listener.step, self.printed)


def _death(code: int, step: str, printed: str) -> str:
    if code < 0:
        known = -code in signal.Signals.__members__.values()
        name = signal.Signals(-code).name if known else f"signal {-code}"
        hint = "; out of memory?" if -code == signal.SIGKILL else ""
        return f"the process was ended by {name}, while {step}{hint}"
    last = [line for line in printed.splitlines() if line.strip()][-1:]
    last_words = f"; its last line: {last[0][:200]}" if last else ""
    return (
        f"the process ended by itself with status {code}, while {step}: does it call "
        f"os._exit?{last_words}"
    )


def follow(
    child: subprocess.Popen[bytes],
    listener: Listener,
    limits: OutputLimits,
    keys: int | None = None,
) -> FollowedOutput:
    """Read both pipes of a child until it is gone, is over its limits, or a key can be read from
    the descriptor ``keys``."""
    assert child.stdout is not None
    assert child.stderr is not None
    output = FollowedOutput(listener, limits)
    gone_at: float | None = None
    with selectors.DefaultSelector() as selector, child.stdout, child.stderr:
        if keys is not None:
            selector.register(keys, selectors.EVENT_READ, output.press)
        for pipe, feed in ((child.stdout, output.hear), (child.stderr, output.keep)):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, feed)
        while len(selector.get_map()) > (keys is not None):
            for key, _ in selector.select(timeout=0.05):
                with contextlib.suppress(BlockingIOError):
                    data = os.read(key.fd, 2**16)
                    if data:
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
            if output.key_pressed or output.is_over_limits():
                return output
            if child.poll() is not None:
                # a process that the file left behind may hold the pipes: half a second for what is
                # in them
                gone_at = gone_at or time.monotonic()
                if time.monotonic() - gone_at > 0.5:
                    break
    child.wait()
    return output


@contextlib.contextmanager
def guarded_command(
    command: list[str], *, seconds: float, threads: int = 1
) -> Iterator[tuple[list[str], int]]:
    """The command of a module tied to this process by child_guard.py, and the descriptor to hand
    down (``pass_fds``), for as long as the block lasts."""
    asker, ours = os.pipe()
    start, most = python_module("")[:-1], int(seconds) + MARGIN
    if command[: len(start)] == start:
        limits = ["--fd", asker, "--seconds", most, "--cpu", most * max(2, threads)]
        guard = [sys.executable, "-P", str(CHILD_GUARD), *map(str, limits)]
        command = [*guard, *command[len(start) :]]
    try:
        yield command, asker
    finally:
        os.close(asker)
        os.close(ours)


def ask_child(
    command: list[str],
    question: dict[str, Any],
    *,
    threads: int = 1,
    seconds: float = 120,
    env: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Run a child with a JSON question on its stdin and return its JSON answer.

    Problem when it takes too long, dies, or answers with an error (its ``error`` is the message).
    """
    noise, write_end = os.pipe()
    printed = _OutputTail(noise)
    pipes: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": write_end,
    }
    try:
        with running_child(
            command,
            seconds=seconds,
            threads=threads,
            env=env,
            text=True,
            errors="replace",
            **pipes,
        ) as child:
            os.close(write_end)
            write_end = -1
            try:
                out, _ = child.communicate(json.dumps(question), timeout=seconds)
            except subprocess.TimeoutExpired:
                # the probe writes where it is (labs/probe.py)
                child.send_signal(signal.SIGUSR1)
                place = printed.place(question.get("files", {}).values(), 2.0)
                raise Problem(
                    (f"{place}: " if place else "")
                    + f"no answer within {seconds:.0f} s while trying the model; does it loop?",
                    FAILED,
                ) from None
            finally:
                for pipe in (child.stdin, child.stdout):
                    assert pipe is not None
                    with contextlib.suppress(OSError):
                        pipe.close()
    finally:
        if write_end >= 0:
            os.close(write_end)
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        which = " or ".join(question.get("files", {}).values()) or "this machine"
        reason = _death(child.returncode, f"trying {which}", printed.text(1.0))
        raise Problem(reason, FAILED) from None
    if "error" in answer:
        raise Problem(str(answer["error"]))
    return answer


CHILD_SECONDS = 120.0


def run_q1lab(arguments: list[str], *, seconds: float = CHILD_SECONDS) -> str:
    """Run a q1lab command in a child; returns its output. Problem with the child's own words when
    it fails.

    The app does so with what needs scipy, which would cost its own process half a second and 60 MB.
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        with running_child(
            [*python_module("q1lab"), *arguments],
            seconds=seconds,
            cwd=Path.cwd(),
            text=True,
            errors="replace",
            **pipes,
        ) as child:
            out, errors = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Problem(
            f"`q1lab {' '.join(arguments)}` took longer than {seconds:.0f} s", FAILED
        ) from None
    except OSError as error:
        raise Problem(f"cannot run `q1lab {' '.join(arguments)}`: {error}", FAILED) from error
    if child.returncode:
        error_lines = [line for line in errors.strip().splitlines() if line]
        raise Problem(
            (error_lines[-1] if error_lines else f"exit status {child.returncode}").removeprefix(
                "q1lab: "
            ),
            FAILED,
        )
    return str(out)


class _OutputTail(threading.Thread):
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
        """The last output, once the pipe is closed or ``wait`` seconds are over."""
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


def log(text: str) -> None:
    """A line for runner.log."""
    sys.stderr.write(f"{utc_now()} {text}\n")
    sys.stderr.flush()

"""The process that runs a learner's file: `python -m labs.checks FILE [--for rope] [--json]`.

Results go to standard output as they come, one JSON object a line with --json; whatever the file
prints goes to standard error. Each step has a time limit, memory is limited, and the file may not
start other processes. That is protection from accidents, not a sandbox: it stays the learner's own
code, run with the learner's own rights.

Exit status: 0 all passed, 1 a check failed, 2 the file can't be used.

Lines of --json, by "event": for {"for"}, begin {"name"}, check {"name", "passed", "expected",
"seen", "why", "seconds"}, unusable {"message"}, end {"passed"}.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

LARGEST = 1_000_000  # bytes of a model file


class Unusable(Exception):
    """The file can't be used; the message says where, why and what to do."""


class TookTooLong(BaseException):
    """A step went over its time. Not an Exception, so that a learner's `except Exception` doesn't
    swallow it."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m labs.checks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--for", dest="for_", default="", help="rope, rmsnorm, swiglu, gqa, llama (all), baseline"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--step-seconds", type=float, default=20.0, help="the time limit of one check"
    )
    parser.add_argument(
        "--memory-mb",
        type=int,
        default=4096,
        help="the limit of data memory, where the system has one",
    )
    options = parser.parse_args(arguments)
    out = take_output()

    def say(event: str, **fields: Any) -> None:
        if options.json:
            line = json.dumps({"event": event, **fields}, ensure_ascii=False)
        elif event == "check":
            line = f"{'ok  ' if fields['passed'] else 'FAIL'}  {fields['name']}: {fields['seen']}"
        elif event in ("unusable", "for"):
            line = fields.get("message") or f"checks for {fields['for']}"
        else:
            return
        out.write(line + "\n")
        out.flush()

    path = options.file.absolute()
    try:
        return run(path, options.for_, say, options.step_seconds, options.memory_mb)
    except Unusable as error:
        say("unusable", message=str(error))
        return 2


def run(
    path: Path, for_: str, say: Callable[..., None], step_seconds: float, memory_mb: int
) -> int:
    """Read, load and check a file; the exit status."""
    began = time.perf_counter()
    say("begin", name="syntax")
    lines = read(path)
    say(
        "check",
        name="syntax",
        passed=True,
        expected="a UTF-8 file that Python can parse",
        seen=f"{lines} lines",
        why="Everything else needs it; this one costs no import.",
        seconds=round(time.perf_counter() - began, 3),
    )
    say("begin", name="loading the file")
    sys.dont_write_bytecode = True
    import torch

    from labs import loading
    from labs.checks import suite
    from labs.checks.probe import Subject

    torch.set_num_threads(1)
    # CUDA maps gigabytes for itself
    limit_memory(memory_mb * (4 if torch.cuda.is_available() else 1))
    forbid_processes(path)
    step = Steps(path, step_seconds)
    with step("loading the file"):
        try:
            module = loading.load(path)
        except loading.ModelError as error:
            raise Unusable(explain(str(error))) from error
    with step("looking at the file"):
        try:
            subject = Subject(module, path)
        except (TypeError, ValueError) as error:
            raise Unusable(
                f"{path}: GPTConfig takes no fields that can be read: {error}"
            ) from error
        for_ = for_ or suite.guess(subject)
    say("for", **{"for": for_})
    passed = True

    def begin(name: str) -> None:
        say("begin", name=name)

    for one in suite.checks_for(for_):
        begin(one.name)
        result: suite.Result | None
        try:
            with step(one.name):
                result = suite.run_one(one, subject)
        except Unusable as error:
            result = suite.Result(one.name, False, one.expected, str(error), one.why, step.seconds)
        if result is None:
            continue
        passed = passed and result.passed
        say("check", **vars(result))
        if one.name == "interface" and not result.passed:
            break  # nothing else could be told
    say("end", passed=passed)
    return 0 if passed else 1


def read(path: Path) -> int:
    """Look at the file before anything heavy is imported; returns its lines. Unusable when it is no
    Python text."""
    try:
        if path.stat().st_size > LARGEST:
            raise Unusable(f"{path}: larger than 1 MB; that is no model file")
        text = path.read_text(encoding="utf-8")
        ast.parse(text, str(path))
        return text.count("\n") + 1
    except SyntaxError as error:
        raise Unusable(f"{path}:{error.lineno}: SyntaxError: {error.msg}") from error
    except FileNotFoundError as error:
        raise Unusable(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: not UTF-8 text") from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise Unusable(f"{path}: {error}") from error


def explain(message: str) -> str:
    """Add what to do where a loading error has a usual cause."""
    if "ModuleNotFoundError" in message or "ImportError" in message:
        return (
            message + "; a model file is complete in itself: it can import installed packages only"
        )
    if "MemoryError" in message:
        return message + "; it needs more memory than a check may use"
    return message


class Steps:
    """Runs one step after another under a time limit, and turns ends that nobody wants into
    messages."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.seconds = path, seconds
        signal.signal(signal.SIGALRM, self._late)

    def _late(self, *_: object) -> None:
        raise TookTooLong

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        # again and again, should the file catch it
        signal.setitimer(signal.ITIMER_REAL, self.seconds, 0.5)
        try:
            yield
        except TookTooLong as late:
            raise Unusable(
                f"{self._at(late)}: no end after {self.seconds:g} s, while {name}"
            ) from late
        except SystemExit as leaving:
            raise Unusable(f"{self._at(leaving)}: it calls exit, while {name}") from leaving
        except MemoryError as full:
            raise Unusable(f"{self._at(full)}: out of memory, while {name}") from full
        except KeyboardInterrupt:
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _at(self, error: BaseException) -> str:
        lines = [
            f.lineno
            for f in traceback.extract_tb(error.__traceback__)
            if f.filename == str(self.path)
        ]
        return f"{self.path}:{lines[-1]}" if lines else str(self.path)


def take_output() -> TextIO:
    """Keep standard output for results; from here on what the file prints goes to standard
    error."""
    mine = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return mine


def limit_memory(megabytes: int) -> None:
    """Limit data memory to what is in use plus `megabytes`, and written files to 64 MB, where it
    can be done."""
    import resource

    used = 0
    with contextlib.suppress(OSError, IndexError, ValueError):
        status = Path("/proc/self/status").read_text()
        used = int(status.split("VmData:")[1].split()[0]) * 1024
    for kind, limit in (
        (resource.RLIMIT_DATA, used + megabytes * 2**20),
        (resource.RLIMIT_FSIZE, 64 * 2**20),
    ):
        with contextlib.suppress(OSError, ValueError):
            _, hard = resource.getrlimit(kind)
            capped = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (capped, hard))


def forbid_processes(path: Path) -> None:
    """Let a model file that starts another process fail on that line. Libraries may."""
    events = {
        "os.fork",
        "os.forkpty",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "subprocess.Popen",
        "pty.spawn",
    }

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event in events:
            frame = sys._getframe(1)
            while frame is not None:
                if frame.f_code.co_filename == str(path):
                    raise RuntimeError(f"a model file must not start another process ({event})")
                frame = frame.f_back  # type: ignore[assignment]

    sys.addaudithook(watch)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # no thread or exit handler of the file keeps this process alive

"""The process that runs a learner's file: `python -m labs.checks FILE [--for rope] [--json]`.

Results go to standard output as they come, one JSON object per line with --json; whatever the file
prints goes to standard error. Each step has a time limit, memory is limited, and the file may not
start other processes (limits.py).

Exit status: 0 all passed, 1 a check failed, 2 the file can't be used.

Lines of --json, by "event": for {"for"}, begin {"name"}, check {the fields of
property_check.Result}, scope {"longest", "not_looked_at"}, unusable {"message"}, end {"passed"}.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.checks import limits
from labs.checks.limits import Unusable
from labs.checks.property_check import Result

MOST_MODEL_BYTES = 1_000_000  # bytes of a model file


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m labs.checks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--for", dest="for_", default="", help="a modification, several joined by +, or baseline"
    )
    parser.add_argument("--source", type=Path, help="what the file was made from")
    parser.add_argument(
        "--baseline",
        type=Path,
        help="another file to compare with; by default the source, else q1lab's baseline",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of the file's own GPTConfig at another value, as JSON or as text",
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--step-seconds",
        type=float,
        default=20.0,
        help="the limit of one check, of processor time",
    )
    parser.add_argument(
        "--memory-mb",
        type=int,
        default=4096,
        help="the limit of data memory, where the system has one",
    )
    options = parser.parse_args(arguments)
    out = limits.take_output()

    def say(event: str, **fields: Any) -> None:
        if options.json:
            line = json.dumps({"event": event, **fields}, ensure_ascii=False)
        elif event == "check":
            line = f"{'ok  ' if fields['passed'] else 'FAIL'}  {fields['name']}: {fields['seen']}"
            if fields["doubt"]:
                line += f" ({fields['doubt']})"
        elif event in ("unusable", "for"):
            line = fields.get("message") or f"checks for {fields['for']}"
        elif event == "scope":
            unseen = [f"texts over {fields['longest']} tokens", *fields["not_looked_at"]]
            line = f"not looked at: {'; '.join(unseen)}"
        else:
            return
        out.write(line + "\n")
        out.flush()

    path = options.file.absolute()
    try:
        settings = dict(parse(setting) for setting in options.settings)
        source = options.source and ("what it was made from", options.source)
        return run(
            path,
            (options.baseline.name, options.baseline) if options.baseline else source,
            options.for_,
            settings,
            say,
            options.step_seconds,
            options.memory_mb,
        )
    except (Unusable, limits.TookTooLong) as error:
        say("unusable", message=str(error))
        return 2


def parse(setting: str) -> tuple[str, Any]:
    """A field and its value from KEY=VALUE; the value as JSON where it is that, else as text."""
    key, _, text = setting.partition("=")
    try:
        return key, json.loads(text)
    except ValueError:
        return key, text


def run(
    path: Path,
    source: tuple[str, Path] | None,
    for_: str,
    settings: dict[str, Any],
    say: Callable[..., None],
    step_seconds: float,
    memory_mb: int,
) -> int:
    """Read, load and check a file; the exit status."""
    began = time.perf_counter()
    say("begin", name="syntax")
    lines = python_line_count(path)
    first = Result(
        "syntax",
        True,
        "a UTF-8 file that Python can parse",
        f"{lines} lines",
        "Everything else needs it; this one costs no import.",
        round(time.perf_counter() - began, 3),
    )
    say("check", **vars(first))
    say("begin", name="loading the file")
    sys.dont_write_bytecode = True
    from labs.torch_import import torch

    # isort: split
    from labs import interfaces, loading
    from labs.checks import generic, scope, suite
    from labs.checks.subject import LONG, Subject

    torch.set_num_threads(1)
    # CUDA maps gigabytes for itself
    limits.limit_memory(memory_mb * (4 if torch.cuda.is_available() else 1))
    limits.forbid_processes(path)
    step = limits.TimedSteps(path, step_seconds)
    try:
        with step("loading the file"):
            module = loading.load(path)
    except (loading.ModelError, Unusable, limits.TookTooLong) as error:
        full = "; it needs more memory than a check may use" * ("MemoryError" in str(error))
        raise Unusable(f"{interfaces.with_asserted_line(str(error))}{full}") from error
    with step("looking at the file"):
        try:
            subject = Subject(module, path, source, settings)
        except (TypeError, ValueError) as error:
            raise Unusable(
                f"{path}: GPTConfig takes no fields that can be read: {error}"
            ) from error
        own_fields = [name for name in subject.fields if name not in loading.STANDARD]
        for name in settings:
            if name not in own_fields and not loading.takes_any(module):
                raise Unusable(
                    f"{path}: GPTConfig has no field {name} of its own; there is "
                    + (", ".join(own_fields) or "none")
                )
    note = None
    if not for_:
        for_ = suite.guess(subject, step)
        note = suite.unmet_name(subject, for_)
    say("for", **{"for": for_})
    if note:
        say("check", **vars(note))
    passed, names = True, []
    for result in suite.run_all(subject, for_, lambda name: say("begin", name=name), step):
        say("check", **vars(result))
        passed = passed and not result.failed
        names.append(result.name)
    if names != [generic.interface.name]:  # else nothing was looked at
        with contextlib.suppress(Exception), step("looking at what was not checked"):
            say("scope", longest=LONG, not_looked_at=[*scope.not_looked_at(subject)])
    say("end", passed=passed)
    return 0 if passed else 1


def python_line_count(path: Path) -> int:
    """Look at the file before anything heavy is imported; returns its lines. Unusable when it is no
    Python text."""
    try:
        if path.stat().st_size > MOST_MODEL_BYTES:
            raise Unusable(f"{path}: larger than 1 MB; that is not a model file")
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


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # no thread or exit handler of the file keeps this process alive

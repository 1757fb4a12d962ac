"""The process that runs a learner's file: `python -m labs.checks '{"file": "rope.py"}'`.

The request, as JSON: "file"; "for", a modification, or several joined by + (default: "baseline");
"compared", the name and the path of the file to compare with, if that is not q1lab's baseline;
"settings", fields of the file's own GPTConfig at other values; "only", the names of the checks to
run, if not all; "step_seconds", the limit of one
check, of processor time; "waiting_seconds", that of a time in which nothing is computed; and
"memory_mb", that of data memory, where the system has one.

Results go to standard output as they come, one JSON object per line; whatever the file prints goes
to standard error. Its lines, by "event": begin {"name"}, check {the fields of
property_check.Result}, unusable {"message"}, end {"passed"}.

Exit status: 0 all passed, 1 a check failed, 2 the file can't be used, 3 a check of the modification
could not judge the file.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.checks import limits
from labs.checks.limits import Unusable
from labs.checks.property_check import Result

MOST_MODEL_BYTES = 1_000_000  # bytes of a model file


def main() -> int:
    parser = argparse.ArgumentParser("python -m labs.checks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("request", type=json.loads, help="a JSON object")
    request = parser.parse_args().request
    out = limits.take_output()

    def say(event: str, **fields: Any) -> None:
        out.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        out.flush()

    try:
        return run(Path(request["file"]).absolute(), request, say)
    except (Unusable, limits.TookTooLong, limits.Waits) as error:
        say("unusable", message=str(error))
        return 2


def run(path: Path, request: dict[str, Any], say: Callable[..., None]) -> int:
    """Read, load and check a file; the exit status."""
    began = time.perf_counter()
    say("begin", name="syntax")
    count = python_line_count(path)
    first = Result(
        "syntax",
        True,
        "a UTF-8 file that Python can parse",
        f"{count} line{'s' * (count != 1)}",
        "Everything else needs it; this one costs no import.",
        round(time.perf_counter() - began, 3),
    )
    say("check", **vars(first))
    say("begin", name="loading the file")
    sys.dont_write_bytecode = True
    from labs.torch_import import torch

    # isort: split
    from labs import interfaces, loading
    from labs.checks import suite
    from labs.checks.subject import Subject

    torch.set_num_threads(1)
    # a checkpoint's warning, which most checks give cause for: they compute without gradients
    warnings.filterwarnings("ignore", "None of the inputs have requires_grad")
    # CUDA maps gigabytes for itself
    limits.limit_memory(request.get("memory_mb", 4096) * (4 if torch.cuda.is_available() else 1))
    step = limits.TimedSteps(
        path, request.get("step_seconds", 20.0), request.get("waiting_seconds", 0.0)
    )
    try:
        with step("loading the file"):
            module = loading.load(path)
    except (loading.ModelError, Unusable, limits.TookTooLong) as error:
        raise Unusable(interfaces.with_asserted_line(str(error))) from error
    settings, compared = request.get("settings", {}), request.get("compared")
    with step("looking at the file"):
        try:
            subject = Subject(module, path, compared and (compared[0], Path(compared[1])), settings)
        except (TypeError, ValueError) as error:
            raise Unusable(
                f"{path}: GPTConfig takes no fields that can be read: {error}"
            ) from error
        own_fields = [name for name in subject.fields if name not in loading.STANDARD]
        for name in settings:
            if name not in own_fields and not loading.takes_any(module):
                fields_there = ", ".join(own_fields) or "none"
                raise Unusable(
                    f"{path}: GPTConfig has no field {name} of its own; there is {fields_there}"
                )
    for_ = request.get("for", "baseline")
    failed = unjudged = False

    def begin(name: str) -> None:
        say("begin", name=name)

    for result in suite.run_all(subject, for_, begin, step, request.get("only")):
        say("check", **vars(result))
        failed |= result.failed
        unjudged |= not result.judged and bool(suite.modification(result.name))
    say("end", passed=not failed and not unjudged)
    return 1 if failed else 3 if unjudged else 0


def python_line_count(path: Path) -> int:
    """Look at the file before anything heavy is imported; returns its lines. Unusable when it is no
    Python text."""
    try:
        if path.stat().st_size > MOST_MODEL_BYTES:
            raise Unusable(f"{path}: larger than 1 MB; that is not a model file")
        text = path.read_text(encoding="utf-8")
        ast.parse(text, str(path))
        return len(text.splitlines())
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

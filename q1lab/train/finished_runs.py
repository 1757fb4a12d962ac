"""Reuse finished runs: a second study against the same baseline trains only the other arm.

Where everything that touches a bit is the same (identity.run_fingerprint), the numbers would be
equal, so they are copied, and their events say where they came from.
"""

from __future__ import annotations

import ast
import contextlib
import json
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.files import private_folder, prove_inside, sha256_text, write_atomic
from q1lab.ground.python_source import parse_python
from q1lab.judgment.run_states import RunState
from q1lab.study.events import closing_exit, read_new_events
from q1lab.study.identity import run_fingerprint
from q1lab.study.studies import Run, Study
from q1lab.study.trainer import OWN, PROGRAMS

RunCopies = tuple[tuple[Run, tuple[Study, Run]], ...]
"""Runs of a study, each with the other study that has finished the same run, and the run there."""


def find_copies(study: Study, others: Iterable[Study]) -> RunCopies:
    """Find the runs of ``study`` that one of the ``others`` has finished already; of several the
    first."""
    run_by_fingerprint = {run_fingerprint(study, run): run for run in study.runs}
    copy_by_fingerprint: dict[str, tuple[Run, tuple[Study, Run]]] = {}
    for other in others:
        if other.id == study.id:
            continue
        if other.data.sha256 != study.data.sha256:
            continue
        if other.trainer.kind != OWN:
            continue
        for run in other.runs:
            fingerprint = run_fingerprint(other, run)
            if (
                fingerprint in run_by_fingerprint
                and fingerprint not in copy_by_fingerprint
                and _has_finished(other, run)
            ):
                copy_by_fingerprint[fingerprint] = (run_by_fingerprint[fingerprint], (other, run))
    return tuple(copy_by_fingerprint.values())


def copy_runs(study: Study, copies: RunCopies) -> None:
    """Copy the runs that ``find_copies`` found into the study; their start events say where they
    came from. A run that has begun here stays as it is."""
    for run, (other, finished_run) in copies:
        if study.files.run(run.name).events.exists():
            continue
        source, target = other.files.run(finished_run.name), study.files.run(run.name)
        events, _, _ = read_new_events(source.events, limit=1 << 30)
        lines = []
        for event in events:
            if event["type"] == "start":
                changes = {"arm": run.arm, "seed": run.seed}
                event = {**event, **changes, "reused_from": f"{other.id}/{finished_run.name}"}
            lines.append(json.dumps(event, ensure_ascii=False) + "\n")
        for original, copy in ((source.model, target.model), (source.log, target.log)):
            if original.exists():
                private_folder(target.root)
                shutil.copy2(original, prove_inside(copy, paths.home()))
        write_atomic(target.events, "".join(lines))


@cache
def trainer_version(kind: str) -> str:
    """A short hash of the code of a kind of trainer: with other code, equal settings may give other
    numbers."""
    files = lab_files(PROGRAMS[kind])
    return sha256_text("".join(file.read_text() for file in files))[:12]


def lab_files(module: str) -> list[Path]:
    """The files of a module of ``labs``: its own, and those of ``labs`` that it imports, directly
    or through others. Files that it doesn't need, such as a check, are left out."""
    folder = paths.models_dir().parent
    files: set[Path] = set()
    names = {"__init__", module}
    while names:
        file = folder / f"{names.pop()}.py"
        if file.is_file() and file not in files:
            files.add(file)
            names |= _imported_lab_modules(file.read_text())
    return sorted(files)


def _imported_lab_modules(text: str) -> set[str]:
    """Names of the modules of ``labs`` that a file imports; empty if the file is not Python."""
    names = set()
    with contextlib.suppress(SyntaxError):
        for node in ast.walk(parse_python(text)):
            if isinstance(node, ast.Import):
                names |= {f"{alias.name}." for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                package = ".".join(filter(None, ("labs" if node.level else "", node.module)))
                names |= {f"{package}.{alias.name}." for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("labs.")} - {""}


def _has_finished(study: Study, run: Run) -> bool:
    end = closing_exit(study.files.run(run.name).events)
    return end is not None and end["state"] == RunState.FINISHED

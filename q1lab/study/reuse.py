"""A finished run is kept: the second study against the same baseline trains half.

Where all that touches a bit is the same (sameness.equal_bits), the numbers would be equal, so they
are copied, and marked as copies.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from functools import cache

from q1lab import paths
from q1lab.files import private_folder, proved, sha256_text, write_atomic
from q1lab.study import studies
from q1lab.study.events import exit_of, read_new
from q1lab.study.sameness import equal_bits
from q1lab.study.states import State
from q1lab.study.studies import Run, Study


def find(study: Study, among: Collection[str] | None = None) -> list[tuple[Run, tuple[Study, Run]]]:
    """Runs of ``study`` that another study has finished already, each with where. ``among``: only
    these studies are looked at."""
    wanted = {equal_bits(study, run): run for run in study.runs}
    found: dict[str, tuple[Run, tuple[Study, Run]]] = {}
    for other in studies.newest_first():
        if other.id == study.id or (among is not None and other.id not in among):
            continue
        if other.data.sha256 != study.data.sha256 or other.imported:
            continue
        if other.loop is not None and other.loop.repeats != "bit":
            continue
        for run in other.runs:
            key = equal_bits(other, run)
            if key in wanted and key not in found and _finished(other, run):
                found[key] = (wanted[key], (other, run))
    return list(found.values())


def fill(study: Study, among: Collection[str] | None = None) -> None:
    """Copy what ``find`` finds into the study, marked with where it came from. A run that has begun
    here stays as it is."""
    for run, (other, theirs) in find(study, among):
        if study.files.run(run.name).events.exists():
            continue
        source, target = other.files.run(theirs.name), study.files.run(run.name)
        events, _, _ = read_new(source.events, limit=1 << 30)
        lines = []
        for event in events:
            if event["type"] == "start":
                here = {"arm": run.arm, "seed": run.seed}
                event = {**event, **here, "reused_from": f"{other.id}/{theirs.name}"}
            lines.append(json.dumps(event, ensure_ascii=False) + "\n")
        for kept, copy in ((source.model, target.model), (source.log, target.log)):
            if kept.exists():
                private_folder(target.root)
                shutil.copy2(kept, proved(copy, paths.home()))
        write_atomic(target.events, "".join(lines))


@cache
def trainer_version() -> str:
    """A short hash of the trainer's own code: with other code, the same settings may give other
    numbers."""
    folder = paths.models_dir().parent
    text = "".join(file.read_text() for file in sorted(folder.glob("*.py")))
    return sha256_text(text)[:12]


def _finished(study: Study, run: Run) -> bool:
    end = exit_of(study.files.run(run.name).events)
    return end is not None and end["state"] == State.FINISHED

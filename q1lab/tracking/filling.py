"""Results that come back to a study that was planned here: from a notebook, or from another copy
of its folder.

The planned study gets the runs that it lacks, when what was trained is what it planned; then there
is one study, declared before its runs, and not a second one beside it.
"""

from __future__ import annotations

import lzma
import re
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

from q1lab.errors import FAILED, Problem
from q1lab.files import plain, private_folder, read_bytes, read_json, write_atomic
from q1lab.study import alive, looking, studies
from q1lab.study.events import has_ended
from q1lab.study.studies import Study
from q1lab.tracking.foreign import clean, from_events

MEMBER = re.compile(r"study\.json|runs/(?:baseline|modified)-seed\d{1,9}/events\.jsonl")
LARGEST = 256 << 20
"""Bytes of one unpacked file; a zip may promise more than it holds."""


DAMAGED = (
    *(OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError),
    *(ValueError, IndexError, KeyError, struct.error, zlib.error, lzma.LZMAError),
)
"""What reading a zip that lies, or is damaged, may raise."""


def unpack(file: Path, into: Path) -> None:
    """The plan and the events of a results zip. Whatever else is in it stays there. Problem when it
    is no such zip, holds more than there is room for, or more than it says."""
    try:
        with zipfile.ZipFile(file) as packed:
            wanted = [info for info in packed.infolist() if MEMBER.fullmatch(info.filename)]
            room(file, sum(info.file_size for info in wanted), into)
            for info in wanted:
                with packed.open(info) as source:
                    data = source.read(LARGEST + 1)
                if len(data) <= LARGEST:
                    write_atomic(into / info.filename, data)
    except DAMAGED as error:
        raise Problem(f"{file} can't be unpacked ({plain(str(error))[:200]})", FAILED) from None
    if not (into / "study.json").is_file():
        raise Problem(f"{file} holds no study.json; give the results zip of a notebook", FAILED)


def room(file: Path, size: int, into: Path) -> None:
    """Problem where what ``file`` holds unpacked, ``size`` bytes, has no room in ``into``."""
    free = shutil.disk_usage(into).free
    if size >= free:
        raise Problem(
            f"{file} holds {size / 1e6:,.0f} MB, and there is no room for that in {into} "
            f"({free / 1e6:,.0f} MB are free)",
            FAILED,
        )


def planned(folder: Path) -> Study | None:
    """The study here that the plan in ``folder`` was made from: the same name, time and identity.
    None where there is none."""
    try:
        theirs = studies.from_dict(clean(read_json(folder / "study.json", studies.LARGEST)))
        ours = studies.load(theirs.id)
    except (Problem, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    same = ours.created == theirs.created and studies.identity(ours) == studies.identity(theirs)
    some, mine = set(theirs.seeds), set(ours.seeds)
    # a planned range that was known here since has fewer seeds than it was planned with
    fits = some <= mine or (ours.range is not None and mine <= some)
    return ours if same and fits else None


def fill(study: Study, folder: Path) -> list[str]:
    """Give the study the runs that ended in ``folder`` and not here; returns their names. A planned
    range that is known with them has no more runs. Problem, with nothing changed, when events are
    not those of their run, or the study trains now."""
    if alive.is_alive(study.files):
        raise Problem(f"{study.id} is running; stop it first: q1lab stop {study.id}")
    ready: dict[Path, bytes] = {}
    for run in study.runs:
        file = folder / "runs" / run.name / "events.jsonl"
        if not file.is_file() or file.is_symlink() or has_ended(study.files.run(run.name).events):
            continue
        found = from_events(file, f"{run.name}/events.jsonl")
        if (found.cfg, found.seed) != (run.arm, run.seed):
            raise Problem(f"{found.where} is not the run {run.name}; nothing was taken")
        if has_ended(file):
            ready[study.files.run(run.name).events] = read_bytes(file, 1 << 30)
    for path, data in ready.items():
        private_folder(path.parent)
        write_atomic(path, data)
    end = looking.Looks(study).known_after()
    if end is not None:
        looking.end_after(study, end)
    return [path.parent.name for path in ready]

"""The hand-ins in a folder: archives, kept folders and model files, and whose they are.

Each entry of the folder is one person: a folder with what they hand in, or a single file. Nothing
here is run, links are not followed, and names are data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import kind_of_non_file, os_errors_as_problems, printable, read_bytes
from q1lab.study import bundle, kept_folder
from q1lab.study.model_source import LARGEST_MODEL_FILE

ARCHIVE, FOLDER, MODEL = "archive", "folder", "model file"
MOST_ENTRIES, DEEPEST = 100_000, 12
"""Files and folders that are looked at, and folders inside each other."""
MOST_HAND_INS = 1000
_MODEL_CLASS = re.compile(rb"^(?:class\s+|from\s.*\bimport\s.*\b|)GPT\b", re.MULTILINE)


@dataclass(frozen=True)
class HandIn:
    """One thing that a person hands in."""

    who: str
    place: Path
    kind: str
    """ARCHIVE, FOLDER or MODEL."""


@dataclass(frozen=True)
class ClassFolder:
    """The hand-ins in a folder, by person and place."""

    hand_ins: tuple[HandIn, ...]
    without: tuple[str, ...]
    """The people whose folder holds no hand-in."""
    others: int
    """The number of files that are none."""


def find_hand_ins(folder: Path) -> ClassFolder:
    """Find the hand-ins below a folder. Problem for what is no folder of hand-ins."""
    kind = kind_of_non_file(folder)
    if kind != "a folder":
        reason = (
            "no such folder" if not os.path.lexists(folder) else f"{kind or 'a file'}, not a folder"
        )
        raise Problem(f"{folder}: {reason}", next="give a folder with a folder for each person")
    if _is_study(folder):
        raise Problem(f"{folder} is one study", next=f"`q1lab verify {folder}` checks it")
    with os_errors_as_problems(f"cannot read {folder}"):
        entries = sorted(entry.name for entry in folder.iterdir())
    hand_ins: list[HandIn] = []
    without: list[str] = []
    others = looked_at = 0
    for name in entries:
        who, before = name_of(name), len(hand_ins)
        for path in _files_below(folder / name):
            looked_at += 1
            if looked_at > MOST_ENTRIES or len(hand_ins) > MOST_HAND_INS:
                raise Problem(
                    f"{folder} holds more than a class: over {MOST_ENTRIES:,} files, "
                    f"or {MOST_HAND_INS:,} hand-ins",
                    next="give a folder with hand-ins alone",
                )
            kind_of = _kind(path)
            if kind_of is None:
                others += 1
            else:
                hand_ins.append(HandIn(who, path, kind_of))
        if len(hand_ins) == before and _is_plain_folder(folder / name):
            without.append(who)
    if not hand_ins:
        raise Problem(
            f"{folder} holds no hand-in",
            FAILED,
            next="put in archives (`q1lab export --format archive`), kept folders or model files",
        )
    return ClassFolder(tuple(hand_ins), tuple(without), others)


def name_of(entry: str) -> str:
    """The person's name, of an entry of the folder: on one line, without the endings of files."""
    name = " ".join(printable(os.fsencode(entry).decode(errors="replace")).split())
    return re.sub(r"(?i)(\.q1lab)?\.zip$|\.py$", "", name) or "(no name)"


def _files_below(path: Path, depth: int = 0) -> Iterator[Path]:
    """The plain files, and the folders of studies, at or below ``path``."""
    if path.is_symlink():
        return
    if not _is_plain_folder(path) or _is_study(path):
        yield path
    elif depth < DEEPEST:
        try:
            names = sorted(entry.name for entry in path.iterdir())
        except OSError:
            return
        for name in names:
            # (a clone's .git, an environment's packages, a Mac's __MACOSX)
            if not name.startswith((".", "__")) and name not in ("node_modules", "site-packages"):
                yield from _files_below(path / name, depth + 1)


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _is_study(folder: Path) -> bool:
    return any(os.path.lexists(folder / name) for name in (bundle.LIST_NAME, kept_folder.PLAN_NAME))


def _kind(path: Path) -> str | None:
    if _is_plain_folder(path):
        return FOLDER
    if path.name.startswith((".", "._")):
        return None
    if path.suffix.lower() == ".zip":
        return ARCHIVE
    if path.suffix == ".py":
        try:
            is_model = _MODEL_CLASS.search(read_bytes(path, LARGEST_MODEL_FILE, refuse_link=True))
        except OSError:
            return None
        return MODEL if is_model else None
    return None

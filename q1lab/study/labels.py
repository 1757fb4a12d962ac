"""A learner's own words on a study: a note and tags, in ``labels.json`` beside the plan.

They are no part of the plan: they change neither what a study is nor what it may be compared with,
and they travel with its folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from q1lab import paths
from q1lab.errors import FAILED, Problem
from q1lab.files import locked, plain, read_shown_json, write_atomic

LONGEST = 4000
"""Characters of a note."""

MOST = 20
"""Tags of one study."""


@dataclass(frozen=True)
class Labels:
    """What a learner noted: ``note`` is "" where there is none."""

    note: str = ""
    tags: tuple[str, ...] = ()


def read(study_id: str) -> Labels:
    """The labels of a study; none where there are none or they can't be read."""
    try:
        return _read(paths.StudyPaths(paths.study_dir(study_id)).labels)
    except (OSError, ValueError, AttributeError):
        return Labels()


def change(study_id: str, to: Callable[[Labels], Labels]) -> Labels:
    """Keep the labels that ``to`` makes of those that are there; returns them. Two at once change
    them one after the other. Problem for labels that can't be read: they would be lost."""
    file = paths.StudyPaths(paths.study_dir(study_id)).labels
    with locked(paths.plan_lock()):
        try:
            now = _read(file)
        except FileNotFoundError:
            now = Labels()
        except (OSError, ValueError, AttributeError):
            raise Problem(
                f"{file} can't be read, and would be lost: mend it, or move it away", FAILED
            ) from None
        made = to(now)
        write(study_id, made)
    return read(study_id)


def _read(file: Path) -> Labels:
    record = read_shown_json(file, 1 << 20)
    note, tags = record.get("note", ""), record.get("tags", [])
    good = (
        [tag for tag in tags if isinstance(tag, str) and is_tag(tag)]
        if isinstance(tags, list)
        else []
    )
    return Labels(
        note[:LONGEST] if isinstance(note, str) else "", tuple(dict.fromkeys(good))[:MOST]
    )


class Known:
    """The labels of many studies for a screen that asks several times a second: a file is read
    again only when it has changed."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[tuple[int, int, int], Labels]] = {}

    def __call__(self, ids: Iterable[str]) -> Mapping[str, Labels]:
        """Labels by study, of those of ``ids`` that have any."""
        fresh = {}
        root = paths.studies_dir()
        for study_id in ids:
            try:
                status = os.stat(f"{root}/{study_id}/labels.json")  # noqa: PTH116  (speed)
            except OSError:
                continue
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            before = self._seen.get(study_id)
            fresh[study_id] = before if before and before[0] == stamp else (stamp, read(study_id))
        self._seen = fresh
        return {study_id: found for study_id, (_, found) in fresh.items() if found != Labels()}


def write(study_id: str, labels: Labels) -> None:
    """Keep the labels of a study. Problem for a note or tags that are too much."""
    if len(labels.note) > LONGEST:
        raise Problem(
            f"a note has {LONGEST:,} characters at most; this one has {len(labels.note):,}"
        )
    if len(labels.tags) > MOST:
        raise Problem(f"a study has {MOST} tags at most")
    for tag in labels.tags:
        if not is_tag(tag):
            raise Problem(f"{tag!r} is no tag: letters, digits, dots, hyphens, 32 at most")
    record = {"note": plain(" ".join(labels.note.split())), "tags": list(labels.tags)}
    file = paths.StudyPaths(paths.study_dir(study_id)).labels
    write_atomic(file, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def is_tag(text: str) -> bool:
    """Whether ``text`` can be a tag: one word without signs that a shell takes apart."""
    return re.fullmatch(r"\w[\w.-]{0,31}", text) is not None

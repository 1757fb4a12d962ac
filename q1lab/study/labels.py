"""A learner's own words on a study: a note and tags, in ``labels.json`` beside the plan.

They are no part of the plan: they change neither what a study is nor what it may be compared with,
and they travel with its folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from q1lab import paths
from q1lab.errors import Problem
from q1lab.files import plain, read_shown_json, write_atomic

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
        record = read_shown_json(paths.StudyPaths(paths.study_dir(study_id)).labels, 1 << 20)
        note, tags = record.get("note", ""), record.get("tags", [])
    except (OSError, ValueError, AttributeError):
        return Labels()
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

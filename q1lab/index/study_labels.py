"""A learner's own words on a study: a note and tags, acts of the journal.

They are not part of the plan: they change neither the study nor the studies that it may be compared
with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.study import studies

if TYPE_CHECKING:
    from q1lab.index.store import Store

LONGEST_NOTE = 4000
"""Characters of a note."""

MOST_TAGS = 20
"""Tags of one study."""


@dataclass(frozen=True)
class Labels:
    """A learner's note and tags: ``note`` is "" where there is none."""

    note: str = ""
    tags: tuple[str, ...] = ()


def read_labels(store: Store, study_id: str) -> Labels:
    """The labels of a study; empty where there are none."""
    row = store.db.execute(
        "SELECT note, tags FROM labels WHERE study_id = ?", (study_id,)
    ).fetchone()
    return Labels() if row is None else Labels(row["note"], tuple(json.loads(row["tags"])))


def studies_tagged(store: Store, tag: str) -> list[str]:
    """The studies that have a tag. Problem, with the tags in use, where none has it."""
    tags = {name: read_labels(store, name).tags for name in studies.ids()}
    tagged = [study_id for study_id, names in tags.items() if tag in names]
    if not tagged:
        used = ", ".join(sorted({name for names in tags.values() for name in names})) or "none"
        raise Problem(f"no study has the tag {tag!r}", next=f"in use: {used}")
    return tagged


def change_labels(store: Store, study_id: str, to: Callable[[Labels], Labels]) -> Labels:
    """Keep the labels that ``to`` makes of those that are there; returns them. Two at once change
    them one after the other. Problem for a note or tags that are too much."""
    with store.act() as add:
        labels = check_labels(to(read_labels(store, study_id)))
        add("label", study=study_id, note=labels.note, tags=list(labels.tags))
    return labels


def check_labels(labels: Labels) -> Labels:
    """Labels as they are kept. Problem for a note or tags that are too much."""
    if len(labels.note) > LONGEST_NOTE:
        raise Problem(
            f"a note has {LONGEST_NOTE:,} characters at most; this one has {len(labels.note):,}"
        )
    if len(labels.tags) > MOST_TAGS:
        raise Problem(f"a study has {MOST_TAGS} tags at most")
    for tag in labels.tags:
        if not is_tag(tag):
            raise Problem(f"{tag!r} is not a tag: letters, digits, dots, hyphens, 32 at most")
    return Labels(printable(" ".join(labels.note.split())), labels.tags)


def labels_from_json(record: Any) -> Labels:
    """Labels from elsewhere, without what can't be one. ValueError if they are not a record."""
    if not isinstance(record, dict):
        raise ValueError("it holds no object")
    note, tags = record.get("note"), record.get("tags")
    note = note[:LONGEST_NOTE] if isinstance(note, str) else ""
    tags = tags if isinstance(tags, list) else []
    good = dict.fromkeys(tag for tag in tags if isinstance(tag, str) and is_tag(tag))
    return check_labels(Labels(note, tuple(good)[:MOST_TAGS]))


def is_tag(text: str) -> bool:
    """True if ``text`` can be a tag: one word without signs that a shell takes apart."""
    return re.fullmatch(r"\w[\w.-]{0,31}", text) is not None

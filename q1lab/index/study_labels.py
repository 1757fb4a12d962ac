"""A learner's own words on a study: a name, a note and tags, acts of the journal.

They are not part of the plan: they change neither the study nor the studies that it may be compared
with. A name stands beside the study's own (``rope-1``), which its folder, its journal, its bundles
and its runs at W&B keep; it is taken wherever a study's name is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.study import series, studies, variants

if TYPE_CHECKING:
    from q1lab.index.store import Row, Store

LONGEST_NOTE = 4000
"""Characters of a note."""

LONGEST_NAME = 40
"""Characters of a name."""

MOST_TAGS = 20
"""Tags of one study."""


@dataclass(frozen=True)
class Labels:
    """A learner's words on a study; ``note`` and ``name`` are "" where there is none."""

    note: str = ""
    tags: tuple[str, ...] = ()
    name: str = ""


def read_labels(store: Store, study_id: str) -> Labels:
    """The labels of a study; empty where there are none."""
    row = store.db.execute(
        "SELECT note, tags, name FROM labels WHERE study_id = ?", (study_id,)
    ).fetchone()
    return (
        Labels()
        if row is None
        else Labels(row["note"], tuple(json.loads(row["tags"])), row["name"])
    )


def study_named(store: Store, name: str) -> str | None:
    """The study that a learner named so; None where none is, or it is in the trash."""
    return next(filter(has_plan, all_named(store, name)), None)


def all_named(store: Store, name: str) -> list[str]:
    """The studies that a learner named so, also those in the trash."""
    rows = store.db.execute("SELECT study_id FROM labels WHERE name = ?", (name,))
    return [row["study_id"] for row in rows]


def find_studies(store: Store, text: str) -> list[str]:
    """The studies that have each word of ``text`` in a name, an argument, a setting, the program,
    the text, the metric, a tag or the note; capital letters don't matter. Problem where none
    has."""
    words = text.casefold().split()
    rows = store.db.execute(
        "SELECT s.id, s.plan, l.note, l.tags, l.name "
        "FROM studies s LEFT JOIN labels l ON l.study_id = s.id"
    )
    matches = [
        row["id"] for row in rows if all(word in _searched_text(row).casefold() for word in words)
    ]
    if not matches:
        raise Problem(
            f"no study has {printable(text)!r} in its name, arguments, program, metric, tags or "
            "note",
            next="`q1lab status` lists them",
        )
    return matches


def _searched_text(row: Row) -> str:
    """All that a person may remember of a study."""
    plan = json.loads(row["plan"])
    arms, command = plan["arms"].values(), plan.get("loop", {})
    settings = {**plan.get("config", {}), **plan.get("arm_config", {})}
    parts = [
        *(row[key] or "" for key in ("id", "name", "note")),
        *(f"#{tag}" for tag in json.loads(row["tags"] or "[]")),
        *(arm[key] for arm in arms for key in ("variant", "title")),
        *(f"{key}={value}" for key, value in settings.items()),
        plan.get("preset") or "",
        plan["data"]["name"],
        *(str(command.get(key, "")) for key in ("run", "args", "metric")),
    ]
    return " ".join(parts)


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
        before = read_labels(store, study_id)
        labels = check_labels(to(before))
        if labels.name != before.name:
            check_name(store, study_id, labels.name)
        name_field = {"name": labels.name} if labels.name or before.name else {}
        add("label", study=study_id, note=labels.note, tags=list(labels.tags), **name_field)
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
    return Labels(printable(" ".join(labels.note.split())), labels.tags, labels.name)


def check_name(store: Store, study_id: str, name: str) -> None:
    """Problem for a name that a study can't be given: not one word, or taken."""
    if not name:
        return
    if not studies.is_id(name) or len(name) > LONGEST_NAME:
        raise Problem(
            f"{printable(name)!r} is not a name: letters a to z, digits, dots, hyphens, "
            f"{LONGEST_NAME} at most"
        )
    if name in variants.variant_names() or name.partition("-")[0] in (series.SWEEP, series.OVER):
        raise Problem(f"{name} names something else here", next="give the study another name")
    holder = name if has_plan(name) else study_named(store, name)
    if holder not in (None, study_id):
        also = "" if holder == name else f": {holder}"
        raise Problem(f"a study is already called {name}{also}", next="give another name")


def has_plan(study_id: str) -> bool:
    """True if the study is on disk."""
    return studies.is_id(study_id) and (paths.study_dir(study_id) / "study.json").is_file()


def labels_from_json(record: Any) -> Labels:
    """Labels from elsewhere, without what can't be one. ValueError if they are not a record."""
    if not isinstance(record, dict):
        raise ValueError("it holds no object")
    note, tags, name = record.get("note"), record.get("tags"), record.get("name")
    name = name if isinstance(name, str) and studies.is_id(name) else ""
    note = note[:LONGEST_NOTE] if isinstance(note, str) else ""
    tags = tags if isinstance(tags, list) else []
    good = dict.fromkeys(tag for tag in tags if isinstance(tag, str) and is_tag(tag))
    return check_labels(Labels(note, tuple(good)[:MOST_TAGS], name[:LONGEST_NAME]))


def is_tag(text: str) -> bool:
    """True if ``text`` can be a tag: one word without signs that a shell takes apart."""
    return re.fullmatch(r"\w[\w.-]{0,31}", text) is not None

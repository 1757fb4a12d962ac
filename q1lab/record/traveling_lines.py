"""The public lines that travel with a study: they leave with its bundle (declarations.jsonl), and
another home reads from them which questions were asked before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import read_bytes
from q1lab.ground.text_formats import plural
from q1lab.index.store import Store
from q1lab.record import declarations, on_record
from q1lab.record.declarations import declaration_of, declared_name
from q1lab.record.history import Line, read_history
from q1lab.record.on_record import study_key
from q1lab.study.bundle import DAMAGE_ERRORS, DECLARATIONS, Bundle
from q1lab.study.studies import Study

OLD_JOURNAL = "journal.jsonl"
"""The file in which an older q1lab's bundles have their lines."""

MOST_BYTES = 16 << 20
"""Bytes of such a file."""


@dataclass(frozen=True)
class CameWith:
    """The lines that came with a study: those before its own, and its own newest one."""

    earlier: tuple[Line, ...]
    own: Line

    @property
    def is_old(self) -> bool:
        """True if an older q1lab wrote them: they don't say which questions they ask."""
        return "question" not in self.own


def lines_until(store: Store, study: Study) -> list[Line]:
    """The public lines up to the one that put the study on record with the seeds that it has; empty
    without one."""
    lines = on_record.public_lines(store)
    name = declared_name(*study_key(study))
    places = [at for at, line in enumerate(lines) if line["study"] == name]
    return lines[: places[-1] + 1] if places else []


def encode_lines(lines: Sequence[Line]) -> bytes:
    return "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in lines).encode()


def read_lines(received: Bundle) -> list[Line]:
    """The lines in a bundle, the study's own last; empty where it has none. One of DAMAGE_ERRORS if
    they can't be read."""
    file = received.files.get(DECLARATIONS)
    if file is not None:
        lines = [json.loads(line) for line in read_bytes(file, MOST_BYTES).splitlines()]
    elif (file := received.files.get(OLD_JOURNAL)) is not None:
        outlines = [json.loads(line) for line in read_bytes(file, MOST_BYTES).splitlines()]
        lines = [line["declares"] for line in outlines if line.get("act") == "begin"]
    else:
        return []
    for line in lines:
        declarations.check_declaration(line)
    return lines


def came_with(received: Bundle) -> CameWith | None:
    """The lines that came with a study from another home; None where none came. Problem if they
    can't be read, or declare another plan."""
    study = received.study
    name = declared_name(*study_key(study))
    try:
        lines = read_lines(received)
        while lines and lines[-1]["study"] != name:
            lines.pop()
        if lines and "question" in lines[-1]:
            read_history(lines, name)  # proves that all that is needed of each is there
        differing = declarations.differing_fields(lines[-1], study) if lines else []
    except (OSError, *DAMAGE_ERRORS, RecursionError):
        raise Problem(
            f"the declarations that came with {study.id} are damaged",
            FAILED,
            next="ask for another archive of it",
        ) from None
    if differing and study.origin.is_ours:
        raise Problem(
            f"the plan of {study.id} is not what was declared: {', '.join(differing)}",
            FAILED,
            next="ask for an archive that was not changed",
        )
    if not lines:
        return None
    earlier = [line for line in lines[:-1] if line["study"] != name]
    return CameWith(tuple(earlier) if "question" in lines[-1] else (), lines[-1])


def is_begun_here(store: Store, study: Study) -> bool:
    """True if a study that comes back was begun here, as it is, and its folder is gone."""
    begun = on_record.begun_study(store, *study_key(study))
    return (
        begun is not None
        and not paths.study_dir(study.id).exists()
        and not declarations.differing_fields(declaration_of(begun), study)
    )


def came_with_line(came: CameWith | None) -> str:
    """A line on what came with a study, which its line here keeps."""
    if came is None or came.is_old:
        return "whether its question was asked before is not known here"
    question = came.own["question"]
    looks = {line["study"] for line in came.earlier if line["question"] == question}
    asked_text = f"asked {plural(len(looks), 'time')} before" if looks else "asked first"
    return f"its question was {asked_text} in its first home; that is kept on record"

"""What is kept of a study that was deleted: its plan and how its runs ended, one JSON object a
line.

A question that was asked stays asked: whoever counts how often a study was looked at, or how many
were tried, reads these lines too (``deleted.jsonl`` in q1lab's home).
"""

from __future__ import annotations

from typing import Any

from q1lab import paths
from q1lab.errors import FAILED, Problem
from q1lab.files import append_line, os_reason, plain, read_lines, utc_now

LARGEST = 256 << 20


def add(study_id: str, plan: dict[str, Any] | None, runs: dict[str, dict[str, Any]]) -> None:
    """Write down a study that is about to be deleted. Problem when that can't be kept: then nothing
    is to be deleted."""
    line = {"v": 1, "id": study_id, "deleted": utc_now(), "plan": plan, "runs": runs}
    file = paths.deleted_file()
    try:
        append_line(file, line)
    except OSError as error:
        raise Problem(f"cannot write {file}: {os_reason(error)}; nothing deleted", FAILED) from None


def every() -> list[dict[str, Any]]:
    """Every deletion, oldest first: ``id``, ``deleted`` (UTC), ``plan`` (as study.json has it; None
    where that could not be read), ``runs`` (name → ``state``, ``val_loss``, ``seen``). A line that
    can't be read is passed over."""
    try:
        lines, _ = read_lines(paths.deleted_file(), LARGEST)
    except OSError:
        return []
    return [{**line, "id": plain(str(line["id"]))} for line in lines.values() if "id" in line]


def records() -> list[dict[str, Any]]:
    """The deleted studies, as ``every`` has them, without those that are here again (restored, or
    never gone since the deletion was cut off)."""
    found: dict[str, dict[str, Any]] = {}
    for one in every():
        found.pop(one["id"], None)
        if not paths.StudyPaths(paths.study_dir(one["id"])).plan.exists():
            found[one["id"]] = one
    return list(found.values())

"""What is kept of a study that was deleted: its plan and how its runs ended, one JSON object a
line.

A question that was asked stays asked: whoever counts how often a study was looked at, or how many
were tried, reads these lines too (``deleted.jsonl`` in q1lab's home).
"""

from __future__ import annotations

import json
import os
from typing import Any

from q1lab import paths
from q1lab.errors import FAILED, Problem
from q1lab.files import open_private, os_reason, plain, read_text, sync_folder, utc_now

LARGEST = 256 << 20


def add(study_id: str, plan: dict[str, Any] | None, runs: dict[str, dict[str, Any]]) -> None:
    """Write down a study that is about to be deleted. Problem when that can't be kept: then nothing
    is to be deleted."""
    line = {"v": 1, "id": study_id, "deleted": utc_now(), "plan": plan, "runs": runs}
    file = paths.deleted_file()
    try:
        with open_private(file) as out:
            out.write((json.dumps(line, ensure_ascii=True) + "\n").encode())
            out.flush()
            os.fsync(out.fileno())
        sync_folder(file.parent)
    except OSError as error:
        raise Problem(f"cannot write {file}: {os_reason(error)}; nothing deleted", FAILED) from None


def records() -> list[dict[str, Any]]:
    """Every deleted study, oldest first: ``id``, ``deleted`` (UTC), ``plan`` (as study.json has it;
    None where that could not be read), ``runs`` (name → ``state``, ``val_loss``).

    A study that is here again (restored, or never gone since the deletion was cut off) is left out.
    """
    try:
        lines = read_text(paths.deleted_file(), LARGEST).splitlines()
    except (OSError, ValueError):
        return []
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            one = json.loads(line)
            name = plain(str(one["id"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # a line that was torn
        found.pop(name, None)
        if not paths.StudyPaths(paths.study_dir(name)).plan.exists():
            found[name] = one
    return list(found.values())

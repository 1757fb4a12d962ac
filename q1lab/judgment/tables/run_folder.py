"""The numbers in the files that a program wrote into its folder, read as `judge` reads them:
``python -m q1lab.judgment.tables.run_folder FOLDER`` prints a JSON object per step.

``labs/loop.py`` starts it after a run whose output does not name the metric.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.judgment.tables import runs_in_files, sources
from q1lab.judgment.tables.cells import as_number
from q1lab.judgment.tables.outside_run import STEP, RunFiles
from q1lab.judgment.tables.readers import TEXT, form_of
from q1lab.judgment.tables.run_log import RunLog

MOST_TEXTS = 50
"""Files of text that are read."""


def numbers_by_step(folder: Path) -> dict[float, dict[str, float | None]]:
    """The numbers of the run in a folder by step and name, None for one that is not finite. A
    name that files of one form share is each file's own: ``test/loss`` of test.csv. Of files of
    different forms, which may hold the same numbers, the first that has a name counts."""
    files = [file for file in sorted(sources.files_below(folder)) if file.stat().st_size]
    texts = [
        file for file in files if file.suffix and file.suffix.lower() in TEXT and not form_of(file)
    ][:MOST_TEXTS]
    forms = [*map(sources.grouped, sources.logs_by_form(files).values())]
    found: dict[float, dict[str, float | None]] = {}
    known: set[str] = set()
    for pieces in (*forms, [RunFiles((file,), None) for file in texts]):
        logs = {}
        for piece in pieces:
            with suppress(Problem):  # of a file that is no log
                logs[_title(piece)] = runs_in_files.read_log(piece)
        of_form = _by_name(logs)
        for name, points in of_form.items():
            if name not in known:
                for step, value in points.items():
                    found.setdefault(step, {})[name] = value
        known |= of_form.keys()
    return found


def _by_name(logs: Mapping[str, RunLog]) -> dict[str, dict[float, float | None]]:
    """The numbers of several logs by name and step."""
    counts = Counter(name for log in logs.values() for name in log.names)
    found = {}
    for title, log in logs.items():
        for name in log.names:
            if as_number(name) is None and name.lower() not in STEP:  # of a table without a header
                points = log.points(name)
                if name in log.finals:
                    points[log.last_step] = log.finals[name]
                found[name if counts[name] == 1 else f"{title}/{name}"] = points
    return found


def _title(piece: RunFiles) -> str:
    file = piece.files[0]
    return file.parent.name if piece.form is not None and piece.form.by_folder else file.stem


def main() -> None:
    numbers = numbers_by_step(Path(sys.argv[1]))
    are_whole = all(step.is_integer() for step in numbers)
    for place, step in enumerate(sorted(numbers)):
        values = {
            name: math.nan if value is None else value for name, value in numbers[step].items()
        }
        line = {"step": int(step) if are_whole else place, **values}
        sys.stdout.write(f"{json.dumps(line)}\n")


if __name__ == "__main__":
    main()

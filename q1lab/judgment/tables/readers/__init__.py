"""The table of readers: each form in which a program writes down a run, and the module that reads
it.

A form is told by the names of its files. Its reader fills the log of one run (run_log.py), and is
imported when a file fits. Plain text (CSV, JSON, JSON lines, a printed log) is told by what is in
it: text_files.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath

DELIMITED = frozenset({".csv", ".tsv"})
TEXT = frozenset({*DELIMITED, ".json", ".jsonl", ".ndjson", ".txt", ".log", ".out", ""})
"""Endings of plain text."""
PRINTED = frozenset({".txt", ".log", ".out"})
"""Endings of what programs print."""
TRAINER_STATE, METRICS = "trainer_state.json", "metrics.csv"
"""Names of text that has a form of its own."""


@dataclass(frozen=True)
class LogForm:
    """A form in which a program writes down a run."""

    names: tuple[str, ...]
    """Patterns of its files' names: ``*.tfevents.*``."""
    reader: str
    """The module that reads it: its ``read(Sequence[Path], RunLog)`` fills the log of one run from
    its files. ValueError, in words, for a damaged one."""
    by_folder: bool = False
    """True if all of its files in one folder are one run."""
    parts: str = ""
    """The pattern of folders that are parts of the run in the folder above: ``checkpoint-*``."""


HERE = "q1lab.judgment.tables.readers"
FORMS: Mapping[str, LogForm] = {
    "an offline run of W&B": LogForm(("run-*.wandb",), f"{HERE}.wandb_run"),
    "TensorBoard events": LogForm(("*tfevents.*",), f"{HERE}.tfevents", by_folder=True),
    "a trainer_state.json": LogForm(
        (TRAINER_STATE,), f"{HERE}.trainer_state", by_folder=True, parts="checkpoint-*"
    ),
    "a metrics.csv": LogForm((METRICS,), f"{HERE}.metrics_csv"),
}
"""The forms by name; a folder is searched for them in this order."""


def form_of(path: PurePath) -> LogForm | None:
    """The form of a file by its name; None where it is none of them."""
    if path.suffix.lower() in TEXT and path.name not in (TRAINER_STATE, METRICS):
        return None
    return next((form for form in FORMS.values() if fits(form, path.name)), None)


def fits(form: LogForm, name: str) -> bool:
    """True if a file of this name is of the form."""
    return any(fnmatchcase(name, pattern) for pattern in form.names)

"""The table of readers: each form in which a program writes down a run, and the module that reads
it.

A form is told by the names of its files. Its reader fills the log of one run (run_log.py), and is
imported when a file fits. Plain text (CSV, JSON, JSON lines, a printed log) is told by what is in
it: text_files.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePath

from q1lab.ground.hooks import LogForm

FORMS = {
    "an offline run of W&B": LogForm(("run-*.wandb",), "q1lab.tables.readers.wandb_run:read"),
    "TensorBoard events": LogForm(
        ("*tfevents.*",), "q1lab.tables.readers.tfevents:read", by_folder=True
    ),
    "a trainer_state.json": LogForm(
        ("trainer_state.json",),
        "q1lab.tables.readers.trainer_state:read",
        by_folder=True,
        parts="checkpoint-*",
    ),
    "a metrics.csv": LogForm(("metrics.csv",), "q1lab.tables.readers.metrics_csv:read"),
}
"""Forms by name; a folder is searched for them in this order."""
DELIMITED = frozenset({".csv", ".tsv"})
TEXT = frozenset({*DELIMITED, ".json", ".jsonl", ".ndjson", ".txt", ".log", ".out", ""})
"""Endings of plain text, which belong to no form of another package."""


def forms() -> Iterator[tuple[str, LogForm]]:
    """Every form with its name: the core's, then those of plug-ins."""
    yield from FORMS.items()
    from q1lab.ground import plugin_finder

    for plugin in plugin_finder.plugins(installed=True):
        yield from plugin.logs.items()


def form_of(path: PurePath) -> tuple[str, LogForm] | None:
    """The form of a file by its name; None where it is none of them."""
    is_text = path.suffix.lower() in TEXT
    for title, form in FORMS.items() if is_text else forms():
        if fits(form, path.name):
            return title, form
    return None


def fits(form: LogForm, name: str) -> bool:
    """True if a file of this name is of the form."""
    return any(fnmatchcase(name, pattern) for pattern in form.names)

"""The table of readers: each form in which a program writes down a run, and the module that reads
it.

A form is told by the names of its files. Its reader fills the log of one run (run_log.py), and is
imported when a file fits. Plain text (CSV, JSON, JSON lines, a printed log) is told by what is in
it: text_files.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from q1lab.ground.hooks import LogForm

DELIMITED = frozenset({".csv", ".tsv"})
TEXT = frozenset({*DELIMITED, ".json", ".jsonl", ".ndjson", ".txt", ".log", ".out", ""})
"""Endings of plain text, which belong to no form of another package."""
TRAINER_STATE, METRICS = "trainer_state.json", "metrics.csv"
"""Names of text that has a form of its own."""


@cache
def core_forms() -> dict[str, LogForm]:
    """The core's forms by name; a folder is searched for them in this order."""
    from q1lab.ground.hooks import LogForm

    here = "q1lab.tables.readers"
    return {
        "an offline run of W&B": LogForm(("run-*.wandb",), f"{here}.wandb_run:read"),
        "TensorBoard events": LogForm(("*tfevents.*",), f"{here}.tfevents:read", by_folder=True),
        "a trainer_state.json": LogForm(
            (TRAINER_STATE,), f"{here}.trainer_state:read", by_folder=True, parts="checkpoint-*"
        ),
        "a metrics.csv": LogForm((METRICS,), f"{here}.metrics_csv:read"),
    }


def forms() -> Iterator[tuple[str, LogForm]]:
    """Every form with its name: the core's, then those of plug-ins."""
    yield from core_forms().items()
    from q1lab.ground import plugin_finder

    for plugin in plugin_finder.plugins(installed=True):
        yield from plugin.logs.items()


def form_of(path: PurePath) -> LogForm | None:
    """The form of a file by its name; None where it is none of them."""
    if path.suffix.lower() in TEXT and path.name not in (TRAINER_STATE, METRICS):
        return None
    return next((form for _, form in forms() if fits(form, path.name)), None)


def fits(form: LogForm, name: str) -> bool:
    """True if a file of this name is of the form."""
    return any(fnmatchcase(name, pattern) for pattern in form.names)

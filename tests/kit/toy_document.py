"""A document in one file: what it tells, the change that writes it, its command, and its row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._store import open_store
from q1lab.documents.change import Change, SavedChange, document_change
from q1lab.documents.templates import render_template
from q1lab.ground.act import Act
from q1lab.ground.command_table import WEEK
from q1lab.ground.git_repository import Repository
from q1lab.index.store import Store
from q1lab.week import evidence, progress
from q1lab.week.syllabus import Week

FILE = "LOGBOOK.md"
TEMPLATE = '# Logbook\n\n{% call region("ticks") %}\n{{ ticks }} steps.\n{% endcall %}\n'
"""The text of the week's templates/logbook.md.j2."""

ACT = Act(
    "logbook",
    "How far you have come.",
    WEEK,
    palette="Write LOGBOOK.md, and see the commit first",
    done_when=("logbook written", "logbook committed"),
    commits="tests.kit.toy_document:change",
)


@dataclass(frozen=True)
class Logbook:
    ticks: int


def gather(store: Store, week: Week) -> Logbook:
    return Logbook(len(progress.recorded_progress(store, week.label).done))


def change(
    store: Store, week: Week, root: Path, repo: Repository | None, *, overwrite: bool = False
) -> Change:
    text = render_template("logbook.md.j2", gather(store, week), week.root)
    logbook_change = document_change(root / FILE, text, repo, root, overwrite=overwrite)

    def after(store: Store, done: SavedChange) -> None:
        evidence.note_written(store, week.label, ACT.name, root / FILE, done.sha)

    return replace(logbook_change, message=f"docs: write {FILE}", after=after)


@click.command(epilog="Example: q1lab logbook")
@shared.writing_options
@shared.overwrite_option
@shared.json_option
def logbook(write_options: shared.WriteOptions, overwrite: bool, as_json: bool) -> int:
    """Write LOGBOOK.md, and commit it."""
    week = shared.current_week()
    with open_store() as store:
        root, repo = shared.open_repository(write_options)
        logbook_change = change(store, week, root, repo, overwrite=overwrite)
        return shared.write_document(logbook_change, store, write_options, as_json=as_json)

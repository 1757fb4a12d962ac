"""An act in one file: its command, and what else is to be made of it."""

from __future__ import annotations

import click

from q1lab.commands import _documents as shared
from q1lab.ground.act import Act
from q1lab.ground.command_table import AROUND, ActReport
from q1lab.index.store import Store
from q1lab.week import evidence
from q1lab.week.syllabus import Week

ACT = Act(
    "toy",
    "A toy to play with.",
    AROUND,
    palette="Play with a toy",
    form_labels={"name": "name", "color": "color"},
    action_fields=("name", "color"),
    done_when=("seen",),
)


@click.command(epilog="Example: q1lab toy duck --color blue")
@click.argument("name")
@click.option("--color", type=click.Choice(["red", "blue"]), default="red", help="Its color.")
@shared.json_option
@shared.list_command
def toy(store: Store, week: Week, name: str, color: str) -> ActReport:
    """Play with the toy NAME."""
    evidence.note_viewed(store, week.label, "toy", name)
    return ActReport(f"the {name} is {color}", record={"name": name, "color": color})

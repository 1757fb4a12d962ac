"""`q1lab course`: the lists that a learner keeps for the course that the week belongs to."""

from __future__ import annotations

import click

from q1lab.commands.artifact import artifact
from q1lab.commands.kpi import kpi
from q1lab.commands.roadmap import roadmap


@click.group(
    epilog="""\b
Examples:
  q1lab course kpi
  q1lab course artifact add repo classical-ml --at ~/classical-ml
  q1lab course roadmap --tick 14"""
)
def course() -> None:
    """The lists of the course that the week belongs to. `q1lab config course false` hides them."""


for command in (kpi, artifact, roadmap):
    course.add_command(command)

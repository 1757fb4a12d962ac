"""`q1lab stop`: stop a study so that it can go on later."""

from __future__ import annotations

import click

from q1lab.commands._following import study_or_latest
from q1lab.commands._names import study_argument
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json
from q1lab.ground.errors import EXIT_STATUS, OK
from q1lab.study import kinds
from q1lab.train import launch


@click.command(epilog=f"Example: q1lab stop rope-1\n\n{EXIT_STATUS}")
@study_argument(required=False)
@json_option
def stop(study: str | None, as_json: bool) -> int:
    """Stop STUDY (default: the latest) so that it can go on later."""
    chosen = study_or_latest(study)
    stopped = launch.stop_study(chosen)
    resume_command = kinds.resume_command(chosen)
    if as_json:
        print_json({"study": chosen.id, "stopped": stopped, "resume": resume_command})
    elif stopped:
        click.echo(f"{chosen.id} stopped. Go on with: {resume_command}")
    else:
        click.echo(f"{chosen.id} is not running.")
    return OK

"""`q1lab attach`: watch a study that is running."""

from __future__ import annotations

import click

from q1lab.commands._following import finish_study, follow_studies, study_or_latest
from q1lab.commands._names import study_argument
from q1lab.commands._options import json_option
from q1lab.commands._store import open_store
from q1lab.commands.live_progress import follow_run_log
from q1lab.ground.errors import EXIT_STATUS, Problem
from q1lab.train import launch


@click.command(
    epilog=f"""\b
Examples:
  q1lab attach rope-1
  q1lab attach --log
  q1lab attach rope-1 modified-seed2 --log

{EXIT_STATUS}"""
)
@study_argument(required=False)
@click.argument("run", required=False)
@click.option("--log", "follow_log", is_flag=True, help="Print the output of RUN as it comes.")
@json_option
def attach(study: str | None, run: str | None, follow_log: bool, as_json: bool) -> int:
    """Watch a running STUDY (default: the latest). Ctrl-C leaves; the training goes on.

    With --log it prints the output of one run until the run has ended: RUN, such as
    baseline-seed0, or else the run that wrote last.
    """
    if follow_log and as_json:
        raise Problem("--log prints text", next="leave --json out")
    if run is not None and not follow_log:
        raise Problem(f"{run}: a study is watched as a whole", next=f"--log follows {run} alone")
    chosen = study_or_latest(study)
    with open_store() as store:
        if follow_log:
            return follow_run_log(store, chosen, run)
        if launch.is_alive(chosen.files):
            status = follow_studies(store, [chosen], as_json, ctrl_c_stops=False)
            if status is not None:
                return status
        return finish_study(store, chosen, as_json)

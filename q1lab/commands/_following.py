"""Studies watched to their end, and what a command says then."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import click

from q1lab.commands._output import remark
from q1lab.commands.compare import print_comparison
from q1lab.commands.live_progress import watch_study
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, UNFINISHED
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.judgment.run_states import ENDED, RunState
from q1lab.study import events, kinds, studies
from q1lab.study.studies import Study
from q1lab.train import launch, series_members


def study_or_latest(name: str | None) -> Study:
    """The study with this name. Without a name, the newest that is training (in a sweep it is not
    always the newest study), else the newest of all."""
    if name:
        return studies.load(name)
    alive = [study for study in studies.load_readable() if launch.is_alive(study.files)]
    return alive[-1] if alive else studies.load(studies.latest())


def follow_studies(
    store: Store, members: Sequence[Study], as_json: bool, *, ctrl_c_stops: bool
) -> int | None:
    """Show the studies one after another until all have ended. Returns an exit status if the
    learner interrupted: Ctrl-C stops the training, or leaves it running, as ``ctrl_c_stops``
    says."""
    several = len(members) > 1
    # decided before the first is watched: others may begin and end meanwhile
    unfinished = [
        member
        for member in members
        if not several or series_members.has_runs_left(member) or launch.is_alive(member.files)
    ]
    current = members[0]
    try:
        for current in unfinished:
            if several and not as_json:
                click.echo(f"\n{current.id}: {current.variant} against {current.baseline}")
            hint = "Ctrl-C stops" if ctrl_c_stops else "Ctrl-C leaves"
            watch_study(store, current, quiet=as_json, hint=hint)
    except KeyboardInterrupt:
        if not ctrl_c_stops:
            remark(
                f"\nTraining goes on. Watch: q1lab attach {current.id} · "
                f"stop: q1lab stop {current.id}",
                quiet=as_json,
            )
            return INTERRUPTED
        remark(f"\nStopping; {current.trainer.when_stopped} …", quiet=as_json)
        with contextlib.suppress(KeyboardInterrupt):
            for study in members:
                launch.stop_study(study)
                ingest_events.ingest_study(store, study)
            remark(f"Stopped. Go on with: {kinds.resume_command(current)}", quiet=as_json)
        return INTERRUPTED
    return None


def finish_study(store: Store, study: Study, as_json: bool) -> int:
    """Print the comparison, and the runs that failed or are missing. Returns OK, FAILED if a run
    failed, UNFINISHED if some are missing."""
    study = studies.load(study.id)  # a range that stopped early has another plan than it began with
    if print_comparison(store, study, as_json=as_json) is None:
        return FAILED
    runs = study_view.read_view(store, study, new_events=False).runs
    bad = [
        run for run in runs if run.state in (RunState.FAILED, RunState.CRASHED, RunState.DIVERGED)
    ]
    unfinished = [run for run in runs if run.state not in ENDED]
    _print_failed(study, bad)
    if unfinished:
        others = (run.message for run in unfinished if run not in bad and run.message)
        reasons = sorted({message.partition(";")[0] for message in others})
        why = f" ({', '.join(reasons)})" if reasons else ""
        ends = (events.closing_exit(study.files.run(run.name).events) for run in bad)
        goes_on = f"go on with: {kinds.resume_command(study)}"
        if any(end is not None and end.get("independent") is False for end in ends):
            goes_on = "once the program is corrected, type the whole command with --fresh"
        remark(
            f"q1lab: {study.id} is not done, {len(unfinished)} of {len(runs)} runs are left{why}; "
            f"{goes_on}"
        )
    return FAILED if bad else UNFINISHED if unfinished else OK


def _print_failed(study: Study, bad: Sequence[study_view.RunView]) -> None:
    """Print how runs failed, those that failed alike in one line."""
    names_by_end: dict[str, list[str]] = {}
    for run in bad:
        why = "; ".join(run.why) or run.message or ""
        names_by_end.setdefault(f"{run.state}: {why}", []).append(run.name)
    for end, names in names_by_end.items():
        log = study.files.run(names[0]).log
        remark(f"q1lab: {', '.join(names)} {end} (log: {log})")

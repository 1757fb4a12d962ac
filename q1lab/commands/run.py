"""`q1lab run`, `attach` and `stop`: start studies, watch them, stop them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from q1lab import planning
from q1lab.commands import _documents as shared
from q1lab.commands._asking import asking
from q1lab.commands._opening import opened
from q1lab.commands._saying import print_json, say, tell
from q1lab.commands.live import watch
from q1lab.errors import EXIT_STATUS, FAILED, INTERRUPTED, OK, UNFINISHED, Problem
from q1lab.formats import duration
from q1lab.index import ingest, view
from q1lab.index.store import Store
from q1lab.study import command, kept, launch, series, studies, turns
from q1lab.study.engines.choice import by_hand
from q1lab.study.states import ENDED, State
from q1lab.study.studies import Study


@click.command(
    epilog="""\b
Examples:
  q1lab run rope --seeds 3
  q1lab run rope --seeds 3..12
  q1lab run rmsnorm rope swiglu --seeds 3..8
  q1lab run ./my_rope.py --baseline ./model.py --seeds 0,1,2,7 --preset quick
  q1lab run swiglu --set learning_rate=3e-4 --detach
  q1lab run rope --over max_iters=500,1000,2000
  q1lab run rope --tune learning_rate
  q1lab run studies/rope-1

The same command again trains only what is missing, and with nothing missing prints the comparison.

"""
    + EXIT_STATUS
)
@click.argument("variant", nargs=-1, required=True)
@asking
@click.option(
    "--over",
    metavar="KEY=VALUE,VALUE",
    help="The same at each value of a hyperparameter, such as max_iters=500,1000,2000.",
)
@click.option(
    "--tune",
    metavar="KEY",
    help="Let each arm choose its own first, such as learning_rate: 3 values, seeds of their own.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --over: draw it, .svg or .png.",
)
@shared.force_option
@click.option("--detach", is_flag=True, help="Start it and return at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def run(
    variant: tuple[str, ...],
    over: str | None,
    tune: str | None,
    plot: Path | None,
    force: bool,
    detach: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Train VARIANT against a baseline over seeds, then compare.

    VARIANT is baseline, rmsnorm, rope, swiglu, gqa or llama, the path to a model file with
    nanoGPT's interface, or a folder that `q1lab keep` made: then it trains that study again.
    Training outlives the terminal; Ctrl-C stops it cleanly, so that it can go
    on.
    With VARIANT baseline it is compared with itself, on other seeds: how far apart equals are.

    Several VARIANTs share the baseline's runs, are declared together before the first one begins,
    share the 5% of false verdicts between them, and are ranked in one table. With the name of such
    a sweep its table is printed again.
    """
    given = [name for one in variant for name in _split(one)]
    known = given[0].startswith(f"{series.SWEEP}-") and given[0] in turns.newest_first(series.SWEEP)
    if known or len(given) > 1:
        for option, value in (("--over", over), ("--tune", tune), ("--plot", plot)):
            if value is not None:
                raise Problem(f"{option} is for one VARIANT, and here are several")
        return _sweep(given, detach, as_json, **asked)
    wish = command.wish_of(variant=given[0], **asked)
    # the quick questions first
    _ = command.parse_range(wish.seeds) or command.parse_seeds(wish.seeds)
    if tune is not None:
        from q1lab.commands._series import train_tune

        if over is not None or detach:
            other = "--over" if over is not None else "--detach"
            raise Problem(
                f"--tune with {other}: the study is planned when tuning is done; leave one out"
            )
        found = train_tune(wish, tune, as_json)
        if isinstance(found, int):
            return found
        wish = found
    if over is not None:
        from q1lab.commands._series import train_over

        return train_over(wish, over, plot, detach, as_json, force=force)
    if plot is not None:
        raise Problem("--plot draws an axis here (--over); for one study: q1lab compare --plot")
    with opened() as store:
        tell("Looking at the model files and this machine …", as_json)
        plan = planning.begin(wish, store)
        study, started = plan.study, bool(plan.missing)
        if not as_json:
            _announce(study, plan)
        if started and by_hand(study.engine, study.id):
            return _planned(study, as_json)
        if detach:
            if as_json:
                print_json({"study": study.id, "started": started, "missing": list(plan.missing)})
            elif started:
                click.echo(
                    f"Training goes on by itself. Watch: q1lab attach {study.id} · stop: "
                    f"q1lab stop {study.id}"
                )
            return OK
        if started:
            status = _follow(store, study, as_json, ctrl_c_stops=True)
            if status is not None:
                return status
        status = _finish(store, study, as_json)
        if plan.kept is not None:
            tell(kept.outcome(plan.kept, study), False)
        return status


def _sweep(given: list[str], detach: bool, as_json: bool, **asked: Any) -> int:
    """Train several modifications, or print the table of a sweep that was."""
    from q1lab import declaring
    from q1lab.commands._series import finish, train

    with opened() as store:
        if len(given) == 1:
            return finish(store, given[0], as_json)
        wish = command.wish_of(variant="", **asked)
        _ = command.parse_range(wish.seeds) or command.parse_seeds(wish.seeds)
        tell("Looking at the model files and this machine …", as_json)
        return train(store, declaring.sweep(wish, tuple(given), store), detach, as_json)


def _split(given: str) -> list[str]:
    """``rope,swiglu`` is two names, as in --seeds and --over; a file's name may have a comma."""
    if Path(given).exists():
        return [given]
    return [name for one in given.split(",") if (name := one.strip())] or [given]


@click.command(epilog=f"Example: q1lab attach rope-1\n\n{EXIT_STATUS}")
@click.argument("study", required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the comparison as JSON when it is done."
)
def attach(study: str | None, as_json: bool) -> int:
    """Watch a running STUDY (default: the latest). Ctrl-C leaves; the training goes on."""
    chosen = _meant(study)
    with opened() as store:
        if launch.is_alive(chosen.files):
            status = _follow(store, chosen, as_json, ctrl_c_stops=False)
            if status is not None:
                return status
        return _finish(store, chosen, as_json)


@click.command(epilog=f"Example: q1lab stop rope-1\n\n{EXIT_STATUS}")
@click.argument("study", required=False)
def stop(study: str | None) -> int:
    """Stop STUDY (default: the latest) so that it can go on: each run leaves a checkpoint."""
    chosen = _meant(study)
    if launch.stop(chosen):
        click.echo(f"{chosen.id} stopped. Go on with: {command.going_on(chosen)}")
    else:
        click.echo(f"{chosen.id} is not running.")
    return OK


def _meant(name: str | None) -> Study:
    """The study of that name; without one the newest that trains (of a sweep that is not the last
    one), else the newest."""
    if name:
        return studies.load(name)
    alive = [one for one in studies.readable() if launch.is_alive(one.files)]
    return alive[-1] if alive else studies.load(studies.latest())


def _announce(study: Study, plan: planning.Plan) -> None:
    what = f"{study.variant} against {study.baseline}"
    count = f"{len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''} each"
    planned = study.range
    if planned is not None and plan.missing:
        count = f"{planned.first} to {planned.most} seeds each"
    line = (
        f"{study.id}: {what}, {count}, preset {study.preset}, data {study.data.name}, "
        f"{study.device} {study.dtype}, {study.jobs} at once"
    )
    say(line)
    if plan.missing and plan.minutes is not None:
        whole = len(plan.missing) == len(study.runs)
        runs = (
            f"{len(plan.missing)} runs"
            if whole
            else f"{len(plan.missing)} of {len(study.runs)} runs are missing"
        )
        click.echo(f"{runs}, about {duration(plan.minutes * 60)}")
    for note in plan.notes:
        say(f"note: {note}")


def _planned(study: Study, as_json: bool) -> int:
    """Say what comes after a study was planned that is trained by hand."""
    if as_json:
        print_json({"study": study.id, "started": False})
        return OK
    say(f"{study.id} is planned; nothing trains here. Next:")
    click.echo(f"  {command.going_on(study)}")
    return OK


def _follow(store: Store, study: Study, as_json: bool, *, ctrl_c_stops: bool) -> int | None:
    """Show the study until it has ended; an exit status when the person left."""
    try:
        watch(store, study, quiet=as_json, hint="Ctrl-C stops" if ctrl_c_stops else "Ctrl-C leaves")
    except KeyboardInterrupt:
        if not ctrl_c_stops:
            tell(
                f"\nTraining goes on. Watch: q1lab attach {study.id} · stop: q1lab stop {study.id}",
                as_json,
            )
            return INTERRUPTED
        tell("\nStopping; each run leaves a checkpoint …", as_json)
        with contextlib.suppress(KeyboardInterrupt):
            launch.stop(study)
            ingest.take_in(store, study)
            tell(f"Stopped. Go on with: {command.going_on(study)}", as_json)
        return INTERRUPTED
    return None


def _finish(store: Store, study: Study, as_json: bool) -> int:
    """Print the comparison, and what is left; the status says whether every run finished."""
    from q1lab.commands.compare import show

    show(store, study, as_json=as_json)
    study = studies.load(study.id)
    runs = view.look(store, study).runs
    bad = [run for run in runs if run.state in (State.FAILED, State.CRASHED, State.DIVERGED)]
    left = [run for run in runs if run.state not in ENDED]
    for run in bad:
        log = study.files.run(run.name).log
        tell(f"q1lab: {run.name} {run.state}: {run.message or ''} (log: {log})", False)
    if left:
        others = {run.message.partition(";")[0] for run in left if run not in bad and run.message}
        why = f" ({', '.join(sorted(others))})" if others else ""
        tell(
            f"q1lab: {study.id} is not done, {len(left)} of {len(runs)} runs are left{why}; go on "
            f"with: {command.going_on(study)}",
            False,
        )
    return FAILED if bad else UNFINISHED if left else OK

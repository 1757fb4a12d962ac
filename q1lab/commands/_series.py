"""Train studies that were declared together, one after another, and print what came out: for
`q1lab run` with several variants, with --over, and with --tune."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import click

from q1lab import declaring
from q1lab.commands._opening import opened
from q1lab.commands._saying import print_json, say, tell
from q1lab.commands.live import watch
from q1lab.declaring import Declared
from q1lab.errors import FAILED, INTERRUPTED, OK, UNFINISHED
from q1lab.index import ingest
from q1lab.index.store import Store
from q1lab.study import command, launch, series, studies, turns
from q1lab.study.command import Wish
from q1lab.study.studies import ARMS, Study


def train_over(
    wish: Wish, axis: str, plot: Path | None, detach: bool, as_json: bool, *, force: bool = False
) -> int:
    """`q1lab run --over`: the study of ``wish`` at each value of an axis."""
    from q1lab.compare import charts, together
    from q1lab.written import may_write, write_out

    key, values = declaring.parse_axis(axis)
    form = "" if plot is None else charts.form_of(plot)
    if plot is not None:
        may_write(plot, force)  # not only after hours
    with opened() as store:
        tell("Looking at the model files and this machine …", as_json)
        declared = declaring.over(wish, key, values, store)
        status = train(store, declared, detach, as_json)
        if plot is not None and not detach and status != INTERRUPTED:
            drawn = charts.over_figure(together.read(store, declared.series.id), form)
            write_out(plot, drawn, force=force)
            tell(f"\nDrawn: {plot}", as_json)
        return status


def train_tune(wish: Wish, key: str, as_json: bool) -> Wish | int:
    """Let each arm choose its own value of ``key`` (`q1lab run --tune`): the wish with what was
    chosen, or an exit status when the person left."""
    from q1lab.compare import telling

    with opened() as store:
        tell("Looking at the model files and this machine …", as_json)
        declared = declaring.tune(wish, key, store)
        missing = declared.missing
        begun = declaring.begin(declared, store)
        if not as_json:
            announce(begun, missing)
        left = _follow(store, begun, as_json) if missing else None
        if left is not None:
            return left
        found = declaring.choice(begun.series, store)
    one = begun.studies[0]
    names = dict(zip(ARMS, (one.baseline, one.variant), strict=True))
    if not as_json:
        text = telling.tuned(found, names)
        click.echo(f"\n{text[0].upper()}{text[1:]}.\n")
    return replace(wish, tune=found.key, tuned=found)


def train(store: Store, declared: Declared, detach: bool, as_json: bool) -> int:
    """Train a series that was planned, and print its table."""
    begun = declaring.begin(declared, store)
    missing = declared.missing
    if not as_json:
        announce(begun, missing)
    if detach:
        names = [study.id for study in begun.studies]
        if as_json:
            print_json({"series": begun.series.id, "studies": names, "started": missing > 0})
        elif missing:
            click.echo(
                f"Training goes on by itself, one study after another: {', '.join(names)}. "
                f"Watch: the same command without --detach"
            )
        return OK
    left = _follow(store, begun, as_json) if missing else None
    return finish(store, begun.series.id, as_json) if left is None else left


def announce(declared: Declared, missing: int) -> None:
    """Say what is declared, before it trains."""
    record, first = declared.series, declared.studies[0]
    planned = first.range
    seeds = len(first.seeds)
    many = f"{seeds} seed{'s' if seeds > 1 else ''} each"
    if planned is not None:
        many = f"{planned.first} to {planned.most} seeds each"
    members = ", ".join(record.name(at) for at in range(len(record.members)))
    what = f"{members} against {first.baseline}"
    if record.kind != series.SWEEP:
        what = f"{first.variant} against {first.baseline} at {record.axis} {members}"
    say(
        f"{record.id}: {what}, {many}, preset {first.preset}, data {first.data.name}, "
        f"{first.device} {first.dtype}, {first.jobs} at once"
    )
    if missing:
        most = "at most " if planned is not None else ""
        click.echo(f"{most}{missing} runs, one study after another")
    said: dict[str, list[str]] = {}
    for at, plan in enumerate(declared.plans):
        for note in plan.notes if record.kind != series.TUNE else ():
            said.setdefault(note, []).append(record.name(at))
    for note, names in said.items():
        whose = "" if len(names) == len(declared.plans) else f" on {', '.join(names)}"
        say(f"note{whose}: {note}")


def _follow(store: Store, declared: Declared, as_json: bool) -> int | None:
    """Show one study after the other; an exit status when the person left, or when the series
    stands still."""
    at = declared.studies[0]
    try:
        for at in declared.studies:
            if not turns.lacks_runs(at) and not launch.is_alive(at.files):
                continue
            if not as_json:
                mine = at.series
                where = f" at {mine.axis} {mine.name(mine.at)}" if mine and mine.axis else ""
                click.echo(f"\n{at.id}: {at.variant} against {at.baseline}{where}")
            watch(store, at, quiet=as_json, hint="Ctrl-C stops")
    except KeyboardInterrupt:
        tell("\nStopping; each run leaves a checkpoint …", as_json)
        stop(store, declared.studies)
        tell(f"Stopped. Go on with: {command.going_on(at)}", as_json)
        return INTERRUPTED
    return None


def stop(store: Store, members: tuple[Study, ...]) -> None:
    """Stop whichever study of a series trains."""
    import contextlib

    with contextlib.suppress(KeyboardInterrupt):
        for study in members:
            launch.stop(study)
            ingest.take_in(store, study)


def finish(store: Store, series_id: str, as_json: bool) -> int:
    """Print a series' table; the status says whether every run finished."""
    from q1lab.compare import together

    found = together.read(store, series_id)
    if as_json:
        print_json(together.to_json(found))
    else:
        click.echo("")
        for line in together.lines(found, min(shutil.get_terminal_size().columns, 100)):
            click.echo(line)
    left = [one.study for one in found.members if one.study and not one.is_complete]
    if left:
        line = command.going_on(studies.load(left[0]))
        tell(f"q1lab: {series_id} is not done; go on with: {line}", False)
    return FAILED if together.bad(found) else UNFINISHED if left else OK

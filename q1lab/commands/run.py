"""`q1lab run`: start studies, and watch them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from q1lab.commands._ask import agrees_to_run, ask_direction, ask_user, is_at_terminal
from q1lab.commands._first_run import needs_first_run, with_metric
from q1lab.commands._flags import GroupedCommand, flags
from q1lab.commands._following import finish_study, follow_studies
from q1lab.commands._names import variant_argument
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_wrapped, remark
from q1lab.commands._plan_notes import plan_notes
from q1lab.commands._run_request import parse_run
from q1lab.commands._store import open_store
from q1lab.commands._values import typed_fields
from q1lab.commands._week import current_week
from q1lab.commands.compare import print_sweep
from q1lab.ground import config
from q1lab.ground.errors import EXIT_STATUS, FAILED, OK, Problem
from q1lab.ground.text_formats import duration, plural
from q1lab.journal import predictions, study_names
from q1lab.journal.store import Store
from q1lab.study import kept_folder, kinds, studies, variants
from q1lab.study.command_arms import CommandSpec
from q1lab.study.command_line import Request
from q1lab.study.studies import Study
from q1lab.train import begin_study, study_plan
from q1lab.train.study_plan import Declaration


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  q1lab run rope --seeds 3
  q1lab run 'python train.py --seed={seed}' 'python train.py --seed={seed} --lr=2e-3'
  q1lab run rope --seeds 3..12
  q1lab run rmsnorm rope swiglu --seeds 3..8
  q1lab run ./my_rope.py --baseline ./model.py --seeds fresh:4 --preset quick
  q1lab run swiglu --set learning_rate=3e-4 --detach
  q1lab run rope --set dropout=0.1 --name rope-dropout
  q1lab run studies/rope-1
  q1lab run study.toml --seeds 8

The same command again trains only what is missing, and with nothing missing prints the comparison.

"""
    + f"Variants: {', '.join(variants.variant_names())}.\n\n"
    + EXIT_STATUS,
)
@variant_argument(or_study=True, nargs=-1)
@flags(Request)
@flags(CommandSpec)
@click.option("--name", metavar="NAME", help="A name for the study, in addition to its own.")
@click.option("--detach", is_flag=True, help="Start it and return at once.")
@json_option
def run(
    variant: tuple[str, ...],
    name: str | None,
    detach: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Train VARIANT against a baseline over seeds, then compare.

    VARIANT is one of the names below, the path to a model file with nanoGPT's interface, or a
    folder that `q1lab export` or `q1lab modification` made: then it trains that study again.
    Training outlives the terminal; Ctrl-C stops it cleanly, and the same command continues it.
    The VARIANT baseline compares the baseline with itself on other seeds, which shows the noise.
    The name of a study continues it, with more pairs where --seeds says so.

    Two commands in quotes are compared with each other: {seed} stands where the seed goes, and the
    number that counts is read off what they print. A study.toml holds a command with more arms
    (docs/runs-and-programs.md); with baseline (or another of its arms) behind it, that arm is
    compared with itself.

    Several VARIANTs share the baseline's runs, are declared together before the first one begins,
    share the 5% of false verdicts between them, and are ranked in one table, which
    `q1lab compare` prints again. A model file that is refused stops no other.
    """
    typed = typed_fields(click.get_current_context())
    ask = is_at_terminal() and sys.stderr.isatty()
    ask = ask and not (as_json or detach or options["yes"])
    try:
        parsed = parse_run(variant, options, typed)
    except Problem as problem:
        if problem.field != "better" or not ask:
            raise
        parsed = parse_run(variant, {**options, "better": ask_direction(problem)}, typed)
    request = parsed.request
    with open_store() as store:
        if request.loop is not None and needs_first_run(request.loop):
            study_plan.draft_study(request, store)  # what can be refused is refused at once
            request = with_metric(request, typed, ask=ask, quiet=as_json)
        remark("Looking at both arms and this machine …", quiet=as_json)
        declared = _declared(request, parsed.variants, store)
        for left_out, why in declared.refused.items():
            remark(f"{left_out} is left out: {why}")
        status_of_refused = FAILED if declared.refused else OK
        for study, given_name in _names(name, declared):
            study_names.check_name(store, study.id, given_name)
        if request.loop is None and _wants_to_predict(store, parsed.variants, ask=ask):
            return OK
        begun = begin_study.begin_studies(declared, store)
        for study, given_name in _names(name, begun):
            study_names.give_name(store, study.id, given_name)
        if not as_json:
            _announce(begun, store)
        if detach:
            return _print_detached(begun, as_json) or status_of_refused
        if begun.missing:
            exit_status = follow_studies(store, begun.studies, as_json, ctrl_c_stops=True)
            if exit_status is not None:
                return exit_status
        if begun.series is not None:
            return print_sweep(store, begun.series.id, as_json=as_json) or status_of_refused
        (study,) = begun.studies
        status = finish_study(store, study, as_json)
        if (kept_study := begun.drafts[0].kept_study) is not None:
            remark(kept_folder.compare_values(kept_study, study))
        return status or status_of_refused


def _declared(request: Request, variants: Sequence[str], store: Store) -> Declaration:
    """What the request declares; a person is asked before a command trains that never ran here."""
    try:
        return study_plan.declare(request, variants, store)
    except study_plan.UnseenCommand as unseen:
        if not agrees_to_run(unseen.displayed_commands, "--yes runs it"):
            raise Problem("its command was not run") from None
        return study_plan.declare(replace(request, yes=True), variants, store)


def _names(name: str | None, declared: Declaration) -> list[tuple[Study, str]]:
    """The studies with their names: the one that was typed; in a sweep with the member's behind
    it."""
    if name is None:
        return []
    if declared.series is None:
        return [(study, name) for study in declared.studies]
    members = map(declared.series.name, range(len(declared.series.members)))
    names = [f"{name}-{text if studies.is_id(text) else at}" for at, text in enumerate(members, 1)]
    return list(zip(declared.studies, names, strict=False))


def _wants_to_predict(store: Store, names: Sequence[str], *, ask: bool) -> bool:
    """True if the learner, about to train modifications of the week for the first time, wants to
    predict them before. They are asked once; without ``ask``, a line says what is missing."""
    if not config.load_settings().week:
        return False
    offered: set[str] = set()
    with contextlib.suppress(Problem):  # a week with a fault keeps no study from training
        offered = {variant.name for variant in current_week().variants}
    missing = predictions.unpredicted(store, (name for name in names if name in offered))
    if not missing:
        return False
    nothing = f"no prediction for {', '.join(missing)} yet; after the runs it proves nothing"
    if not ask:
        remark(f"note: {nothing} (`q1lab predict {missing[0]}` writes one)")
        return False
    predictions.note_asked(store, missing)
    unanswered = Problem("nothing trains: ", next="type it again; it does not ask twice")
    if ask_user(f"There is {nothing}. Predict first?", unanswered) == "no":
        return False
    click.echo("Nothing trains yet. Say what you expect (lower, higher or same), and run again:")
    for name in missing:
        click.echo(
            f"  q1lab predict {name} --direction DIRECTION --size NATS --matters NATS "
            "--sure PERCENT"
        )
    return True


def _print_detached(begun: Declaration, as_json: bool) -> int:
    """Print the commands that watch and stop what trains in the background."""
    names, missing = [study.id for study in begun.studies], begun.plans[0].missing
    if begun.series is not None:
        what: dict[str, object] = {"series": begun.series.id, "studies": names}
        what |= {"started": begun.missing > 0}
        how = (
            f", one study after another: {', '.join(names)}. Watch: the same command "
            "without --detach"
        )
    else:
        what = {"study": names[0], "started": bool(missing), "missing": list(missing)}
        how = f". Watch: q1lab attach {names[0]} · stop: q1lab stop {names[0]}"
    if as_json:
        print_json(what)
    elif begun.missing:
        click.echo(f"Training goes on by itself{how}")
    return OK


def _announce(begun: Declaration, store: Store) -> None:
    """Print the declaration before training, and the notes of all plans: each once, with the
    studies that it is about."""
    first, series = begun.studies[0], begun.series
    seeds = f"{plural(len(first.seeds), 'seed')} each"
    fewest, most = first.design.pairs
    if fewest < most and begun.missing:
        seeds = f"{fewest} to {most} seeds each"
    name, arms = first.id, first.variant
    if series is not None:
        name, arms = series.id, ", ".join(map(series.name, range(len(series.members))))
    print_wrapped(
        f"{name}: {arms} against {first.baseline}, {seeds}, {kinds.conditions(first)}, "
        f"{first.trainer.jobs} at once"
    )
    if begun.missing:
        click.echo(_work_text(begun))
    noted: dict[str, list[str]] = {}
    for plan in begun.plans:
        membership = plan.study.origin.series
        for note in plan_notes(plan, store, begun.on_disk):
            noted.setdefault(note, []).append(
                "" if membership is None else membership.name(membership.at)
            )
    for note, names in noted.items():
        whose = "" if len(names) == len(begun.plans) else f" on {', '.join(names)}"
        print_wrapped(f"note{whose}: {note}")


def _work_text(begun: Declaration) -> str:
    """The number of runs that will train, and their time."""
    first = begun.plans[0]
    if begun.series is not None:
        most = "at most " if first.study.design.is_sequential else ""
        return f"{most}{begun.missing} runs, one study after another"
    missing, total, seconds = len(first.missing), len(first.study.runs), first.seconds
    runs = f"{missing} runs" if missing == total else f"{missing} of {total} runs are missing"
    return runs if seconds is None else f"{runs}, about {duration(seconds)}"

"""`q1lab plan`: what each design of a study can say of a difference, before anything trains."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path

import click

from q1lab.commands._flags import flag
from q1lab.commands._names import variant_argument
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_wrapped, remark
from q1lab.commands._plan_notes import look_note
from q1lab.commands._store import open_store
from q1lab.compare import pairs_needed
from q1lab.compare.pairs_needed import Advice, DesignChances, Spread
from q1lab.ground.errors import OK, Problem
from q1lab.journal import home_history, ingest_events, learner_tables, predictions
from q1lab.journal.store import Store
from q1lab.judgment import intervals
from q1lab.judgment.metric import VAL_LOSS
from q1lab.study import command_line, kinds, studies, variants
from q1lab.study.command_line import Request
from q1lab.train import study_plan

HUNDREDTH = 0.01
"""Nats; about 1% of perplexity."""


@click.command(
    epilog="""\b
Examples:
  q1lab plan rope
  q1lab plan rmsnorm --detect 0.005 --preset cpu"""
)
@variant_argument()
@click.option(
    "--detect",
    type=float,
    metavar="NATS",
    help="The difference you want to see (default: δ of your newest prediction, else 0.01).",
)
@flag(Request, "preset", "Size and budget.")
@json_option
def plan(variant: str, detect: float | None, preset: str | None, as_json: bool) -> int:
    """Show what a study of VARIANT can find with 3 pairs, with 8, and with 3 to 8.

    For each of these designs it shows the runs, how many of 100 studies end with each verdict (if
    the true difference is NATS, which is also the smallest that matters, δ; and if there is none),
    the difference that most studies find, and the time on this machine. It shows no result, so you
    can use it before you predict.

    The figures rest on your newest study of VARIANT, or on those that ship with q1lab; the command
    says which.
    """
    request = Request(variant, preset=preset)
    with open_store() as store:
        ingest_events.ingest_all(store)
        spread = _spread(store, request)
        detect, reason = _difference(store, request, spread, detect)
        level, is_later_look = _next_look(store, spread)
        usual = pairs_needed.advise_usual(detect, spread, level)
    if not as_json:
        for line in filter(None, (pairs_needed.spread_sentence(spread), reason, is_later_look)):
            print_wrapped(line, 0)
        _print_chances(usual, usual.designs)
    advice = pairs_needed.with_longer_range(usual)
    seeds, after_range = advice.seeds, _is_of_range(spread)
    plans_range = not seeds.isdigit()
    if not plans_range and after_range:
        seeds = f"fresh:{seeds}"  # else that study would refuse to go on
    if as_json:
        print_json({**dataclasses.asdict(_timed(advice, request, quiet=True)), "seeds": seeds})
        return OK
    _print_chances(advice, advice.designs[len(usual.designs) :])
    click.echo()
    print_wrapped(pairs_needed.needed_sentence(advice), 0)
    if advice.cheapest:
        print_wrapped(f"Of these designs, {advice.seeds} does it with the fewest runs:", 0)
    else:
        print_wrapped("No planned range goes that far.", 0)
    click.echo(f"  {_command(request, spread, seeds, fresh=plans_range and after_range)}")
    if time := pairs_needed.time_sentence(_timed(advice, request)):
        print_wrapped(time, 0)
    return OK


def _print_chances(advice: Advice, designs: Iterable[DesignChances]) -> None:
    for line in pairs_needed.chances_lines(advice, designs):
        print_wrapped(line)


def _timed(advice: Advice, request: Request, *, quiet: bool = False) -> Advice:
    """The advice with the time of a pair on this machine: the known one, else that of a few steps
    timed now, which takes seconds. Without a time where it can't train."""
    if advice.spread.seconds is not None:
        return advice
    remark("Timing a few steps on this machine …", quiet=quiet)
    with open_store() as store, contextlib.suppress(Problem):
        draft = study_plan.draft_study(request, store)
        study = draft.study
        if seconds := draft.seconds(study, [run.name for run in study.runs]):
            setting = f"{study.trainer.preset}, {study.max_iters:,} iters on {study.data.name}"
            spread = dataclasses.replace(
                advice.spread, seconds=seconds / len(study.seeds), timed=f"timed now, at {setting}"
            )
            return dataclasses.replace(advice, spread=spread)
    return advice


def _spread(store: Store, request: Request) -> Spread:
    """The spread of the newest study of the variant, else the one that ships. Problem without
    one."""
    variant, preset = request.variant, request.preset
    name = Path(variant).stem if variant.endswith(".py") else variant
    on_disk, data = studies.StudiesOnDisk(), learner_tables.data_to_train_on(store)
    spread = pairs_needed.known_spread(store, name, preset, on_disk, data)
    if spread is None:
        if _is_name_of_own_file(variant):
            variants.find_variant(variant)
        raise Problem(
            f"no study of {variant} has three pairs yet, and no figures ship for it at this size",
            next=f"run one first: {command_line.command_text(request)}",
        )
    return spread


def _next_look(store: Store, spread: Spread) -> tuple[float, str]:
    """The level of another study of the files that the spread is of, and a sentence where it is not
    a first look."""
    if not spread.study or not (study := studies.load(spread.study)).counts_as_asking:
        return intervals.ALPHA, ""
    another = study.with_origin(series=None)
    look = home_history.next_look(store, another)
    note = look_note(another, look)
    return look.level, f"{note[0].upper()}{note[1:]}" if note else ""


def _difference(
    store: Store, request: Request, spread: Spread, typed: float | None
) -> tuple[float, str]:
    """The difference to plan for, and the reason for it in a sentence; empty for one that was
    typed."""
    if typed is not None:
        return typed, ""
    name = Path(request.variant).stem
    unit, another = spread.metric.suffix, "--detect names another"
    predicted = predictions.prediction_for(store, name)
    if predicted is not None:
        delta = float(predicted["matters"])
        return delta, f"{delta:g}{unit} is the δ of your prediction for {name}; {another}."
    if spread.metric == VAL_LOSS:
        return HUNDREDTH, (
            f"There is no prediction for {name}, so this is for {HUNDREDTH:g}{unit}, about 1% of "
            f"perplexity; {another}."
        )
    rounded = float(f"{spread.sd:.1g}")
    return rounded, (
        f"There is no prediction for {name}, so this is for one sd, {rounded:g}{unit}; {another}."
    )


def _is_name_of_own_file(variant: str) -> bool:
    """True for the name of a learner's file without its path: studies are found by it, and `q1lab
    run` can't train it."""
    return not variant.endswith(".py") and variant not in variants.variant_names()


def _is_of_range(spread: Spread) -> bool:
    return bool(spread.study) and studies.load(spread.study).design.is_sequential


def _command(request: Request, spread: Spread, seeds: str, *, fresh: bool) -> str:
    """The command that begins a study of these seeds, at the conditions of the spread's study;
    ``fresh``, where that study would be continued else."""
    if not spread.study:
        return command_line.command_text(dataclasses.replace(request, seeds=seeds))
    study = studies.load(spread.study)
    if not study.model_files:
        return f"the command of {spread.study}, with --seeds {seeds}{' --fresh' * fresh}"
    is_own_file = _is_name_of_own_file(request.variant)
    if is_own_file:
        return f"q1lab run {study.id} --seeds {seeds}"
    request_of_study = kinds.request(study)
    return command_line.command_text(
        dataclasses.replace(
            request,
            variant=request_of_study.variant if is_own_file else request.variant,
            seeds=seeds,
            fresh=fresh,
            baseline=request_of_study.baseline,
            preset=request_of_study.preset,
            data=request_of_study.data,
            overrides=request_of_study.overrides,
        )
    )

"""`q1lab plan`: the number of pairs that a difference needs, before anything trains."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from q1lab.commands._output import print_wrapped
from q1lab.commands._store import open_store
from q1lab.commands.completion import variant_argument
from q1lab.ground import paths
from q1lab.ground.errors import OK, Problem
from q1lab.index import ingest_events
from q1lab.study import command_line, presets, studies
from q1lab.study.command_line import Request
from q1lab.verdict import pairs_needed
from q1lab.week import progress, text_numbers


@click.command(
    epilog="""\b
Examples:
  q1lab plan rope --detect 0.01
  q1lab plan rmsnorm --detect 0.005 --preset cpu"""
)
@variant_argument()
@click.option(
    "--detect", type=float, required=True, metavar="NATS", help="The difference you want to see."
)
@click.option("--preset", type=click.Choice(["quick", "cpu", "gpu"]), help="Size and budget.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def plan(variant: str, detect: float, preset: str | None, as_json: bool) -> int:
    """Say how many pairs it takes to see a difference that VARIANT may make, and the range to plan.

    A table says what 3, 5, 8 and 3 to 8 pairs would tell you, with NATS as the smallest difference
    that matters (δ): how often each verdict comes out if nothing changed, and if the change is
    worth twice that. It shows no result, so use it before you predict.

    It rests on your own newest study of VARIANT, else on figures that ship with q1lab, and says
    which.
    """
    name = Path(variant).stem if variant.endswith(".py") else variant
    with open_store() as store:
        ingest_events.ingest_all(store)
        usual = preset or presets.default_preset("cpu")
        studies_on_disk = studies.StudiesOnDisk()
        spread = pairs_needed.own_spread(
            store, name, preset, studies_on_disk
        ) or pairs_needed.shipped_spread(
            paths.content_dir(),
            name,
            usual,
            progress.data_to_train_on(store),
            least_pairs=text_numbers.SPREAD_PAIRS,
        )
    if spread is None:
        raise Problem(
            f"no study of {variant} has three pairs yet, and no figures ship for it at {usual}",
            next=f"run one first: {command_line.command_text(Request(variant, preset=preset))}",
        )
    advice = pairs_needed.advise(detect, spread)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(advice), indent=2))
        return OK
    begin = command_line.command_text(Request(variant, seeds="3", preset=preset)).replace(
        " --seeds 3", ""
    )
    *sentences, command_line_sentence = pairs_needed.advice_lines(advice, begin)
    for line in sentences[:2]:
        print_wrapped(line, 0)
    click.echo("\n".join(("", *pairs_needed.chances_table(advice), "")))
    for line in sentences[2:]:
        print_wrapped(line, 0)
    click.echo(command_line_sentence)
    return OK

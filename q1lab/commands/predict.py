"""`q1lab predict`: record a prediction before the runs."""

from __future__ import annotations

from pathlib import Path

import click

from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_wrapped
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.documents import document_data
from q1lab.ground.errors import OK
from q1lab.ground.files import printable
from q1lab.journal import predictions
from q1lab.judgment.facts import direction_text
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.study import command_arms, variants


@click.command(
    epilog="""\b
Examples:
  q1lab predict rope --direction lower --size 0.03 --matters 0.01 --sure 70%
  q1lab predict rope --amend --direction same --size 0 --matters 0.01 --sure 60 --why "read 4.5.5"
  q1lab predict --json"""
)
@click.argument("variant", required=False)
@click.option(
    "--direction",
    type=click.Choice(["lower", "higher", "same"]),
    help="Direction of the final metric, modified against baseline.",
)
@click.option("--size", metavar="NUMBER", help="By how much; q1lab's own val loss is in nats.")
@click.option(
    "--matters", metavar="NUMBER", help="The smallest difference that would matter to you."
)
@click.option(
    "--sure", metavar="PERCENT", help="How sure you are of the direction: 70, 70% or 0.7."
)
@click.option("--why", metavar="TEXT", help="The reason, in a sentence.")
@click.option("--amend", is_flag=True, help="Add a dated amendment to a locked prediction.")
@json_option
def predict(
    variant: str | None,
    amend: bool,
    as_json: bool,
    **typed: str | None,
) -> int:
    """Record your prediction for VARIANT, or show it.

    It locks when MODIFICATION.md is committed or when the first study of VARIANT starts. The
    verdict TOO SMALL TO MATTER depends on the smallest difference that matters, so you choose it
    before the runs. "lower" is right with HELPS and wrong with HURTS ("higher" the other way), and
    wrong, too, where TOO SMALL TO MATTER leaves its size out of the interval; "same" is right with
    TOO SMALL TO MATTER and wrong with HELPS or HURTS. All else stays open.
    """
    week, arms = current_week(), _arms_of_folder()
    with open_store() as store:
        if variant is not None and variant not in {item.name for item in week.variants}:
            variant = variant if variant in arms else variants.find_variant(variant).name
        name = variant or document_data.chosen_modification(store, week).name
        if amend or any(typed.values()):
            options = {part: f"--{part}" for part in typed}
            texts = {part: text or "" for part, text in typed.items()}
            expected = predictions.parse_prediction(texts, options)
            predictions.record_prediction(store, week.label, name, expected, amend=amend)
        prediction = predictions.newest_prediction(store, name, week.label)
        if as_json:
            print_json({"variant": name, "prediction": prediction})
            return OK
        if prediction is None:
            click.echo(f"No prediction for {name} yet. Make one before the first run:")
            click.echo(
                f"  q1lab predict {name} --direction lower --size 0.03 --matters 0.01 --sure 70%"
            )
            return OK
        for line in prediction_lines(prediction, arms.get(name, VAL_LOSS)):
            print_wrapped(printable(line), 4)
    return OK


def _arms_of_folder() -> dict[str, Metric]:
    """The metric by arm, for the arms of the study.toml in the current folder; empty without
    one."""
    file = Path("study.toml")
    if not file.is_file():
        return {}
    arms = command_arms.read_study_toml(file)
    return dict.fromkeys(arms.arms[1], arms.measured_metric)


def prediction_lines(prediction: dict[str, object], metric: Metric) -> list[str]:
    """A prediction of ``metric`` as lines of text, with the versions that it replaced."""

    def forecast(version: dict[str, object]) -> str:
        confidence = version["confidence"]
        sure = f", {float(str(confidence)):.0%} sure" if confidence is not None else ""
        by = f" by {version['size']:g}{metric.suffix}" if version["direction"] != "same" else ""
        return (
            f"{direction_text(version['direction'], metric)}{by}{sure}; "
            f"from {version['matters']:g}{metric.suffix} up it matters"
        )

    def date_written(version: dict[str, object]) -> str:
        return f"written {str(version['created'])[:10]}"

    locked = (
        f"locked {str(prediction['locked'])[:10]} by {prediction['locked_by']}"
        if prediction["locked"]
        else "not locked yet"
    )
    out = [
        f"{prediction['variant']}: {forecast(prediction)}",
        f"  {date_written(prediction)}, {locked}",
    ]
    if prediction["reasoning"]:
        out.append(f"  because: {prediction['reasoning']}")
    amended = prediction["amended"]
    assert isinstance(amended, list)
    return out + [
        f"  replaces: {forecast(old)}; {date_written(old)}, locked {str(old['locked'])[:10]}"
        for old in amended
    ]

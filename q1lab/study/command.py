"""Studies of a person's own training command: how they are told, and asked for again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from q1lab.ground.files import printable
from q1lab.judgment.subject import Description
from q1lab.study.command_line import Request
from q1lab.study.studies import Study


def describe(study: Study) -> Description:
    """The description of the runs and their metric that a verdict repeats."""
    loop, metric = study.trainer.loop, study.metric
    step_text = {"last": "at its last step", "best": f"at its best step ({metric.better})"}
    best = f"A run counts by the best {metric.name} of all its steps."
    return Description(
        within="with this command",
        measured=(
            "Each run is the same command, with the arguments of "
            f"{printable(study.baseline)} or {printable(study.variant)}. The metric is "
            f"{metric.name} as the command reports it {step_text[loop.take]}; "
            f"{metric.direction}. Runs of the same seed are compared as pairs, which is valid "
            "whatever a seed fixes."
        ),
        pair_shares="share their seed",
        trains=f"the command `{printable(loop.run)}` in {printable(study.data.name)}",
        cautions=(
            *([best] if loop.take == "best" else []),
            "Whether a seed repeats is not known.",
            "q1lab did not check what a command does: parameters and FLOPs of the arms, the "
            "split of the data, and whether validation data are trained on.",
        ),
    )


def conditions(study: Study) -> str:
    """The conditions of training, for the line that announces a study."""
    metric = study.metric
    return f"{metric.name}, {metric.direction}, in {study.trainer.loop.folder}"


def request(study: Study) -> Request:
    """The request that plans a study again."""
    return Request(
        variant=study.variant,
        seeds=study.design.typed(),
        baseline=study.baseline,
        device=study.trainer.device or "auto",
        wandb=study.origin.typed.wandb if study.origin.typed else "auto",
        loop=study.trainer.loop,
    )


def request_in(study: Study, folder: str, options: Mapping[str, Any]) -> Request:
    """The request that trains a study again in another folder, with ``options``, which don't change
    its training."""
    loop = replace(study.trainer.loop, folder=folder)
    return replace(request(study), loop=loop, **options)

"""Studies of q1lab's own training loop: how they are told, and asked for again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from q1lab.ground.text_formats import passes_text
from q1lab.judgment.subject import Description
from q1lab.study.command_line import Request, fewest_overrides
from q1lab.study.studies import Study


def describe(study: Study) -> Description:
    """The description of the runs and their metric that a verdict repeats."""
    metric = study.metric
    return Description(
        within="at this size and budget",
        measured=(
            "Both arms start from the same values in every tensor of equal name and shape, and "
            "see the same batches. The metric is the validation loss in "
            f"{metric.unit} at the last iter, over the whole validation set; "
            f"{metric.direction}."
        ),
        pair_shares="share their seed: the batches, and the start of tensors that both have",
        shared_at_start=study.trainer.shared_at_start,
    )


def conditions(study: Study) -> str:
    """The conditions of training, for the line that announces a study."""
    read = passes_text(study.passes)
    data = study.data.name + (f" ({read})" if read else "")
    trainer = study.trainer
    return f"preset {trainer.preset}, data {data}, {trainer.device} {trainer.dtype}"


def request(study: Study) -> Request:
    """The request that plans a study again. Device and number format are always named: their
    defaults depend on the machine."""
    typed, trainer = study.origin.typed, study.trainer
    return Request(
        variant=study.arms["modified"].origin,
        seeds=study.design.typed(),
        baseline=None if _takes_its_baseline(study) else study.arms["baseline"].origin,
        preset=trainer.preset,
        data=typed.data if typed else study.data.name,
        device=trainer.device,
        dtype=trainer.dtype,
        overrides=fewest_overrides(trainer.preset, trainer.config),
        unchecked=trainer.unchecked,
        wandb=typed.wandb if typed else "auto",
    )


def request_of_files(study: Study, files: Mapping[str, str], options: Mapping[str, Any]) -> Request:
    """The request that trains a study again with these model files, by arm, and with ``options``,
    which don't change its training."""
    unchecked = options["unchecked"] or study.trainer.unchecked
    named = {"variant": files["modified"], "baseline": files["baseline"], "unchecked": unchecked}
    return replace(request(study), **{**options, **named})


def _takes_its_baseline(study: Study) -> bool:
    """True if the study's baseline is the one that `q1lab run` takes when none is typed."""
    if study.origin.typed is not None:
        return study.origin.typed.baseline is None
    baseline, modified = study.arms["baseline"].origin, study.arms["modified"].origin
    return baseline == "baseline" and not modified.endswith(".py")

"""What differs by the kind of a study's trainer: its description, and the request that plans it
again. A study is of q1lab's own training loop, or of a person's own command."""

from __future__ import annotations

from dataclasses import replace

from q1lab.ground.files import printable
from q1lab.ground.text_formats import passes_text
from q1lab.judgment.subject import Description
from q1lab.study import command_line
from q1lab.study.command_arms import SECONDS
from q1lab.study.command_line import Request
from q1lab.study.studies import Study
from q1lab.study.trainer import OWN


def describe(study: Study) -> Description:
    """The description of the runs and their metric that a verdict repeats."""
    metric = study.metric
    if study.trainer.kind == OWN:
        return Description(
            "The two runs of a pair share their batches and the first values of equal tensors. The "
            "metric is the val loss at the last iter, over the whole validation set."
        )
    loop = study.trainer.loop
    step_text = {"last": "at its last step", "best": f"at its best step ({metric.better})"}
    best = f"A run counts by the best {metric.name} of all its steps."
    source = f"as the command reports it {step_text[loop.take]}"
    if loop.metric == SECONDS:
        source = "from a run's start to its end"
    return Description(
        f"The metric is {metric.name} {source}. Runs of one seed are compared as pairs, which is "
        "valid whatever a seed fixes.",
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
    metric, trainer = study.metric, study.trainer
    if trainer.kind != OWN:
        return f"{metric.name}, {metric.direction}, in {trainer.loop.folder}"
    read = passes_text(study.passes)
    data = study.data.name + (f" ({read})" if read else "")
    return f"preset {trainer.preset}, data {data}, {trainer.device} {trainer.dtype}"


def request(study: Study) -> Request:
    """The request that plans the study again: same files, hyperparameters, data and decision; a
    file's name is its full path. Device and number format are always named: their defaults depend
    on the machine."""
    typed, trainer = study.origin.typed, study.trainer
    if trainer.kind != OWN:
        return Request(
            variant=study.variant,
            seeds=study.design.typed(),
            baseline=study.baseline,
            device=trainer.device or "auto",
            wandb=typed.wandb if typed else "auto",
            loop=trainer.loop,
        )
    return Request(
        variant=study.arms["modified"].origin,
        seeds=study.design.typed(),
        baseline=None if _takes_its_baseline(study) else study.arms["baseline"].origin,
        preset=trainer.preset,
        data=typed.data if typed else study.data.name,
        device=trainer.device,
        dtype=trainer.dtype,
        overrides=command_line.fewest_overrides(trainer.preset, trainer.config),
        unchecked=trainer.unchecked,
        wandb=typed.wandb if typed else "auto",
    )


def _takes_its_baseline(study: Study) -> bool:
    """True if the study's baseline is the one that `q1lab run` takes when none is typed."""
    if study.origin.typed is not None:
        return study.origin.typed.baseline is None
    baseline, modified = study.arms["baseline"].origin, study.arms["modified"].origin
    return baseline == "baseline" and not modified.endswith(".py")


def resume_command(study: Study) -> str:
    """The command that resumes a study: the one that planned it, or the whole sweep that it is a
    member of; of a command's study, its name."""
    if study.trainer.kind != OWN:
        return command_line.command_text(Request(study.id, seeds=""))
    planned, series = request(study), study.origin.series
    if series is None:
        return command_line.command_text(planned)
    return command_line.sweep_command(planned, series.members)


def shorter_command(study: Study, iters: int) -> str:
    """The command for a new study of the same question with this number of iters."""
    planned = request(study)
    overrides = {**planned.overrides, "max_iters": str(iters)}
    for key in ("lr_decay_iters", "warmup_iters", "eval_interval", "log_interval"):
        overrides.pop(key, None)  # they follow the iters
    return command_line.command_text(replace(planned, overrides=overrides))

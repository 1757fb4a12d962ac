"""What differs by the kind of a study's trainer: its description, and the request for it."""

from __future__ import annotations

from dataclasses import replace

from q1lab.judgment.subject import Description
from q1lab.study import command, command_line, own_loop
from q1lab.study.command_line import Request
from q1lab.study.studies import Study
from q1lab.study.trainer import OWN


def describe(study: Study) -> Description:
    """The description of the runs and their metric that a verdict repeats."""
    return own_loop.describe(study) if study.trainer.kind == OWN else command.describe(study)


def conditions(study: Study) -> str:
    """The conditions of training, for the line that announces a study."""
    return own_loop.conditions(study) if study.trainer.kind == OWN else command.conditions(study)


def request(study: Study) -> Request:
    """The request that plans the same study again: same files, hyperparameters, data and decision;
    a file's name is its full path."""
    return own_loop.request(study) if study.trainer.kind == OWN else command.request(study)


def resume_command(study: Study) -> str:
    """The command that resumes a study: the one that planned it, or the whole sweep that it is a
    member of; of a command's study, its name."""
    if study.trainer.kind != OWN:
        return command_line.command_text(Request(study.id, seeds=""))
    planned, series = own_loop.request(study), study.origin.series
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

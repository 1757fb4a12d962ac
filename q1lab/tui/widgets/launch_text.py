"""The launch screen's sentences about a plan and its prediction. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from q1lab.ground.text_formats import passes_text, plural, time_left
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.planning.study_plan import Plan


def prediction_words(
    record: Mapping[str, Any] | None, variant: str, chosen: bool = True, few: bool = False
) -> str:
    """The prediction in a line, with when it locks; or a line that there is none. ``chosen``: the
    variant is the learner's modification, for which the study screen has a form; ``few``: too few
    pairs for a verdict that scores a prediction."""
    if record is None and few:
        return f"Fewer than {MIN_FOR_VERDICT} pairs give no verdict that scores a prediction."
    if record is None:
        where = "study screen, or " if chosen else ""
        return (
            f"No prediction for {variant} yet: write one before the runs ({where}"
            f"`q1lab predict {variant}`); afterwards it proves nothing."
        )
    way, same = record["direction"], record["direction"] == "same"
    words = f"You predict: {'about the same' if same else way}"
    if not same and record.get("size") is not None:
        words += f" by {record['size']:g} nats"
    if record.get("matters"):
        words += f", below {record['matters']:g} too small to matter"
    if record.get("locked"):
        return f"{words}. Locked since {str(record['locked'])[:10]}."
    return f"{words}. Starting locks it."


def estimate(plan: Plan) -> str:
    """The plan's runs and minutes, with its notes."""
    study, missing = plan.study, plan.missing
    setup = (
        f"{study.trainer.recipe} preset, {study.max_iters:,} iters, {study.data.name}"
        f"{f' ({read})' if (read := passes_text(study.passes)) else ''}, "
        f"{study.trainer.device} {study.trainer.number_format}"
    )
    if plan.is_running:
        head = f"{study.id} is exactly this study, and it is training."
    elif not missing:
        head = f"{study.id} is exactly this study, and nothing is missing."
    else:
        minutes = ""
        if plan.minutes is not None:
            minutes = f", about {time_left(max(1.0, plan.minutes * 60))}"
        some = (
            f"{len(missing)} of {len(study.runs)} runs are missing"
            if not plan.is_new
            else plural(len(missing), "run")
        )
        head = f"{some}{minutes}; {study.trainer.jobs} at once."
        if not plan.is_new:
            head = f"{study.id} goes on: {head}"
    return "\n".join((head, setup, *(f"Note: {note}" for note in plan.notes)))

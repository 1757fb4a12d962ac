"""The plan that a study was declared with before its first run, and what it has become: an edited
plan gets no verdict. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from q1lab.ground import json_records
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.text_formats import plural
from q1lab.study.studies import ARMS, Study

DECLARED_PARTS = ("seeds", "source", "data", "budget", "judged", "plan")
"""The parts of a plan that may differ from what was declared."""

FREE_IN_PLAN = (*("v", "id", "looks", "jobs", "wandb", "launcher", "trainers", "repo", "asked"),)
"""Keys of ``study.json`` that no verdict or page rests on, or that change while a study goes on.
The name and the seeds are compared separately."""


def changed_parts(declared: Study, study: Study) -> list[str]:
    """The parts in which a study differs from its declaration. Of a planned range the first seeds
    are enough, since it may have ended before the last ones."""
    then, now = _parts(declared), _parts(study)
    if study.design.is_sequential and len(then["seeds"]) == 1:
        then["seeds"] = [then["seeds"][0][: len(study.seeds)]]
    changed = [key for key in DECLARED_PARTS if then[key] != now[key]]
    # the other parts are in the plan, too
    return changed if changed == ["plan"] else [key for key in changed if key != "plan"]


def refuse_changed_plan(declared: Study, study: Study) -> None:
    """Problem where the plan of a study that goes on is not the one that was declared with more
    seeds, or with the first ones of a range."""
    changed = changed_parts(declared, study)
    if "seeds" in changed and _has_grown(declared, study):
        changed.remove("seeds")
    if changed == ["seeds"] and _has_grown(study, declared):
        raise Problem(
            f"{study.id}: this is the study before it was extended; the one on record has "
            f"{plural(len(declared.runs) - len(study.runs), 'run')} more",
            FAILED,
            next="restore a later export of it, or this one under another name (--name)",
        )
    if changed:
        raise Problem(
            f"{study.id}: its study.json was changed after it was declared ({', '.join(changed)})",
            FAILED,
            next="put it back as it was, or ask again with --fresh",
        )


def _has_grown(declared: Study, study: Study) -> bool:
    """True if ``study`` has the declared seeds and more behind them: one more batch, or more in the
    last batch."""
    *first, last = declared.design.batches
    now = study.design.batches
    return (
        list(now[: len(first)]) == first
        and len(now) > len(first)
        and now[len(first)][: len(last)] == last
    )


def _parts(study: Study) -> dict[str, Any]:
    return {
        "seeds": [list(batch) for batch in study.design.batches],
        "source": {arm: study.arms[arm].sha256 for arm in ARMS},
        "data": study.data.sha256,
        "budget": _budget(study),
        "judged": [study.design.declared_rule(), study.smallest_that_matters],
        "plan": _rest_of_plan(study),
    }


def _budget(study: Study) -> list[Any]:
    trainer = study.trainer
    loop = replace(trainer.loop, folder="")
    facts = [trainer.config, trainer.seed_shift, trainer.device, trainer.dtype, trainer.threads]
    return [*facts, loop]


def _rest_of_plan(study: Study) -> dict[str, Any]:
    """A plan without what its design does not declare."""
    record = json_records.bounded_json(study.to_dict(), newline=" ")
    plan = {key: value for key, value in record.items() if key not in FREE_IN_PLAN}
    plan["arms"] = {
        name: {**arm, "origin": Path(arm["origin"]).name} for name, arm in plan["arms"].items()
    }
    plan.pop("loop", None)  # its folder may have moved; the budget has the rest
    return plan

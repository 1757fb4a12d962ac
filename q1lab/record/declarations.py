"""The declaration of a study before its first run: seeds, the way to judge, and hashes of the rest,
down to the last name that a verdict or a page shows.

The act that puts a study on record holds it: a plan that was edited afterwards is seen by it, and
the studies that ask the same question are found by it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from q1lab.ground.files import printable_json, sha256_json
from q1lab.study.identity import arm_fingerprint, question_hash
from q1lab.study.studies import ARMS, Study

DECLARED_PARTS = ("seeds", "source", "data", "budget", "judged", "plan")
"""The parts of a declaration in which a study may differ from it."""

FREE_IN_PLAN = (
    *("v", "id", "looks", "jobs", "wandb", "launcher", "trainers", "repo", "asked"),
    *("to_the_end", "untrained"),
)
"""Keys of ``study.json`` that no verdict or page rests on, or that change while a study goes on.
The name and the seeds are declared separately. A stop for futility may be overruled: the levels
hold for a range that goes to its end."""

Declaration = Mapping[str, Any]


def check_declaration(line: Declaration) -> None:
    """ValueError if a line of the journal declares no study that can be read."""
    try:
        # a list: in a set, True would hide behind 1
        seeds = [seed for batch in line["seeds"] for seed in batch]
        texts = [line["study"], line["budget"], line["data"], *(line["source"][a] for a in ARMS)]
        series = line["series"]
        series_id, share, *members = ("", 0.05) if series is None else series
        texts += [line.get("question", ""), *line.get("arms", {}).values()]
        numbers = [line.get("level", 0.0)]
        is_whole = (
            all(type(seed) is int for seed in seeds)
            and all(isinstance(text, str) for text in texts)
            and all(isinstance(number, int | float) for number in numbers)
            and isinstance(line["judged"]["range"], list | dict | None)
            and isinstance(series_id, str)
            and isinstance(share, int | float)
            and 0 < share < 1
            and [type(count) for count in members] in ([], [int])
            and all(
                isinstance(runs, list)
                for key in ("seen", "diverged")
                for runs in line.get(key, {}).values()
            )
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"a line that declares a study lacks {error}") from None
    if not is_whole:
        raise ValueError("a line that declares a study holds something else")


def declaration_of(study: Study) -> dict[str, Any]:
    """The fields of a study that a line of the journal shows."""
    series = study.origin.series
    return {
        "study": declared_name(study.id, study.created),
        "seeds": [list(batch) for batch in study.design.batches],
        "source": {arm: study.arms[arm].sha256 for arm in ARMS},
        "data": study.data.sha256,
        "budget": sha256_json(study.trainer.declared_budget()),
        "judged": {
            "headline": study.design.headline,
            "range": study.design.declared_rule(),
            "matters": study.smallest_that_matters,
        },
        "series": series and [sha256_json(series.id), series.alpha, len(series.members)],
        "asks": study.counts_as_asking,
        # unknown seeds and those of an A/A test are never picked
        "named": study.design.plan().has_seeds and not study.is_floor,
        "question": question_hash(study),
        "arms": {arm: arm_fingerprint(study, arm) for arm in ARMS},
        "plan": _plan_hash(study),
    }


def _plan_hash(study: Study) -> str:
    """The hash of a plan, equal for the study on its machine and as it is published: without paths,
    and without what its design does not declare."""
    record = printable_json(study.to_dict())
    plan = {key: value for key, value in record.items() if key not in FREE_IN_PLAN}
    plan["arms"] = {
        name: {**arm, "origin": Path(arm["origin"]).name} for name, arm in plan["arms"].items()
    }
    for key in ("series", "loop"):  # declared apart
        plan.pop(key, None)
    for key, inside in study.design.not_declared.items():
        plan[key] = {name: value for name, value in plan[key].items() if name not in inside}
    return sha256_json(plan)


@lru_cache(maxsize=8192)
def declared_name(study_id: str, created: str) -> str:
    """The name of a study in a declaration: an id may be given again."""
    return sha256_json([study_id, created])


def differing_fields(declared: Declaration, study: Study) -> list[str]:
    """The keys of DECLARED_PARTS in which a study differs from its declaration; an older line
    does not declare the whole plan. Of a planned range the first seeds are enough, since it may
    have ended before the last ones."""
    now, declared_fields = declaration_of(study), dict(declared)
    batches = declared_fields.get("seeds")
    if study.design.is_sequential and isinstance(batches, list) and len(batches) == 1:
        declared_fields["seeds"] = (
            [batches[0][: len(study.seeds)]] if isinstance(batches[0], list) else None
        )
    differing = [key for key in DECLARED_PARTS if now[key] != declared_fields.get(key)]
    if "plan" not in declared_fields or differing != ["plan"]:  # the other parts are named already
        differing = [key for key in differing if key != "plan"]
    return differing


def disagreeing_fields(earlier: Declaration, later: Declaration) -> list[str]:
    """The keys in which two declarations of one study differ. The later one may have more seeds:
    one more batch, or more in the last batch."""
    keys = [key for key in (*DECLARED_PARTS, "series") if key != "seeds"]
    differing = [key for key in keys if key in earlier and earlier[key] != later.get(key)]
    before, now = earlier["seeds"], later["seeds"]
    *first, last = before
    grown = now[: len(first)] == first and len(now) >= len(before)
    if not grown or now[len(first)][: len(last)] != last:
        differing.append("seeds")
    return differing

"""The declaration of a study before its first run, in a form that can be handed out: seeds, the way
to judge, and hashes of the rest, down to the last name that a verdict or a page shows.

A line of the journal shows it (index/journal.py), so that a stranger can check a bundle against the
line, and see which other lines ask the same question, and reads nothing else of them. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from q1lab.ground import json_records
from q1lab.ground.files import printable_json, sha256_json
from q1lab.ground.json_records import max_chars, max_items, whole_number
from q1lab.statistics.intervals import MIN_FOR_VERDICT
from q1lab.study.identity import Fingerprints, questions_of, study_fingerprints
from q1lab.study.studies import ARMS, Study

DIFFERENCE_CODES = {
    "seeds": "dropped-seed",
    "source": "other-source",
    "data": "other-data",
    "budget": "other-budget",
    "judged": "edited-verdict",
    "plan": "changed-plan",
}
"""The code of a difference, by the part of the declaration in which a bundle differs."""

FREE_IN_PLAN = (
    *("v", "id", "looks", "jobs", "wandb", "engine", "trainers", "repo", "asked"),
    *("to_the_end", "untrained"),
)
"""Keys of ``study.json`` that no verdict or page rests on, or that change while a study goes on.
The name and the seeds are declared separately. A stop for futility may be overruled: the levels
hold for a range that goes to its end."""

Declaration = Mapping[str, Any]


@dataclass(frozen=True)
class FirstChain:
    """The journal that came with a study from another home: its last link (empty where none came),
    the declarations of its earlier askings, how many looks each of them came to, and whether the
    seeds were picked there. A line that puts the study on record here shows it."""

    link: Annotated[str, max_chars(64)]
    earlier: tuple[dict[str, Any], ...] = ()
    looks: Annotated[dict[str, int], max_items(10_000)] = field(default_factory=dict)
    seen: dict[str, list[str]] = field(default_factory=dict)
    """Their runs whose results could be seen, as a line of the journal lists them."""
    picked: bool = False
    unread: Annotated[int, whole_number()] = 0
    """The lines of that journal that are missing or show nothing, 1 where no journal came: each may
    have been one more asking."""

    def __post_init__(self) -> None:
        for line in self.earlier:
            check_declaration(line)

    def looks_of(self, line: Declaration) -> list[int]:
        """The pairs at each look that an earlier asking came to; one look where it is not known."""
        pairs = list(itertools.accumulate(len(batch) for batch in line["seeds"]))
        looks = [many for many in pairs if many >= MIN_FOR_VERDICT] or [MIN_FOR_VERDICT]
        return looks[: min(self.looks.get(str(line["study"]), 1), MOST_LOOKS)]


MOST_LOOKS = 20
"""Looks of one study in another home that are counted one by one."""


def declared_seeds(line: Declaration) -> set[int]:
    """The seeds that a declaration names, of all its batches."""
    return {seed for batch in line["seeds"] for seed in batch}


def check_declaration(line: Declaration) -> None:
    """ValueError if a line of the journal declares no study that can be read."""
    try:
        read_marks(line["marks"])
        # a list: in a set, True would hide behind 1
        seeds = [seed for batch in line["seeds"] for seed in batch]
        texts = [line["study"], line["budget"], line["data"], *(line["source"][a] for a in ARMS)]
        series = line["series"]
        series_id, share, *members = ("", 0.05) if series is None else series
        is_whole = (
            all(type(seed) is int for seed in seeds)
            and all(isinstance(text, str) for text in texts)
            and isinstance(line["judged"]["range"], list | dict | None)
            and isinstance(series_id, str)
            and isinstance(share, int | float)
            and 0 < share < 1
            and [type(count) for count in members] in ([], [int])
            and all(isinstance(runs, list) for runs in line.get("seen", {}).values())
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"a line that declares a study lacks {error}") from None
    if not is_whole:
        raise ValueError("a line that declares a study holds something else")


def read_first_chain(declared: Declaration | None) -> FirstChain | None:
    """The first chain that a declaration shows; None for a study that was declared here. ValueError
    if it is malformed."""
    record = (declared or {}).get("first_chain")
    return None if record is None else json_records.from_json(FirstChain, record, "first_chain")


def first_chains(lines: Sequence[Declaration]) -> dict[str, FirstChain]:
    """The first chain of each study that came from another home, by its declared name."""
    chains: dict[str, FirstChain] = {}
    for line in lines:
        if (chain := read_first_chain(line)) is not None:
            chains.setdefault(line["study"], chain)
    return chains


def with_first_chains(lines: Sequence[Declaration]) -> list[Declaration]:
    """The lines, each after those of the chain that came with its study from another home."""
    all_lines: list[Declaration] = []
    for line in lines:
        chain = read_first_chain(line)
        all_lines += [*(chain.earlier if chain else ()), line]
    return all_lines


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
        "asks": study.counts_as_asking and study.design.alpha_elsewhere is None,
        "marks": {of: sorted(marks) for of, marks in declared_marks(study).items()},
        "plan": _plan_hash(study),
    }


def declared_marks(study: Study) -> Fingerprints:
    """The fingerprints of a study's question in a declaration: each is hashed once more."""
    return {
        of: frozenset(sha256_json(mark) for mark in marks)
        for of, marks in study_fingerprints(study).items()
    }


def _plan_hash(study: Study) -> str:
    """The hash of a plan, equal for the study on its machine and as it is published: without paths,
    and without the runs that a gate asks for one after the other."""
    record = printable_json(study.to_dict())
    plan = {key: value for key, value in record.items() if key not in FREE_IN_PLAN}
    plan["arms"] = {
        name: {**arm, "origin": Path(arm["origin"]).name} for name, arm in plan["arms"].items()
    }
    for key in ("series", "loop"):  # declared apart
        plan.pop(key, None)
    if "imported" in plan:
        plan["imported"] = {**plan["imported"], "source": Path(study.origin.source).name}
    if "gate" in plan:
        gate = plan["gate"]
        plan["gate"] = {key: gate[key] for key in gate if key not in ("cells", "blind")}
    return sha256_json(plan)


def are_together(line: Declaration, other: Declaration) -> bool:
    """True if two studies were declared as members of one series, and share its α."""
    return bool(line["series"]) and line["series"] == other["series"]


def is_of_series(line: Declaration, study: Study) -> bool:
    """True if a declaration is one of the series that a study is a member of."""
    series = study.origin.series
    return series is not None and (line["series"] or [None])[0] == sha256_json(series.id)


def declared_name(study_id: str, created: str) -> str:
    """The name of a study in a declaration: an id may be given again."""
    return sha256_json([study_id, created])


def differing_fields(declared: Declaration, study: Study) -> list[str]:
    """The keys of DIFFERENCE_CODES in which a study differs from its declaration; an older line
    does not declare the whole plan. Of a planned range the first seeds are enough, since it may
    have ended before the last ones."""
    now, declared_fields = declaration_of(study), dict(declared)
    batches = declared_fields.get("seeds")
    if study.design.is_sequential and isinstance(batches, list) and len(batches) == 1:
        declared_fields["seeds"] = (
            [batches[0][: len(study.seeds)]] if isinstance(batches[0], list) else None
        )
    differing = [
        key
        for key in DIFFERENCE_CODES
        if now[key] != declared_fields.get(key) or _lacks_marks(key, declared, study)
    ]
    if "plan" not in declared_fields or differing != ["plan"]:  # the other parts are named already
        differing = [key for key in differing if key != "plan"]
    return differing


def _lacks_marks(key: str, declared: Declaration, study: Study) -> bool:
    """True if the marks by which a declaration's question is told from others lack the hash of the
    study's text or files."""
    hashes = {
        "data": {"text": study.data.sha256},
        "source": {arm: study.arms[arm].sha256 for arm in ARMS},
    }
    return any(
        sha256 and sha256_json(sha256) not in declared["marks"][of]
        for of, sha256 in hashes.get(key, {}).items()
    )


def disagreeing_fields(earlier: Declaration, later: Declaration) -> list[str]:
    """The keys in which two declarations of one study differ. The later one may have more seeds:
    one more batch, or more in the last batch."""
    keys = [key for key in (*DIFFERENCE_CODES, "series") if key != "seeds"]
    differing = [key for key in keys if key in earlier and earlier[key] != later.get(key)]
    before, now = earlier["seeds"], later["seeds"]
    *first, last = before
    grown = now[: len(first)] == first and len(now) >= len(before)
    if not grown or now[len(first)][: len(last)] != last:
        differing.append("seeds")
    return differing


def earlier_studies(declared: Declaration, lines: Sequence[Declaration]) -> list[str]:
    """The names of the studies among ``lines``, the earlier ones, that ask what ``declared`` does.
    A study that came from another home is a later one if it was begun there after a look at this
    one."""
    own_name = declared["study"]
    later = {name for name, chain in first_chains(lines).items() if chain.looks.get(own_name)}
    others = [
        line
        for line in lines
        if line["asks"] and line["study"] != own_name and line["study"] not in later
    ]
    questions = questions_of([read_marks(line["marks"]) for line in (*others, declared)])
    names = [
        line["study"]
        for line, question in zip(others, questions, strict=False)
        if question.key == questions[-1].key
    ]
    return list(dict.fromkeys(names))


def read_marks(marks: Mapping[str, Any]) -> Fingerprints:
    """The fingerprints of a question, as a declaration has them. KeyError or TypeError where they
    are missing."""
    return {name: frozenset(map(str, marks[name])) for name in ("text", *ARMS)}

"""What a study declares before its first run, in a form that can be handed out: seeds, the way to
judge, and hashes of the rest.

A line of the journal shows it (index/journal.py), so that a stranger can check a bundle against the
line, and see which other lines ask the same question, and reads nothing else of them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from q1lab import records
from q1lab.files import sha256_json
from q1lab.study import ranges
from q1lab.study.sameness import marks_of, same_marks
from q1lab.study.series import TUNE
from q1lab.study.studies import ARMS, Study

REASONS = {
    "seeds": "dropped-seed",
    "source": "other-source",
    "data": "other-data",
    "budget": "other-budget",
    "judged": "edited-verdict",
}
"""What it is called when a bundle has another one than was declared."""

Declaration = Mapping[str, Any]


def declaration(study: Study) -> dict[str, Any]:
    loop = None if study.loop is None else {**records.dump(study.loop), "folder": ""}
    budget = [
        *(study.config, study.arm_config, study.seed_shift, study.device, study.dtype),
        *(study.threads, loop),
    ]
    series, planned = study.series, study.range
    return {
        "study": name_of(study),
        "seeds": [list(batch) for batch in study.looks],
        "source": {arm: study.arms[arm].sha256 for arm in ARMS},
        "data": study.data.sha256,
        "budget": sha256_json(budget),
        "judged": {
            "headline": study.headline,
            "range": planned and [planned.first, planned.most, planned.alpha],
            "matters": ranges.smallest_that_matters(study),
        },
        "series": series and [sha256_json(series.id), series.alpha],
        "asks": asks_a_question(study),
        "marks": {
            of: sorted(sha256_json(mark) for mark in marks) for of, marks in marks_of(study).items()
        },
    }


def name_of(study: Study) -> str:
    """What a study is called in a declaration."""
    return sha256_json([study.id, study.created])


def asks_a_question(study: Study) -> bool:
    """Whether a study counts as an asking: not one pair, nor a file against itself, nor what is
    tried to tune one."""
    return len(study.seeds) > 1 and not study.is_floor and not tries(study)


def tries(study: Study) -> bool:
    """Whether a study only tries a value, to tune another one."""
    return study.series is not None and study.series.kind == TUNE


def differences(declared: Declaration, study: Study) -> list[str]:
    """The keys of REASONS of which a study has not what was declared. Of a planned range the first
    seeds are enough: it may have been over before the last ones."""
    now, said = declaration(study), dict(declared)
    batches = said.get("seeds")
    if study.range is not None and isinstance(batches, list) and len(batches) == 1:
        said["seeds"] = [batches[0][: len(study.seeds)]] if isinstance(batches[0], list) else None
    return [key for key in REASONS if now[key] != said.get(key)]


def asked_before(declared: Declaration, lines: Sequence[Declaration]) -> list[str]:
    """The names of the studies among ``lines``, the earlier ones, that ask what ``declared``
    does."""
    others = [one for one in lines if one["asks"] and one["study"] != declared["study"]]
    found = same_marks([_marks(one) for one in (*others, declared)])
    names = [
        one["study"]
        for one, question in zip(others, found, strict=False)
        if question.key == found[-1].key
    ]
    return list(dict.fromkeys(names))


def _marks(declared: Declaration) -> dict[str, frozenset[str]]:
    def of(marks: Iterable[str]) -> frozenset[str]:
        return frozenset(map(str, marks))

    return {name: of(declared["marks"][name]) for name in ("text", *ARMS)}

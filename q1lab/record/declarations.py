"""The declaration of a study before its first run, in a form that can be handed out: seeds, the way
to judge, and hashes of the rest.

A line of the journal shows it (index/journal.py), so that a stranger can check a bundle against the
line, and see which other lines ask the same question, and reads nothing else of them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from q1lab.ground.files import sha256_json
from q1lab.study.identity import questions_of_fingerprints, study_fingerprints
from q1lab.study.studies import ARMS, Study

DIFFERENCE_CODES = {
    "seeds": "dropped-seed",
    "source": "other-source",
    "data": "other-data",
    "budget": "other-budget",
    "judged": "edited-verdict",
}
"""The code of a difference, by the part of the declaration in which a bundle differs."""

Declaration = Mapping[str, Any]


def declaration_of(study: Study) -> dict[str, Any]:
    """The fields of a study that a line of the journal shows."""
    series = study.origin.series
    return {
        "study": declared_name(study),
        "seeds": [list(batch) for batch in study.design.batches],
        "source": {arm: study.arms[arm].sha256 for arm in ARMS},
        "data": study.data.sha256,
        "budget": sha256_json(study.trainer.declared_budget()),
        "judged": {
            "headline": study.design.headline,
            "range": study.design.declared_rule(),
            "matters": study.smallest_that_matters,
        },
        "series": series and [sha256_json(series.id), series.alpha],
        "asks": study.counts_as_asking,
        "marks": {
            of: sorted(sha256_json(mark) for mark in marks)
            for of, marks in study_fingerprints(study).items()
        },
    }


def declared_name(study: Study) -> str:
    """The name of a study in a declaration."""
    return sha256_json([study.id, study.created])


def differing_fields(declared: Declaration, study: Study) -> list[str]:
    """The keys of REASONS of which a study has not what was declared. Of a planned range the first
    seeds are enough: it may have been over before the last ones."""
    now, declared_fields = declaration_of(study), dict(declared)
    batches = declared_fields.get("seeds")
    if study.design.is_sequential and isinstance(batches, list) and len(batches) == 1:
        declared_fields["seeds"] = (
            [batches[0][: len(study.seeds)]] if isinstance(batches[0], list) else None
        )
    return [key for key in DIFFERENCE_CODES if now[key] != declared_fields.get(key)]


def earlier_studies(declared: Declaration, lines: Sequence[Declaration]) -> list[str]:
    """The names of the studies among ``lines``, the earlier ones, that ask what ``declared``
    does."""
    others = [line for line in lines if line["asks"] and line["study"] != declared["study"]]
    questions = questions_of_fingerprints(
        [_question_fingerprints(line) for line in (*others, declared)]
    )
    names = [
        line["study"]
        for line, question in zip(others, questions, strict=False)
        if question.key == questions[-1].key
    ]
    return list(dict.fromkeys(names))


def _question_fingerprints(declared: Declaration) -> dict[str, frozenset[str]]:
    """The fingerprints of the text and of both arms' files, which tell what question it asks."""
    return {name: frozenset(map(str, declared["marks"][name])) for name in ("text", *ARMS)}

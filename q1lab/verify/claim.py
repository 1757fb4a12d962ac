"""A bundle's claim: the study's verdict with its numbers, and the α that the ledger let it spend.
Any reader with the runs can recompute it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from q1lab.ground import json_records
from q1lab.ground.json_records import max_chars, max_items, whole_number
from q1lab.index.store import Row, Store
from q1lab.record import askings, declarations, ledger, questions, traveling_chains
from q1lab.record.declared_history import DeclaredHistory
from q1lab.record.ledger import QuestionHistory
from q1lab.study.bundle import Provenance
from q1lab.study.studies import Study
from q1lab.verdict import comparison_cache
from q1lab.verdict.comparison import Comparison, build_comparison, start_conditions

Name = Annotated[str, max_chars(100)]
RELATIVE_TOLERANCE = 1e-9
"""Relative: versions of SciPy may differ in the last digits."""


@dataclass(frozen=True)
class Claim:
    """``before``: the studies of the same question that were begun earlier, by their declared
    names, each with how many looks it came to; 0 where both were declared together, and share."""

    verdict: Name
    headline: Name
    n: Annotated[int, whole_number()]
    alpha: float
    mean: float | None = None
    ends: tuple[float, float] | None = None
    reason: Name | None = None
    before: Annotated[dict[Name, Annotated[int, whole_number()]], max_items(10_000)] | None = None
    picked: bool = False
    """True if the seeds were picked among seeds with results that could be known."""

    def agrees(self, other: Claim) -> bool:
        """True if both claims give the same verdict and numbers."""
        facts, other_facts = (
            (claim.verdict, claim.headline, claim.n, claim.reason) for claim in (self, other)
        )
        return facts == other_facts and all(
            a is b
            or (a is not None and b is not None and math.isclose(a, b, rel_tol=RELATIVE_TOLERANCE))
            for a, b in zip(self._numbers(), other._numbers(), strict=True)
        )

    def _numbers(self) -> tuple[float | None, ...]:
        return (self.alpha, self.mean, *(self.ends or (None, None)))


def make_provenance(store: Store, study: Study) -> Provenance:
    """Make the provenance of a study's bundle; empty for imported runs, and while a gate keeps the
    losses blind."""
    if not study.origin.is_ours or study.design.is_blind:
        return Provenance()
    comparison = comparison_cache.compare(store, study)
    history = ledger.question_history(store, study)
    on_record = questions.begun_studies(store)[0].values()
    begun = {asking.study.id: asking.study for asking in on_record}
    chains = [asking.first_chain for asking in on_record if asking.first_chain]
    elsewhere = {line["study"]: line for chain in chains for line in chain.earlier}
    ids = [asking.study for asking in history.askings]
    before = {}
    for asking in history.askings[: ids.index(study.id)] if study.id in ids else ():
        if (other := begun.get(asking.study)) is not None:
            share_alpha = askings.declared_together(other, study)
            name = declarations.declared_name(*questions.study_key(other))
            before[name] = 0 if share_alpha else len(asking.looks)
        elif (line := elsewhere.get(asking.study)) is not None:
            share_alpha = declarations.is_of_series(line, study)
            before[asking.study] = 0 if share_alpha else len(asking.looks)
    claim = _claim_of(comparison, before, picked=history.picked)
    chain = traveling_chains.journal_outlines(store, study)
    lines = "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in chain)
    starts = [start_conditions(study, row) for row in store.runs(study.id)]
    trained = {
        key: sorted({str(start[key]) for start in starts if key in start})
        for key in ("torch", "processor", "threads")
    }
    about = {
        "claim": json_records.to_json(claim),
        "data": study.data.sha256,
        "trained_with": trained,
    }
    return Provenance(about, lines.encode(), traveling_chains.last_link(chain))


def recompute_claim(
    study: Study, rows: Sequence[Row], history: DeclaredHistory, alpha: float, *, picked: bool
) -> Claim:
    """Recompute the claim from the runs at this α, with the earlier askings that the journal
    shows."""
    question = QuestionHistory((), alpha, history.is_later, (), picked)
    comparison = build_comparison(study, list(rows), question)
    return _claim_of(comparison, history.paid_looks, picked=picked)


def _claim_of(comparison: Comparison, before: Mapping[str, int], *, picked: bool) -> Claim:
    ends = comparison.analysis.ends
    return Claim(
        comparison.analysis.verdict,
        comparison.analysis.headline,
        comparison.analysis.n,
        comparison.analysis.alpha,
        comparison.analysis.mean,
        None if ends is None else (ends.low, ends.high),
        comparison.analysis.reason,
        dict(before) or None,
        picked,
    )


def load_claim(record: Any) -> Claim:
    """Load the claim in a bundle's list. ValueError if it is malformed."""
    return json_records.from_json(Claim, record, "claim")

"""A bundle's claim: the study's verdict with its numbers, and the level at which it is judged.
Any reader with the runs can recompute it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from q1lab.compare import comparison_cache
from q1lab.compare.comparison import Comparison, build_comparison, start_conditions
from q1lab.ground import json_records
from q1lab.ground.json_records import max_chars, whole_number
from q1lab.journal.home_history import StudyHistory
from q1lab.journal.store import Row, Store
from q1lab.study.studies import Study

Name = Annotated[str, max_chars(100)]
RELATIVE_TOLERANCE = 1e-9
"""Relative: versions of SciPy may differ in the last digits."""


@dataclass(frozen=True)
class Claim:
    """The verdict, and the numbers that it rests on."""

    verdict: Name
    n: Annotated[int, whole_number()]
    alpha: float
    mean: float | None = None
    ends: tuple[float, float] | None = None
    reason: Name | None = None

    def agrees(self, other: Claim) -> bool:
        """True if both claims give the same verdict and numbers."""
        facts, other_facts = ((claim.verdict, claim.n, claim.reason) for claim in (self, other))
        return facts == other_facts and all(
            a is b
            or (a is not None and b is not None and math.isclose(a, b, rel_tol=RELATIVE_TOLERANCE))
            for a, b in zip(self._numbers(), other._numbers(), strict=True)
        )

    def _numbers(self) -> tuple[float | None, ...]:
        return (self.alpha, self.mean, *(self.ends or (None, None)))


def make_provenance(store: Store, study: Study) -> dict[str, Any]:
    """The facts by which a stranger checks a study: its claim, its data, and what trained it."""
    claim = _claim_of(comparison_cache.compare(store, study))
    starts = [start_conditions(study, row) for row in store.runs(study.id)]
    trained = {
        key: sorted({str(start[key]) for start in starts if key in start})
        for key in ("torch", "processor", "threads")
    }
    return {
        "claim": json_records.to_json(claim),
        "data": study.data.sha256,
        "trained_with": trained,
    }


def recompute_claim(study: Study, rows: Sequence[Row], level: float) -> Claim:
    """Recompute the claim from the runs at this level."""
    return _claim_of(build_comparison(study, list(rows), StudyHistory(level)))


def _claim_of(comparison: Comparison) -> Claim:
    ends = comparison.analysis.ends
    return Claim(
        comparison.analysis.verdict,
        comparison.analysis.n,
        comparison.analysis.alpha,
        comparison.analysis.mean,
        None if ends is None else (ends.low, ends.high),
        comparison.analysis.reason,
    )


def load_claim(record: Any) -> Claim:
    """Load the claim in a bundle's list. ValueError if it is malformed."""
    return json_records.from_json(Claim, record)

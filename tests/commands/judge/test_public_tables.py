"""`q1lab.judge` against hand calculation, on the public table of docs/runs-and-programs.md."""

from __future__ import annotations

import math
import sys

import pytest
from scipy import special

import q1lab
from tests.kit.places import ROOT

sys.path.insert(0, str(ROOT / "tools" / "docs"))
import examples


def welch_by_hand(base: list[float], modified: list[float]) -> tuple[float, float, float]:
    """The mean difference and its 95% interval, by Welch's and Satterthwaite's formulas."""
    means = [math.fsum(arm) / len(arm) for arm in (base, modified)]
    errors = [
        math.fsum((x - mean) ** 2 for x in arm) / (len(arm) - 1) / len(arm)
        for arm, mean in zip((base, modified), means, strict=True)
    ]
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(arm) - 1) for error, arm in zip(errors, (base, modified), strict=True)
    )
    difference = means[1] - means[0]
    half = special.stdtrit(freedom, 0.975) * math.sqrt(sum(errors))
    return difference, difference - half, difference + half


@pytest.mark.parametrize("table", examples.read_tables(), ids=lambda table: table["source"][-40:])
def test_judge_is_the_formula(table: dict[str, object]) -> None:
    for losses in table["changes"].values():  # type: ignore[attr-defined]
        judged = q1lab.judge(table["baseline"], losses)  # type: ignore[arg-type]
        difference, low, high = welch_by_hand(table["baseline"], losses)  # type: ignore[arg-type]
        assert judged.difference == pytest.approx(difference, abs=1e-12)
        assert judged.interval == pytest.approx((low, high), abs=1e-12)


def test_the_page_has_what_the_runs_say() -> None:
    page = (ROOT / "docs" / "runs-and-programs.md").read_text()
    assert examples.changes_table() in page

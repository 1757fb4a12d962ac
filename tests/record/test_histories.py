"""Whatever a person runs, renames, edits, removes and asks again: what is printed covers it.

The weeks are those of `benchmarks/looks.py`; nothing has changed in any of them, so every claim is
false. What holds is checked by counting claims and against the same history told plainly, never by
the ledger's own code.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks import looks as asking
from q1lab.record import delete_restore, questions
from q1lab.verdict.comparison import Comparison

PLAIN = ""
OTHERWISE = ("rewritten", *asking.EDITS, *asking.CORRELATIONS)
"""Dresses by which the question itself becomes another one: which file a rewritten one came from is
told by first losses alone, and another text is another question. Where its seeds were seen before,
they are picked; at other seeds it counts as one question more."""
DRESSES = (PLAIN, *(dress for dress in asking.DRESSES if dress not in OTHERWISE))


@dataclass(frozen=True)
class Ask:
    """One study of three pairs: which seeds, in which dress, on which text, and what becomes of it."""

    block: int
    dress: str = PLAIN
    text: str = "text"
    variant: str = "rope"
    end: str = "kept"
    """kept, deleted, removed by hand, or stopped at 99% (and never ended)."""


def history(rng: np.random.Generator) -> list[Ask]:
    """Two to six askings; the last one is that of the question that all is about."""
    asks = [
        Ask(
            int(rng.integers(4)),
            str(rng.choice(DRESSES)),
            str(rng.choice(["text", "text", "other"])),
            str(rng.choice(["rope", "rope", "swiglu"])),
            str(rng.choice(["kept", "kept", "deleted", "removed", "stopped"])),
        )
        for _ in range(int(rng.integers(1, 6)))
    ]
    return [*asks, Ask(int(rng.integers(6)), str(rng.choice(DRESSES)))]


def plainly(asks: list[Ask]) -> list[Ask]:
    """The same questions at the same seeds, undressed, and every study kept."""
    return [Ask(ask.block, text=ask.text, variant=ask.variant) for ask in asks]


def compare_each(week: asking.Week, asks: list[Ask]) -> list[Comparison]:
    comparisons = []
    for ask in asks:
        seeds = range(3 * ask.block, 3 * ask.block + 3)
        study = week.study(seeds, ask.variant, dress=ask.dress, text=ask.text)
        if ask.end == "stopped":
            week.train(study, seeds, "stopped", 0.99)
        else:
            week.train(study, seeds)
        comparisons.append(week.told(study))
        if ask.end == "deleted":
            delete_restore.delete_study(week.store, study.id)
        elif ask.end == "removed":
            shutil.rmtree(study.files.root)
    return comparisons


def lived(asks: list[Ask], seed: int, monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """What q1lab says in the course of a history, in a home of its own."""
    with asking.homes() as home, home() as store, monkeypatch.context() as patched:
        week = asking.Week(store, np.random.default_rng(seed))
        patched.setattr(questions, "utc_now", week.clock)
        return compare_each(week, asks)


@pytest.mark.parametrize(
    "many", [30, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_no_history_makes_a_printed_total_smaller_than_it_is(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims, printed = 0, []
    for seed in range(many):
        asks = history(np.random.default_rng(seed))
        dressed = lived(asks, seed, monkeypatch)
        plain = lived(plainly(asks), seed, monkeypatch)
        families = [history[-1].asking.family for history in (dressed, plain)]
        assert families[0] is not None
        assert families[1] is not None
        expected, plainly_expected = (each.expected_false_claims for each in families if each)
        assert dressed[-1].asking.total >= plain[-1].asking.total - 1e-9, (seed, asks)
        assert expected >= plainly_expected - 1e-9, (seed, asks)
        claims += any(comparison.analysis.verdict in ("helps", "hurts") for comparison in dressed)
        printed.append(expected)
    spread = sum(printed) ** 0.5  # at most that of as many independent questions
    assert claims <= sum(printed) + 3 * spread, (claims, sum(printed))

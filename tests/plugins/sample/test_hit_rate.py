"""The exact interval of a share of right answers."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest

from q1lab.plugins.sample.hit_rate import BlindVerdict, hit_rate


@pytest.mark.parametrize("hits", range(21))
def test_it_is_clopper_and_pearsons(hits: int) -> None:
    rate, exact = hit_rate(hits, 20), binomtest(hits, 20).proportion_ci(method="exact")
    assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high))


def test_guessing_is_called_telling_in_one_test_of_twenty_at_most() -> None:
    verdicts = {hits: hit_rate(hits, 20).verdict for hits in range(21)}
    claims = sum(
        math.comb(20, hits) / 2**20
        for hits, verdict in verdicts.items()
        if verdict is not BlindVerdict.CANNOT_TELL
    )
    assert 0.03 < claims <= 0.05
    assert [verdicts[hits] for hits in (5, 6, 14, 15)] == [
        BlindVerdict.SWAPPED,
        *[BlindVerdict.CANNOT_TELL] * 2,
        BlindVerdict.CAN_TELL,
    ]

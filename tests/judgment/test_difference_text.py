"""Numbers as they are written beside each other."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from q1lab.ground.text_formats import MINUS
from q1lab.judgment.difference_text import NumberWriter
from q1lab.judgment.intervals import Interval


@given(st.floats(1.5, 9), st.floats(-1, 1), st.floats(1e-3, 0.3))
def test_two_losses_subtract_to_the_difference_that_stands_beside_them(
    base: float, change: float, half: float
) -> None:
    modified = base + change
    difference = modified - base
    write = NumberWriter(Interval(difference - half, difference + half), size=abs(difference))
    shown = [Decimal(write.loss(value)) for value in (base, modified)]
    text = write.end(difference).replace(MINUS, "-")
    unit = Decimal(10) ** -write.decimals
    assert abs(shown[1] - shown[0] - Decimal(text)) <= unit * Decimal("0.6") or "e" in text

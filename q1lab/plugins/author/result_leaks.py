"""Measured results that a learner would meet before their own verdict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from q1lab.week.text_numbers import MeasuredResult


@dataclass(frozen=True, slots=True)
class ResultNumber:
    """One number of a measured result, and a description of the result. A loss is compared with
    numbers of four decimals, as losses are printed, because more numbers look like a loss than
    like a difference."""

    value: float
    description: str
    is_loss: bool = False
    is_mean: bool = False
    """True for the difference itself, False for an end of its interval."""


class WrittenResult(NamedTuple):
    """A number in a text that equals a result, as far as the text writes it out."""

    position: int
    number: str
    result: ResultNumber


def result_numbers(results: Iterable[MeasuredResult]) -> tuple[ResultNumber, ...]:
    """The differences of a results file, and the ends of their intervals."""
    return tuple(
        ResultNumber(
            getattr(result, field),
            f"{result.variant} (preset {result.preset}, {result.data})",
            is_mean=field == "mean",
        )
        for result in results
        for field in ("mean", "low", "high")
    )


def written_results(text: str, results: Iterable[ResultNumber]) -> Iterator[WrittenResult]:
    """The results that a text gives away: the numbers of three significant digits or more, and
    of two where a sign or a unit says that the number is a difference, and not a small one."""
    results = tuple(results)
    for match in _NUMBER.finditer(text):
        for result in results:
            if _equals(match, result):
                yield WrittenResult(match.start(), match[0].removesuffix(" nats"), result)
                break


SMALL = 0.02
"""Differences below this are found by three digits only."""

_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[+\u2212-]?)(?P<digits>[0-9]+\.(?P<decimals>[0-9]{3,}))(?!\w|\.[0-9])"
    r"(?P<unit> nats)?"
)


def _equals(match: re.Match[str], result: ResultNumber) -> bool:
    digits, decimals = match["digits"], len(match["decimals"])
    if f"{abs(result.value):.{decimals}f}" != digits:
        return False
    significant = len(digits.replace(".", "").lstrip("0"))
    if result.is_loss:
        return decimals >= 4 and not match["sign"]
    if match["sign"] and (match["sign"] == "+") != (result.value > 0):
        return False
    # below SMALL, two digits are as often an example's as a result's
    marked = result.is_mean and abs(result.value) >= SMALL and (match["sign"] or match["unit"])
    return significant >= (2 if marked else 3)


def picture_text(svg: str) -> str:
    """The words and numbers that an SVG picture shows."""
    return re.sub(r"<style.*?</style>|<[^>]*>|&#160;", " ", svg, flags=re.DOTALL)

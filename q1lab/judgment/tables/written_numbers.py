"""Numbers as people write them in tables: 71,2 and 1 234.5, 71.2%, 12 ms, **71.2**†, 71.3 ± 0.5.

A column has one writing, which its first cells tell; whether a comma or a point is the decimal one
is told by all columns together. A cell that doesn't fit stays as it is, and is refused by its place
where it counts; so is one that may be two numbers, as 71,205.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from q1lab.judgment.tables.cells import as_number, has_no_number
from q1lab.judgment.tables.table_rows import Row, Rows

WRITTEN = re.compile(
    r"(?P<before>[~≈<>$€£(]*\s*)(?P<number>[-+]?(?:\d[\d.,' ]*\d|\d|[.,]\d+)(?:[eE][-+]?\d{1,3})?)"
    r"(?:\s*(?:±|\+/?-|\()\s*(?P<spread>[\d.,]+)\s*\)?|\s*(?P<share>/\s*\d+))?"
    r"\s*(?P<unit>%|‰|[A-Za-zµ]{1,4})?(?P<after>\)?)"
)
"""With ``before``, ``share`` (71/100) or ``after`` it is a number for a person, and not read."""
THOUSANDS = re.compile(r"\d{1,3}(?:([' ,.])\d{3})(?:\1\d{3})*")
LONGEST = 60
"""Characters of a cell that are looked at."""
MARKS = "*_`†‡§¶^"
"""Marks of Markdown and of footnotes, around a cell."""
SAME = str.maketrans({"−": "-", "’": "'", "\u00a0": " ", "\u2009": " ", "\u202f": " "})
POWERS = frozenset("kKMBGT")
"""Letters that multiply a number, and are no unit."""


@dataclass(frozen=True)
class Writing:
    """How a column writes its numbers."""

    decimal: str = "."
    unit: str = ""
    has_spread: bool = False
    """True if ``± x`` or ``(x)`` stands behind each number."""
    doubt: str = ""
    """A cell that may be two numbers; empty for none."""

    def __str__(self) -> str:
        """It in words, empty for the plain one."""
        words = {"%": "in percent", "": ""}.get(self.unit, f"in {self.unit}")
        parts = [words, "with decimal commas" if self.decimal == "," else ""]
        return ", ".join(filter(None, parts))

    def plain(self, cell: Any) -> Any:
        """A cell as its plain number; as it is where it is none in this writing."""
        match = None if self.doubt else _match(cell)
        if match is None or (match["unit"] or "") != self.unit:
            return cell
        number = _plain(match["number"], self.decimal)
        return cell if number is None or self.has_spread != bool(match["spread"]) else number

    def spread(self, cell: Any) -> str | None:
        """The number behind ``±`` in a cell, plain; None where there is none."""
        match = _match(cell)
        return _plain(match["spread"], self.decimal) if match and match["spread"] else None


def looks_like_number(cell: object) -> bool:
    """True for a text that a person reads as a number, and that may not be read here."""
    return _written(cell) is not None


def _match(cell: object) -> re.Match[str] | None:
    """A number that is read."""
    match = _written(cell)
    return None if match and (match["before"] or match["share"] or match["after"]) else match


def _written(cell: object) -> re.Match[str] | None:
    if not isinstance(cell, str) or len(cell) > LONGEST:
        return None
    return WRITTEN.fullmatch(cell.translate(SAME).strip().strip(MARKS).strip())


def _plain(number: str, decimal: str) -> str | None:
    """A number with a decimal point and without thousands' marks; None where it is none."""
    mantissa, mark, power = number.lower().partition("e")
    whole, point, fraction = mantissa.rpartition(decimal)
    if not point:
        whole, fraction = mantissa, ""
    sign, digits = (whole[0], whole[1:]) if whole[:1] in ("-", "+") else ("", whole)
    if not digits.isdecimal():
        if digits and not THOUSANDS.fullmatch(digits):
            return None
        digits = re.sub(r"\D", "", digits)
    if fraction and not fraction.isdecimal():
        return None
    return f"{sign}{digits}{'.' if fraction else ''}{fraction}{mark}{power}"


def _decimal(number: str) -> str:
    """The decimal mark that a number tells: ``.`` or ``,``; ``?`` and the mark where one with three
    digits behind it may be either, empty for a whole number."""
    text = number.lower().partition("e")[0].lstrip("+-")
    marks = [each for each in text if each in ".,"]
    if not marks:
        return ""
    last, other = marks[-1], "," if marks[-1] == "." else "."
    if other in marks:
        return last
    if len(marks) > 1:
        return other
    whole, _, fraction = text.rpartition(last)
    may_be_thousands = len(fraction) == 3 and whole.strip("0") and len(whole) < 4
    return f"?{last}" if may_be_thousands else last


def writings(rows: Rows) -> Mapping[str, Writing]:
    """The writing of each column of numbers that is not plain, or that may be meant otherwise."""
    columns = {name: found for name in rows.columns if (found := _column(rows.first_cells(name)))}
    known = set().union(*(found.marks for found in columns.values())) & {".", ","}
    if not known and rows.delimiter == ";":  # so that commas can be the decimal ones
        known = {","} if any("?," in found.marks for found in columns.values()) else known
    every = {name: found.writing(known) for name, found in columns.items()}
    return {
        name: writing
        for name, writing in every.items()
        if writing.doubt or not all(as_number(cell) is not None for cell in columns[name].cells)
    }


@dataclass(frozen=True)
class _Column:
    """The cells of a column of numbers."""

    cells: Sequence[str]
    unit: str
    has_spread: bool
    marks: Set[str]
    """What its numbers tell of the decimal mark."""

    def writing(self, known: Set[str]) -> Writing:
        """Its writing, where all columns together tell these decimal marks."""
        sure, may_be = self.marks & {".", ","}, {mark[1] for mark in self.marks if mark[0] == "?"}
        decimal, doubt = next(iter(sure), "."), ""
        if may_be and not sure:
            decimal = next(iter(may_be))
            if len(may_be) > 1 or may_be != (known or {"."}):
                doubt = next(cell for cell in self.cells if set(cell) & may_be)
        return Writing(decimal, self.unit, self.has_spread, doubt)


def _column(cells: Iterable[Any]) -> _Column | None:
    """The cells of a column, if all are numbers in one writing."""
    texts = [cell for cell in cells if isinstance(cell, str) and not has_no_number(cell)]
    texts = [cell for cell in texts if cell.strip().lower().lstrip("+-") not in NOT_FINITE]
    matches = [match for cell in texts if (match := _match(cell))]
    if not texts or len(matches) < len(texts):
        return None
    units = {match["unit"] or "" for match in matches}
    spreads = {bool(match["spread"]) for match in matches}
    marks = {_decimal(match["number"]) for match in matches} - {""}
    if len(units) > 1 or len(spreads) > 1 or units & POWERS or {".", ","} <= marks:
        return None
    return _Column(texts, units.pop(), spreads.pop(), marks)


NOT_FINITE = frozenset({"nan", "inf", "infinity"})


def plain_rows(rows: Rows, written: Mapping[str, Writing]) -> Rows:
    """The same rows with these columns as plain numbers. What stands behind ``±`` is a cell of
    ``spread_of`` the column."""
    if not written:
        return rows
    spread = [column for column, writing in written.items() if writing.has_spread]

    def lines() -> Iterator[tuple[int, Row]]:
        for line, row in rows:
            plain = {column: writing.plain(row[column]) for column, writing in written.items()}
            beside = {spread_of(column): written[column].spread(row[column]) for column in spread}
            yield line, {**row, **plain, **beside}

    return rows.reshaped(rows.columns, lines())


def spread_of(column: str) -> str:
    """The key of the numbers behind ``±`` in a column."""
    return f"{column} ±"

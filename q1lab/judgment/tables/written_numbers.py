"""Numbers as people write them in tables: 71,2 and 1 234.5, 71.2%, 12 ms, **71.2**†, 71.3 ± 0.5,
and 71/100, which is 0.71 of 100 items.

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
    r"(?:\s*(?:±|\+/?-|\()\s*(?P<spread>[\d.,]+)\s*\)?)?"
    r"\s*(?:(?P<of>(?P<percent>%)?\s*(?:/|of)\s*(?P<items>[1-9]\d{0,8}))"
    r"|(?P<unit>%|‰|[A-Za-zµ]{1,4}))?(?P<after>\)?)"
)
"""With ``before`` or ``after``, or a part of an item (7.5/10), it is for a person, and not read."""
COUNTS = re.compile(r"\b(?:time)?(?:steps?|iters?|iterations?|epochs?|tokens|updates?)\b")
"""Words of columns, in lower case, whose numbers are whole."""
THOUSANDS = re.compile(r"\d{1,3}(?:([' ,.])\d{3})(?:\1\d{3})*")
LONGEST = 60
"""Characters of a cell that are looked at."""
MARKS = "*_`†‡§¶^'\""
"""Marks of Markdown and of footnotes, and quotes, around a cell."""
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
    has_items: bool = False
    """True if each number is one of so many items: 71/100, or 71% of 100."""
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
        if match is None or _form(match) != (self.unit, self.has_spread, self.has_items):
            return cell
        number = _plain(match["number"], self.decimal)
        if number is None or not self.has_items or self.unit:
            return cell if number is None else number
        return repr(float(number) / int(match["items"]))

    def spread(self, cell: Any) -> str | None:
        """The number behind ``±`` in a cell, plain; None where there is none."""
        match = _match(cell)
        return _plain(match["spread"], self.decimal) if match and match["spread"] else None

    def items(self, cell: Any) -> str | None:
        """The number of items of a cell; None where there is none."""
        match = _match(cell)
        return match["items"] if match else None


def looks_like_number(cell: object) -> bool:
    """True for a text that a person reads as a number, and that may not be read here."""
    return _written(cell) is not None


def _match(cell: object) -> re.Match[str] | None:
    """A number that is read."""
    match = _written(cell)
    if match is None or match["before"] or match["after"]:
        return None
    is_share = match["items"] and not match["percent"]
    return None if is_share and not match["number"].isdecimal() else match


def _form(match: re.Match[str]) -> tuple[str, bool, bool]:
    """The unit of a number, and whether a spread, and a number of items, stand with it."""
    unit = match["unit"] or match["percent"] or ""
    return unit, bool(match["spread"]), bool(match["items"])


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
    every = {
        name: found.writing(
            known, is_count=COUNTS.search(name.lower().replace("_", " ")) is not None
        )
        for name, found in columns.items()
    }
    return {
        name: writing
        for name, writing in every.items()
        if writing.doubt or not all(as_number(cell) is not None for cell in columns[name].cells)
    }


@dataclass(frozen=True)
class _Column:
    """The cells of a column of numbers."""

    cells: Sequence[str]
    form: tuple[str, bool, bool]
    """As of ``_form``."""
    marks: Set[str]
    """What its numbers tell of the decimal mark."""

    def writing(self, known: Set[str], is_count: bool) -> Writing:
        """Its writing, where all columns together tell these decimal marks; of whole numbers, which
        have none, if it ``is_count``."""
        sure, may_be = self.marks & {".", ","}, {mark[1] for mark in self.marks if mark[0] == "?"}
        decimal, doubt = next(iter(sure), "."), ""
        if may_be and not sure:
            decimal = next(iter(may_be))
            if is_count and len(may_be) == 1:
                decimal = "." if decimal == "," else ","
            elif len(may_be) > 1 or may_be != (known or {"."}):
                doubt = next(cell for cell in self.cells if set(cell) & may_be)
        return Writing(decimal, *self.form, doubt)


def _column(cells: Iterable[Any]) -> _Column | None:
    """The cells of a column, if all are numbers in one writing."""
    texts = [cell for cell in cells if isinstance(cell, str) and not has_no_number(cell)]
    texts = [cell for cell in texts if cell.strip().lower().lstrip("+-") not in NOT_FINITE]
    matches = [match for cell in texts if (match := _match(cell))]
    if not texts or len(matches) < len(texts):
        return None
    forms = set(map(_form, matches))
    marks = {_decimal(match["number"]) for match in matches} - {""}
    if len(forms) > 1 or {unit for unit, *_ in forms} & POWERS or {".", ","} <= marks:
        return None
    return _Column(texts, forms.pop(), marks)


NOT_FINITE = frozenset({"nan", "inf", "infinity"})


def plain_rows(rows: Rows, written: Mapping[str, Writing]) -> Rows:
    """The same rows with these columns as plain numbers. What stands behind ``±`` is a cell of
    ``spread_of`` the column, and the number of items one of ``items_of`` it."""
    if not written:
        return rows
    spread = [column for column, writing in written.items() if writing.has_spread]
    counted = [column for column, writing in written.items() if writing.has_items]

    def lines() -> Iterator[tuple[int, Row]]:
        for line, row in rows:
            plain = {column: writing.plain(row[column]) for column, writing in written.items()}
            beside = {spread_of(column): written[column].spread(row[column]) for column in spread}
            beside |= {items_of(column): written[column].items(row[column]) for column in counted}
            yield line, {**row, **plain, **beside}

    return rows.reshaped(rows.columns, lines())


def spread_of(column: str) -> str:
    """The key of the numbers behind ``±`` in a column."""
    return f"{column} ±"


def items_of(column: str) -> str:
    """The key of the numbers of items in a column."""
    return f"{column} /"

"""The rows of a table, read one by one."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import os_reason, read_text
from q1lab.judgment.tables.cells import as_number, has_no_number, is_blank
from q1lab.judgment.tables.outside_run import MAX_BYTES, MAX_ROWS, NAME, visible_text

OF_FILE = "--arm"
"""The column of arms in a table that is of one arm."""
NUMBER = "--number"
"""The column of numbers in a table that had a column of them for each arm."""
SEED = "--seed"
"""The column of seeds in a table that had a column of numbers for each seed."""
HEAD_ROWS = 1000
"""Rows by which a column is told to be one of numbers."""


Row = Mapping[str, Any]
"""The cells of a row by the names of their columns."""


class Rows:
    """The rows of a table, read one by one: a refused table is refused at the row that it is
    refused for."""

    def __init__(
        self,
        name: str,
        columns: list[str],
        lines: Iterator[tuple[int, Row]],
        word: str,
        delimiter: str = "",
    ) -> None:
        self.name = name
        self.columns = columns
        self.delimiter = delimiter
        self.head = list(islice(lines, HEAD_ROWS))
        """The first rows, by which columns are told apart."""
        self._lines = lines
        self._word = word

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        """Each row's line (or record), and its cells."""
        return chain(self.head, self._lines)

    def place(self, line: int) -> str:
        """A row's place, for messages."""
        return f"{self.name}{self._word}{line}"

    def of_arm(self, arm: str) -> Rows:
        """The same rows, all of this arm, whatever columns they have."""
        lines = ((line, {OF_FILE: arm, **row}) for line, row in self)
        return self.reshaped([OF_FILE, *self.columns], lines)

    def reshaped(self, columns: list[str], lines: Iterator[tuple[int, Row]]) -> Rows:
        """Rows with other columns, whose places are those of these."""
        return Rows(self.name, columns, lines, self._word, self.delimiter)

    def is_empty(self) -> bool:
        """True if there is no row."""
        return not self.head

    def has_several(self) -> bool:
        """True if there is more than one row."""
        return len(self.head) > 1

    def first_cells(self, column: str) -> list[Any]:
        """The cells of a column in the first rows."""
        return [row[column] for _, row in self.head]

    def is_full(self, column: str) -> bool:
        """True if none of the first cells of a column is blank."""
        return not any(map(is_blank, self.first_cells(column)))

    def texts(self, column: str) -> set[str]:
        """The texts in the first cells of a column."""
        return {str(cell).strip() for cell in self.first_cells(column) if not is_blank(cell)}

    def constants(self) -> dict[str, str]:
        """The columns of which all first rows say the same, each with that."""
        texts = {column: self.texts(column) for column in self.columns}
        return {column: same.pop() for column, same in texts.items() if len(same) == 1}

    def is_numeric(self, column: str) -> bool:
        """True if the first cells of a column that hold something hold numbers."""
        cells = [cell for cell in self.first_cells(column) if not has_no_number(cell)]
        return bool(cells) and all(as_number(cell) is not None for cell in cells)


def chart_column(column: str) -> re.Match[str] | None:
    """The run in the name of a column as W&B exports a chart: ``modified-seed0 - val_loss``."""
    head, dash, metric = column.partition(" - ")
    is_band = metric.endswith(("__MIN", "__MAX"))
    return NAME.fullmatch(head) if dash and not is_band else None


FORMS = (
    "give a row per run with an arm, a seed and a metric, two columns of numbers, or JSON such as "
    '{"baseline": [1.91, 1.90], "modified": [1.79, 1.80]}'
)


def read(source: str) -> str:
    """The text of a file, or of standard input for ``-``. Problem for one that can't be read."""
    name, file = ("standard input", None) if source == "-" else (source, Path(source))
    try:
        if file is not None:
            return read_text(file, MAX_BYTES, "utf-8-sig")
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise Problem(f"{name} is larger than {MAX_BYTES >> 20} MB")
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise Problem(
            f"{name} is not UTF-8 text", next="export it as CSV, or save it as UTF-8", file=file
        ) from None
    except OSError as error:
        raise Problem(f"cannot read {name}: {os_reason(error, reading=True)}", file=file) from None


def delimited_rows(text: str, name: str) -> Rows:
    head = text.lstrip().partition("\n")[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head and "," not in head else ","
    return _table(_lines_of_cells(text, delimiter, name), name, delimiter)


def _table(lines: Iterator[tuple[int, list[str]]], name: str, delimiter: str) -> Rows:
    """The rows of a table, of which the first line names the columns."""
    columns = [visible_text(cell) for cell in next(lines, (0, []))[1]]
    if len(set(columns)) < len(columns):
        raise Problem(
            f"{name}: two columns have the same name", next="leave one header row, a name a column"
        )
    rows = Rows(name, columns, _whole_rows(lines, columns, name), ":", delimiter)
    if rows.is_empty():
        raise Problem(f"{name} has a header and no rows", next=FORMS)
    return rows


RULE = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
"""The line below the header of a Markdown table."""
LIKE_RULE = re.compile(r"^[ \t|:-]*-[ \t|:-]*$", re.MULTILINE)
CELL = re.compile(r"(?<!\\)\|")


def markdown_header(text: str) -> int | None:
    """The place of the header among the lines of a text with one Markdown table; None where there
    is none."""
    if "|" not in text or not LIKE_RULE.search(text):  # most texts are none, and may be long
        return None
    lines = text.split("\n")
    heads = [
        at
        for at, (head, rule) in enumerate(pairwise(lines))
        if "|" in head and "|" in rule and RULE.fullmatch(rule.strip())
    ]
    return heads[0] if heads else None


def markdown_rows(text: str, name: str, header: int) -> Rows:
    """The rows of a Markdown table. Problem where there is another one below it."""
    lines = text.split("\n")
    end = next((at for at in range(header, len(lines)) if "|" not in lines[at]), len(lines))
    if markdown_header("\n".join(lines[end:])) is not None:
        raise Problem(f"{name} holds several tables", next="leave one of them")
    cells = ((at + 1, _markdown_cells(lines[at])) for at in range(header, end) if at != header + 1)
    return _table(cells, name, "")


def _markdown_cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "|").strip().strip("*_`") for cell in CELL.split(inner)]


def cell_rows(rows: Iterable[Sequence[Any]], name: str) -> Rows:
    """The rows of a sheet, from the first one that isn't empty."""
    filled = (
        (line, ["" if cell is None else str(cell) for cell in cells])
        for line, cells in enumerate(rows, 1)
    )
    return _table((row for row in filled if any(map(str.strip, row[1]))), name, "")


def _lines_of_cells(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line that is not blank, the header first."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield reader.line_num, cells
    except csv.Error as error:
        raise Problem(f"{name}:{reader.line_num}: {error}", line=reader.line_num) from None


def _whole_rows(
    lines: Iterator[tuple[int, list[str]]], columns: list[str], name: str
) -> Iterator[tuple[int, Row]]:
    for place, (line, cells) in enumerate(lines, 1):
        if len(cells) != len(columns):
            raise Problem(
                f"{name}:{line}: {len(cells)} cells where the header has {len(columns)}",
                next="see that the file is whole, and that cells with a comma are quoted",
                line=line,
            )
        if [visible_text(cell) for cell in cells] == columns:
            raise Problem(f"{name}:{line}: the header again", next="leave one of them", line=line)
        if place > MAX_ROWS:
            raise Problem(f"{name} has more than {MAX_ROWS:,} rows")
        yield line, dict(zip(columns, cells, strict=True))

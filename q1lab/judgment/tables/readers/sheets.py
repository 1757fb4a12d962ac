"""Reads a workbook: Excel's .xlsx, .xlsm, .xlsb and .xls, and .ods."""

from __future__ import annotations

import zipfile
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.judgment.tables.outside_run import MAX_BYTES, MAX_ROWS
from q1lab.judgment.tables.table_rows import Rows, cell_rows

ENDINGS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
MOST_UNPACKED = 8 * MAX_BYTES
"""Bytes of all that is packed in a workbook."""


def read(file: Path) -> Rows:
    """The rows of the one sheet that holds numbers. Problem where several do, or none."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise Problem(
            f"{file}: reading a workbook takes python-calamine",
            next="install it (pip install 'q1lab[excel]'), or save the sheet as CSV",
            file=file,
        ) from None
    _check_size(file)
    try:
        with CalamineWorkbook.from_path(str(file)) as book:
            sheets = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
            filled = {name: sheet.to_python(nrows=MAX_ROWS) for name, sheet in sheets.items()}
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        raise Problem(f"{file} is no workbook: {printable(str(error))[:80]}", file=file) from None
    tables = {
        name: rows
        for name, rows in filled.items()
        if any(isinstance(cell, int | float) for row in rows for cell in row)
    }
    if len(tables) != 1:
        names = ", ".join(map(printable, tables or filled))[:200]
        what = "several sheets hold numbers" if tables else "no sheet holds numbers"
        raise Problem(f"{file}: {what} ({names})", next="save the one you mean as CSV", file=file)
    ((name, rows),) = tables.items()
    return cell_rows(rows, f"{file}, sheet {printable(name)}")


def _check_size(file: Path) -> None:
    size = file.stat().st_size
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    if size > MOST_UNPACKED:
        raise Problem(f"{file} holds more than {MOST_UNPACKED >> 20} MB", file=file)

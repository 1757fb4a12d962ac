"""Fit a text into columns of a terminal, of which a wide character takes two. Pure functions."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from q1lab.ground.text_formats import ELLIPSIS


def cut_cells(text: str, cells: int) -> str:
    """``text`` in at most ``cells`` columns of a terminal, wide characters counted as two."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(0, cells - 1)).rstrip() + ELLIPSIS


def cut_name(name: str, cells: int) -> str:
    """A study's name in at most ``cells`` columns of a terminal. Where it is cut, it keeps its
    number, which tells studies of one name apart."""
    head, dash, number = name.rpartition("-")
    if not number.isdecimal() or len(number) > 4 or cells < 12:
        return cut_cells(name, cells)
    shown = cut_cells(name, cells)
    return name if shown == name else cut_cells(head, cells - len(dash + number)) + dash + number

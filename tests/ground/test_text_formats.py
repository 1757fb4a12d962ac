"""Numbers, times and long texts as every surface writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from q1lab.ground import terminal_cells, text_formats


@pytest.mark.parametrize(
    ("write", "cases"),
    [
        (text_formats.as_typed, {None: "–", 0.0: "0", -0.03: "−0.03", 3.0: "3"}),
        (text_formats.loss, {None: "–", 1.909: "1.9090"}),
        (text_formats.percent, {None: "–", 0.7: "70%", -0.1: "−10%"}),
        (text_formats.grouped_number, {None: "–", 10_745_088.0: "10,745,088", 4.5: "4.5"}),
        (
            text_formats.three_digits,
            {950.0: "950", 801_234.0: "801k", 10_745_088.0: "10.7M", 1e9: "1.00G"},
        ),
        (
            text_formats.token_rate,
            {None: "", 0.0: "", 950.0: "950", 22_140.0: "22.1k", 3.2e6: "3.2M"},
        ),
        (
            text_formats.byte_size,
            {12_300: "12 kB", 3_400_000: "3.4 MB", 1_200_000_000: "1.2 GB", 64e9: "64 GB"},
        ),
        (
            text_formats.duration,
            {
                None: "",
                69.0: "69 s",
                144.0: "2.4 min",
                2460.0: "41 min",
                7500.0: "2 h 05 min",
                300.0: "5 min",
                5400.0: "1 h 30 min",
            },
        ),
        (text_formats.hours_minutes, {0.0: "0 min", 1.2: "1 min", 59.6: "1 h 00 min"}),
        (text_formats.minutes_seconds, {61.0: "1:01", 7800.0: "130:00"}),
        (text_formats.day, {None: "–", "2026-03-08T20:00:00+00:00": "2026-03-08"}),
    ],
)
def test_as_written(write: Any, cases: dict[Any, str]) -> None:
    assert {value: write(value) for value in cases} == cases


def test_one_is_no_plural() -> None:
    assert [text_formats.plural(n, "run") for n in (0, 1, 1200)] == [
        "0 runs",
        "1 run",
        "1,200 runs",
    ]


@given(st.text(), st.integers(30, 90))
def test_what_is_cut_fits(text: str, most: int) -> None:
    for write in (text_formats.cut, text_formats.cut_at_word):
        assert len(write(text, most)) <= most
    assert cell_len(terminal_cells.cut_cells(text, most)) <= most


def test_a_cut_is_marked_and_a_text_that_fits_stays() -> None:
    long = "one two three four five six seven eight nine ten"
    assert text_formats.cut(long, 12) == "one two thr…"
    assert text_formats.cut_at_word(long, 12) == "one two…"
    assert terminal_cells.cut_cells("漢字漢字漢字", 7) == "漢字漢…"
    for write in (
        text_formats.cut,
        text_formats.cut_at_word,
        terminal_cells.cut_cells,
    ):
        assert write(long, len(long)) == long

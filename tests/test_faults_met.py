"""One-line faults that once went through every test: what a person would have seen of each."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from q1lab.ground import json_records, terminal_cells
from q1lab.judgment import arrange
from q1lab.judgment.tables.readers import trainer_state
from q1lab.judgment.tables.run_log import RunLog
from tests.kit.comparisons import make, told

BASE = {seed: 2.0 + 0.01 * seed for seed in range(5)}
LOWER = {seed: value - 0.1 - 0.001 * (seed % 2) for seed, value in BASE.items()}


@given(st.text(min_size=1, max_size=60), st.integers(0, 9999), st.integers(12, 80))
def test_a_cut_name_keeps_its_number(head: str, number: int, cells: int) -> None:
    shown = terminal_cells.cut_name(f"{head}-{number}", cells)
    assert shown.endswith(f"-{number}"), "two studies of one name look the same in a list"
    assert cell_len(shown) <= max(cells, len(f"-{number}") + 1)


def test_a_number_that_is_not_finite_is_null_in_json() -> None:
    record = json_records.to_json({"loss": math.nan, "curve": [1.0, math.inf], "low": -math.inf})
    assert (
        json.dumps(record, allow_nan=False) == '{"loss": null, "curve": [1.0, null], "low": null}'
    )


def test_an_interval_contains_a_prediction_or_does_not() -> None:
    c = make(BASE, LOWER)
    for size, words in ((0.1005, "contains that size."), (0.3, "leaves out that size.")):
        c = replace(c, prediction={"direction": "lower", "size": size})
        assert told(c)["prediction"].endswith(words), f"a prediction of −{size}"


def test_what_would_matter_reaches_as_far_below_zero_as_above() -> None:
    c = make(BASE, LOWER, delta=0.05)
    (bar,) = (bar for bar in arrange.figure(c).bars if bar.kind == "delta")
    assert (bar.low, bar.high) == (-0.05, 0.05), "half of what is too small is not drawn"


def test_the_checkpoint_that_went_farthest_is_read(tmp_path: Path) -> None:
    """By its number: as text, 90 comes after 100."""
    files = []
    for step in (90, 100):
        file = tmp_path / f"checkpoint-{step}" / "trainer_state.json"
        file.parent.mkdir()
        rows = [{"step": at, "eval_loss": 1 / at} for at in range(10, step + 1, 10)]
        file.write_text(json.dumps({"global_step": step, "max_steps": 100, "log_history": rows}))
        files.append(file)
    log = RunLog()
    trainer_state.read(files, log)
    assert (log.last_step, log.unfinished) == (100.0, ""), "a finished run is called unfinished"

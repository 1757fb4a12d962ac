"""Several studies in one table and one chart; a comparison as a data frame."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest

import q1lab as api
from q1lab.commands.cli import run_command_line as q1lab
from q1lab.compare.comparison_cache import compare
from q1lab.ground import paths
from q1lab.journal import study_names
from q1lab.journal.store import Store
from q1lab.judgment import side_by_side
from q1lab.judgment.face import Face
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.tables.python_api import judge as judge_numbers
from q1lab.study import studies
from tests.kit.fonts import needs_font
from tests.kit.lab_home import finish, make_study

Capture = pytest.CaptureFixture[str]


def judged(better: str = "lower", shift: float = -0.02, metric: str = "val loss") -> Judgment:
    base = {seed: 2.0 + 0.004 * (seed % 3) for seed in range(6)}
    modified = {seed: value + shift + 0.003 * (seed % 2) for seed, value in base.items()}
    return judge_numbers(base, modified, metric=metric, better=better).judgment


@pytest.fixture
def three(home: Path) -> None:
    for name, variant, effect in (
        ("rope-1", "rope", -0.05),
        ("swiglu-1", "swiglu", -0.02),
        ("gqa-1", "gqa", 0.0),
    ):
        finish(make_study(name, variant), effect)


def test_each_study_is_a_row_at_its_own_level(three: None, capsys: Capture) -> None:
    with Store() as store:
        study_names.give_name(store, "gqa-1", "cheap")
    assert q1lab(["compare", "rope-1", "swiglu-1", "cheap"]) == 0
    out = capsys.readouterr().out
    rows = [line.split("  ")[0] for line in out.splitlines() if "95%" in line or "97.5%" in line]
    assert rows == ["rope-1", "swiglu-1", "cheap"]
    with Store() as store:
        for study_id in ("rope-1", "swiglu-1", "gqa-1"):
            c = compare(store, studies.load(study_id))
            assert f"{100 * c.analysis.level:g}%" in out
    assert out.count("val loss (nats; lower is better)\n") == 1
    assert "difference in nats" in out


def test_two_metrics_share_no_axis() -> None:
    several = {
        "loss-1": judged(),
        "loss-2": judged(shift=0.01),
        "acc-1": judged("higher", 0.2, "acc"),
    }
    drawn = side_by_side.figures(several)
    assert [[bar.label for bar in figure.bars] for figure in drawn.values()] == [
        ["loss-1", "loss-2"],
        ["acc-1"],
    ]
    lines = side_by_side.side_by_side_lines(several, 80)
    assert [line for line in lines if line == "acc (higher is better)"] == [
        "acc (higher is better)"
    ] * 2


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    long = {f"a-study-with-a-very-long-name-{n}": judged() for n in range(3)}
    lines = side_by_side.side_by_side_lines(long, width)
    assert max(map(len, lines)) <= max(width, 70)
    assert any("+" in line or "−" in line for line in lines)
    assert "…" not in lines[0], "no word of the head is cut"
    assert width == 60 or all("modified − " in line for line in lines[1:4])


def test_a_study_without_a_number_is_a_row_like_the_others() -> None:
    empty = judge_numbers({0: 1.0}, {0: None}).judgment
    lines = side_by_side.side_by_side_lines({"a-1": judged(), "b-1": empty}, 80)
    assert any(line.startswith("b-1") and "NO VERDICT" in line for line in lines)


@pytest.mark.parametrize("form", ["svg", pytest.param("png", marks=needs_font)])
def test_several_are_one_picture(three: None, tmp_path: Path, capsys: Capture, form: str) -> None:
    file = tmp_path / f"x.{form}"
    assert q1lab(["compare", "rope-1", "gqa-1", "--plot", str(file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [study["study"] for study in record["studies"]] == ["rope-1", "gqa-1"]
    data = file.read_bytes()
    assert data.startswith(b"<svg" if form == "svg" else b"\x89PNG")
    if form == "svg":
        assert b"rope-1" in data
        assert b"swiglu-1" not in data


def test_what_is_of_one_study_is_refused_for_several(three: None, capsys: Capture) -> None:
    assert q1lab(["compare", "rope-1", "gqa-1", "--full"]) == 2
    assert "for one study; name one" in capsys.readouterr().err


def test_the_same_study_twice_is_one_row(three: None, capsys: Capture) -> None:
    assert q1lab(["compare", "rope-1", "rope"]) == 0
    assert capsys.readouterr().out.count("\nrope-1 ") == 2  # the table's, and the chart's


def test_no_command_ends_for_a_cache(three: None, capsys: Capture) -> None:
    """Another program writes into the database for as long as the command runs."""
    with Store() as store:
        compare(store, studies.load("rope-1"))
        store.db.execute("DELETE FROM results")
    other = sqlite3.connect(paths.database_file(), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert api.read_study("rope-1").verdict == "helps"
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_judgment_is_a_data_frame(three: None) -> None:
    pytest.importorskip("pandas")
    frame = api.read_study("rope-1").to_frame()
    assert list(frame.columns[:5]) == ["study", "arm", "name", "seed", "metric"]
    assert sorted(frame["name"].unique()) == ["baseline", "rope"]
    assert len(frame) == 6
    both = frame.pivot_table(index="seed", columns="arm", values="value")
    assert (
        (both["modified"] - both["baseline"])
        .round(9)
        .equals(frame.groupby("seed")["difference"].first().round(9))
    )


def test_without_pandas_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"^to_frame needs pandas: pip install pandas$"):
        Face(judged()).to_frame()

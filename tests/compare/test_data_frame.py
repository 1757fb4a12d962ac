"""The comparison of a study in Python, and as a data frame."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

import q1lab as api
from q1lab.compare.comparison_cache import compare
from q1lab.ground import paths
from q1lab.journal.store import Store
from q1lab.judgment.face import Face
from q1lab.judgment.tables.python_api import judge as judge_numbers
from q1lab.study import studies
from tests.kit.lab_home import finish, make_study


@pytest.fixture
def rope(home: Path) -> None:
    finish(make_study("rope-1", "rope"), -0.05)


def test_no_command_ends_for_a_cache(rope: None) -> None:
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


def test_a_judgment_is_a_data_frame(rope: None) -> None:
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
        Face(judge_numbers({0: 1.0, 1: 1.1}, {0: 1.0, 1: 1.2}).judgment).to_frame()

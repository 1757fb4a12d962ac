"""Honest archives and kept folders of older programs: none is refused.

``tests/golden/bundles`` holds what the program of a commit wrote, one for each change of a format:

======= =========================================================================================
8d824b2 an ``iter`` event has its learning rate at its top level
f12f006 a kept folder has a ``.gitattributes``
a790d42 the learning rate is one of an event's ``numbers``
37b3873 a line of the journal declares the plan and the runs that were seen, and a series its members
a5db60c a study that moves brings the journal of its first home along
8586bb6 a planned range has limits of futility
======= =========================================================================================

The runs are those of the stand-in trainer, whose numbers must stay as they are. After a change of a
format, add what the commit before it writes.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from q1lab.ground.errors import OK
from q1lab.plugins.verify import NOT_CHECKED
from tests.kit import repos
from tests.kit.bundles import verify
from tests.kit.commands import q1lab
from tests.kit.places import GOLDEN

pytestmark = pytest.mark.sample

BUNDLES = GOLDEN / "bundles"
ARCHIVES = sorted(BUNDLES.glob("*/*.q1lab.zip"))
REPOSITORIES = sorted(BUNDLES.glob("*/kept.bundle"))


def name_of(file: Path) -> str:
    return f"{file.parent.name}-{file.name.split('.')[0]}"


def assert_honest(place: Path) -> None:
    report = verify(place, "--yes", code=None)
    assert report["refused"] == []
    assert report["code"] in (OK, NOT_CHECKED)
    assert len(report["trained"]) == 1
    assert any(
        words.startswith("the verdict, computed again")
        for words in (*report["passed"], *report["unchecked"])
    )


@pytest.mark.parametrize("file", ARCHIVES, ids=name_of)
def test_an_older_archive_is_not_refused(file: Path) -> None:
    assert_honest(file)


@pytest.mark.parametrize("file", REPOSITORIES, ids=name_of)
def test_what_an_older_program_kept_is_not_refused(file: Path, tmp_path: Path) -> None:
    repos.git(tmp_path, "clone", "-q", str(file), "theirs")
    # a planned range, a command, a member of a series, a prediction and more seeds
    for name in ("gqa-1", "lower-1", "rmsnorm-2", "swiglu-1"):
        assert_honest(tmp_path / "theirs" / "studies" / name)


def test_older_learning_rates_are_exported_with_the_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "theirs"))
    q1lab("restore", str(BUNDLES / "8d824b2" / "rope-2.q1lab.zip"))
    q1lab("export", "rope-2", "--format", "csv", "--curves", "--output", "curves.csv")
    rows = list(csv.DictReader(Path("curves.csv").read_text().splitlines()))
    assert {float(row["value"]) for row in rows if row["metric"] == "lr"} == {1e-5, 1e-3}

"""Honest bundles from wherever honest people take them: none is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground import paths
from q1lab.index.store import Store
from q1lab.study import bundle, studies
from q1lab.study.bundle import DECLARATIONS
from q1lab.verdict.comparison_cache import compare
from tests.kit import repos
from tests.kit.bundles import (
    SHORT,
    archived,
    declared_lines,
    edit,
    kept_folder,
    opened,
    plan_of,
    put_lines,
    sealed,
    verify,
)
from tests.kit.commands import q1lab, without_torch

pytestmark = pytest.mark.sample

KINDS = ("rope-1", "rope-2", "rope-3", "rope-4", "swiglu-1", "swiglu-2", "gqa-1")
NEWEST = ("rope-3", "rope-4", "swiglu-2", "gqa-1")
"""Those that are the last asking of their questions."""


def go_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").rename(tmp_path / "another home")
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "another home"))


@pytest.mark.parametrize("study", KINDS)
def test_an_honest_bundle_is_verified_in_a_home_that_moved(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_elsewhere(tmp_path, monkeypatch)
    assert verify(archived(study), code=0)["unchecked"] == []


def test_an_earlier_asking_that_showed_nothing_costs_nothing() -> None:
    q1lab("run", "rmsnorm", "--engine", "notebook", "--detach", *SHORT)
    q1lab("run", "rmsnorm", "--fresh", *SHORT)
    file = archived("rmsnorm-2")
    assert json.loads(opened(file)[bundle.LIST_NAME])["claim"]["alpha"] == 0.05
    assert verify(file, "--cells", "0", code=0)["unchecked"] == []


def test_seeds_added_before_the_first_result_are_of_the_first_look() -> None:
    words = ("run", "rmsnorm", "--engine", "notebook", "--detach", *SHORT)
    q1lab(*words)
    q1lab(*words, "--seeds", "4")
    assert plan_of("rmsnorm-1")["looks"] == [[0, 1, 2, 3]]
    report = verify(archived("rmsnorm-1"), "--cells", "0", code=21)
    assert report["refused"] == []
    assert len(report["missing"]) == 8


def test_an_earlier_asking_may_be_deleted() -> None:
    q1lab("delete", "rope-1", "--yes")
    assert "after 1 earlier look" in str(
        verify(archived("rope-2"), "--cells", "0", code=0)["passed"]
    )


def test_a_diverged_run_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch, diverge=["modified-seed1"])
    q1lab("run", "rmsnorm", *SHORT, code=None)
    assert verify(archived("rmsnorm-1"), "--cells", "0", code=0)["missing"] == []


@pytest.mark.parametrize("key", ["processor", "torch"])
def test_another_machine_is_verified_as_far_as_it_goes(key: str) -> None:
    for run in studies.load("rope-1").runs:
        edit(
            run.name, lambda event: event.update({key: "9.9"}) if event["type"] == "start" else None
        )
    report = verify(archived(), code=21)
    assert report["chance"] == 0
    assert f"how it ends, since {key} was 9.9" in str(report["unchecked"])


def test_a_kept_folder_is_verified_renamed_and_after_a_squash(repository: Path) -> None:
    repos.git(repository, "checkout", "-q", "-b", "study")
    kept_folder("rope-1")
    kept_folder("rope-2")
    repos.git(repository, "checkout", "-q", "main")
    repos.git(repository, "merge", "-q", "--squash", "study")
    repos.git(repository, "commit", "-q", "--no-edit")
    repos.git(repository, "branch", "-q", "-D", "study")
    for name in ("rope-1", "rope-2"):
        report = verify(repository / "studies" / name, "--cells", "0", code=0)
        assert "commits here that hold it: 1" in str(report["passed"])
    (repository / "studies" / "rope-1").rename(repository / "studies" / "first try")
    verify(repository / "studies" / "first try", code=0)


def claim_of(file: Path) -> dict[str, Any]:
    claim: dict[str, Any] = json.loads(opened(file)[bundle.LIST_NAME])["claim"]
    return claim


@pytest.mark.parametrize("study", KINDS)
def test_a_study_keeps_its_claim_from_home_to_home(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archived(study)
    claim, total = claim_of(file), total_of(study)
    for place in ("second", "third"):
        monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / place))
        q1lab("restore", str(file))
        if study in NEWEST:
            assert total_of(study) == pytest.approx(total, abs=1e-9)
        file = archived(study)
        assert claim_of(file) == claim
        assert verify(file, "--cells", "0", code=0)["unchecked"] == []


def total_of(study: str) -> float:
    """The sum of the levels of all looks at a study's question."""
    with Store() as store:
        return compare(store, studies.load(study)).asking.total


def test_studies_that_move_in_another_order_keep_their_levels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("swiglu-2", "rope-2", "rope-1", "swiglu-1")
    files = [archived(name) for name in names]
    claims = [claim_of(file) for file in files]
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "second"))
    for file in files:
        q1lab("restore", str(file))
    for name, claim in zip(names, claims, strict=True):
        file = archived(name)
        assert claim_of(file) == claim
        assert verify(file, "--cells", "0", code=0)["unchecked"] == []


@pytest.mark.parametrize(
    ("edited", "named"),
    [
        ({"looks": [[0, 1]]}, "seeds"),
        ({"prediction": {"direction": "lower", "matters": 0.2}}, "judged"),
    ],
)
def test_a_study_that_was_edited_between_two_looks_does_not_go_on(
    edited: dict[str, Any], named: str
) -> None:
    q1lab("run", "rmsnorm", *SHORT)
    plan = plan_of("rmsnorm-1") | edited
    (paths.study_dir("rmsnorm-1") / "study.json").write_text(json.dumps(plan))
    said = q1lab("run", "rmsnorm", "--seeds", "4", *SHORT, code=1).stderr
    assert f"was changed after it was declared ({named})" in said
    assert "NO VERDICT" in q1lab("compare", "rmsnorm-1").stdout


def without_source(files: dict[str, bytes]) -> None:
    first, *others = declared_lines(files)
    del first["source"]
    put_lines(files, [first, *others])


def test_what_was_asked_before_is_not_known_without_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archived("rope-2")
    files = opened(file)
    del files[DECLARATIONS]
    sealed(file, files)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "second"))
    restored = q1lab("restore", str(file)).stdout.splitlines()
    assert restored[1] == "whether its question was asked before is not known here"
    assert len(restored) == 2
    assert total_of("rope-2") == 0.05


def test_a_senseless_line_that_came_with_a_study_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archived("rope-2")
    files = opened(file)
    without_source(files)
    sealed(file, files)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "second"))
    said = q1lab("restore", str(file), code=1).stderr
    assert "the declarations that came with rope-2 are damaged" in said
    assert len(said.splitlines()) == 1
    assert studies.ids() == []


@pytest.mark.parametrize("lines", ["whole", "gone"])
def test_an_imported_study_is_exploratory_only_without_its_declaration(
    lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archived("rope-2")
    if lines == "gone":
        files = opened(file)
        del files[DECLARATIONS]
        sealed(file, files)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "second"))
    for text in (q1lab("import", str(file)).stdout, q1lab("compare", "--full").stdout):
        said = " ".join(text.split())
        assert ("Declared in another home: its journal came with it" in said) == (lines == "whole")
        assert ("Exploratory: no complete journal came" in said) == (lines == "gone")


def test_seeds_that_were_seen_in_the_first_home_are_known_in_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seeds in ("5", "fresh:3"):
        q1lab("run", "rmsnorm", "--seeds", seeds, *SHORT)
    file = archived("rmsnorm-2")
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "second"))
    q1lab("restore", str(file))
    printed = q1lab("run", "rmsnorm", "--seeds", "1,3,4", "--fresh", *SHORT).stdout
    assert "no verdict will come" in printed
    assert "NO VERDICT" in printed
    assert "0, 2 (another home)" in q1lab("compare", "rmsnorm-3", "--full").stdout
    file = archived("rmsnorm-3")
    assert claim_of(file)["picked"]
    assert verify(file, "--cells", "0", code=0)["unchecked"] == []

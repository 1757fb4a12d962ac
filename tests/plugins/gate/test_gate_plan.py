"""The plan of a gate's proposal, with the plug-in and without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.study import studies
from tests.kit.commands import q1lab
from tests.kit.lab_home import compared, finish, make_study
from tests.kit.without import Without
from tests.plugins.gate.test_gate_list import proposals
from tests.study.test_parts import LEVELS, LOOP, NOT_KNOWN

GATE = {"budget": "main", "proposal": 1, "cells": ["baseline-seed0"]}


def test_it_says_its_kinds() -> None:
    plan = {**make_study().to_dict(), "loop": LOOP, **NOT_KNOWN, "gate": GATE}
    study = studies.from_dict(plan)
    assert (study.trainer.kind, study.design.kind) == ("command", "gate")
    assert list(study.to_dict())[-1] == "gate"


def test_it_is_no_range() -> None:
    plan = {**make_study().to_dict(), "range": LEVELS, "gate": GATE}
    with pytest.raises(ValueError, match="design is of two kinds at once: range and gate"):
        studies.from_dict(plan)


@pytest.fixture
def away(tmp_path: Path) -> Without:
    """A q1lab without the gate, and a home with a night of it and another study."""
    proposals("tonight", "idea-2", "idea-1", "idea-2")
    study = make_study("rope-1", created="2026-04-02T09:00:00+00:00")
    finish(study)
    compared(study)
    return Without("gate", tmp_path)


@pytest.mark.parametrize("index", ["kept", "made again"])
def test_without_the_plugin_its_studies_are_named_and_nothing_is_lost(
    away: Without, index: str
) -> None:
    before, answers = files(), q1lab("status", "--json").stdout
    assert "1 of 2 kept" in q1lab("status").stdout
    if index == "made again":
        paths.database_file().unlink()

    shown = away.q1lab("status")
    for name in ("idea-1", "idea-2"):
        line = f"{name} can't be read: study.json has the design 'gate', of a plug-in that is not"
        assert line in shown.stdout
    assert shown.stdout.count("idea-") == 2, "each is one line, and no other design's"
    assert away.q1lab("compare", "rope-1").stdout == q1lab("compare", "rope-1").stdout
    assert "design 'gate'" in away.q1lab("compare", "idea-1", code=1).stderr
    assert "gate" not in away.q1lab("--help-all").stdout
    away.q1lab("gate", code=2)

    assert q1lab("status", "--json").stdout == answers
    assert "1 of 2 kept" in q1lab("status").stdout
    assert files() == before


def test_a_proposal_that_was_deleted_without_the_plugin_comes_back_with_its_answer(
    away: Without,
) -> None:
    away.q1lab("delete", "idea-2", "--yes")
    assert "design 'gate'" in away.q1lab("restore", "idea-2", code=1).stderr
    assert "1 of 2 kept" in q1lab("status").stdout


def files() -> dict[str, bytes]:
    """The journal, and each study's files."""
    home = paths.home()
    kept = [paths.journal_file(), *sorted(home.glob("studies/*/**/*"))]
    return {str(file): file.read_bytes() for file in kept if file.is_file()}

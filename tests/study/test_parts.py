"""The parts of a plan: which kind each is of, and the message for a plan that no kind fits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from q1lab.ground.errors import Problem
from q1lab.study import studies
from tests.kit import lab_home
from tests.kit.commands import q1lab

LEVELS = {"first": 3, "most": 5, "alpha": 0.02, "limits": [6.0, 5.0, 4.0]}
LOOP = {"run": "true", "args": {"baseline": "", "fast": "--lr=1"}, "folder": "/", "metric": "loss"}
COMMAND = {"kind": "command", "preset": "", "config": {}, "dtype": "", "loop": LOOP}


@pytest.mark.parametrize(
    ("keys", "kind", "pairs"),
    [
        ({}, "own", (3, 3)),
        ({"range": LEVELS}, "own", (3, 5)),
        (COMMAND, "command", (3, 3)),
        ({"of_a_newer_release": 1}, "own", (3, 3)),
    ],
)
def test_a_plan_says_its_kind(keys: dict[str, Any], kind: str, pairs: tuple[int, int]) -> None:
    plan = {**lab_home.make_study().to_dict(), **keys}
    study = studies.from_dict(plan)
    assert (study.trainer.kind, study.design.pairs) == (kind, pairs)
    assert study.to_dict()["kind"] == kind
    assert json.dumps(study.to_dict()) == json.dumps(studies.from_dict(study.to_dict()).to_dict())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"loop": LOOP}, ("loop", "command")),
        ({"kind": "command"}, ("loop", "no command")),
        ({**COMMAND, "preset": "cpu"}, ("preset", "own loop")),
        ({"kind": "other"}, ("kind", "own, command")),
        ({"config": {"max_iters": 0}}, ("config", "max_iters")),
        ({"looks": [[0, 1], [1]]}, ("looks", "twice")),
        ({"range": {**LEVELS, "limits": [1.0]}}, ("range", "damaged")),
        ({"v": 3}, ("study.json", "newer")),
        ({"v": 1}, ("v is 1",)),
    ],
)
def test_a_plan_of_no_kind_is_one_line_and_the_others_go_on(
    keys: dict[str, Any], words: tuple[str, ...]
) -> None:
    bad, good = lab_home.make_study("rope-1"), lab_home.make_study("swiglu-1", "swiglu")
    bad.files.plan.write_text(json.dumps({**bad.to_dict(), **keys}))
    with pytest.raises(Problem) as problem:
        studies.load("rope-1")
    assert problem.value.code == 1
    assert "\n" not in str(problem.value)
    assert "study.json" in str(problem.value)
    assert all(word in str(problem.value) for word in words)
    done = q1lab("status")
    assert good.id in done.stdout
    assert "rope-1 can't be read" in done.stdout
    assert done.stderr == ""

"""Hand-ins of a class, made of right and wrong files of the zoo: the wrong ones stand apart, and
their checks name the mistake."""

from __future__ import annotations

import itertools
import json
import random
import shutil
from pathlib import Path

import pytest

from tests.kit.class_folders import Person, hand_in
from tests.kit.commands import q1lab
from tests.labs.zoo import Case
from tests.labs.zoo_right import RIGHT
from tests.labs.zoo_wrong import WRONG

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.needs_plugin("verify")]

RIGHT_ROPES = [Case("as it is", "rope"), *(case for case in RIGHT if case.variant == "rope")]
WRONG_ROPES = {
    f"wrong-{number}": case
    for number, case in enumerate([case for case in WRONG if case.variant == "rope"][:3])
}


def people(right_ones: int) -> list[Person]:
    """Files that are right give about -0.25, as RoPE does; wrong ones next to nothing."""
    luck = random.Random(55)
    right = zip(range(right_ones), itertools.cycle(RIGHT_ROPES), strict=False)
    return [
        *(
            Person(f"p{n}", luck.gauss(-0.25, 0.004), luck.uniform(0.009, 0.011), case.text())
            for n, case in right
        ),
        *(
            Person(name, luck.gauss(-0.01, 0.004), 0.01, case.text())
            for name, case in WRONG_ROPES.items()
        ),
    ]


@pytest.mark.parametrize("right_ones", [9, pytest.param(27, marks=pytest.mark.long)])
def test_the_wrong_files_are_named(
    right_ones: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for person in people(right_ones):
        hand_in(person, tmp_path / "work", tmp_path / "hand-ins")
    monkeypatch.chdir(tmp_path)
    done = q1lab("class", "hand-ins", "--json")
    (line,) = json.loads(done.stdout)["lines"]
    assert len(line["results"]) == right_ones + len(WRONG_ROPES)
    assert {row["verified"] for row in line["results"]} == {"yes"}
    assert sorted(row["who"] for row in line["results"] if row["apart"]) == sorted(WRONG_ROPES)
    assert line["rest"]["low"] < -0.25 < line["rest"]["high"] < -0.2 < line["pooled"]["high"]
    for who in {path.name for path in Path("hand-ins").iterdir()} - WRONG_ROPES.keys() - {"p0"}:
        shutil.rmtree(Path("hand-ins") / who)
    lines = json.loads(
        q1lab("class", "hand-ins", "--checks", "--for", "rope", "--json", code=20).stdout
    )["lines"]
    rows = {row["who"]: row for line in lines for row in line["results"]}
    assert rows["p0"]["checks"] == "passed"
    for who, case in WRONG_ROPES.items():
        assert rows[who]["checks"] == "failed"
        assert case.says in " ".join(rows[who]["why"])

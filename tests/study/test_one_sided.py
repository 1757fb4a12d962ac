"""A one-sided range through the command line: it says HELPS or NOT SHOWN TO HELP, and never HURTS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from q1lab.study import studies
from tests.kit.commands import q1lab

Fake = Callable[..., None]
SMALL = ("--preset", "quick", "--max-iters", "20")
RANGE = ("--seeds", "3..8")
ONE_SIDED = (*RANGE, "--side", "better")


def record(*args: str, code: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(q1lab(*args, "--json", code=code).stdout)
    return answer


def one_line(*args: str) -> str:
    said = q1lab(*args, code=2).stderr.strip()
    assert len(said.splitlines()) <= 2, said
    return said


def test_a_gain_is_claimed_as_in_a_two_sided_range(fake_trainer: Fake) -> None:
    fake_trainer(effect=-0.1, noise=0.001)
    found = record("run", "rope", *SMALL, *ONE_SIDED)
    assert (found["verdict"], found["n"]) == ("helps", 3)
    assert found["plan"] == {"first": 3, "most": 8, "side": "better"}
    two_sided = record("run", "swiglu", *SMALL, *RANGE)
    assert found["level"] == two_sided["level"]
    text = " ".join(q1lab("compare", "rope-1", "--full").stdout.split())
    assert "at most 2.5 in 100 such studies would say HELPS" in text
    assert "in at least 95 of 100 studies the intervals of all looks contain" in text
    assert json.loads(studies.load("rope-1").files.plan.read_text())["range"]["side"] == "lower"
    assert "side" not in json.loads(studies.load("swiglu-1").files.plan.read_text())["range"]


@pytest.mark.parametrize("effect", [0.1, 0.0])
def test_harm_and_nothing_stop_at_once_and_no_harm_is_claimed(
    fake_trainer: Fake, effect: float
) -> None:
    fake_trainer(effect=effect, noise=0.01 if effect else 0.05)
    stopped = record("run", "rope", *SMALL, *ONE_SIDED)
    assert stopped["verdict"] == "not shown to help"
    assert stopped["n"] == 3 or not effect
    assert stopped["n"] < 8
    told = " ".join([*q1lab("compare", "--full").stdout.split(), *stopped["short"]])
    assert "NOT SHOWN TO HELP" in told
    assert "not the same as no effect" in told
    assert "Whether it hurts was not asked" in told
    assert "higher val loss" not in told
    assert "is a further look" in told
    whole = record("run", "rope-1", "--seeds", "full:3..8")
    assert (whole["n"], whole["verdict"], whole["level"]) == (
        8,
        "not shown to help",
        stopped["level"],
    )


def test_asking_both_ways_afterwards_is_a_further_look_and_so_is_the_reverse(
    fake_trainer: Fake,
) -> None:
    fake_trainer(effect=0.0, noise=0.05)
    record("run", "rope", *SMALL, *ONE_SIDED)
    assert "rope-1 was planned one-sided" in one_line("run", "rope", *SMALL, *RANGE)
    second = record("run", "rope", *SMALL, *RANGE, "--fresh")
    assert (second["study"], len(second["asked"]["looks"])) == ("rope-2", 2)
    assert second["asked"]["total"] == pytest.approx(0.075)
    assert "go on without --side, or ask again" in one_line("run", "rope", *SMALL, *ONE_SIDED)
    third = record("run", "rope", *SMALL, *ONE_SIDED, "--fresh")
    assert third["asked"]["total"] == pytest.approx(0.0875)
    assert {look["verdict"] for look in third["asked"]["looks"][::2]} == {"not shown to help"}


def test_a_plan_whose_side_was_edited_has_no_verdict(fake_trainer: Fake) -> None:
    fake_trainer(effect=0.1, noise=0.01)
    record("run", "rope", *SMALL, *ONE_SIDED)
    file = studies.load("rope-1").files.plan
    plan = json.loads(file.read_text())
    del plan["range"]["side"]
    file.write_text(json.dumps(plan))
    assert record("compare", "rope-1")["reason"] == "changed plan"
    for side, says in (("worse", "range is damaged"), ("higher", "better the other way")):
        plan["range"]["side"] = side
        file.write_text(json.dumps(plan))
        assert says in q1lab("compare", "rope-1", code=1).stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rope", "--seeds", "5", "--side", "better"), "a one-sided study is a planned range"),
        (("rope", "--side", "better"), "give one, such as --seeds 3..8"),
        (("rope", *RANGE, "--side", "worse"), "can't be 'worse'; it takes better alone"),
        (("rope", "gqa", *ONE_SIDED), "several VARIANTs"),
        (("rope", *ONE_SIDED, "--over", "max_iters=10,20"), "--over"),
        (("rope", *ONE_SIDED, "--tune", "learning_rate"), "--tune"),
        (("rope", *ONE_SIDED, "--headline", "welch"), "paired interval"),
        (("baseline", *ONE_SIDED), "has no better side"),
    ],
)
def test_a_side_where_none_is_to_be_chosen_is_one_line(
    fake_trainer: Fake, words: tuple[str, ...], says: str
) -> None:
    assert says in one_line("run", *words)
    assert studies.ids() == []


def test_plan_shows_one_sided_ranges_and_their_command(fake_trainer: Fake) -> None:
    designs = record("plan", "rope", "--detect", "0.03", "--side", "better")["designs"]
    assert [design["first"] for design in designs] == [3] * len(designs)
    for design in designs:
        assert design["nothing"]["claim"] == pytest.approx(0.025, abs=0.003)
        assert design["nothing"]["too_small"] == design["planned_for"]["too_small"] == 0
        assert design["nothing"]["mean_pairs"] < design["planned_for"]["mean_pairs"]
    text = " ".join(q1lab("plan", "rope", "--detect", "0.03", "--side", "better").stdout.split())
    by_luck = 100 * designs[0]["nothing"]["claim"]
    assert f"If there is none, {by_luck:.0f} say HELPS, " in text
    assert "q1lab run rope --seeds 3.." in text
    assert "--side better" in text


def test_it_goes_on_by_its_name_and_keeps_its_side(fake_trainer: Fake) -> None:
    fake_trainer(effect=0.0, noise=0.05)
    record("run", "rope", *SMALL, *ONE_SIDED)
    assert "leave all options but" in one_line("run", "rope-1", *ONE_SIDED)
    again = record("run", "rope", *SMALL, *ONE_SIDED)
    assert (again["study"], studies.ids()) == ("rope-1", ["rope-1"])


def test_a_prediction_of_harm_is_said_before_and_stays_open(fake_trainer: Fake) -> None:
    fake_trainer(effect=0.1, noise=0.01)
    expected = ("--direction", "higher", "--size", "0.1", "--matters", "0.01", "--sure", "70")
    q1lab("predict", "rope", *expected)
    said = q1lab("run", "rope", *SMALL, *ONE_SIDED).stdout
    assert "a one-sided study can refute that, and never confirm it" in " ".join(said.split())
    text = " ".join(q1lab("compare", "--full").stdout.split())
    assert "NOT SHOWN TO HELP, so the prediction is neither right nor wrong" in text

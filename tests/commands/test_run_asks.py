"""`q1lab run` of a modification that the week offers, without a prediction: at a terminal it asks
once whether to predict first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.study import studies
from tests.kit.commands import at_terminal, q1lab

pytestmark = pytest.mark.sample

SMALL = ("--seeds", "1", "--preset", "quick", "--max-iters", "20")
MISSING = "no prediction for rope yet; after the runs it proves nothing"
QUESTION = f"There is {MISSING}. Predict first? [y/N]"


@pytest.fixture(autouse=True)
def small(home: Path, fake_trainer: Callable[..., None]) -> None:
    """A home without studies, and a trainer without torch."""


def test_yes_trains_nothing_and_it_is_not_asked_again() -> None:
    shown = at_terminal("run", "rope", *SMALL, typed="y\n")
    assert QUESTION in shown
    assert "q1lab predict rope --direction DIRECTION --size NATS" in shown
    assert studies.ids() == []
    assert MISSING not in at_terminal("run", "rope", *SMALL, typed="")
    assert studies.load_readable()[0].variant == "rope"


def test_enter_trains_and_the_same_run_asks_no_more() -> None:
    assert QUESTION in at_terminal("run", "rope", *SMALL, typed="\n")
    assert [study.variant for study in studies.load_readable()] == ["rope"]
    assert MISSING not in at_terminal("run", "rope", *SMALL, "--fresh", typed="")


@pytest.mark.parametrize("options", [(), ("--json",), ("--yes",)])
def test_without_a_terminal_or_an_answer_a_line_says_it(options: tuple[str, ...]) -> None:
    done = q1lab("run", "rope", "--wandb", "disabled", *SMALL, *options)
    assert done.stderr.count(MISSING) == 1
    assert "[y/N]" not in done.stderr
    assert MISSING not in done.stdout
    assert MISSING not in q1lab("run", "rope", "--wandb", "disabled", *SMALL, *options).stderr


def test_options_that_leave_no_time_for_an_answer_do_not_ask() -> None:
    planned = ("run", "rope", "--wandb", "disabled", *SMALL, "--yes")
    assert "[y/N]" not in at_terminal(*planned, typed="")


def test_what_cannot_train_is_refused_before_it_asks() -> None:
    refused = q1lab("run", "rope", *SMALL, "--set", "n_layer=x", code=2).stderr
    assert "n_layer" in refused
    assert MISSING not in refused


def test_several_are_asked_about_at_once() -> None:
    sweep = ("run", "rope", "relu_squared", "gqa", *SMALL)
    assert "no prediction for rope, gqa yet" in q1lab(*sweep, code=None).stderr


def test_who_predicted_is_not_asked() -> None:
    predicted = ("--direction", "same", "--size", "0", "--matters", "0.01", "--sure", "60")
    q1lab("predict", "rope", *predicted)
    assert MISSING not in q1lab("run", "rope", "--wandb", "disabled", *SMALL).stderr


def test_who_follows_no_week_or_trains_something_else_is_not_asked() -> None:
    assert "prediction" not in q1lab("run", "relu_squared", *SMALL).stderr
    q1lab("config", "week", "off")
    assert MISSING not in q1lab("run", "rope", *SMALL).stderr

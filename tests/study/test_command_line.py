"""A study as a command: whoever types it gets the same study."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from q1lab.commands.run import run
from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.study import command_line, identity, kinds, presets
from q1lab.study.command_line import Request
from q1lab.study.corpus_titles import DEFAULT_DATA
from q1lab.study.studies import Study
from q1lab.train import begin_study, own_loop_draft, study_plan
from q1lab.week.syllabus import Action
from tests.kit.places import ROOT
from tests.kit.plans import plan_one


def parsed(words: tuple[str, ...]) -> Request:
    """The request that `q1lab run` makes of the words."""
    assert words[:2] == ("q1lab", "run")
    values = run.make_context("run", list(words[2:])).params
    (variant,) = values["variant"]
    options = {name: values[name] for name in command_line.OPTIONS}
    return command_line.request_from_options(variant=variant, **options)


def drafted(request: Request) -> Study:
    """The study that planning makes of a request where the probe finds what was asked for, else a
    plain CPU."""
    request = replace(request, data=request.data or DEFAULT_DATA, preset=request.preset or "cpu")
    arm = {"n_params": 1, "flops_per_token": 1, "seconds_per_iter": 1.0}

    def answer(_: object, question: dict[str, Any], **_threads: int) -> dict[str, Any]:
        return {
            "device": "cpu" if question["device"] == "auto" else question["device"],
            "dtype": "fp32" if question["dtype"] == "auto" else question["dtype"],
            "torch": "0",
            "arms": {"baseline": arm, "modified": arm},
        }

    with pytest.MonkeyPatch.context() as patch, Store() as store:
        patch.setattr(own_loop_draft.child_processes, "ask_child", answer)
        return study_plan.draft_study(request, store).study


OVERRIDES: dict[str, st.SearchStrategy[str]] = {
    "learning_rate": st.floats(1e-6, 1.0).map(str),
    "grad_clip": st.sampled_from(["1", "1.0", "0", "0.5"]),
    "dropout": st.floats(0, 0.9).map(str),
    "bias": st.booleans().map(str),
    "compile": st.sampled_from(["on", "off", "auto"]),
    "max_iters": st.integers(1, 9000).map(str),
    "warmup_iters": st.integers(0, 500).map(str),
    "eval_interval": st.integers(1, 500).map(str),
    "n_kv_head": st.sampled_from(["1", "2", "4"]),
    "batch_size": st.integers(1, 64).map(str),
}
REQUESTS = st.builds(
    Request,
    variant=st.just("gqa"),
    baseline=st.sampled_from([None, "baseline", "rope"]),
    seeds=st.sampled_from(["1", "3", "30", "fresh:4", "3..8", "5..20"]),
    preset=st.sampled_from([None, *presets.PRESETS]),
    device=st.sampled_from(["auto", "cpu", "cuda", "mps"]),
    dtype=st.sampled_from(["auto", "fp32", "bf16"]),
    overrides=st.fixed_dictionaries({}, optional=OVERRIDES),
    unchecked=st.booleans(),
    fresh=st.booleans(),
    jobs=st.none() | st.integers(1, 9),
    wandb=st.sampled_from(["auto", "online", "offline", "disabled"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(request=REQUESTS)
def test_a_request_is_read_back_from_its_command(request: Request) -> None:
    assert parsed(command_line.argv(request)) == request


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(request=REQUESTS)
def test_a_study_is_planned_again_by_its_command(request: Request) -> None:
    study = drafted(request)
    twin = drafted(parsed(command_line.argv(kinds.request(study))))
    assert identity.identity_key(twin) == identity.identity_key(study)
    assert (twin.seeds, twin.trainer.unchecked) == (study.seeds, study.trainer.unchecked)


@pytest.mark.parametrize(
    "more",
    [
        {"overrides": {"learning_rate": "3e-4", "max_iters": "40"}},
        {"dtype": "bf16", "seeds": "fresh:2"},
        {"data": "a file"},
    ],
)
def test_the_printed_command_finds_the_study_that_is(
    fake_trainer: Callable[..., None], tmp_path: Path, more: dict[str, Any]
) -> None:
    text = tmp_path / "my words.txt"
    text.write_text((ROOT / "README.md").read_text() * 3)
    model_file = tmp_path / "my rope.py"
    model_file.write_text((ROOT / "labs" / "models" / "rope.py").read_text())
    request = Request(str(model_file), baseline="baseline", preset="quick", unchecked=True, **more)
    if "data" in more:
        request = replace(request, data=str(text))
    with Store() as store:
        study = begin_study.save_plan(plan_one(request, store), store)
        line = command_line.command_text(kinds.request(study))
        second_plan = plan_one(parsed(tuple(shlex.split(line))), store)
    assert not second_plan.is_new
    assert second_plan.study == study


def test_a_name_that_begins_with_a_hyphen_is_no_option() -> None:
    assert parsed(command_line.argv(Request("-x.py", baseline="-y.py"))).variant == "./-x.py"


def test_an_action_of_the_week_is_the_same_command() -> None:
    options = {"variant": "./rope.py", "seeds": 4, "preset": "quick", "max_iters": 50}
    action = Action("run", "Train", options)
    assert parsed(action.argv()) == Request(
        "./rope.py", seeds="4", preset="quick", overrides={"max_iters": "50"}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2", "give how many"),
        ("7,", "give how many"),
        ("-1", "give how many"),
        ("full:3..8", "a range is two whole numbers"),
        ("0", "at least 1"),
        ("", "give how many"),
        *[
            (text, "give from 1 to")
            for text in ("fresh:0", "fresh:-1", "fresh:1000", "fresh:", "fresh", "fresh:3..8")
        ],
    ],
)
def test_bad_seeds_are_named(text: str, message: str) -> None:
    with pytest.raises(Problem, match=message) as raised:
        _ = Request("rope", seeds=text).parsed_seeds
    assert "\n" not in str(raised.value)


def test_a_study_of_values_that_no_training_takes_is_shown_with_them() -> None:
    config = {**presets.resolve_config("cpu", {}), "learning_rate": -1.0}
    assert command_line.fewest_overrides("cpu", config)["learning_rate"] == "-1.0"

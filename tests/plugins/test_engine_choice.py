"""``--engine``: what it takes, what it refuses, and the names in the settings."""

from __future__ import annotations

import pytest

from q1lab.ground import json_records
from q1lab.ground.errors import Problem
from q1lab.runner.engine import choose_engine
from q1lab.study.engine_choice import EngineChoice
from tests.kit.engines.client import q1lab

NAMED = {"gpu-box": {"ray": "http://127.0.0.1:8265", "gpus": 0.5, "presets": ["gpu"]}}


def test_the_default_is_this_machine() -> None:
    assert choose_engine(None, "cpu", (), NAMED) is None


def test_a_name_brings_its_address_and_options() -> None:
    chosen = choose_engine("gpu-box", "cpu", ("cpus=2",), NAMED)
    assert chosen is not None
    assert (chosen.kind, chosen.address) == ("ray", "http://127.0.0.1:8265")
    assert chosen.options == {"gpus": "0.5", "cpus": "2"}


def test_a_preset_may_have_a_default_engine() -> None:
    chosen = choose_engine(None, "gpu", (), NAMED)
    assert chosen is not None
    assert chosen.text == "gpu-box"


def test_a_study_keeps_its_choice() -> None:
    chosen = choose_engine("gpu-box", "cpu", (), NAMED)
    assert json_records.from_json(EngineChoice, json_records.to_json(chosen)) == chosen


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("slurmm", (), "'slurm'"),
        ("ray", (), "there is gpu-box"),
        ("ray=", (), "there is gpu-box"),
        ("kubernetes", (), "there is gpu-box, local, .*slurm"),
        ("slurm", ("partition",), "NAME=VALUE"),
        ("local", ("gpus=1",), "goes with another engine"),
    ],
)
def test_what_is_no_engine_is_refused(text: str, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(Problem, match=message):
        choose_engine(text, None, options, NAMED)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("notebook",), 0, "has to have PyTorch"),
        (("slurmm",), 2, "'slurm'"),
        (("ray=http://127.0.0.1:9",), 4, "127.0.0.1:9 does not answer (Connection refused)"),
        (("ray=http://127.0.0.1:9", "--engine-option", "color=red"), 2, "Ray takes cpus"),
        (("local", "--engine-option", "gpus=1"), 2, "goes with another engine"),
    ],
)
def test_the_doctor_says_in_words_what_an_engine_lacks(
    options: tuple[str, ...], status: int, message: str
) -> None:
    done = q1lab("doctor", "--engine", *options)
    assert message in done.stdout + done.stderr
    assert done.returncode == status

"""An option is declared once, and refused in one way wherever its value is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line
from q1lab.ground import config, paths
from q1lab.ground.errors import Problem
from q1lab.study import command_arms
from q1lab.study.command_line import OPTIONS


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.choices])
def test_an_unknown_value_is_refused_with_the_choices(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    option = OPTIONS[name]
    assert run_command_line(["run", "rope", option.flag, "###"]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"q1lab: {option.flag} can't be '###'; it ")
    assert all(choice in line for choice in option.choices)


def test_the_same_words_refuse_a_value_in_every_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "can't be 'onlin'; did you mean 'online'?"
    assert run_command_line(["run", "rope", "--wandb", "onlin"]) == 2
    assert run_command_line(["config", "wandb", "onlin"]) == 2
    monkeypatch.setenv("Q1LAB_WANDB", "onlin")
    assert run_command_line(["run", "rope", "--seeds", "1"]) == 2
    monkeypatch.delenv("Q1LAB_WANDB")
    file = paths.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('wandb = "onlin"\n')
    with pytest.raises(Problem, match="wandb can't be 'onlin'; did you mean 'online'"):
        config.load_settings()
    assert capsys.readouterr().err.count(words) == 3


def test_a_command_and_study_toml_refuse_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "better can't be 'upper'; it is one of lower, higher"
    table = '[command]\nrun = "true"\nmetric = "m"\nbetter = "upper"\n[arm.a]\n[arm.b]\n'
    (tmp_path / "study.toml").write_text(table)
    with pytest.raises(Problem, match=words):
        command_arms.read_study_toml(tmp_path / "study.toml")
    assert run_command_line(["run", "true {seed}", "true x {seed}", "--better", "upper"]) == 2
    assert f"--{words}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "９ ９", "", "9" * 5000])
@pytest.mark.parametrize("flag", ["--jobs", "--max-iters"])
def test_a_number_that_is_none_is_refused_in_one_line(
    flag: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["run", "rope", flag, text]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert flag in line
    assert len(line) < 300

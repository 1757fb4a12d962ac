"""An option is declared once, and refused in one way wherever its value is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line
from q1lab.ground import config, paths
from q1lab.ground.errors import Problem
from q1lab.study import command_arms
from q1lab.study.command_line import OPTIONS
from tests.kit.places import ROOT
from tests.kit.toy_option import FIELD

SEEN = """
import json
from q1lab.commands.run import run
from q1lab.study.command_line import argv, request_from_argv
from q1lab.tui.widgets.launch_form import ROWS
import click
request = request_from_argv(["q1lab", "run", "rope", "--flavor", "sweet"])
(param,) = [param for param in run.params if param.name == "flavor"]
completed = [item.value for item in param.type.shell_complete(click.Context(run), param, "s")]
print(json.dumps([request.flavor, argv(request), "How it tastes." in run.get_help(click.Context(run)),
                  completed, "flavor" in ROWS]))
"""


def test_a_field_of_the_request_is_all_that_an_option_needs(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "q1lab", tmp_path / "q1lab", ignore=shutil.ignore_patterns("__pycache__")
    )
    file = tmp_path / "q1lab" / "study" / "command_line.py"
    text = file.read_text()
    head = "    tuned: TunedValue | None = None"
    assert head in text
    file.write_text(text.replace(head, FIELD + head))
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {SEEN}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        "sweet",
        ["q1lab", "run", "rope", "--seeds", "3", "--flavor", "sweet"],
        True,
        ["sweet"],
        True,
    ]


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
    assert run_command_line(["run", "--command", "true", "--better", "upper"]) == 2
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

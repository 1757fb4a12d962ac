"""`q1lab content check` and `q1lab content new`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands.cli import run_command_line
from q1lab.ground.errors import Problem
from q1lab.plugins.author.content_command import content as command
from q1lab.plugins.author.weeks import write_skeleton
from q1lab.study import variants
from q1lab.week.content import load_week
from tests.kit.places import ROOT
from tests.kit.small_weeks import check_week, edit

SHIPPED = ROOT / "content"
MODELS = variants.variant_names()


def test_check_says_where_and_fails(folder: Path) -> None:
    edit(folder / "mix.md", "{#weigh-flour}", "")
    result = CliRunner().invoke(command, ["check", str(folder)])
    assert result.exit_code == 1
    assert re.search(r"mix\.md:14: .*no id\b", result.output)
    record = json.loads(CliRunner().invoke(command, ["check", str(folder), "--json"]).output)
    assert record["findings"][0]["file"] == "week.toml"
    assert {"file", "line", "message", "fatal"} == set(record["findings"][0])


def test_check_passes_the_shipped_week() -> None:
    result = CliRunner().invoke(command, ["check", str(SHIPPED)])
    assert result.exit_code == 0, result.output
    assert "M03-W04 is fine: sessions 3, parts 9" in result.output


def test_check_of_no_folder_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["check", str(tmp_path / "none")])
    assert isinstance(result.exception, Problem)
    assert result.exception.code == 2


def test_new_writes_a_week_that_passes_and_overwrites_nothing(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "week"
    result = CliRunner().invoke(command, ["new", str(target), "--name", "M04-W01"])
    assert result.exit_code == 0, result.output
    assert check_week(target, MODELS) == []
    assert load_week(target).label == "M04-W01"
    before = {path: path.read_bytes() for path in target.iterdir()}
    (target / "week.toml").unlink()
    with pytest.raises(Problem, match="already there"):
        write_skeleton(target)
    assert not (target / "week.toml").exists()
    assert {p: p.read_bytes() for p in target.iterdir()} == {
        p: data for p, data in before.items() if p.name != "week.toml"
    }


@pytest.mark.parametrize("label", ["", 'a"b', "a\nb", "x" * 41, "\\u0000"])
def test_new_refuses_a_label_that_would_break_the_file(tmp_path: Path, label: str) -> None:
    with pytest.raises(Problem, match="label"):
        write_skeleton(tmp_path / "w", label)
    assert not (tmp_path / "w").exists()


def test_new_in_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Problem, match="can't write") as caught:
        write_skeleton(tmp_path / "file" / "week")
    assert caught.value.code == 1


def test_without_a_command_its_page_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["content"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Usage: q1lab content" in output.err.splitlines()[0]
    assert "Commands:" in output.err.splitlines()

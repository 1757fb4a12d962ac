"""Commands: sections, what is no command, the course."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from q1lab.commands.cli import cli, run_command_line
from q1lab.ground import command_table, config, paths
from q1lab.ground.errors import Problem
from q1lab.week import evidence


def test_every_command_is_an_act_of_a_section() -> None:
    assert list(command_table.listed_acts()) == cli.list_commands(click.Context(cli))
    for name, act in command_table.acts().items():
        fields = {param.name for param in command_table.load_command(name).params}
        assert {*act.form_labels, *(key for key in act.action_fields if key != "for")} <= fields, (
            name
        )
    documents = {
        step_id for act in command_table.acts().values() if act.commits for step_id in act.done_when
    }
    assert (
        set(command_table.step_conditions()) - documents
        <= set(evidence.CONDITIONS)
        <= set(command_table.step_conditions())
    )


def test_what_is_no_command_says_so() -> None:
    for words in ([], ["no"], ["paper", "no"], ["paper", "add"], ["run", "rope", "--no"]):
        with pytest.raises(Problem):
            command_table.parse_command(words)
    call = command_table.parse_command(["paper", "add", "RoFormer", "--done"])
    assert call.act.name == "paper add"
    assert call.values["depth"] == "deep"
    assert call.typed == {"title", "done"}
    assert command_table.parse_command(["retro", "--help"]).help


@pytest.mark.parametrize("name", ["kpi", "artifact", "roadmap"])
def test_a_list_of_the_course_is_a_command_of_it(name: str) -> None:
    with pytest.raises(Problem, match=f"it is `q1lab course {name}`"):
        command_table.parse_command([name])
    assert command_table.parse_command(["course", name]).act.name == f"course {name}"


def test_who_came_alone_is_not_shown_the_course(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def commands_shown() -> list[str]:
        assert run_command_line(["--help-all"]) == 0
        return re.findall(r"^  ([a-z]+)  ", capsys.readouterr().out, re.MULTILINE)

    with_the_course = commands_shown()
    config.save_setting("course", "false")
    assert set(with_the_course) - set(commands_shown()) == {"course"}
    paths.config_file().write_text("course = [")
    assert commands_shown() == with_the_course

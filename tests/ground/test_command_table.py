"""An act that one file adds is a command, a line of the palette, a form, an action of a week's text,
a command that its check accepts, and ticks the step that names it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from textual.widgets import Input, Select

from q1lab.commands.cli import cli, run_command_line
from q1lab.ground import command_table, config, paths
from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.week import content, evidence
from tests.kit import small_weeks, toy_act
from tests.kit.places import mentioned_in_code
from tests.kit.tui_home import prepared, settled, until

WEEK = """# Session

## Play {#a1 minutes=10}

- [ ] Play with the duck {#a1-duck minutes=5 done_when=seen}

  ```q1lab toy
  name = "duck"
  color = "blue"
  ```

- [ ] Play with the ball {#a1-ball minutes=5}

  ```q1lab command
  command = "q1lab toy ball"
  ```
"""


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "q1lab.commands.toy", toy_act)
    with monkeypatch.context() as patched:
        patched.setattr(command_table, "CORE_ACTS", (*command_table.CORE_ACTS, toy_act.ACT))
        command_table.acts.cache_clear()
        yield
    command_table.acts.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "week"
    small_weeks.write_week(root)
    week = (root / "week.toml").read_text()
    session = content.load_week(root).sessions[0]
    (root / session.file).write_text(WEEK)
    (root / "week.toml").write_text(week.replace(f"minutes = {session.minutes}", "minutes = 10"))
    return root


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


@pytest.mark.usefixtures("toy")
def test_it_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--help-all"]) == 0
    assert re.search("toy +A toy to play with.", capsys.readouterr().out)
    assert run_command_line(["toy", "duck", "--color", "blue"]) == 0
    assert capsys.readouterr().err == "the duck is blue\n"
    assert run_command_line(["toy", "duck", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "duck", "color": "red"}
    assert run_command_line(["toi", "duck"]) == 2
    assert "'toy'" in capsys.readouterr().err


@pytest.mark.needs_plugin("author")
@pytest.mark.usefixtures("toy")
def test_a_weeks_text_may_name_it_and_its_check_reads_the_command(folder: Path) -> None:
    assert small_weeks.check_week(folder) == []
    actions = [action for part in content.load_week(folder).parts() for action in part.actions]
    assert [action.title for action in actions] == ["Toy duck", "q1lab toy ball"]
    assert actions[0].argv() == ("q1lab", "toy", "duck", "--color", "blue")
    text = folder / content.load_week(folder).sessions[0].file
    text.write_text(
        WEEK.replace("color =", "colour =").replace("q1lab toy ball", "q1lab toy ball --colour red")
    )
    field, fault = small_weeks.check_week(folder)
    assert "'colour'" in field.message
    assert "'color'" in field.message
    assert "`q1lab toy ball --colour red`: No such option" in fault.message
    assert fault.line == WEEK[: WEEK.index("q1lab command")].count("\n") + 1
    text.write_text(WEEK.replace("q1lab toy ball", "q1lab toi ball"))
    (fault,) = small_weeks.check_week(folder)
    assert "'toy'" in fault.message


@pytest.mark.usefixtures("toy")
def test_it_ticks_the_step_that_names_it(folder: Path) -> None:
    week = content.load_week(folder)
    with Store() as store:
        assert not evidence.read_progress(store, week).of("a1-duck").done
    assert run_command_line(["--content", str(folder), "toy", "duck"]) == 0
    with Store() as store:
        assert evidence.read_progress(store, week).of("a1-duck").done
        assert evidence.find_evidence(store, week).by_step["a1-duck"].words == "`q1lab toy` of duck"
    assert mentioned_in_code("q1lab toy") == mentioned_in_code("toy_act") == []


@pytest.mark.usefixtures("toy")
async def test_the_palette_opens_its_form(folder: Path) -> None:
    app = prepared(folder=folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+p")
        await pilot.press(*"play with a toy")
        await until(pilot, lambda: app.screen.query("CommandList OptionListItem, CommandList"))
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query("#color"))
        assert app.screen.query_one("#color", Select).value == "red"
        app.screen.query_one("#name", Input).value = "duck"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.snapshot.progress.of("a1-duck").done)


def test_what_is_no_command_says_so() -> None:
    for words in ([], ["no"], ["paper", "no"], ["paper", "add"], ["run", "rope", "--no"]):
        with pytest.raises(Problem):
            command_table.parse_command(words)
    call = command_table.parse_command(["paper", "add", "RoFormer", "--done"])
    assert call.act.name == "paper add"
    assert call.values["depth"] == "deep"
    assert call.typed == {"title", "done"}
    assert command_table.parse_command(["retro", "--help"]).help


@pytest.mark.parametrize("name", ["kpi", "artifact", "roadmap", "card"])
def test_a_list_of_the_course_is_a_command_of_it(name: str) -> None:
    with pytest.raises(Problem, match=f"it is `q1lab course {name}` now"):
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

"""What the app and the week say of commands, and what is no command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from q1lab.app.commands import FORMS, TITLES
from q1lab.commands.cli import load_command, run_command_line
from q1lab.ground import config, paths
from q1lab.journal.journal_tables import DOCUMENTS
from q1lab.journal.store import Store
from q1lab.week import content, evidence, step_commands
from q1lab.week.lists import papers


def test_the_app_and_the_week_name_commands_and_parameters_that_there_are() -> None:
    actions = {name: step_commands.ACTION_FIELDS[name] for name in ("run", "check")}
    labels = {name: tuple(form.labels) for name, form in FORMS.items()}
    for asked in (dict.fromkeys([*TITLES, *step_commands.CONDITIONS], ()), actions, labels):
        for name, fields in asked.items():
            known = {str(param.name).rstrip("_") for param in load_command(name).params}
            assert known >= set(fields), f"`q1lab {name}` has no {set(fields) - known}"


def test_every_condition_of_a_step_is_checked() -> None:
    documents = {
        condition
        for name, conditions in step_commands.CONDITIONS.items()
        if name.removeprefix("course ") in DOCUMENTS
        for condition in conditions
    }
    names = set(step_commands.condition_names())
    unchecked = names - documents - set(evidence.CONDITIONS)
    assert not unchecked, f"no step can be done by {unchecked}"
    assert set(evidence.CONDITIONS) <= names, "a condition that no week can name"


@pytest.mark.parametrize("name", ["kpi", "artifact", "roadmap"])
def test_a_list_of_the_course_is_a_command_of_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line([name]) == 2
    assert f"it is `q1lab course {name}`" in capsys.readouterr().err, "the way there is not said"
    assert load_command(f"course {name}").name == name


def test_who_came_alone_is_not_shown_the_course(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def commands_shown() -> list[str]:
        assert run_command_line(["--help-all"]) == 0
        return re.findall(r"^  ([a-z]+)  ", capsys.readouterr().out, re.MULTILINE)

    alone = commands_shown()
    config.save_setting("course", "true")
    with_the_course = commands_shown()
    assert set(with_the_course) - set(alone) == {"course"}
    paths.config_file().write_text("course = [")
    assert commands_shown() == alone, "settings that can't be read hide help"


def test_the_form_of_a_paper_begins_with_that_of_the_modification(home: Path) -> None:
    first_values = load_command("paper add").callback.prefill  # type: ignore[union-attr]
    link = "https://arxiv.org/abs/2104.09864"
    week = content.week_for(content.load_week(paths.content_dir()), "rope")
    with Store() as store:
        assert first_values(store, week)["link"] == link
        assert first_values(store, week)["title"], "a paper without a title is not taken"
        papers.add_paper(store, "RoFormer", link=link)
        assert "link" not in first_values(store, week), "it would be logged twice"

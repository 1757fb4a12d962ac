"""Settings: defaults, file, environment; a typo is an error that names the nearest key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands.cli import run_command_line
from q1lab.commands.config import config as command
from q1lab.ground import config
from q1lab.ground.errors import Problem


def written(home: Path, text: str) -> Path:
    file = home / "config.toml"
    file.write_text(text)
    return file


def test_without_a_file_all_defaults_hold(home: Path) -> None:
    settings = config.load_settings(env={})
    assert settings == config.Config()
    assert not (home / "config.toml").exists()


def test_the_environment_goes_before_the_file(home: Path) -> None:
    written(home, 'theme = "q1lab-light"\nbell = true\nrepo = "mine"\n')
    settings = config.load_settings(env={"Q1LAB_THEME": "nord", "Q1LAB_BELL": "false"})
    assert (settings.theme, settings.bell, settings.repo) == ("nord", False, home / "mine")
    assert settings.sources["theme"] == "Q1LAB_THEME"
    assert settings.sources["repo"].endswith("config.toml")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('wandb = "ofline"', ["wandb", "'offline'"]),
        ("bell = 3", ["bell", "true or false"]),
        ("theme = 3", ["theme", "text"]),
        ("keymap = 3", ["keymap", "table"]),
        ("theme = ", ["not valid TOML"]),
        (f"jobs = {'9' * 5000}\n", ["config.toml", "TOML"]),
        (f"{'a.' * 100}b = 1\n", ["config.toml", "more than 64 parts"]),
    ],
)
def test_bad_settings_say_file_key_and_what_to_do(home: Path, text: str, parts: list[str]) -> None:
    written(home, text)
    with pytest.raises(Problem) as problem:
        config.load_settings(env={})
    for part in parts:
        assert part in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_key_that_is_no_setting_is_said_and_the_rest_is_read(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(home, 'them = "nord"\nbell = false\n\n[slurm]\npartition = "gpu"\n')
    assert run_command_line(["config", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["bell"]["value"] == "false"
    assert "there is no setting 'them'; did you mean 'theme'?" in err
    assert len(err.splitlines()) == 2, "a line for each"
    assert run_command_line(["config", "them", "nord"]) == 2
    assert run_command_line(["config", "theme", "q1lab-light"]) == 0
    assert "[slurm]" in (home / "config.toml").read_text(), "nothing of it is lost"


def test_setting_a_key_keeps_comments_order_and_tables(home: Path) -> None:
    file = written(home, '# mine\ntheme = "nord" # dark\n\n[keymap]\n"study.tick" = "x"\n')
    config.save_setting("repo", str(home / "repo"))
    config.save_setting("theme", "q1lab-light")
    config.save_setting("keymap.study.write", "w")
    text = file.read_text()
    assert text.startswith("# mine\n")
    assert "# dark" in text
    settings = config.load_settings(env={})
    assert settings.repo == home / "repo"
    assert settings.theme == "q1lab-light"
    assert dict(settings.keymap) == {"study.tick": "x", "study.write": "w"}


def test_a_damaged_file_is_told_about_and_left_alone(home: Path) -> None:
    file = written(home, "theme = [\n")
    with pytest.raises(Problem, match="not valid TOML"):
        config.save_setting("theme", "nord")
    assert file.read_text() == "theme = [\n"


def test_a_value_that_is_refused_writes_nothing(home: Path) -> None:
    with pytest.raises(Problem, match="one of auto, online, offline, disabled"):
        config.save_setting("wandb", "maybe")
    assert not (home / "config.toml").exists()


def test_the_commands(home: Path) -> None:
    run = CliRunner()
    assert run.invoke(command, ["theme", "q1lab-light"], catch_exceptions=False).exit_code == 0
    output = run.invoke(command, []).output
    assert "q1lab-light" in output
    assert str(home / "config.toml") in output
    assert "study.tick" in run.invoke(command, ["--keys"]).output
    result = run.invoke(command, ["keymap.study.tik", "x"])
    assert isinstance(result.exception, Problem)
    assert "study.tick" in str(result.exception)

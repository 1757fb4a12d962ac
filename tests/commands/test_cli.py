"""Every command can be found, explains itself, and shows an example."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from q1lab.cli import COMMANDS, SECTIONS, cli


def test_each_command_is_in_one_section() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"], prog_name="q1lab")
    assert done.exit_code == 0, done.output
    assert "Example" in done.output
    assert f"q1lab {name}" in done.output.split("Example", 1)[1]

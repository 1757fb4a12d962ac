"""The core names nothing of a plug-in whose folder is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.without import Without

COMMANDS_OF_THE_WEEK = """
from pathlib import Path
from q1lab.week.week_builder import read_week
week, findings = read_week(Path("content"), True)
for part in week.parts():
    for step in part.steps:
        for action in step.actions:
            print(*action.argv())
"""

BROKEN = """
from pathlib import Path
from q1lab.ground.errors import Problem
from q1lab.week.content import load_week
try:
    load_week(Path("{0}"))
except Problem as problem:
    print(problem)
"""


@pytest.mark.parametrize("plugin", ["notebook", "verify"])
def test_exports_help(tmp_path: Path, plugin: str) -> None:
    shown = Without(plugin, tmp_path).q1lab("export", "--help").stdout
    assert plugin not in shown
    assert "--format archive" in shown


def test_the_week_offers_no_command_that_is_away(tmp_path: Path) -> None:
    commands = Without("sample", tmp_path).python(COMMANDS_OF_THE_WEEK).stdout
    assert "q1lab run baseline" in commands
    assert "q1lab sample" not in commands


def test_a_broken_week(tmp_path: Path) -> None:
    (tmp_path / "week.toml").write_text("format = 1\none_more = 1\nand_more = 2\n")
    said = Without("author", tmp_path / "away").python(BROKEN.format(tmp_path)).stdout
    assert "more)" in said
    assert "content check" not in said

"""What comes from outside, as CONTRIBUTING.md shows it: a week in a folder, and a click command of
another package by the entry point ``q1lab.commands``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from q1lab.app.screens.week_page import WeekScreen
from tests.kit.lab_home import words
from tests.kit.places import ROOT
from tests.kit.tui_home import prepared, until


def write_example(name: str, folder: Path) -> Path:
    """Run the shell block of CONTRIBUTING.md that makes the folder ``name``."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(rf"^```sh\n(mkdir {name}\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block.count("\n") <= 30, "an example that a person reads in a minute"
    subprocess.run(["bash", "-e", "-c", block], cwd=folder, check=True, timeout=20)
    return folder / name


async def test_the_smallest_week_opens_and_its_step_is_ticked(tmp_path: Path) -> None:
    app = prepared(folder=write_example("bread", tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WeekScreen), "the week doesn't open")
        await until(pilot, lambda: "Weigh the flour" in words(app), "its step is not shown")
        await pilot.press("space")
        await until(pilot, lambda: "1 of 1 done" in words(app), "Space ticks nothing")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder of installed packages: the example's, with two more names that don't work."""
    greeting = write_example("greeting", tmp_path)
    with (greeting / "greeting.py").open("a") as file:
        file.write("\nPLAIN = 3\n")
    project = tomllib.loads((greeting / "pyproject.toml").read_text())["project"]
    commands = project["entry-points"]["q1lab.commands"] | {
        "gone": "greeting:gone",
        "none": "greeting:PLAIN",
        "run": "greeting:greet",
    }
    info = greeting / "greeting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    lines = (f"{name} = {place}\n" for name, place in commands.items())
    (info / "entry_points.txt").write_text("[q1lab.commands]\n" + "".join(lines))
    return greeting


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`q1lab` where this folder's package is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    command = [sys.executable, "-m", "q1lab", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_another_package_adds_a_command(packages: Path) -> None:
    assert run(packages, "greet", "Ada").stdout == "hello Ada\n"
    assert "Missing argument" in run(packages, "greet").stderr
    page = run(packages, "--help-all").stdout
    assert page.index("Other packages") < page.index("(greeting:greet)")
    assert "Train VARIANT" in run(packages, "run", "--help").stdout, "a name of q1lab stays its own"


@pytest.mark.parametrize(
    ("name", "reason"), [("gone", "can't be loaded"), ("none", "is not a click command")]
)
def test_one_that_does_not_work_is_one_line(name: str, reason: str, packages: Path) -> None:
    done = run(packages, name)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"q1lab: {name} (greeting:")
    assert reason in line

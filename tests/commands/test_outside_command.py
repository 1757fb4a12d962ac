"""A click command of another package, by the entry point ``q1lab.commands``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = '''
import click

@click.command()
@click.argument("name")
def greet(name: str) -> None:
    """Say hello."""
    click.echo(f"hello {name}")
'''


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`q1lab` where this folder's package is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    command = [sys.executable, "-m", "q1lab", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder of installed packages with a command that works, and two that don't."""
    info = tmp_path / "greeting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[q1lab.commands]\ngreet = greeting:greet\ngone = greeting:gone\nnone = greeting:PLAIN\n"
        "run = greeting:greet\n"
    )
    (tmp_path / "greeting.py").write_text(PACKAGE + "\nPLAIN = 3\n")
    return tmp_path


def test_another_package_adds_a_command(package: Path) -> None:
    assert run(package, "greet", "Ada").stdout == "hello Ada\n"
    assert "Missing argument" in run(package, "greet").stderr
    page = run(package, "--help-all").stdout
    assert page.index("Other packages") < page.index("(greeting:greet)")
    assert "Train VARIANT" in run(package, "run", "--help").stdout, "a name of q1lab stays its own"


@pytest.mark.parametrize(
    ("name", "reason"), [("gone", "can't be loaded"), ("none", "is not a click command")]
)
def test_one_that_does_not_work_is_one_line(name: str, reason: str, package: Path) -> None:
    done = run(package, name)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"q1lab: {name} (greeting:")
    assert reason in line

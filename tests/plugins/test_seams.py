"""Plug-ins of other packages: what one that can't be used says, and that the rest goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HELLO = '''
import click
from q1lab.ground.act import MORE, Act
from q1lab.ground.hooks import Plugin

@click.command()
def hello():
    """Say hello."""
    click.echo("hello")

PLUGIN = Plugin(about="says hello", acts=(Act("hello", "Say hello.", MORE, "toy_hello:hello"),))
'''
"""A plug-in that works."""

BROKEN = {
    "raises": ("raise RuntimeError('no\\nluck')", "RuntimeError: no luck"),
    "no plug-in": ("PLUGIN = 3", "is not a Plugin"),
    "another version": (
        HELLO.replace("Plugin(about", "Plugin(version=99, about"),
        "it is for version 99 of the seams",
    ),
    "another signature": (
        HELLO.replace("Plugin(about", "Plugin(colour='red', about"),
        "unexpected keyword argument 'colour'",
    ),
    "prints": (f"print('noise')\n{HELLO}", "prints when it is imported"),
}


def install(site: Path, name: str, source: str, plugin: str = "toys") -> None:
    """A package as pip would install it."""
    site.mkdir(exist_ok=True)
    (site / f"{name}.py").write_text(source)
    info = site / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[q1lab.plugins]\n{plugin} = {name}:PLUGIN\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    folder = tmp_path / "site"
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    return folder


def q1lab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "q1lab", *words], capture_output=True, text=True, check=False
    )


def test_a_command_of_another_package_is_listed_and_runs(site: Path) -> None:
    install(site, "toy_hello", HELLO)
    done = q1lab("hello")
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "", 0)
    page = q1lab("--help-all").stdout
    assert page.index("Plug-ins:") < page.index("hello")
    assert page.index("The week:") < page.index("Studies:") < page.index("Plug-ins:")


@pytest.mark.parametrize("why", BROKEN)
def test_one_that_cant_be_used_is_one_line_and_the_rest_goes_on(site: Path, why: str) -> None:
    source, said = BROKEN[why]
    install(site, "toy_hello", source)
    done = q1lab("--help-all")
    assert done.returncode == 0
    assert "Studies:" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("q1lab: the plug-in toys ")
    assert said in line
    assert "noise" not in done.stdout
    assert (q1lab("hello").returncode == 0) == (why == "prints")


def test_of_two_with_one_name_the_first_counts(site: Path) -> None:
    install(site, "toy_hello", HELLO)
    install(site, "toy_other", HELLO.replace("toy_hello", "toy_other"))
    done = q1lab("--help-all")
    assert done.stdout.count("Say hello.") == 1
    (line,) = done.stderr.splitlines()
    assert "the plug-in toys is left out: another plug-in has this name" in line


def test_a_command_that_q1lab_has_is_not_looked_for_in_other_packages(site: Path) -> None:
    install(site, "toy_hello", "raise RuntimeError('imported')")
    done = q1lab("status")
    assert done.returncode == 0
    assert done.stderr == ""

"""A plug-in by somebody else: a package outside of this repository, installed by pip, that adds a
command, an export format and a setting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from q1lab.commands import doctor
from q1lab.ground import plugin_finder
from q1lab.plugins import SHIPPED
from tests.kit import lab_home
from tests.kit.places import ROOT

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "q1lab-hello"
version = "1.0"

[project.entry-points."q1lab.plugins"]
hello = "q1lab_hello:PLUGIN"
"""

MODULE = '''\
"""Says hello, and writes a study as a haiku."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from q1lab.ground.act import MORE, Act
from q1lab.ground.hooks import ExportFormat, Plugin


@click.command(epilog="Example: q1lab hello")
def hello() -> None:
    """Say hello to the one who is named in config.toml."""
    from q1lab.ground.config import load_settings

    click.echo(f"hello, {load_settings().plugins.get('hello', {}).get('name', 'learner')}")


def checked(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table [hello] of config.toml."""
    if not isinstance(table.get("name"), str):
        raise ValueError("name is a text")
    return table


def haiku(store: Any, study: Any, suffix: str) -> bytes:
    """One study in three lines."""
    from q1lab.verdict.comparison_cache import compare

    judged = compare(store, study)
    lines = f"{study.variant} was trained", f"over {len(study.seeds)} seeds", judged.verdict
    return ("\\n".join(lines) + "\\n").encode()


PLUGIN = Plugin(
    about="says hello",
    acts=(Act("hello", "Say hello.", MORE, "q1lab_hello:hello"),),
    formats={"haiku": ExportFormat((".haiku",), "q1lab_hello:haiku")},
    settings="q1lab_hello:checked",
)
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a folder of its own, as pip puts it into site-packages."""
    source, target = tmp_path_factory.mktemp("hello"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "q1lab_hello.py").write_text(MODULE)
    quiet = (
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--disable-pip-version-check",
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, "--target", str(target), str(source)],
        check=True,
    )
    return target


def q1lab(site: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "q1lab", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_it_is_no_longer_than_a_page() -> None:
    assert len((PYPROJECT + MODULE).splitlines()) <= 65


def test_its_command_its_format_and_its_setting_work(site: Path, home: Path) -> None:
    assert q1lab(site, "hello").stdout == "hello, learner\n"
    assert "Say hello." in q1lab(site, "--help-all").stdout
    (home / "config.toml").write_text('[hello]\nname = "Ada"\n')
    assert q1lab(site, "hello").stdout == "hello, Ada\n"
    study = lab_home.make_study()
    lab_home.finish(study)
    file = home / "rope.haiku"
    q1lab(site, "export", study.id, "--format", "haiku", "--output", str(file))
    assert file.read_text() == "rope was trained\nover 3 seeds\ncannot tell\n"


def test_its_setting_is_checked(site: Path, home: Path) -> None:
    (home / "config.toml").write_text("[hello]\nname = 3\n")
    done = q1lab(site, "hello", code=2)
    assert "[hello]: name is a text" in done.stderr


def test_doctor_names_the_plug_ins_and_those_that_are_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor.plugin_findings() == {"plug-ins": ", ".join(SHIPPED)}
    here = {
        name: plugin for name, plugin in plugin_finder.named_plugins().items() if name != "gate"
    }
    monkeypatch.setattr(plugin_finder, "named_plugins", lambda **_: here)
    assert doctor.plugin_findings()["plug-ins_away"] == "gate"


def test_without_it_its_setting_is_an_unknown_one(home: Path, tmp_path: Path) -> None:
    (home / "config.toml").write_text('[hello]\nname = "Ada"\n')
    done = q1lab(tmp_path, "config", code=2)
    assert "there is no setting 'hello'" in done.stderr

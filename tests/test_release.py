"""A release's files agree with each other, and name what is there."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from q1lab import __version__
from tests.kit.places import ROOT

GITHUB = ROOT / ".github"


def test_the_version_is_one() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changelog is not None
    assert changelog[1] == __version__


def test_issue_forms_have_what_github_asks_for() -> None:
    forms = [file for file in (GITHUB / "ISSUE_TEMPLATE").iterdir() if file.name != "config.yml"]
    assert len(forms) == 3
    for file in forms:
        form = yaml.safe_load(file.read_text())
        assert {"name", "description", "body"} <= set(form)
        ids = [part["id"] for part in form["body"]]
        assert len(set(ids)) == len(ids)
        assert all(part["attributes"]["label"] for part in form["body"])


MENDED_IN = {
    "torch": ("2.6", "CVE-2025-32434"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "gitpython": ("3.1.41", "CVE-2024-22190"),
    "markdown-it-py": ("2.2", "CVE-2023-26302"),
    "scipy": ("1.10", "CVE-2023-25399"),
    "numpy": ("1.22", "CVE-2021-41495"),
}
"""The first release without the newest hole that matters to q1lab, and the hole's number."""


@pytest.mark.parametrize("name", MENDED_IN)
def test_no_release_with_a_known_hole_is_admitted(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = {need.name: need for need in map(Requirement, project["dependencies"])}
    floor = next(each.version for each in needs[name].specifier if each.operator == ">=")
    mended, hole = MENDED_IN[name]
    assert Version(floor) >= Version(mended), f"pip may install {name} {floor}, with {hole}"

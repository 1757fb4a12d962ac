"""A release's files agree with each other, and name what is there."""

from __future__ import annotations

import re

import yaml

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

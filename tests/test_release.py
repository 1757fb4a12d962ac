"""A release's files agree with each other, and name what is there."""

from __future__ import annotations

import re
import tomllib

import yaml

from q1lab import __version__
from tests.kit.places import ROOT

GITHUB = ROOT / ".github"


def test_the_version_is_one() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changelog is not None
    assert changelog[1] == __version__


def test_the_checks_run_on_the_pythons_that_the_wheel_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {line.rpartition(" ")[2] for line in project["classifiers"] if ":: 3." in line}
    checks = yaml.safe_load((GITHUB / "workflows" / "checks.yml").read_text())["jobs"]
    assert set(checks["tests"]["strategy"]["matrix"]["python"]) == named
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    steps = [step.get("run", "") for job in checks.values() for step in job["steps"]]
    used = {word for step in steps if step.startswith("make ") for word in step.split()[1:]}
    assert used
    assert used <= targets


def test_only_the_job_that_publishes_can_and_it_keeps_no_token() -> None:
    release = yaml.safe_load((GITHUB / "workflows" / "release.yml").read_text())
    assert release["permissions"] == {"contents": "read"}
    jobs = release["jobs"]
    assert [name for name, job in jobs.items() if "permissions" in job] == ["publish"]
    assert "secrets" not in (GITHUB / "workflows" / "release.yml").read_text()


def test_issue_forms_have_what_github_asks_for() -> None:
    forms = [file for file in (GITHUB / "ISSUE_TEMPLATE").iterdir() if file.name != "config.yml"]
    assert len(forms) == 3
    for file in forms:
        form = yaml.safe_load(file.read_text())
        assert {"name", "description", "body"} <= set(form)
        ids = [part["id"] for part in form["body"]]
        assert len(set(ids)) == len(ids)
        assert all(part["attributes"]["label"] for part in form["body"])

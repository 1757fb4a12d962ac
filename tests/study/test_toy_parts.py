"""A trainer and a design of another package go all the way: from `run` to verdict, lab, page,
table, bundle and `verify`, and no file of q1lab knows them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from q1lab.ground import plugin_finder
from q1lab.study import part_registry
from q1lab.tui.screens.verdict import VerdictScreen
from q1lab.tui.widgets.run_grid import RunGrid
from tests.kit import toy_parts
from tests.kit.lab_home import app, open_lab, until, words
from tests.kit.places import ROOT
from tests.kit.repos import begun, of_its_own

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    site.mkdir()
    toy_parts.install(site)
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{ROOT}")
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    folder = tmp_path / "mine"
    begun(folder, {"README.md": "mine\n"})
    monkeypatch.chdir(folder)
    return folder


def forget_plugins() -> None:
    for kept in (plugin_finder.named_plugins, part_registry.kinds_of, part_registry.part_class):
        kept.cache_clear()


def q1lab(*words: str, code: int = 0) -> str:
    """The output of a command in its own process, with the entry points of its path."""
    done = subprocess.run(
        [sys.executable, "-m", "q1lab", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_from_the_run_to_a_stranger_s_check(folder: Path) -> None:
    shown = q1lab("run", "toy:2.5", "--seeds", "agreed:3")
    assert "HELPS" in shown
    assert "points" in shown
    assert "nats" not in shown
    (study,) = json.loads(q1lab("status", "--json"))["studies"]
    assert study["state"] == "finished"
    name = study["study"]
    plan = json.loads(
        (Path(os.environ["Q1LAB_HOME"]) / "studies" / name / "study.json").read_text()
    )
    assert (plan["trainer"], plan["design"], plan["by"]) == ("points", "agreed", 2.5)
    assert plan["looks"] == [[0, 1, 2]], "over at the first three pairs"

    comparison = json.loads(q1lab("compare", name, "--json"))
    assert comparison["verdict"] == "helps"
    page = folder / "page.html"
    q1lab("compare", name, "--html", str(page))
    assert "higher is better" in page.read_text()
    q1lab("export", name, "--output", "runs.csv")
    rows = list(csv.DictReader(io.StringIO((folder / "runs.csv").read_text())))
    assert {(row["metric"], row["unit"], row["better"]) for row in rows} == {
        ("score", "points", "higher")
    }
    assert f"{name}" in q1lab("status")
    q1lab("keep", name, "--yes")
    checked = q1lab("verify", f"studies/{name}", "--all")
    assert "verified" in checked
    assert "6 of 6 runs" in checked


async def test_the_lab_shows_its_runs_and_its_verdict(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder.parent / "site"))
    forget_plugins()
    q1lab("run", "toy:2.5", "--seeds", "agreed:3")
    opened = app()
    async with opened.run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        grid = screen.query_one(RunGrid)
        await until(pilot, lambda: grid.row_count == 6)
        assert "score" in str([column.label for column in grid.columns.values()])
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, VerdictScreen))
        await until(pilot, lambda: "HELPS" in words(opened))
    forget_plugins()


def test_what_it_refuses_is_one_line(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "q1lab", "run", "toy:many"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "give a number, such as toy:2.5" in done.stderr


def test_where_it_is_not_installed_any_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    q1lab("run", "toy:2.5", "--seeds", "3")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-m", "q1lab", "compare"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "study.json has the trainer 'points', of a plug-in that is not here" in done.stderr


def test_no_file_of_q1lab_knows_them() -> None:
    text = "".join(file.read_text() for file in (ROOT / "q1lab").rglob("*.py"))
    assert "toy_parts" not in text
    assert '"points"' not in text
    assert '"agreed"' not in text

"""An engine that the core has never heard of, by the commands a person types: plan, run, watch,
stop, go on, status."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from q1lab.runner import launch
from q1lab.study import studies
from q1lab.study.events import has_ended
from tests.kit.engines import toy
from tests.kit.engines.client import RUN, events, is_submitted, lost_and_doubled, q1lab, status_of
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The value for ``--engine``, with the package that has it on Python's path."""
    site, place = tmp_path / "site", tmp_path / "toys"
    site.mkdir()
    place.mkdir()
    toy.install(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return f"toy={place}"


def test_a_study_from_plan_to_verdict(engine: str) -> None:
    done = q1lab(*RUN, "--seeds", "2", "--engine", engine, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]
    study = studies.load("rope-1")
    assert lost_and_doubled(study) == (1, 0, 0)
    assert status_of().engine == engine
    done = q1lab("doctor", "--engine", engine)
    assert done.returncode == 0, done.stderr
    assert f"folder           {engine.partition('=')[2]}" in done.stdout.replace(
        "\n" + " " * 17, ""
    )


def test_stop_and_go_on_by_what_was_printed(engine: str) -> None:
    done = q1lab(*RUN, "--seeds", "1", "--engine", engine, "--detach", pause=3.0)
    assert done.returncode == 0, done.stderr
    study = studies.load("rope-1")
    wait_for(lambda: is_submitted(study) and events(study, "baseline-seed0"))
    line = next(row for row in q1lab("status").stdout.splitlines() if "baseline seed 0" in row)
    assert "running" in line
    assert "waits" not in line, "it was seen waiting before it began"
    waiting = f"running on {engine}: waits: the toy has one hand (1 run)"
    wait_for(lambda: waiting in q1lab("status").stdout, waiting)
    assert q1lab("stop").returncode == 0
    assert not launch.is_alive(study.files)
    left = q1lab("attach")
    assert left.returncode == 3
    words = shlex.split(left.stderr.partition(": q1lab ")[2].splitlines()[0])
    assert words[-2:] == ["--engine", engine]
    missing = [run.name for run in study.runs if not has_ended(study.files.run(run.name).events)]
    done = q1lab(*words)
    assert done.returncode == 0, done.stderr
    assert studies.ids() == ["rope-1"]
    assert set(status_of().job.cells) == set(missing)
    assert lost_and_doubled(study)[1:] == (0, 0)


def test_a_planned_range_and_a_sweep(engine: str) -> None:
    options = ("--engine", engine, "--json")
    done = q1lab(*RUN, "--seeds", "3..12", *options, effect=-5, noise=0.001)
    assert json.loads(done.stdout)["verdict"] == "helps", done.stderr
    assert len(studies.load("rope-1").seeds) == 3
    done = q1lab("run", "rmsnorm", "swiglu", *RUN[2:], "--seeds", "1", *options)
    assert [row["comparison"]["complete"] for row in json.loads(done.stdout)["members"]] == [
        True
    ] * 2


def test_an_engine_that_is_not_installed_any_more(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its finished runs stay; a command for missing runs says why it cannot go on."""
    assert q1lab(*RUN, "--seeds", "1", "--engine", engine).returncode == 0
    monkeypatch.delenv("PYTHONPATH")
    assert "rope-1: rope against baseline" in q1lab("status").stdout
    assert q1lab("compare", "rope-1").returncode == 0
    done = q1lab(*RUN, "--seeds", "2", "--engine", engine)
    assert done.returncode == 2
    assert "no such engine" in done.stderr


def test_an_engine_that_is_broken_is_one_line(engine: str) -> None:
    site = Path(os.environ["PYTHONPATH"])
    (site / "toy_engine-1.dist-info" / "entry_points.txt").write_text(
        "[q1lab.plugins]\ntoy = no_such_module:PLUGIN\n"
    )
    done = q1lab(*RUN, "--seeds", "1", "--engine", engine)
    assert done.returncode == 2
    assert "there is no such engine" in done.stderr
    assert "the plug-in toy is left out: " in done.stderr
    assert "'no_such_module'" in done.stderr

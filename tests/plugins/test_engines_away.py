"""q1lab without a plug-in that has an engine: the rest works, and a study that was made there is
listed, whole, with one line that says why it can't go on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from q1lab.study import studies
from q1lab.study.engine_choice import EngineChoice, engine_usages
from tests.kit.lab_home import finish, make_study
from tests.kit.places import KIT, ROOT

ADDRESS = {"ray": "http://127.0.0.1:8265"}
RUN = ("run", "rope", "--seeds", "1", "--preset", "quick", "--max-iters", "20")
NAMES = ("notebook", "ray", "slurm")


@pytest.fixture(params=NAMES)
def away(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an engine; commands run in a copy of q1lab that lacks its plug-in."""
    name: str = request.param
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "q1lab", copy / "q1lab")
    for folder in ("labs", "content"):
        (copy / folder).symlink_to(ROOT / folder)
    shutil.rmtree(copy / "q1lab" / "plugins" / name)
    monkeypatch.setenv("PYTHONPATH", str(copy))
    monkeypatch.setenv("Q1LAB_TRAINER", f"{sys.executable} {KIT / 'fake_train.py'}")
    monkeypatch.setenv("Q1LAB_PROBE", f"{sys.executable} {KIT / 'fake_probe.py'}")
    return name


def q1lab(*words: str, code: int | None = 0) -> str:
    """What a command prints. It shows no traceback."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "q1lab", *words],
        cwd=studies.paths.ensure_home(),
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown
    assert code in (None, done.returncode), shown
    return " ".join(shown.split())


def typed(name: str) -> str:
    """The value of ``--engine``."""
    return f"{name}={ADDRESS[name]}" if name in ADDRESS else name


def at(name: str, study: studies.Study) -> studies.Study:
    """The study, planned for that engine."""
    choice = EngineChoice(typed(name), name, ADDRESS.get(name, ""))
    study = replace(study, trainer=replace(study.trainer, engine=choice))
    studies.save(study)
    return study


def test_its_words_are_gone_and_everything_else_is_there(away: str) -> None:
    assert "q1lab run" in q1lab("--help")
    q1lab("status")
    assert "problem" in q1lab("doctor", code=None) or "All good." in q1lab("doctor", code=None)
    shown = q1lab("run", "--help") + q1lab("doctor", "--help") + q1lab("export", "--help")
    for usage in engine_usages():
        assert (usage in shown) == (usage.partition("=")[0] != away)


def test_a_study_that_was_trained_there_is_whole(away: str) -> None:
    study = at(away, make_study())
    finish(study)
    before = study.files.plan.read_bytes()
    assert study.id in q1lab("status")
    assert "%" in q1lab("compare", study.id)
    assert study.files.plan.read_bytes() == before


def test_what_needs_it_says_so_in_one_line(away: str) -> None:
    q1lab(*RUN, "--engine", "local")
    study = at(away, studies.load("rope-1"))
    shutil.rmtree(study.files.run("modified-seed0").root)
    assert study.id in q1lab("status")
    assert f"the engine {away!r} is of a plug-in that is not here" in q1lab("run", study.id, code=2)
    for command in (RUN, ("doctor",)):
        shown = q1lab(*command, "--engine", typed(away), code=2)
        assert f"--engine {typed(away)}: there is no such engine" in shown
    assert '"complete": true' in q1lab(*RUN, "--engine", "local", "--json"), "it goes on here"
    assert studies.ids() == ["rope-1"]

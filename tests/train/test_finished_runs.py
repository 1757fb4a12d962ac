"""The files that make the trainer's version."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.train import finished_runs

LOADED = """
import importlib, json, sys
importlib.import_module("labs." + sys.argv[1])
modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "labs"]
print(json.dumps(sorted(module.__file__ for module in modules)))
"""


@pytest.mark.parametrize("program", ["train", "loop"])
def test_the_trainers_version_is_of_the_files_that_it_really_imports(program: str) -> None:
    if program == "train":
        pytest.importorskip("torch")
    folder = paths.models_dir().parents[1]
    words = [sys.executable, "-c", LOADED, program]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    assert [str(file) for file in finished_runs.lab_files(program)] == json.loads(done.stdout)


def test_a_file_that_trains_nothing_leaves_baselines_reusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = tmp_path / "labs"
    labs.mkdir()
    files = {
        "train.py": "import labs.loss\nfrom labs import steps as one\n",
        "loss.py": "def f():\n    from . import deep\n",
        "steps.py": "from labs.more import x\nfrom labs.models.rope import y\n",
        "deep.py": "",
        "more.py": "no Python (",
    }
    for name, text in files.items():
        (labs / name).write_text(text)
    monkeypatch.setattr(paths, "models_dir", lambda: labs / "models")
    monkeypatch.setattr(finished_runs, "trainer_version", finished_runs.trainer_version.__wrapped__)
    before = finished_runs.trainer_version("own")
    (labs / "sampler.py").write_text("from labs import loss\n")
    (labs / "check.py").write_text("print(1)\n")
    assert finished_runs.trainer_version("own") == before
    for name, text in files.items():
        (labs / name).write_text(f"{text}\n# another\n")
        assert finished_runs.trainer_version("own") != before, name
        (labs / name).write_text(text)

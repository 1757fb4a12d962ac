"""labs/colab.ipynb, run by nbconvert as on a machine without google.colab, in an environment of its
own; then the archive that it ends with is restored at home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.kit.commands import q1lab
from tests.kit.faults import corpus
from tests.kit.places import ROOT

NOTEBOOK = ROOT / "labs" / "colab.ipynb"
RUN = " --seeds 3 --preset {PRESET}"
SHORT = " --max-iters 20 --set n_layer=1 --set n_embd=16 --set n_head=2 --set block_size=16"


def cells() -> list[str]:
    """The code of the notebook's cells."""
    notebook = json.loads(NOTEBOOK.read_text())
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_it_has_six_cells_in_order_without_outputs() -> None:
    order = ("nvidia-smi", "ADDRESS", "pip install", "q1lab run", "q1lab compare", "q1lab export")
    assert len(cells()) == len(order)
    for cell, word in zip(cells(), order, strict=True):
        assert word in cell
    assert not any(cell.get("outputs") for cell in json.loads(NOTEBOOK.read_text())["cells"])


def environment(folder: Path) -> Path:
    """A new environment with pip; what q1lab needs is borrowed from the one that runs the tests.
    Returns its Python."""
    venv.create(folder, with_pip=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("-packages")]
    (site / "borrowed.pth").write_text("".join(f"{path}\n" for path in borrowed))
    return folder / "bin" / "python"


def run_notebook(folder: Path, home: Path, **settings: str) -> str:
    """Run the notebook in ``folder`` with other settings and a short training; returns what it
    printed."""
    text = NOTEBOOK.read_text()
    for name, value in settings.items():
        before, _, rest = text.partition(f"{name} = ")
        text = f"{before}{name} = {json.dumps(value)[1:-1]}{rest[rest.index('  #') :]}"
    text = text.replace(RUN, RUN + SHORT)
    (folder / "colab.ipynb").write_text(text)
    python = environment(folder / "env")
    command = [python, "-m", "nbconvert", "--execute", "--to", "notebook", "--output", "done"]
    done = subprocess.run(
        [*command, "colab.ipynb"],
        cwd=folder,
        env={
            **{key: one for key, one in os.environ.items() if key != "PYTHONPATH"},
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "Q1LAB_HOME": str(home),
            "WANDB_MODE": "disabled",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outputs = [
        cell.get("outputs", []) for cell in json.loads((folder / "done.ipynb").read_text())["cells"]
    ]
    return "".join("".join(one.get("text", "")) for each in outputs for one in each)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", ["wheel", "clone"])
def test_it_trains_and_its_archive_is_restored_at_home(
    tmp_path: Path, home: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nbconvert", reason="`pip install --group notebook` runs notebooks")
    pytest.importorskip("ipykernel", reason="`pip install --group notebook` runs notebooks")
    folder, away = tmp_path / "content", tmp_path / "away"
    folder.mkdir()
    settings = {"PRESET": '"quick"', "DATA": f'"{corpus(tmp_path)}"'}
    if source == "wheel":
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
        subprocess.run([*build, str(folder), str(ROOT)], check=True, capture_output=True)
        for name, model in (("model", "baseline"), ("mine", "rope")):
            shutil.copy(ROOT / "labs" / "models" / f"{model}.py", folder / f"{name}.py")
        settings |= {"MODIFIED": '"./mine.py"', "BASELINE": '"./model.py"'}
    else:
        settings |= {"ADDRESS": f'"file://{ROOT}"'}
    printed = run_notebook(folder, away, **settings)
    assert f"q1lab comes from {'q1lab-' if source == 'wheel' else './q1lab-clone'}" in printed
    assert "6 of 6 runs" in printed or "finished" in printed
    monkeypatch.setenv("Q1LAB_HOME", str(away))
    there = json.loads(q1lab("compare", "--json").stdout)
    monkeypatch.setenv("Q1LAB_HOME", str(home))
    q1lab("restore", str(folder / "study.zip"))
    here = json.loads(q1lab("compare", "--json").stdout)
    assert here["arms"] == there["arms"]
    assert here["n"] == 3

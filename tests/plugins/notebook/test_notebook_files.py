"""A study as a notebook or a zip: it trains where q1lab is not, and comes back into its plan."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.study import studies
from tests.kit.commands import q1lab
from tests.kit.faults import small_disk
from tests.kit.places import KIT, ROOT

pytestmark = pytest.mark.slow

__all__ = ["small_disk"]

TINY = (
    "--preset",
    "quick",
    "--max-iters",
    "6",
    "--set",
    "n_layer=1",
    "--set",
    "n_embd=16",
    "--set",
    "block_size=16",
    "--set",
    "eval_windows=4",
)


def invoke(*arguments: str) -> tuple[int, str]:
    """The exit status and the output of a q1lab command."""
    done = q1lab(*arguments, code=None)
    return done.returncode, done.stdout + done.stderr


def record(out: str) -> dict[str, Any]:
    """The JSON in the output of a command, without the lines around it."""
    printed: dict[str, Any] = json.JSONDecoder().raw_decode(out, out.index("{"))[0]
    return printed


def test_it_trains_without_q1lab_and_fills_the_plan(tmp_path: Path) -> None:
    """The real trainer, in a folder of its own, gives the same numbers bit for bit."""
    engine = ("--engine", "notebook", "--device", "cpu")
    assert invoke("run", "rope", "--seeds", "1", *TINY, *engine)[0] == 0
    file = tmp_path / "away.zip"
    assert invoke("export", "--format", "notebook", "--output", str(file))[0] == 0
    away = tmp_path / "away"
    with zipfile.ZipFile(file) as packed:
        packed.extractall(away)
    done = subprocess.run(
        [sys.executable, "-I", "train.py"],
        cwd=away,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (away / "q1lab").exists()
    code, out = invoke("import", str(away / "rope-1-results.zip"), "--json")
    assert code == 0, out
    assert studies.ids() == ["rope-1"]
    trained_away = record(out)
    assert trained_away["complete"]
    code, out = invoke(
        "run",
        "rope",
        "--seeds",
        "1",
        *TINY,
        "--device",
        "cpu",
        "--fresh",
        "--json",
        "--engine",
        "local",
        "--dtype",
        "fp32",
    )
    trained_locally = record(out)
    for arm in studies.ARMS:
        assert trained_locally["arms"][arm]["values"] == trained_away["arms"][arm]["values"]


def away_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *export: str, **how: Any
) -> subprocess.CompletedProcess[str]:
    """Export the latest study as a zip, and train it in ``folder`` with the trainer without torch
    in its trainer's place."""
    file = folder.with_suffix(".zip")
    assert invoke("export", "--format", "notebook", *export, "--output", str(file))[0] == 0
    with zipfile.ZipFile(file) as packed:
        packed.extractall(folder)
    shutil.copy(KIT / "fake_train.py", folder / "labs" / "train.py")
    monkeypatch.setenv("FAKE_TRAIN", json.dumps(how))
    return subprocess.run(
        [sys.executable, "-I", "train.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.mark.parametrize(
    ("how", "pairs"),
    [({"effect": -0.5, "noise": 0.001}, 3), ({"effect": 0.0, "noise": 0.5}, 4)],
)
def test_a_planned_range_looks_where_it_trains(
    fake_trainer: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: dict[str, float],
    pairs: int,
) -> None:
    assert invoke("run", "rope", "--seeds", "3..4", "--engine", "notebook")[0] == 0
    done = away_with(tmp_path / "away", monkeypatch, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    results = str(tmp_path / "away" / "rope-1-results.zip")
    trained = len(list((tmp_path / "away" / "studies" / "rope-1" / "runs").iterdir()))
    assert trained == 2 * pairs
    code, out = invoke("import", results, "--json")
    assert code == 0, out
    assert record(out)["complete"]
    assert len(studies.load("rope-1").seeds) == pairs
    code, out = invoke("import", results)  # again: nothing is taken, and no second study is made
    assert code == 0, out
    assert "no new runs" in out
    assert studies.ids() == ["rope-1"]


def test_a_planned_range_counts_the_pairs_that_ended_here(
    fake_trainer: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pairs were trained on an earlier day: the third is the first look."""
    how = {"effect": -0.5, "noise": 0.001}
    assert invoke("run", "rope", "--seeds", "3..12", "--engine", "notebook")[0] == 0
    monkeypatch.setenv("FAKE_TRAIN", json.dumps(how))
    study = studies.load("rope-1")
    for run in study.runs[:4]:
        command = [sys.executable, str(KIT / "fake_train.py"), str(study.files.root)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([*command, "--only", run.name], env=env, check=True)
    done = away_with(tmp_path / "away", monkeypatch, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "modified-seed2 finished" in done.stdout
    assert "baseline-seed3 is not needed" in done.stdout
    code, out = invoke("import", str(tmp_path / "away" / "rope-1-results.zip"))
    assert code == 0, out
    assert len(studies.load("rope-1").seeds) == 3


def test_it_says_what_it_was_planned_with_and_what_is_there(
    fake_trainer: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("run", "rope", "--seeds", "1", "--engine", "notebook")[0] == 0
    done = away_with(tmp_path / "away", monkeypatch)
    versions = studies.load("rope-1").trainer.versions
    planned = f"planned with Python {versions['python']}, torch {versions['torch']}"
    assert planned in done.stdout
    assert f"with Python {platform.python_version()}, torch" in done.stdout
    pinned = (tmp_path / "away" / "requirements.txt").read_text()
    assert pinned == f"torch=={versions['torch'].partition('+')[0]}\n"
    assert invoke("export", "--format", "notebook", "--output", str(tmp_path))[0] == 0
    assert planned in (tmp_path / "rope-1.ipynb").read_text()


def test_the_notebook_is_one(fake_trainer: Callable[..., None], tmp_path: Path) -> None:
    assert invoke("run", "rope", "--seeds", "2", "--engine", "notebook")[0] == 0
    code, out = invoke("export", "--format", "notebook", "--output", str(tmp_path))
    assert code == 0, out
    book = json.loads((tmp_path / "rope-1.ipynb").read_text())
    assert book["nbformat"] == 4
    sources = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    for source in sources:
        compile(source.replace("!python", "# python"), "cell", "exec")
    space: dict[str, Any] = {}
    place = "import os; os.chdir(" + repr(str(tmp_path)) + ")\n"
    exec(place + sources[1], space)  # the cell that unpacks
    assert (tmp_path / "q1lab-rope-1" / "train.py").is_file()
    assert (tmp_path / "q1lab-rope-1" / "studies" / "rope-1" / "study.json").is_file()
    assert str(ROOT) not in json.dumps(book)


def test_results_of_another_plan_stay_apart(
    fake_trainer: Callable[..., None], tmp_path: Path
) -> None:
    assert invoke("run", "rope", "--seeds", "1", "--max-iters", "20")[0] == 0
    folder = studies.load("rope-1").files.root
    copy = tmp_path / "rope-1"
    subprocess.run(["cp", "-r", str(folder), str(copy)], check=True)
    code, out = invoke("import", str(copy))
    assert code == 0, out
    assert "no new runs" in out
    plan = json.loads((copy / "study.json").read_text())
    plan["config"]["learning_rate"] = 0.5
    (copy / "study.json").write_text(json.dumps(plan))
    code, out = invoke("import", str(copy))
    assert code == 0, out
    assert studies.ids() == ["rope-1", "rope-2"]


@pytest.mark.parametrize("name", ["x.zip", "empty.zip", "folder.zip"])
def test_a_zip_that_is_none(home: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    if name == "folder.zip":
        file.mkdir()
    elif name == "empty.zip":
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("../../evil", "x")
    else:
        file.write_bytes(b"PK not really")
    code, out = invoke("import", str(file))
    assert code in (1, 2)
    assert "Traceback" not in out
    assert len(out.strip().splitlines()) == 1


def test_results_with_a_damaged_or_foreign_file_are_one_line(
    fake_trainer: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("run", "rope", "--seeds", "1", "--engine", "notebook")[0] == 0
    assert away_with(tmp_path / "away", monkeypatch).returncode == 0
    file = tmp_path / "away" / "rope-1-results.zip"
    with zipfile.ZipFile(file) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    events = "runs/baseline-seed0/events.jsonl"
    bad = {
        f"{events} is not": {events: contents[events].replace(b"0", b"1", 1)},
        "'../../beside'": {"../../beside": b"not q1lab's"},
    }
    for message, changed in bad.items():
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
            for member, data in {**contents, **changed}.items():
                packed.writestr(member, data)
        code, out = invoke("import", str(tmp_path / "bad.zip"))
        assert (code, len(out.strip().splitlines())) == (1, 1)
        assert message in out
    assert studies.ids() == ["rope-1"]


def lying_zip(file: Path, size: int, *, says: int | None = None) -> Path:
    """A zip whose plan is ``size`` bytes of nothing, and of ``says`` bytes by its list."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("study.json", bytes(size))
    data = file.read_bytes()
    if says is not None:
        at = data.index(b"PK\x01\x02") + 24
        data = data[:at] + says.to_bytes(4, "little") + data[at + 4 :]
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("says", [None, 1000])
def test_a_zip_that_would_fill_the_disk_is_refused_before_it_does(
    small_disk: Path, tmp_path: Path, says: int | None
) -> None:
    """4 MB are there; it holds 40, or says that it holds 1,000 bytes."""
    file = lying_zip(tmp_path / "x.zip", 40 << 20, says=says)
    assert file.stat().st_size < 100_000
    code, out = invoke("import", str(file))
    assert code == 1
    assert len(out.strip().splitlines()) == 1
    assert ("no room" if says is None else "can't be unpacked") in out
    assert not list((small_disk / "home").glob(".take-in*"))


def test_a_study_for_a_notebook_is_not_trained_here(
    fake_trainer: Callable[..., None], tmp_path: Path
) -> None:
    code, out = invoke("run", "rope", "--seeds", "1", "--engine", "notebook")
    assert code == 0
    assert "nothing trains" in out
    assert studies.load("rope-1").trainer.device == "cuda"
    code, out = invoke("status")
    assert (
        "next: q1lab export rope-1 --format notebook · then q1lab import rope-1-results.zip" in out
    )
    code, out = invoke(
        "export", "--format", "notebook", "rope-1", "--output", str(tmp_path / "x.txt")
    )
    assert code == 2
    assert ".ipynb or .zip" in out


@pytest.mark.parametrize(
    ("options", "device", "dtype"),
    [
        ((), "cuda", "fp16"),
        (("--preset", "gpu"), "cuda", "fp16"),
        (("--preset", "quick"), "cpu", "fp32"),
        (("--preset", "quick", "--device", "cuda", "--dtype", "bf16"), "cuda", "bf16"),
    ],
)
def test_it_is_planned_for_the_device_of_its_preset(
    fake_trainer: Callable[..., None], options: tuple[str, ...], device: str, dtype: str
) -> None:
    """And with the number format that every such device has."""
    code, out = invoke("run", "rope", "--seeds", "1", "--engine", "notebook", *options)
    assert code == 0
    assert (
        studies.load("rope-1").trainer.device,
        studies.load("rope-1").trainer.number_format,
    ) == (device, dtype)
    assert ("about" in out) == (device == "cpu")  # nobody knows how fast that GPU is


def test_a_machine_that_lacks_the_device_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    engine = ("--engine", "notebook", "--device", "cuda")
    assert invoke("run", "rope", "--seeds", "1", *TINY, *engine)[0] == 0
    file = tmp_path / "away.zip"
    assert invoke("export", "--format", "notebook", "--output", str(file))[0] == 0
    with zipfile.ZipFile(file) as packed:
        packed.extractall(tmp_path / "away")
    command = [sys.executable, "-I", "train.py", "baseline-seed0"]
    done = subprocess.run(
        command, cwd=tmp_path / "away", capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 1
    assert re.search(r"cuda fp16: .*: cpu\b", done.stdout)


@pytest.mark.long  # as a study of two files, which CI trains
def test_a_study_of_a_file_against_itself_draws_with_other_seeds_there_too(tmp_path: Path) -> None:
    """The plan holds the seeds that an arm draws with; results come back under the plan's names."""
    engine = ("--engine", "notebook", "--device", "cpu")
    assert invoke("run", "baseline", "--seeds", "1", *TINY, *engine)[0] == 0
    file = tmp_path / "away.zip"
    assert invoke("export", "--format", "notebook", "--output", str(file))[0] == 0
    away = tmp_path / "away"
    with zipfile.ZipFile(file) as packed:
        packed.extractall(away)
    command = [sys.executable, "-I", "train.py"]
    done = subprocess.run(command, cwd=away, capture_output=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    code, out = invoke("import", str(away / "baseline-1-results.zip"), "--json")
    assert code == 0, out
    arms = record(out)["arms"]
    assert arms["baseline"]["sha256"] == arms["modified"]["sha256"]
    assert arms["baseline"]["values"]["0"] != arms["modified"]["values"]["0"]

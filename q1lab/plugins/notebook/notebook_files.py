"""A study as a notebook (or a zip with one script) that trains without q1lab: for Colab, Kaggle,
or any machine with PyTorch.

Source, config and data are inside, pinned by their hashes. The notebook writes a zip with the plan
and the events; ``q1lab import`` copies these into the study that was planned here.
"""

from __future__ import annotations

import base64
import io
import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import read_bytes
from q1lab.ground.text_formats import plural
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.study import bundle, corpora, seed_range
from q1lab.study.events import closing_exit
from q1lab.study.run_states import ENDED
from q1lab.study.studies import Study

SCRIPT = '''\
"""Train {study}: python train.py [RUN ...]. Needs PyTorch and nothing else.

A run that was interrupted goes on from its checkpoint. {study}-results.zip is what
`q1lab import` takes.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
import platform
import subprocess
import sys
import types
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import looks  # when a planned range is over; it comes with this script

STUDY = HERE / "studies" / "{study}"
PLAN = types.SimpleNamespace(
    **{{
        **{{"range": None, "prediction": None, "to_the_end": False}},
        **json.loads((STUDY / "study.json").read_text()),
    }}
)
RUNS = {runs}
ENDED = {ended}
PLANNED_WITH = {versions}


def last_word(run):
    """State and loss of a run that has ended, there or here; None for another."""
    if run in ENDED:
        return ENDED[run]
    events = STUDY / "runs" / run / "events.jsonl"
    lines = events.read_text().splitlines() if events.exists() else []
    try:
        last = json.loads(lines[-1]) if lines else {{}}
    except ValueError:  # it was broken off in mid-line
        last = {{}}
    ended = last.get("type") == "exit" and last["state"] in ("finished", "diverged")
    return [last["state"], last.get("val_loss")] if ended else None


def is_known():
    """True if a planned range is over: the pairs that have ended say enough."""
    planned, pairs = PLAN.range and looks.SeedRange(**PLAN.range), []
    if planned and PLAN.to_the_end:
        planned = dataclasses.replace(planned, futility=())
    for seed in (seed for batch in PLAN.looks for seed in batch):
        words = [last_word(f"{{arm}}-seed{{seed}}") for arm in ("baseline", "modified")]
        if None in words:
            break
        losses = [loss for state, loss in words if state == "finished"]
        pairs.append(losses[1] - losses[0] if len(losses) == 2 else None)
    delta = looks.smallest_that_matters(PLAN.prediction)
    return planned is not None and looks.over_after(planned, pairs, delta) is not None


def train(run):
    """One run in a process of its own; its last word."""
    command = [sys.executable, "-m", "labs.train", str(STUDY), "--only", run]
    print(run, "...", flush=True)
    code = subprocess.call(command, cwd=HERE)
    events = (STUDY / "runs" / run / "events.jsonl").read_text().splitlines()
    last = json.loads(events[-1])
    print(run, last.get("state"), last.get("val_loss", last.get("message")), flush=True)
    return code


def pack():
    """The archive that goes home, with a list of hashes: the plan, and each run's events."""
    names = ["study.json", *(f"runs/{{run}}/events.jsonl" for run in RUNS)]
    files = {{name: (STUDY / name).read_bytes() for name in names if (STUDY / name).exists()}}
    hashes = {{name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
    about = {{"v": {format}, "study": "{study}", "files": hashes}}
    file = HERE / "{study}-results.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in {{"{list}": json.dumps(about).encode(), **files}}.items():
            out.writestr(name, data)
    print("wrote", file)
    return file


if __name__ == "__main__":
    wanted = sys.argv[1:] or RUNS
    unknown = sorted(set(wanted) - set(RUNS))
    if unknown:
        sys.exit(f"no run called {{unknown[0]}}; there are: {{', '.join(RUNS)}}")
    try:
        here = f"torch {{importlib.metadata.version('torch')}}"
    except importlib.metadata.PackageNotFoundError:
        sys.exit("PyTorch is not installed here: pip install -r requirements.txt")
    python = platform.python_version()
    print(f"with Python {{python}}, {{here}}; planned with {{PLANNED_WITH}}", flush=True)
    codes = []
    for run in wanted:
        if wanted is RUNS and is_known():
            print(run, "is not needed: the study is known with the pairs that have ended")
            break
        codes.append(train(run))
    pack()
    sys.exit(1 if any(codes) else 0)
'''


def export(store: Store, study: Study, suffix: str) -> bytes:
    """The runs that a study lacks, as a notebook or, for ``.zip``, with one script. OSError if the
    study's data is not here any more."""
    if not study.model_files:
        raise Problem(f"{study.id} trains by a command, and a notebook can't run that")
    ingest_events.ingest_study(store, study)
    missing = store.missing_runs(study)
    if not missing:
        raise Problem(f"{study.id} is complete; there is nothing to train")
    if suffix == ".zip":
        return notebook_zip(study, missing)
    return notebook_json(study, missing).encode()


def notebook_zip(study: Study, runs: list[str]) -> bytes:
    """The zip file: plan, model files, data, trainer, and ``train.py``, which trains ``runs``. For
    a planned range that script trains pair after pair and stops when the range ends, as a runner
    here does. OSError if the study's data is not here any more."""
    # W&B and the repository belong to this machine
    trainer, origin = replace(study.trainer, wandb="disabled"), replace(study.origin, repo=None)
    plan = replace(study, trainer=trainer, origin=origin)
    bundle_files = bundle.core_files(study, plan=plan)
    files = {f"studies/{study.id}/{name}": content for name, content in bundle_files.items()}
    files[study.data.file] = read_bytes(paths.home() / study.data.file, corpora.LARGEST_CORPUS)
    labs = paths.models_dir().parent
    for file in sorted(labs.rglob("*.py")):
        place = file.relative_to(labs)
        if place.parts[0] not in ("checks", "engines", "models"):
            files[f"labs/{place}"] = file.read_bytes()
    files["looks.py"] = Path(seed_range.__file__).read_bytes()
    files["requirements.txt"] = f"{_requirement(study)}\n".encode()
    files["train.py"] = SCRIPT.format(
        study=study.id,
        runs=json.dumps(runs),
        ended=repr(_ended(study)),
        versions=json.dumps(_versions(study)),
        list=bundle.LIST_NAME,
        format=bundle.FORMAT,
    ).encode()
    block = io.BytesIO()
    bundle.write_zip(block, files)
    return block.getvalue()


def runs_text(study: Study, runs: list[str]) -> str:
    """The number of runs to train, in words; an upper bound for a planned range."""
    return f"{'up to ' if study.design.is_sequential else ''}{plural(len(runs), 'run')}"


def _ended(study: Study) -> dict[str, tuple[str, float | None]]:
    """(state, val loss) of each run that has ended here: a planned range counts their pairs,
    too."""
    ends = {run.name: closing_exit(study.files.run(run.name).events) for run in study.runs}
    return {
        name: (end["state"], end.get("val_loss"))
        for name, end in ends.items()
        if end is not None and end["state"] in ENDED
    }


def _versions(study: Study) -> str:
    """The Python and torch that the study was planned with, for people."""
    versions = study.trainer.versions
    return f"Python {versions.get('python', '?')}, torch {versions.get('torch', '?')}"


def _requirement(study: Study) -> str:
    """The pip requirement for the torch that the study was planned with. Local labels are dropped:
    ``2.9.1+cpu`` becomes ``torch==2.9.1``, which exists for every platform."""
    version = study.trainer.versions.get("torch", "").partition("+")[0]
    return f"torch=={version}" if version else "torch"


def notebook_json(study: Study, runs: list[str]) -> str:
    """The notebook (nbformat 4) as JSON text, with the zip inside."""
    inside = base64.b64encode(notebook_zip(study, runs)).decode()
    data = "\n".join(textwrap.wrap(inside, 4000))
    device = study.trainer.device
    cells = [
        _text(
            f"# {study.id}: {study.variant} against {study.baseline}\n\n"
            f"{runs_text(study, runs)}, {study.max_iters:,} iters each, on {study.data.name}, "
            f"planned by q1lab for {device} ({study.trainer.number_format}). "
            "Run the cells from top to bottom. Model files, config and data are inside this "
            f"notebook; nothing is downloaded. It was planned with {_versions(study)}; "
            "another torch trains as well, and the results say which it was. For the same one, "
            f"run `%pip install {_requirement(study)}` in a cell "
            "of its own first."
        ),
        _text(
            "**1. Look at the machine.** "
            + (
                "In Colab: Runtime, Change runtime type, T4 GPU. In Kaggle: Settings, Accelerator."
                if device == "cuda"
                else "A CPU is what this study was planned for."
            )
        ),
        _code(
            "import platform, torch\n"
            'print("Python", platform.python_version(), "torch", torch.__version__, "on",\n'
            '      torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU")\n'
            + (
                'assert torch.cuda.is_available(), "this study was planned for a GPU"\n'
                if device == "cuda"
                else ""
            )
        ),
        _text("**2. Unpack the study.** A second time changes nothing and loses nothing."),
        _code(
            "import base64, io, pathlib, zipfile\n"
            f'PACKED = """\n{data}\n"""\n'
            f'place = pathlib.Path("q1lab-{study.id}")\n'
            "with zipfile.ZipFile(io.BytesIO(base64.b64decode(PACKED))) as bundle:\n"
            "    bundle.extractall(place)\n"
            'print(*sorted(path.name for path in place.iterdir()), sep="  ")\n'
        ),
        _text(
            "**3. Train.** Should the session end, run the cell again: finished runs are kept "
            "where the folder still exists, and a run under way goes on from its checkpoint."
        ),
        _code(f"!python q1lab-{study.id}/train.py\n"),
        _text(
            f"**4. Take the results home.** Then, on your machine: "
            f"`q1lab import {study.id}-results.zip`"
        ),
        _code(
            "try:\n"
            "    from google.colab import files\n"
            f'    files.download("q1lab-{study.id}/{study.id}-results.zip")\n'
            "except ImportError:\n"
            f'    print("download q1lab-{study.id}/{study.id}-results.zip")\n'
        ),
    ]
    record = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **({"accelerator": "GPU"} if device == "cuda" else {}),
        },
        "cells": [{"id": f"cell-{n}", **cell} for n, cell in enumerate(cells, 1)],
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _text(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, Any]:
    lines = text.rstrip("\n").splitlines(keepends=True)
    kind: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
    }
    return {**kind, "source": lines}

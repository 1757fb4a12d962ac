"""A study as a notebook (or a zip with one script) that trains without q1lab: for Colab, Kaggle,
or any machine with PyTorch.

Source, config and data are inside, pinned by their hashes. What comes back is a zip with the plan
and the events; ``q1lab import`` puts them into the study that was planned here.
"""

from __future__ import annotations

import base64
import io
import json
import textwrap
import zipfile
from typing import Any

from q1lab import paths
from q1lab.files import read_bytes
from q1lab.study import corpora
from q1lab.study.studies import Study

SCRIPT = '''\
"""Train {study}: python train.py [RUN ...]. Needs PyTorch and nothing else.

A run that was interrupted goes on from its checkpoint. {study}-results.zip is what
`q1lab import` takes.
"""

import json
import pathlib
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
STUDY = HERE / "studies" / "{study}"
RUNS = {runs}


def train(run):
    """One run in a process of its own; its last lines when it fails."""
    command = [sys.executable, "-m", "labs.train", str(STUDY), "--only", run]
    print(run, "...", flush=True)
    code = subprocess.call(command, cwd=HERE)
    events = (STUDY / "runs" / run / "events.jsonl").read_text().splitlines()
    last = json.loads(events[-1])
    print(run, last.get("state"), last.get("val_loss", last.get("message")), flush=True)
    return code


def pack():
    """What goes home: the plan, and each run's events."""
    file = HERE / "{study}-results.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.write(STUDY / "study.json", "study.json")
        for run in RUNS:
            events = STUDY / "runs" / run / "events.jsonl"
            if events.exists():
                out.write(events, f"runs/{{run}}/events.jsonl")
    print("wrote", file)
    return file


if __name__ == "__main__":
    wanted = sys.argv[1:] or RUNS
    unknown = sorted(set(wanted) - set(RUNS))
    if unknown:
        sys.exit(f"no run called {{unknown[0]}}; there are: {{', '.join(RUNS)}}")
    codes = [train(run) for run in wanted]
    pack()
    sys.exit(1 if any(codes) else 0)
'''


def bundle(study: Study, runs: list[str]) -> bytes:
    """The zip: plan, model files, data, trainer, and ``train.py``, which trains ``runs``. OSError
    where the study's data is not here any more."""
    root = f"studies/{study.id}/"
    plan = study.to_dict()
    plan["wandb"], plan["repo"] = "disabled", None  # neither means anything there
    files: dict[str, bytes] = {root + "study.json": json.dumps(plan, indent=1).encode()}
    for arm in study.arms.values():
        files[root + arm.source] = read_bytes(study.files.root / arm.source)
    files[study.data.file] = read_bytes(paths.home() / study.data.file, corpora.LARGEST)
    labs = paths.models_dir().parent
    for file in sorted(labs.rglob("*.py")):
        place = file.relative_to(labs)
        if place.parts[0] not in ("checks", "engines", "models"):
            files[f"labs/{place}"] = file.read_bytes()
    script = SCRIPT.format(study=study.id, runs=json.dumps(runs))
    files["train.py"] = script.encode()
    block = io.BytesIO()
    with zipfile.ZipFile(block, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            out.writestr(info, data)
    return block.getvalue()


def notebook(study: Study, runs: list[str]) -> str:
    """The notebook (nbformat 4), with the bundle inside."""
    packed = base64.b64encode(bundle(study, runs)).decode()
    data = "\n".join(textwrap.wrap(packed, 4000))
    device = study.device
    cells = [
        _text(
            f"# {study.id}: {study.variant} against {study.baseline}\n\n"
            f"{len(runs)} runs, {study.max_iters:,} iters each, on {study.data.name}, planned by "
            f"q1lab for {device} ({study.dtype}). Run the cells from top to bottom. Model files, "
            "config and data are inside this notebook; nothing is downloaded."
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
            "import torch\n"
            'print("torch", torch.__version__, "on",\n'
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

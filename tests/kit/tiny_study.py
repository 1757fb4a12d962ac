"""A study of seconds in its folder, for tests of the real trainer."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from labs import report
from q1lab.ground import paths
from tests.kit.places import ROOT
from tests.kit.warm_server import exit_status, start_module

TEXT = "".join(f"{i * 7919 % 1009} is not {i}; " for i in range(400))
CONFIG: dict[str, Any] = {
    "batch_size": 4,
    "block_size": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 16,
    "dropout": 0.0,
    "bias": False,
    "learning_rate": 1e-2,
    "min_lr": 1e-3,
    "warmup_iters": 4,
    "lr_decay_iters": 24,
    "max_iters": 24,
    "weight_decay": 0.1,
    "beta1": 0.9,
    "beta2": 0.99,
    "grad_clip": 1.0,
    "log_interval": 4,
    "eval_interval": 8,
    "eval_windows": 4,
    "compile": "off",
}


def model_file(name: str) -> Path:
    return paths.models_dir() / f"{name}.py"


def make_study(
    root: Path, name: str, seeds: list[int], source: str | None = None, **changes: Any
) -> Path:
    """A study's folder as q1lab lays it, with the corpus beside it."""
    study = root / "studies" / name
    (study / "source").mkdir(parents=True)
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "text.txt").write_text(TEXT)
    arms = {}
    for arm, variant in (("baseline", "baseline"), ("modified", "rope")):
        text = source if source and arm == "modified" else model_file(variant).read_text()
        (study / "source" / f"{arm}.py").write_text(text)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        arms[arm] = {"variant": arm, "source": f"source/{arm}.py", "sha256": sha256}
    plan = {
        "id": name,
        "looks": [seeds],
        "threads": 1,
        "device": "cpu",
        "dtype": "fp32",
        "arms": arms,
        "config": {**CONFIG, **changes},
        "data": {"file": "data/text.txt", "sha256": None},
    }
    (study / "study.json").write_text(json.dumps(plan))
    return study


def start_trainer(study: Path, launch: int = 1, at: Path = ROOT) -> subprocess.Popen[Any]:
    """The trainer whose ``labs`` lies in ``at``."""
    words = ("--launch", str(launch), "--alone")
    return start_module(at, "labs.train", str(study), *words, log=study / "trainer.log")


def run_trainer(study: Path, launch: int = 1, at: Path = ROOT) -> int:
    """Its exit status."""
    return exit_status(start_trainer(study, launch, at))


def losses(study: Path, run: str) -> list[tuple[int, float]]:
    events = report.read(study / "runs" / run / "events.jsonl")
    return [(e["iter"], e["train_loss"]) for e in events if e["type"] == "iter"]


def final(study: Path, run: str) -> float:
    exit_event = report.read(study / "runs" / run / "events.jsonl")[-1]
    assert exit_event["state"] == "finished", exit_event
    return float(exit_event["val_loss"])

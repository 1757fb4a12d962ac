"""Helpers for the W&B tests: a planned study, events as a trainer writes them, and the relay as a
process."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from q1lab.ground.files import try_lock
from q1lab.study import studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.studies import Arm, Data, Study
from tests.kit.plans import of_keys
from tests.kit.wandb_server import KEY

START = "2026-03-07T09:30:00+00:00"


def plan(
    study_id: str = "rope-1", *, wandb: str = "online", seeds: tuple[int, ...] = (0,)
) -> Study:
    """A study on disk, under the Q1LAB_HOME of the test."""
    arms = {
        name: Arm(
            variant=variant,
            title=variant,
            source=f"source/{name}.py",
            sha256=("a" if name == "baseline" else "b") * 64,
            origin=variant,
            n_params=1000,
            flops_per_token=2000,
        )
        for name, variant in (("baseline", "baseline"), ("modified", "rope"))
    }
    study = of_keys(
        id=study_id,
        created=START,
        kind="own",
        arms=arms,
        looks=(seeds,),
        preset="tiny",
        config={"max_iters": 20, "learning_rate": 1e-3, "batch_size": 4, "n_layer": 2},
        data=Data("tinyshakespeare", "c" * 64, f"data/{'c' * 64}.txt", 1000, 65, 900, 100),
        device="cpu",
        dtype="float32",
        jobs=1,
        threads=1,
        versions={},
        wandb=wandb,
    )
    studies.save(study)
    study.files.source.mkdir(exist_ok=True)
    return study


def events(
    seed: int = 0, *, arm: str = "baseline", iters: int = 20, start: int = 0
) -> list[dict[str, Any]]:
    """The events that a trainer writes for a whole run of ``iters`` updates, from ``start`` on."""

    def loss(i: int) -> float:
        return 2 + math.exp(-i / 5) + seed / 100 + (0.05 if arm == "baseline" else 0)

    out: list[dict[str, Any]] = [
        {
            "type": "start",
            "v": 1,
            "arm": arm,
            "variant": arm,
            "seed": seed,
            "attempt": 1,
            "pid": 1,
            "time": START,
            "resumed_from": start or None,
            "n_params": 1000,
            "device": "cpu",
            "torch": "2",
        },
    ]
    for i in range(start + 1, iters + 1):
        out.append(
            {"type": "iter", "iter": i, "train_loss": loss(i), "tok_per_s": 900.0, "t": i / 10}
        )
        if i % 5 == 0:
            out.append(
                {"type": "eval", "iter": i, "val_loss": loss(i) + 0.1, "tokens": 100, "t": i / 10}
            )
    final = loss(iters) + 0.11
    out.append({"type": "eval", "iter": iters, "val_loss": final, "final": True, "t": iters / 10})
    out.append(
        {"type": "exit", "state": "finished", "val_loss": final, "iter": iters, "t": iters / 10}
    )
    return out


ROWS = 20 + 4 + 1
"""History rows of a run of 20 iters: its iters, its evals, its final eval."""


def append(study: Study, name: str, records: list[dict[str, Any]]) -> None:
    file = study.files.run(name).events
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        out.write(b"".join(json.dumps(record).encode() + b"\n" for record in records))


def train_all(study: Study) -> None:
    """All runs of the study, from start to exit."""
    for run in study.runs:
        append(study, run.name, events(run.seed, arm=run.arm))


@contextlib.contextmanager
def alive(study: Study) -> Iterator[None]:
    """The study's lock held, as a runner and its trainers hold it."""
    fd = try_lock(study.files.lock)
    assert fd is not None
    try:
        yield
    finally:
        os.close(fd)


def environment(url: str, *, key: bool = True) -> dict[str, str]:
    """For a child that uses wandb: this server, this key, and nothing of the machine's own
    settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    env |= {
        "WANDB_BASE_URL": url,
        "NETRC": "/nonexistent/netrc",
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    env["HOME"] = os.environ["Q1LAB_HOME"]
    if key:
        env["WANDB_API_KEY"] = KEY
    return env


@contextlib.contextmanager
def relay(study: Study, env: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The relay as the runner starts it; at the end it is gone, whatever the test found."""
    with (study.files.root / "relay.log").open("ab") as log:
        child = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "q1lab.train.weights_and_biases.relay",
                *options,
                str(study.files.root),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=study.files.root,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(timeout=10)


def log_of(study: Study) -> str:
    return (study.files.root / "relay.log").read_text()


def states(study: Study) -> set[str]:
    return {run.state for run in wandb_state.read_relayed_runs(study).values()}


def files_with(root: Path, needle: bytes) -> list[Path]:
    """All files below ``root`` that contain ``needle``."""
    return [path for path in root.rglob("*") if path.is_file() and needle in path.read_bytes()]


def processes_of(study: Study) -> list[int]:
    """Processes that were given this study's folder, wandb's service included."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            process_text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if str(study.files.root).encode() in process_text:
                pids.append(int(entry.name))
    return pids

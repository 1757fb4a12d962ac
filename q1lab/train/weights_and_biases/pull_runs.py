"""The runs of a W&B project, read with wandb's own public API each time that they are judged.

A child process reads them (wandb takes a second to import, and writes files where it likes), and
writes a file for each run into a folder: its settings in the first line, a row of its history in
each of the others. Nothing is kept.

    python -m q1lab.train.weights_and_biases.pull_runs ENTITY/PROJECT FOLDER
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import open_regular, printable, read_json
from q1lab.judgment.tables.outside_run import WANDB, RunFiles
from q1lab.judgment.tables.readers import LogForm
from q1lab.judgment.tables.run_log import RunLog
from q1lab.study import child_processes
from q1lab.study import wandb_runs as wandb_state
from q1lab.train.weights_and_biases import client

MOST_RUNS, MOST_ROWS, PULL_SECONDS = 500, 2_000_000, 600.0
"""Bounds: runs of a project, rows of all of them, and seconds."""

ANSWER = "answer.json"
"""The child's last file: the runs that it wrote, or why there are none."""

PULLED = LogForm((), "q1lab.train.weights_and_biases.pull_runs")


def pull(source: str, folder: Path) -> list[RunFiles]:
    """The runs of ``wandb:ENTITY/PROJECT``, each with its file in ``folder``. Problem, in one line,
    if they can't be read, or there are none."""
    project = source.removeprefix(WANDB)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,127}/[A-Za-z0-9][\w.-]{0,127}", project, re.ASCII):
        raise Problem(
            f"{printable(source)[:200]} is not {WANDB}ENTITY/PROJECT",
            next=f"write it like {WANDB}alice/q1-capstone",
        )
    if not wandb_state.key_configured():
        login = wandb_state.wandb_command("login")
        raise Problem(f"{source}: no W&B key is configured", FAILED, next=f"run `{login}`")
    folder = Path(tempfile.mkdtemp(dir=folder))
    module = child_processes.python_module("q1lab.train.weights_and_biases.pull_runs")
    with child_processes.running_child(
        [*module, project, str(folder)],
        seconds=PULL_SECONDS,
        env=dict(os.environ),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        try:
            child.wait(PULL_SECONDS)
        except subprocess.TimeoutExpired:
            raise Problem(f"{source}: no answer in {PULL_SECONDS:.0f} s", FAILED) from None
    try:
        answer: dict[str, Any] = read_json(folder / ANSWER)
    except (OSError, ValueError):
        raise Problem(f"{source} can't be read: wandb ended without a word", FAILED) from None
    if "error" in answer:
        raise Problem(printable(f"{source} can't be read: {answer['error']}"), FAILED)
    if not answer["runs"]:
        raise Problem(f"{source} has no runs", FAILED)
    return [
        RunFiles((folder / file,), None, PULLED, printable(f"{name} at W&B")[:200])
        for file, name in answer["runs"]
    ]


def read(files: Sequence[Path], log: RunLog) -> None:
    """Fill the log of one run."""
    with open_regular(files[0]) as lines:
        run = json.loads(next(lines))
        log.tell({key: run[key] for key in ("group", "job_type", "name", "tags")})
        log.tell(run["config"])
        for place, line in enumerate(lines):
            log.row(json.loads(line), place)
    log.end(run["summary"])
    if run["state"] != "finished":
        log.unfinished = f"{run['state']} at W&B"


# ── in the child


def main(project: str, folder: Path) -> int:
    with client.prepared_process(folder):
        try:
            client.check_server()
            answer: dict[str, Any] = {"runs": list(_write_runs(project, folder))}
        except Exception as error:
            answer = {"error": client.error_text(error)}
        (folder / ANSWER).write_text(json.dumps(answer))
    return 0


def _write_runs(project: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Write each run of a project into a file; (the file's name, the run's)."""
    import wandb

    rows = 0
    runs = wandb.Api(timeout=30).runs(project, per_page=50, lazy=False)
    for place, run in enumerate(runs):
        if place >= MOST_RUNS:
            raise Problem(f"it has more than {MOST_RUNS} runs")
        facts = {
            **{"name": run.name, "state": run.state, "group": run.group, "job_type": run.job_type},
            "tags": " ".join(sorted(run.tags)),
            "config": dict(run.config),
            "summary": _numbers(dict(run.summary)),
        }
        file = folder / f"{place}.jsonl"
        with file.open("w") as out:
            out.write(json.dumps(facts, default=str) + "\n")
            for row in run.scan_history(use_cache=False):
                rows += 1
                if rows > MOST_ROWS:
                    raise Problem(f"its runs have more than {MOST_ROWS:,} rows")
                out.write(json.dumps(_numbers(row)) + "\n")
        yield file.name, f"{run.name} ({run.id})"


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a row; W&B writes those that are not finite as texts."""
    return {
        key: value
        for key, value in row.items()
        if isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity")
    }


if __name__ == "__main__":
    status = main(sys.argv[1], Path(sys.argv[2]))
    os._exit(status)  # wandb's exit hooks may wait for a server that is gone

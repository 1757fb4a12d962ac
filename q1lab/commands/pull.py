"""`q1lab pull`: runs that were trained elsewhere, from Weights & Biases."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import click

from q1lab import paths
from q1lab.commands.import_ import finish, make, options
from q1lab.errors import FAILED, Problem
from q1lab.files import plain
from q1lab.study import children
from q1lab.tracking import state as wandb_state

SECONDS = 300.0
"""How long reading a project may take."""


@click.command(
    epilog="""\b
Examples:
  q1lab pull alice/q1-capstone
  q1lab pull alice/q1-capstone --group rope-1"""
)
@click.argument("path", metavar="ENTITY/PROJECT")
@click.option(
    "--group",
    metavar="GROUP",
    help="Only the runs of this W&B group (q1lab's groups are its studies).",
)
@options
def pull(
    path: str, group: str | None, baseline: str | None, allow: tuple[str, ...], as_json: bool
) -> int:
    """Bring in runs from W&B, group them into a study (arms by `cfg`, seeds by `seed`), and
    compare.

    The runs may come from anywhere, a Colab GPU say, as long as their config or their name
    (`modified-seed0`) says cfg and seed. Runs whose data, config or length differ are refused.
    """
    from q1lab.tracking import outside_runs

    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,127}/[A-Za-z0-9][\w.-]{0,127}", path, re.ASCII):
        raise Problem(f"{path!r} is no ENTITY/PROJECT; write it like alice/q1-capstone")
    if not wandb_state.key_configured():
        login = wandb_state.wandb_command("login")
        raise Problem(f"no W&B key is configured; run `{login}`, then pull again", FAILED)
    record = fetch(path, group)
    if not record["runs"]:
        raise Problem(f"{path} has no runs" + (f" in the group {group}" if group else ""), FAILED)
    runs = outside_runs.from_wandb(record)
    return finish(make(runs, f"W&B {path}", baseline, allow), as_json=as_json)


def fetch(path: str, group: str | None) -> dict[str, Any]:
    """Have the relay read a project's runs, in a process of its own that ends after ``SECONDS`` at
    the latest.

    Raises Problem with the reason where that fails.
    """
    home = paths.ensure_home()
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=home) as scratch:
        file = Path(scratch) / "runs.json"
        command = [*children.python_module("q1lab.tracking.relay"), "--pull", path, str(file)]
        with children.asked(
            [*command, *([group] if group else [])],
            seconds=SECONDS,
            env=dict(os.environ),
            cwd=scratch,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            try:
                child.wait(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                raise Problem(
                    f"{path}: no end within {SECONDS:.0f} s; try again, or a smaller --group",
                    FAILED,
                ) from None
        try:
            record: dict[str, Any] = json.loads(file.read_text())
        except (OSError, ValueError):
            raise Problem(f"{path} could not be read: wandb gave no answer", FAILED) from None
    if "error" in record:
        raise Problem(plain(f"{path}: {record['error']}"), FAILED)
    return record

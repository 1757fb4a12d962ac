"""Uploading what no upload has confirmed yet."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from q1lab.files import plain
from q1lab.study import children
from q1lab.study.alive import is_alive
from q1lab.study.states import State
from q1lab.study.studies import Study
from q1lab.tracking import state as wandb_state
from q1lab.tracking.client import (
    Line,
    UnreachableError,
    folder_of,
    open_run,
    reach,
    reason,
    remove,
    rows_there,
    say,
    settle,
)
from q1lab.tracking.state import ERROR, SYNCED, SYNCING, scrub

UPLOAD = 300.0
"""Seconds that one upload may take."""


def sync(study: Study) -> bool:
    """Upload every run that no upload has confirmed; True when all are confirmed in the end.

    A run that W&B knows nothing of goes up from its offline folder, made anew from the events
    unless it was finished properly. Where something arrived before, W&B is asked how many rows it
    has, and only the rest goes up. The outcome of each run, and the last error in words, is kept in
    ``runs.json``.
    """
    wandb_state.mint(study)
    names = wandb_state.pending(study)
    if not names:
        return True
    try:
        reach()
        ready = {name: folder for name in names if (folder := _stage(study, name))}
        settle(study)
    except Exception as error:
        for name in names:
            wandb_state.update(study, name, state=ERROR, error=reason(error))
        say(f"{study.id}: {reason(error)}")
        return False
    code, said = _wandb_sync(list(ready.values()))
    urls = dict(re.findall(r"\[[^\]\n]*/([a-z0-9]{8})\] View run .*? at (https?://\S+)", said))
    for name, folder in ready.items():
        relay = wandb_state.read(study)[name]
        if code == 0 and list(folder.glob("*.wandb.synced")):
            wandb_state.update(
                study, name, state=SYNCED, error=None, url=urls.get(relay.id, relay.url), sent=True
            )
            _tidy(study, name, folder)
        else:
            wandb_state.update(study, name, state=ERROR, error=_sync_error(code, said))
    settle(study)
    return not wandb_state.pending(study)


def _stage(study: Study, name: str) -> Path | None:
    """A finished offline folder with what W&B lacks of this run; None when the run has no start
    event yet."""
    run = next(run for run in study.runs if run.name == name)
    relay = wandb_state.read(study)[name]
    line = Line(study, run)
    line.read()
    projection = line.projection
    if not projection.started:
        return None
    have = rows_there(relay) if relay.sent else 0
    if have > len(projection.rows):
        raise UnreachableError(
            f"W&B holds {have} rows for {name} ({relay.id}) and the events {len(projection.rows)}; "
            "they are not the same run, and nothing was uploaded"
        )
    kept = wandb_state.intact(study, relay)
    if kept and relay.offset == line.offset and not have:
        wandb_state.update(study, name, state=SYNCING, sent=True)
        return kept
    old = wandb_state.folders(study, relay.id)
    line.handle = open_run(study, run, relay, projection.config, "offline", resume=have > 0)
    folder = study.files.wandb / folder_of(line.handle)
    line.written = have
    line.write()
    alive = is_alive(study.files.run(name))
    line.finish(State.RUNNING if alive else State.CRASHED)
    remove(old)
    wandb_state.update(
        study,
        name,
        state=SYNCING,
        sent=True,
        offset=line.offset,
        rows=len(projection.rows),
        folder=None if have else folder.name,
        closed=not have,
        digest=None,
    )
    return folder


def _wandb_sync(folders: list[Path]) -> tuple[int, str]:
    """Run `wandb sync` on the folders; returns its exit code (-1: it took too long) and what it
    said."""
    if not folders:
        return 0, ""
    env = {key: value for key, value in os.environ.items() if key != "WANDB_SILENT"}
    command = [*children.python_module("wandb"), "sync", "--include-online", "--include-synced"]
    how: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "errors": "replace",
    }
    with children.asked(
        [*command, *map(str, folders)], seconds=UPLOAD, env=env, cwd=folders[0].parent, **how
    ) as child:
        try:
            said, _ = child.communicate(timeout=UPLOAD)
            code = child.returncode
        except subprocess.TimeoutExpired:
            child.kill()  # its service ends with it
            said, _ = child.communicate()
            code = -1
    return code, scrub(plain(said))


def _sync_error(code: int, said: str) -> str:
    if code == -1:
        return f"the upload was not through after {UPLOAD:.0f} s; `q1lab sync` goes on with it"
    lines = [line.removeprefix("wandb: ").strip() for line in said.splitlines()]
    told = [
        line for line in lines if re.search(r"error|fail|refus|denied|invalid|HTTP \d", line, re.I)
    ]
    told = told or lines
    why = reason(Exception(told[-1])) if told else "it said nothing"
    return (
        f"`wandb sync` left no mark (exit {code}): {why}"
        if code == 0
        else f"`wandb sync` failed: {why}"
    )


def _tidy(study: Study, name: str, folder: Path) -> None:
    """After a confirmed upload one folder per run remains, with its whole history, marked as
    synced."""
    relay = wandb_state.read(study)[name]
    # what was uploaded was the rest of a history: write the whole for `wandb leet`
    if relay.folder is None:
        line = Line(study, next(run for run in study.runs if run.name == name))
        line.read()
        line.handle = open_run(
            study, line.run, relay, line.projection.config, "offline", resume=False
        )
        folder = study.files.wandb / folder_of(line.handle)
        line.write()
        line.finish(State.CRASHED)
        (folder / f"run-{relay.id}.wandb.synced").touch(mode=0o600)
        wandb_state.update(study, name, folder=folder.name, closed=True, digest=None)
    remove([old for old in wandb_state.folders(study, relay.id) if old != folder])

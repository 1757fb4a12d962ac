"""Checkpoints that are whole or not there: temp file, fsync, rename; two are kept; a checksum in
the name.

A checkpoint holds the flat weights, the optimizer's state, the random generators and the loss so
far, so that a run that goes on is bit-equal to one that was never interrupted (same device, dtype
and threads).
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

KEEP = 2


def save(folder: Path, i: int, state: dict[str, Any]) -> None:
    """Write the state after iter ``i`` and drop all but the newest two. OSError when the disk is
    full; then what was there stays."""
    for stale in folder.glob(".*.part"):  # left by a process that was killed in mid-write
        stale.unlink(missing_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write(
        folder / f"iter-{i:07d}-{hashlib.sha256(buffer.getbuffer()).hexdigest()[:16]}.pt",
        buffer.getbuffer(),
    )
    for old in _all(folder)[:-KEEP]:
        old.unlink(missing_ok=True)


def write(path: Path, data: bytes | memoryview) -> None:
    """Replace ``path`` durably by ``data``."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temp = path.with_name(f".{path.name}.part")
    try:
        with temp.open("wb") as file:
            temp.chmod(0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def newest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint that is whole, or None. Damaged ones are passed over."""
    for path in reversed(_all(folder)):
        try:
            data = path.read_bytes()
        except OSError:  # a bad block, a folder in its place
            continue
        if hashlib.sha256(data).hexdigest()[:16] == path.stem.rsplit("-", 1)[1]:
            try:
                state: dict[str, Any] = torch.load(
                    io.BytesIO(data), map_location="cpu", weights_only=True
                )
            except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError):  # not one of ours
                continue
            return state
    return None


def clear(folder: Path) -> None:
    """Remove a finished run's checkpoints; its weights stay in ``model.pt``."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("iter-*.pt"))

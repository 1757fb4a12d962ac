"""Tells that q1lab's files are no longer those that the open app was started from: an upgrade.

Modules that the app imports later are then of another version than those that it has."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import q1lab

_BEGAN = time.time()


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


_INIT = Path(q1lab.__file__)
_INIT_AT_START = _identity(_INIT)


def code_is_replaced() -> bool:
    """True if a file of an imported module of q1lab has gone or was written since the start; or if
    the package is another one, whose files may be older than the start."""
    if _identity(_INIT) != _INIT_AT_START:
        return True
    names = [name for name in sys.modules if name.startswith("q1lab.")]
    files = [getattr(sys.modules[name], "__file__", None) for name in names]
    try:
        return any(file is not None and Path(file).stat().st_mtime > _BEGAN for file in files)
    except OSError:
        return True


OPEN_AGAIN = "q1lab was replaced by another version while it was open: leave it and open it again."

"""The store as commands open it. When it takes in many studies at once, it shows its progress on
the terminal, whichever command comes first."""

from __future__ import annotations

import sys
import time

import click

from q1lab.index.ingest_events import IngestProgress, OnProgress
from q1lab.index.store import Store

SILENT_SECONDS = 0.3
"""Seconds after its first commit before a long reading of events shows its progress."""


def open_store() -> Store:
    """The store for one command; use it as a context."""
    store = Store()
    store.on_ingest = _on_terminal()
    store.on_wait = lambda text: click.echo(text, err=True)
    return store


def _on_terminal() -> OnProgress | None:
    if not sys.stderr.isatty():
        return None
    began: float | None = None
    progress_shown = False

    def tell(progress: IngestProgress) -> None:
        nonlocal began, progress_shown
        if progress.is_complete:
            sys.stderr.write("\r\x1b[K" if progress_shown else "")
            began, progress_shown = None, False
        elif began is None:
            began = time.monotonic()
        elif time.monotonic() - began > SILENT_SECONDS:
            progress_shown = True
            sys.stderr.write(f"\rreading {progress.message} ")
        sys.stderr.flush()

    return tell

"""The store as commands open it: a long first look at all studies says on a terminal how far it
has come, whichever command is the first to look."""

from __future__ import annotations

import sys
import time

import click

from q1lab.index.ingest_events import Looked, Tell
from q1lab.index.store import Store

SILENT_SECONDS = 0.3
"""Seconds after its first commit that a look may go on before it says how far it has come."""


def open_store() -> Store:
    """A store for one command; use it as a context."""
    store = Store()
    store.tell = _on_terminal()
    store.say = lambda text: click.echo(text, err=True)
    return store


def _on_terminal() -> Tell | None:
    if not sys.stderr.isatty():
        return None
    began: float | None = None
    said = False

    def tell(looked: Looked) -> None:
        nonlocal began, said
        if looked.is_whole:
            sys.stderr.write("\r\x1b[K" if said else "")
            began, said = None, False
        elif began is None:
            began = time.monotonic()
        elif time.monotonic() - began > SILENT_SECONDS:
            said = True
            sys.stderr.write(f"\rreading {looked.words} ")
        sys.stderr.flush()

    return tell

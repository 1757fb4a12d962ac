"""The store as commands open it."""

from __future__ import annotations

import sys

from q1lab.journal.store import Store


def open_store() -> Store:
    """The store for one command; use it as a context."""
    return Store(on_wait=lambda text: sys.stderr.write(f"{text}\n"))

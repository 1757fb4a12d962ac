"""Waiting for what must come: on a condition, with a bound that only a failure meets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_for(true: Callable[[], Any], awaited: str = "it", seconds: float = 60) -> None:
    """Wait until ``true()``; fails, naming ``what``, when it never is."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"never happened: {awaited}"
        time.sleep(0.02)

"""Whoever watches a study in a terminal hears its end."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable

RUN = ("run", "rope", "--preset", "quick", "--max-iters", "20", "--wandb", "disabled")


def in_terminal(words: list[str], env: dict[str, str]) -> bytes:
    """All that a q1lab command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "q1lab", *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **env},
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # Linux says the end of a terminal so
        while block := os.read(ours, 65536):
            output += block
    os.close(ours)
    assert child.wait(timeout=60) == 0, output
    return output


def test_whoever_watches_hears_the_end(fake_trainer: Callable[..., None]) -> None:
    """In a terminal of its own: the bell rings; not where it is off."""
    fake_trainer(pause=0.1)
    for extra, rings in (({}, True), ({"Q1LAB_BELL": "false"}, False)):
        output = in_terminal([*RUN, "--seeds", "1", "--fresh"], {"TERM": "xterm-256color", **extra})
        assert (b"\a" in output) is rings

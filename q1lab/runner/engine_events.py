"""Append event lines that came from an engine to the runs' events, whole and durable."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from q1lab.ground.files import file_size, open_private, private_folder, prove_at_home

MOST_OPEN_FILES = 64
"""Files that are open at once."""


def append_lines(lines: Mapping[Path, Sequence[str]]) -> None:
    """Append lines to each file, and wait until the disk has them: it takes many at once in the
    time of a few. A torn last line (a kill in mid-write) is cut off first, since it comes again."""
    rest = iter(lines.items())
    while part := list(islice(rest, MOST_OPEN_FILES)):
        with contextlib.ExitStack() as stack:
            files = []
            for path, new in part:
                private_folder(path.parent)
                _cut_torn_line(path)
                files.append(stack.enter_context(open_private(path)))
                files[-1].write("".join(f"{line}\n" for line in new).encode())
                files[-1].flush()
            with ThreadPoolExecutor(16) as pool:
                list(pool.map(lambda file: os.fsync(file.fileno()), files))


def _cut_torn_line(path: Path) -> None:
    prove_at_home(path)
    if file_size(path):
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)

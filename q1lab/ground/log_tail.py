"""Follow a growing log file safely: the end of it, a bounded amount, as plain text."""

from __future__ import annotations

import codecs
from pathlib import Path

from q1lab.ground.files import open_regular, printable

CAP = 256 << 10
"""The most bytes that one read returns, also of text written before the first read."""


class LogTail:
    """Reads the text appended since the last read. A file that shrank was replaced: it is read from
    the start."""

    def __init__(self, path: Path, cap: int = CAP) -> None:
        self.path = path
        self.cap = cap
        self.skipped = 0
        """Bytes skipped because there was more than ``cap`` to read."""
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read_new(self) -> tuple[str, bool]:
        """(new text, True if it replaces the text shown before). Escape sequences and control
        characters are removed; a carriage return starts a new line. A missing file counts as empty;
        other failures raise OSError."""
        try:
            with open_regular(self.path) as file:
                size = file.seek(0, 2)
                replaces = size < self._offset or size - self._offset > self.cap
                if replaces:
                    self._decoder.reset()
                    self._offset = max(0, size - self.cap)
                    self.skipped = self._offset
                file.seek(self._offset)
                block = file.read(self.cap)
                if replaces and self._offset:
                    cut = block.find(b"\n") + 1  # begin with a whole line
                    block = block[cut:]
                    self._offset += cut
        except FileNotFoundError:
            return "", False
        self._offset += len(block)
        text = self._decoder.decode(block)
        return printable(text.replace("\r\n", "\n").replace("\r", "\n")), replaces

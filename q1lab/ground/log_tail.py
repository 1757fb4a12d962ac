"""Following a growing log file safely: only its end, only so much, as plain text."""

from __future__ import annotations

import codecs
from pathlib import Path

from q1lab.ground.files import open_regular, printable

CAP = 256 << 10
"""Bytes of the past that are shown, and the most that one look reads."""


class LogTail:
    """Reads what was appended since the last look. A file that shrank was replaced and is read
    anew."""

    def __init__(self, path: Path, cap: int = CAP) -> None:
        self.path = path
        self.cap = cap
        self.skipped = 0
        """Bytes that were passed over because there was more than ``cap`` to read."""
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read_new(self) -> tuple[str, bool]:
        """(new text, whether it replaces what was shown before). Escape sequences and control
        characters are gone, a carriage return starts a new line. A missing file is an empty one;
        OSError otherwise."""
        try:
            with open_regular(self.path) as file:
                size = file.seek(0, 2)
                anew = size < self._offset or size - self._offset > self.cap
                if anew:
                    self._decoder.reset()
                    self._offset = max(0, size - self.cap)
                    self.skipped = self._offset
                file.seek(self._offset)
                block = file.read(self.cap)
                if anew and self._offset:
                    cut = block.find(b"\n") + 1  # begin with a whole line
                    block = block[cut:]
                    self._offset += cut
        except FileNotFoundError:
            return "", False
        self._offset += len(block)
        text = self._decoder.decode(block)
        return printable(text.replace("\r\n", "\n").replace("\r", "\n")), anew

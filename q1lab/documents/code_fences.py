"""Code blocks between fences, as CommonMark has them, followed line by line."""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\r\n]*)")


class Fence:
    """Follows a document's fences: feed it every line, in order.

    ``mark`` is the fence that is open (its backticks or tildes), "" outside code.
    """

    def __init__(self) -> None:
        self.mark = ""

    def takes(self, line: str | bytes) -> bool:
        """True if the line belongs to a code block: one of its fences, or a line between them."""
        # Latin-1 keeps every byte one character: a fence is ASCII in whatever encoding.
        match = _FENCE.match(line if isinstance(line, str) else line.decode("latin-1"))
        if self.mark:
            if match and match[1].startswith(self.mark) and not match[2].strip(" \t"):
                self.mark = ""
            return True
        if match and not (match[1][0] == "`" and "`" in match[2]):
            self.mark = match[1]
            return True
        return False

"""The numbers that a program prints, by name: what ``labs/loop.py`` reads of a command's output.

A number's name is the words before it: ``val loss`` of ``step 5: train loss 2.3, val loss 2.2``. A
name without a part of the data also goes by the part that the line named last: the second one of
``Test: loss 0.4, acc 0.9`` is ``Test acc``, too. Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_NAME = 60
"""Characters of a name in a line."""
NUMBER = r"[-+]?(?:(?:\d++\.?+\d*+|\.\d++)(?:[eE][-+]?\d++)?+|[nN]a[nN]|[iI]nf(?:inity)?+)"
AFTER_NUMBER = r"(?!\w|[.,/:]\d)"
"""Behind a number there is no unit and no more digits: ``3/10``, ``1,234`` and ``12s`` are none."""
A_NUMBER = re.compile(rf"(?<![\w./])(?<!\d:){NUMBER}{AFTER_NUMBER}")
STEP = re.compile(
    r"(?:^\s*\[|\b(?:global_?)?(?:step|iter|iteration|epoch|episode|update)s?\b[\"']?"
    r"\s*[=:]?\s*\[?\s*)(\d+)\b",
    re.IGNORECASE,
)
"""``step 10``, and ``[10]`` at the beginning of a line, as boosting libraries print it."""
PLACE = re.compile(r"\.(?:py|c|cc|cpp|cu|h|hpp|rs|go|js|ts|java|jl|sh|ipynb)$")
"""The end of a file's name, before the number of a line."""
ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
"""Colors and backspaces, which progress bars print."""
RATIO = re.compile(r"\b\d+/\d+\s*(?:=|(?=\())")
"""The counts before a share: ``95/100 (95%)`` and ``95/100 = 95%`` are 95."""
NAME = re.compile(
    r"((?:[^\W\d][\w/.@^-]*(?:'s)? )*[^\W\d][\w/.@^-]*)[\"']?(?:\s*\([^()\d]*\))?"
    r"(?:\s*(?:[=:|│┃]|->|\b(?:is|of)\b)\s*(?:[\w.]*([\[(])\s*)?|\s+)$"
)
"""The words before a number, what may stand between, and what begins an array."""
ARRAY_END = re.compile(r"\s*%?(?:[\])]|,\s*\w+\s*=)")
FILLERS = re.compile(r"^(?:DEBUG|INFO|WARNING|ERROR) (?=\S)| (?:is|of|was)$")
PART = re.compile(
    r"\b(?:train(?:ing)?|val(?:id(?:ation)?)?|eval(?:uation)?|test(?:ing)?|dev)\b", re.IGNORECASE
)
"""A part of the data, in a name or in a line."""
ALONE = "number"
"""The name of a number that is all of its line."""
BY_COLUMN = re.compile(r"\s*\|\s*|\s{2,}|\t+")


@dataclass(frozen=True)
class Said:
    """A number of a line. ``name`` are the words before it; ``full`` has the part of the data,
    too."""

    name: str
    full: str
    value: str


class Printed:
    """Reads one line after the other: a table's rows are read by its last header."""

    def __init__(self) -> None:
        self.columns: list[str] = []

    def numbers(self, line: str) -> list[Said]:
        """The numbers of a line, in their order; those without a name are left out."""
        found, before = [], 0
        text = RATIO.sub("", line)
        for number in A_NUMBER.finditer(text):
            between, before = text[before : number.start()], number.end()
            name = NAME.search(between[-2 * LONGEST_NAME :])
            words = FILLERS.sub("", name[1]) if name else ""
            if not name or len(words) > LONGEST_NAME or PLACE.search(words):
                continue
            if name[2] and not ARRAY_END.match(text, number.end()):  # one number of several
                continue
            parts = PART.findall(text[: number.start() - len(name[0])])
            full = words if part_of(words) or not parts else f"{parts[-1]} {words}"
            found.append(Said(words, full, number[0]))
        if A_NUMBER.fullmatch(text.strip()):
            return [Said(ALONE, ALONE, text.strip())]
        return found or self._row(line)

    def _row(self, line: str) -> list[Said]:
        """The numbers of a table's row, by its header, which is remembered here."""
        cells = [cell for cell in BY_COLUMN.split(line.strip(" |")) if cell]
        if len(cells) < 2 and " " in line:
            cells = line.split()
        if not any(map(A_NUMBER.fullmatch, cells)):
            words = all(re.fullmatch(r"[^\W\d][\w/.@ -]{0,40}", cell) for cell in cells)
            self.columns = cells if len(cells) > 1 and words else self.columns
            return []
        if len(cells) != len(self.columns):
            return []
        row = zip(self.columns, cells, strict=True)
        return [Said(name, name, cell) for name, cell in row if A_NUMBER.fullmatch(cell)]


def plain(line: str) -> str:
    """The line without colors and backspaces."""
    return ESCAPE.sub("", line)


def step_of(line: str) -> int | None:
    """The step that a line names; None where it names none."""
    found = STEP.search(line)
    return int(found[1]) if found and len(found[1]) < 16 else None


def part_of(name: str) -> str:
    """The part of the data that a name names, such as ``val``; empty where it names none."""
    part = PART.search(name.replace("_", " "))
    return part[0].lower() if part else ""


def is_train_loss(name: str) -> bool:
    """True for the name of a training loss: a loss of no other part of the data."""
    part = part_of(name)
    return "loss" in name.lower() and (not part or part.startswith("train"))

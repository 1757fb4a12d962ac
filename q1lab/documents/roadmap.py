"""AI_EXPERT_ROADMAP.md: the week's boxes, ticked by changing one character each. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from q1lab.documents.managed_regions import utf8_text
from q1lab.documents.word_count import lines_by_kind
from q1lab.ground.errors import Problem

FILE = "AI_EXPERT_ROADMAP.md"

_BOX = re.compile(r"[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[([ xX])\](?:[ \t]+(.*))?")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")


@dataclass(frozen=True)
class Box:
    """A checkbox: ``line`` counts from 1, ``heading`` is the nearest above it."""

    line: int
    title: str
    heading: str
    is_ticked: bool


def week_boxes(data: bytes, label: str) -> list[Box]:
    """The boxes of the week ``label``: those below a heading that names it, and single ones
    that do. Boxes in code blocks are text."""
    boxes: list[Box] = []
    headings: list[tuple[int, str]] = []
    for number, kind, line in lines_by_kind(utf8_text(data, FILE)):
        if kind in ("code", "comment"):
            continue
        if heading := _HEADING.match(line):
            level = len(heading[1])
            headings = [above for above in headings if above[0] < level]
            headings.append((level, heading[2].rstrip(" \t#")))
        elif box := _BOX.fullmatch(line):
            title = (box[2] or "").strip()
            if any(_names(label, text) for text in (title, *(text for _, text in headings))):
                heading_above = headings[-1][1] if headings else ""
                boxes.append(Box(number, title, heading_above, box[1] != " "))
    return boxes


def tick(data: bytes, boxes: Sequence[Box], lines: Sequence[int]) -> bytes:
    """``data`` with the boxes in these lines ticked; ``boxes`` are those of ``data``. Problem for
    another line."""
    by_line = {box.line: box for box in boxes}
    rows = data.split(b"\n")
    for line in lines:
        if line not in by_line:
            raise Problem(
                f"line {line} of {FILE} is no box of this week",
                next="`q1lab course roadmap` lists them",
                file=FILE,
                line=line,
            )
        if not by_line[line].is_ticked:
            rows[line - 1] = rows[line - 1].replace(b"[ ]", b"[x]", 1)
    return b"\n".join(rows)


def _names(label: str, text: str) -> bool:
    """True if ``text`` names the week: M03-W04 also as ``M03 W04``, ``M3-W4`` or ``Month 3, week
    4``."""
    if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text, re.IGNORECASE):
        return True
    parts = re.fullmatch(r"M0*(\d+)-W0*(\d+)", label, re.IGNORECASE)
    if parts is None:
        return False
    month, week = parts[1], parts[2]
    spelled = rf"(?<!\w)m(?:onth)?\s*0*{month}\W{{1,3}}w(?:eek)?\s*0*{week}(?!\w)"
    return re.search(spelled, text, re.IGNORECASE) is not None

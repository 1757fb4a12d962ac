"""AI_EXPERT_ROADMAP.md: the week's checkboxes, ticked by changing exactly one character each; and
KPI targets.

Pure functions over bytes. Boxes inside code blocks are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from q1lab.documents.code_fences import Fence
from q1lab.ground.errors import Problem

FILE = "AI_EXPERT_ROADMAP.md"

_BOX = re.compile(rb"^(?:[ \t>]*)(?:[-*+]|\d{1,9}[.)])[ \t]+\[([ xX])\](?=[ \t]|$)[ \t]*(.*)$")
_HEADING = re.compile(rb"^ {0,3}(#{1,6})[ \t]+(\S.*|)$")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Box:
    """A checkbox: ``number`` counts from 1 among those listed, ``offset`` is the byte between its
    brackets."""

    number: int
    line: int
    offset: int
    ticked: bool
    title: str
    heading: str


@dataclass(frozen=True)
class _Line:
    number: int
    start: int
    content: bytes
    headings: tuple[tuple[int, str], ...]


def boxes(data: bytes, label: str) -> list[Box]:
    """The checkboxes of the week ``label``: those below a heading that names it, and single ones
    that do. Problem for UTF-16."""
    week_boxes: list[Box] = []
    for line in _lines(data):
        match = _BOX.match(line.content)
        if match is None:
            continue
        title = match[2].decode(errors="replace").strip()
        headings = [text for _, text in line.headings]
        if not any(_names(label, text) for text in (*headings, title)):
            continue
        heading = headings[-1] if headings else ""
        week_boxes.append(
            Box(
                len(week_boxes) + 1,
                line.number,
                line.start + match.start(1),
                match[1] != b" ",
                title,
                heading,
            )
        )
    return week_boxes


def tick_boxes(data: bytes, chosen: Sequence[Box], done: bool = True) -> bytes:
    """``data`` with the chosen boxes ticked (or open again): one byte changes for each, and no
    other."""
    out = bytearray(data)
    for box in chosen:
        if data[box.offset : box.offset + 1] not in (b" ", b"x", b"X"):
            raise Problem(
                f"the roadmap changed at line {box.line}",
                next="nothing was ticked, run the command again",
            )
        if box.ticked != done:
            out[box.offset : box.offset + 1] = b"x" if done else b" "
    return bytes(out)


def choose_boxes(listed: Sequence[Box], selectors: Iterable[str]) -> list[Box]:
    """The boxes named by number, by range (``2-4``), by ``all``, or by words of their title."""
    chosen: dict[int, Box] = {}
    for word in selectors:
        part = word.strip()
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if part.lower() == "all":
            matches = list(listed)
        elif span:
            first, last = int(span[1]), int(span[2] or span[1])
            matches = [box for box in listed if first <= box.number <= last]
            if last < first or len(matches) != last - first + 1:
                raise Problem(f"there is no box {part}; there are {len(listed)}")
        else:
            matches = [box for box in listed if part and part.lower() in box.title.lower()]
            if len(matches) > 1:
                raise Problem(f"{part!r} fits {len(matches)} boxes", next="give the number")
            if not matches:
                raise Problem(f"no box fits {part!r}", next="`q1lab course roadmap` lists them")
        chosen.update({box.number: box for box in matches})
    return [chosen[number] for number in sorted(chosen)]


def kpi_targets(data: bytes, kpis: Sequence[tuple[str, str]], quarter: str) -> Mapping[str, float]:
    """KPI targets as the roadmap states them, for (id, title) pairs.

    Understood are a table row whose first cell names the KPI (the column that is headed by the
    quarter or by "target", else the first number), and a line such as ``Public repos: 3`` or ``- 8
    papers read deeply``.
    """
    targets: dict[str, float] = {}
    header: list[str] = []
    for line in _lines(data):
        text = line.content.decode(errors="replace").strip()
        if not text.startswith("|"):
            header = []
        cells = (
            [part.strip(" *`") for part in text.strip("|").split("|")]
            if text.startswith("|")
            else []
        )
        if cells and not header:
            header = [part.lower() for part in cells]
        for name, title in kpis:
            if name in targets or not _same_words(title, cells[0] if cells else text):
                continue
            value = _from_cells(cells, header, quarter) if cells else _from_line(text, title)
            if value is not None:
                targets[name] = value
    return targets


def _from_cells(cells: Sequence[str], header: Sequence[str], quarter: str) -> float | None:
    order = [
        *(i for i, text in enumerate(header) if i and text.startswith(quarter.lower())),
        *(i for i, text in enumerate(header) if i and "target" in text),
        *range(1, len(cells)),
    ]
    for index in order:
        match = _NUMBER.search(cells[index]) if index < len(cells) else None
        if match:
            return float(match[0])
    return None


def _from_line(text: str, title: str) -> float | None:
    """The number next to the KPI's words: after a colon or sign, or just before them."""
    plain = re.sub(r"[*_`]", "", text[:1000])
    words = r"\W+".join(re.escape(word) for word in title.split())
    after = re.search(
        rf"{words}\W*(?:target|goal)?\W*(?:[:=≥>]|of|at least)?\W*(\d+(?:\.\d+)?)\b", plain, re.I
    )
    before = re.search(rf"(\d+(?:\.\d+)?)\+?\W+{words}", plain, re.I)
    match = after or before
    return float(match[1]) if match else None


def _same_words(title: str, text: str) -> bool:
    words = re.findall(r"\w+", title.lower())
    return bool(words) and " ".join(words) in " ".join(re.findall(r"\w+", text.lower()))


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


def _lines(data: bytes) -> list[_Line]:
    """Lines outside code blocks, each with the headings above it, outermost first."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise Problem(
            f"{FILE} is UTF-16 or no text",
            next="save it as UTF-8 and try again. Nothing was changed",
        )
    lines: list[_Line] = []
    headings: list[tuple[int, str]] = []
    fence = Fence()
    position = 0
    for number, raw in enumerate(data.splitlines(keepends=True), 1):
        start, position = position, position + len(raw)
        content = raw.rstrip(b"\r\n")
        if number == 1 and content.startswith(b"\xef\xbb\xbf"):
            content, start = content[3:], start + 3
        if fence.takes(content):
            continue
        heading = _HEADING.match(content)
        if heading:
            level = len(heading[1])
            headings = [item for item in headings if item[0] < level]
            headings.append((level, heading[2].rstrip(b" \t#").decode(errors="replace")))
        lines.append(_Line(number, start, content, tuple(headings)))
    return lines

"""Managed regions: the parts of the learner's Markdown that q1lab refreshes. Every other byte is
the learner's.

A region lies between two lines of their own::

    <!-- q1lab:begin comparison sha=1f0c… -->
    what q1lab writes
    <!-- q1lab:end comparison -->

``sha`` is a hash of what q1lab wrote last. When the text between the markers no longer matches it,
the learner has edited the region, and it is not overwritten without a yes. Everything here works on
bytes: a region is written with the document's own line ends, markers inside code fences are text,
and all else outside the regions is copied, never re-encoded."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from q1lab.documents.code_fences import Fence
from q1lab.ground.errors import Problem

NAME = re.compile(r"[a-z][a-z0-9-]*\Z")

# A marker is a whole line, indented by at most three blanks (four would be a code block).
_BEGIN = re.compile(
    rb" {0,3}<!--[ \t]*q1lab:begin[ \t]+([a-z][a-z0-9-]*)"
    rb"(?:[ \t]+sha=([0-9a-f]+))?[ \t]*-->[ \t]*\Z"
)
_END = re.compile(rb" {0,3}<!--[ \t]*q1lab:end[ \t]+([a-z][a-z0-9-]*)[ \t]*-->[ \t]*\Z")
_NEARLY = re.compile(rb" {0,3}<!--[ \t]*q1lab:(?:begin|end)\b")


class RegionProblem(Problem):
    """The markers of a document are broken: ``line`` says where (from 1)."""

    def __init__(self, where: str, line: int, message: str) -> None:
        super().__init__(f"{where}:{line}: {message}", file=where, line=line)


@dataclass(frozen=True)
class Region:
    """One region as found: ``body`` is the text between the markers."""

    name: str
    line: int
    start: int
    body_start: int
    body_end: int
    end: int
    body: bytes
    sha: str | None
    """The hash of the text that q1lab wrote last; None if it has written none yet."""

    @property
    def edited(self) -> bool:
        """True if the body is no longer what q1lab wrote. Any text is the learner's where it has
        written none."""
        return bool(self.body.strip()) if self.sha is None else fingerprint(self.body) != self.sha


@dataclass(frozen=True)
class Refreshed:
    """A refreshed document. ``edited`` names regions that the learner changed and that differ from
    the new text; in ``data`` they are kept unless the refresh was told to overwrite. ``added`` were
    not there before. ``diff`` shows what the refresh changes, or for kept regions would change."""

    data: bytes
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    diffs: Mapping[str, str] = field(default_factory=dict)


def utf8_text(data: bytes, where: str) -> str:
    """A document's text. Problem unless it is UTF-8 with LF or CRLF line ends."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.startswith("\ufeff") or "\0" in text or re.search(r"\r(?!\n)", text):
        raise Problem(
            f"{where} must be UTF-8 without a byte order mark, with LF or CRLF line ends",
            next="save it so, and try again; nothing was changed",
            file=where,
        )
    return text


def find_regions(data: bytes, where: str = "the document") -> list[Region]:
    """The regions of a document, in order. RegionProblem for broken markers; Problem where
    it is not UTF-8."""
    return _scan(data, where)[0]


def _scan(data: bytes, where: str) -> tuple[list[Region], int | None]:
    """The regions, and the line of a code fence that is still open at the end (or None)."""
    utf8_text(data, where)
    regions: list[Region] = []
    line_by_name: dict[str, int] = {}
    open_: Region | None = None
    """Without its body, which has not ended yet."""
    fence = Fence()
    fence_line = 0
    position = 0
    for number, whole_line in enumerate(data.splitlines(keepends=True), 1):
        end = position + len(whole_line)
        line = whole_line.rstrip(b"\r\n")
        if open_ is not None:
            # Inside a region a fence does not hide the end: what q1lab writes there is well formed,
            # and what the learner breaks there must not swallow the rest of the document.
            closing = _END.match(line)
            if closing and closing[1].decode() == open_.name:
                body = data[open_.body_start : position]
                regions.append(replace(open_, body_end=position, end=end, body=body))
                open_ = None
            elif _NEARLY.match(line):
                raise RegionProblem(
                    where,
                    number,
                    f"the region {open_.name!r} (line {open_.line}) is not closed before this mark",
                )
        elif fence.mark:
            fence.takes(line)
        elif fence.takes(line):
            fence_line = number
        elif begin := _BEGIN.match(line):
            name = begin[1].decode()
            if name in line_by_name:
                raise RegionProblem(
                    where,
                    number,
                    f"there are two regions {name!r} (the first is at line {line_by_name[name]}): "
                    "remove one",
                )
            line_by_name[name] = number
            sha = begin[2].decode() if begin[2] else None
            open_ = Region(name, number, position, end, end, end, b"", sha)
        elif _NEARLY.match(line):
            raise RegionProblem(
                where, number, "this mark has no partner, or is not written as q1lab writes it"
            )
        position = end
    if open_ is not None:
        raise RegionProblem(where, open_.line, f"the region {open_.name!r} is never closed")
    return regions, (fence_line if fence.mark else None)


def refresh_regions(
    data: bytes,
    contents: Mapping[str, str],
    *,
    where: str = "the document",
    overwrite: bool = False,
    append: bool = True,
) -> Refreshed:
    """Put ``contents`` (region name → Markdown) into the document and change nothing else.

    A region that the document lacks is appended at the end, in the order given, unless ``append``
    is False (a learner may have deleted it on purpose). A region that the learner edited stays as
    it is unless ``overwrite``, and is reported only when q1lab has something new for it; when its
    text equals the new one anyway, it is simply q1lab's again.
    """
    for name, text in contents.items():
        if not NAME.match(name):
            raise ValueError(f"not a region's name: {name!r}")
        _refuse_marks(name, text)
    regions, open_fence = _scan(data, where)
    newline = _newline_of(data)
    pieces: list[bytes] = []
    changed, edited = [], []
    diffs: dict[str, str] = {}
    position = 0
    for region in regions:
        if region.name not in contents:
            continue
        body = _body(contents[region.name], newline)
        same = _unified(region.body) == _unified(body)
        stays = region.edited and not same and not overwrite
        if stays and region.sha == fingerprint(body):
            continue  # nothing new to say, nothing to ask about
        if same:
            body = region.body  # only line ends may differ: leave them
        else:
            diffs[region.name] = document_diff(region.body, body, region.name)
            if region.edited:
                edited.append(region.name)
        if stays:
            continue
        # The first marker is the only one that is written anew (for its hash); the last keeps its
        # bytes.
        end = _end_of_line(data[region.start : region.body_start]) or newline
        new = _mark(region.name, body, end) + body + data[region.body_end : region.end]
        pieces += [data[position : region.start], new]
        position = region.end
        if new != data[region.start : region.end]:
            changed.append(region.name)
    new_data = b"".join([*pieces, data[position:]])
    there = {region.name for region in regions}
    added = {
        name: _body(text, newline)
        for name, text in contents.items()
        if append and name not in there
    }
    if added and open_fence is not None:
        name = next(iter(added))
        raise RegionProblem(
            where,
            open_fence,
            f"this code block is never closed, so the region {name!r} can't be added after it",
        )
    for name, body in added.items():
        new_data += _gap(new_data, newline) + _mark(name, body, newline)
        new_data += body + _last_mark(name, newline)
    diffs |= {name: document_diff(b"", body, name) for name, body in added.items()}
    return Refreshed(new_data, tuple(changed), tuple(added), tuple(edited), diffs)


def region_block(name: str, text: str) -> str:
    """A region as Markdown with ``\\n`` line ends, markers included: for the first writing of a
    document."""
    _refuse_marks(name, text)
    body = _body(text, b"\n")
    return (_mark(name, body, b"\n") + body + _last_mark(name, b"\n")).decode()


def fingerprint(body: bytes) -> str:
    """The hash that a marker carries: of the body with line ends made equal, so that git's autocrlf
    doesn't count as an edit."""
    return hashlib.sha256(_unified(body)).hexdigest()[:16]


def _refuse_marks(name: str, text: str) -> None:
    """Refuse text that holds a marker, which would break the document. Templates disarm markers;
    this check is the safety net."""
    for line in text.encode(errors="replace").splitlines():
        if _NEARLY.match(line):
            raise ValueError(f"the new text of region {name!r} holds a q1lab mark: {line!r}")


def _body(text: str, newline: bytes) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    return (
        newline.join(line.encode(errors="replace") for line in lines) + newline
        if lines != [""]
        else b""
    )


def _mark(name: str, body: bytes, newline: bytes) -> bytes:
    return f"<!-- q1lab:begin {name} sha={fingerprint(body)} -->".encode() + newline


def _last_mark(name: str, newline: bytes) -> bytes:
    return f"<!-- q1lab:end {name} -->".encode() + newline


def _unified(body: bytes) -> bytes:
    return body.replace(b"\r\n", b"\n")


def _newline_of(data: bytes) -> bytes:
    """The document's own line end: the commoner one."""
    return b"\r\n" if 2 * data.count(b"\r\n") > data.count(b"\n") else b"\n"


def _end_of_line(data: bytes) -> bytes:
    for end in (b"\r\n", b"\n"):
        if data.endswith(end):
            return end
    return b""


def _gap(data: bytes, newline: bytes) -> bytes:
    """The bytes between the text and an appended region: the end of the last line, and a blank
    line."""
    if not data:
        return b""
    if not _end_of_line(data):
        return newline * 2
    return b"" if _unified(data[-4:]).endswith(b"\n\n") else newline


def document_diff(old: bytes, new: bytes, name: str) -> str:
    """A readable unified diff of two versions of a document, or of a region."""
    before = _unified(old).decode(errors="replace").splitlines()
    after = _unified(new).decode(errors="replace").splitlines()
    lines = difflib.unified_diff(before, after, f"{name} (now)", f"{name} (new)", lineterm="")
    return "".join(line + "\n" for line in lines)

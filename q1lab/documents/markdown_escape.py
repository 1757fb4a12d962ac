"""Foreign text in Markdown: a phrase is escaped, Markdown is contained.

A learner's answer may hold anything: headings, an open code fence, HTML, a region's mark. In a
document it must neither break the outline nor swallow what follows. The functions return ``Md``:
Markdown that is safe to place. Plain ``str`` is escaped by the templates when it is printed (see
``templates``).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt

from q1lab.documents.code_fences import Fence
from q1lab.ground.files import printable

_SPECIAL = re.compile(r"([\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_LINE_START = re.compile(r"^(#{1,6}(?=\s|$)|[+-](?=\s|$)|[=-]+$|\d+(?=[.)](?:\s|$)))")
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")  # a no-break space is meant
_ENTITY = re.compile(r"&(?=#?\w+;)")
_HEADING = re.compile(r"^( {0,3})(#{1,6})(?=\s|$)")
_OWN_BLOCK = re.compile(r"[-*+] |\d+[.)] |```|~~~")
_COMMENT = re.compile(r"(?:^|\s)#(?:\s|$)")
_SENTENCE = re.compile(r"\w[.?!]\s*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)\s*$")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?!https?://[^\s<>]*>)")
_MARK = re.compile(r"<!--(\s*)q1lab:")
_MARK_LINE = re.compile(r"[ \t]*<!--[ \t]*q1lab:")


class Md(str):
    """Markdown that may be placed in a document as it is."""

    __slots__ = ()


def inline(text: object) -> Md:
    """A phrase in running text: one line, nothing in it is Markdown or HTML."""
    if isinstance(text, Md):
        return text
    words = _BLANKS.sub(" ", printable(str(text))).strip(" ")
    words = _ENTITY.sub("&amp;", _SPECIAL.sub(r"\\\1", words))
    return Md(_LINE_START.sub(lambda m: m[1] + "\\" if m[1].isdigit() else "\\" + m[1], words))


def sentence(text: str) -> Md:
    """A sentence of q1lab's own: as ``inline``, and a command that it names is code."""
    return Md(re.sub(r"\\`(q1lab [a-z -]+)\\`", r"`\1`", inline(text)))


def cell(text: object) -> Md:
    """A table's cell: as ``inline`` (which escapes the bar); empty is a dash."""
    return Md(inline(text) or "–") if not isinstance(text, Md) else text


def code_span(text: object) -> Md:
    """A code span that holds ``text``, whatever backticks are in it."""
    words = " ".join(printable(str(text)).split())
    if not words:
        return Md("")
    longest = max((len(run) for run in re.findall(r"`+", words)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if words[:1] == "`" or words[-1:] == "`" else ""
    return Md(f"{ticks}{pad}{words}{pad}{ticks}".replace("|", "\\|"))


def fenced(text: str, language: str = "") -> Md:
    """A code block that holds ``text``: its fence is longer than any in the text, marks in it are
    disarmed."""
    text = _MARK.sub(r"<!--\1q1lab :", printable(text)).rstrip("\n")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return Md(f"{ticks}{language}\n{text}\n{ticks}")


def link(title: object, url: str | None) -> Md:
    """A link, or just the title when the address is not a web address (a path is shown as code
    next to it)."""
    shown = inline(title)
    if not url:
        return shown
    if re.match(r"https?://", url) and not re.search(r"[\s<>]", url):
        return Md(f"[{shown}](<{url}>)" if re.search(r"[()\[\]\\]", url) else f"[{shown}]({url})")
    return Md(f"{shown} ({code_span(url)})")


def image(path: str, alt: str) -> Md:
    """A picture of a file beside the document, with the words for who can't see it."""
    target = f"<{path}>" if re.search(r"[\s()]", path) else path
    return Md(f"![{inline(alt)}]({target})")


def answer(text: str, level: int = 3) -> Md:
    """A learner's own Markdown, kept as Markdown but contained: headings go below ``level``, an
    open fence is closed, HTML and marks are shown as text. What can't be contained so (a fence that
    is open inside a list, say) is shown as a code block instead, word for word.
    """
    cleaned = printable(text).replace("\t", "    ").strip("\n")
    contained = _outside_code("\n".join(_contained_lines(cleaned, level)))
    return Md(contained) if _is_contained(contained, level) else fenced(cleaned, "markdown")


def listed(text: str) -> str:
    """An answer of several lines as a list: Markdown would run the lines together. A text that
    has a list or a fence of its own stays."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) < 2 or any(_OWN_BLOCK.match(line) for line in lines):
        return text
    return "\n".join(f"- {line}" for line in lines)


def numbered(text: str) -> str:
    """An answer of several points as a numbered list: a point is a paragraph, or a line where each
    line is a sentence. A text of one point, or with lists or fences of its own, stays."""
    lines = [line.strip() for line in text.strip().split("\n")]
    if any(_OWN_BLOCK.match(line) for line in lines):
        return text
    points = re.split(r"\n{2,}", "\n".join(lines))
    if len(points) == 1 and all(line.endswith((".", "!", "?")) for line in lines):
        points = lines
    if len(points) < 2:
        return text
    return "\n".join(
        f"{at}. " + point.replace("\n", "\n   ") for at, point in enumerate(points, start=1)
    )


def sketched(text: str) -> str:
    """A sketch of code: each paragraph with a comment in it becomes a block of Python, so that a
    line that begins with ``#`` doesn't become a heading and every line stays a line. A sentence
    before or after the comments stays text."""

    def block(paragraph: list[str]) -> str:
        if not any(_COMMENT.search(line) for line in paragraph):
            return "\n".join(paragraph)
        prose = [bool(_SENTENCE.search(line)) and not _COMMENT.search(line) for line in paragraph]
        first, last = prose.index(False), len(prose) - prose[::-1].index(False)
        code = fenced("\n".join(paragraph[first:last]), "python")
        blocks = ["\n".join(paragraph[:first]), code, "\n".join(paragraph[last:])]
        return "\n\n".join(block for block in blocks if block)

    fence = Fence()
    return _by_paragraph(((not fence.takes(line), line) for line in text.split("\n")), block)


def _by_paragraph(lines: Iterable[tuple[bool, str]], change: Callable[[list[str]], str]) -> str:
    """Every paragraph changed: lines that are marked, up to a blank one. All others stay."""
    out: list[str] = []
    for inside, some in itertools.groupby(
        lines, lambda marked_line: marked_line[0] and bool(marked_line[1].strip())
    ):
        group = [line for _, line in some]
        out += [change(group)] if inside else group
    return "\n".join(out)


def _contained_lines(text: str, level: int) -> list[str]:
    out: list[str] = []
    for kind, line in _lines(text):
        if kind == "code":
            line = _MARK.sub(r"<!--\1q1lab :", line)
        elif kind == "text":
            heading = _HEADING.match(line)
            if heading:
                line = "#" * min(6, len(heading[2]) + level) + line[heading.end() :]
            elif _UNDERLINE.match(line) and out and out[-1].strip():
                line = "\\" + line.lstrip()
        out.append(line)
    return out


@cache
def parser() -> MarkdownIt:
    """The parser of Markdown with HTML and tables."""
    return MarkdownIt("commonmark", {"html": True}).enable("table")


def _is_contained(text: str, level: int) -> bool:
    """Ask a Markdown parser: no HTML, no heading of the document's own levels, no mark, and the end
    is free."""
    if any(_MARK_LINE.match(line) for line in text.split("\n")):
        return False
    tokens = parser().parse(f"{text}\n<!-- end -->\n\n# After\n")
    tail = [(token.type, token.level) for token in tokens[-4:]]
    if tail != [("html_block", 0), ("heading_open", 0), ("inline", 1), ("heading_close", 0)]:
        return False
    if tokens[-4].content.strip() != "<!-- end -->":  # an HTML block that was open took it in
        return False
    for token in tokens[:-4]:
        if token.type == "html_block" or any(
            child.type == "html_inline" for child in token.children or ()
        ):
            return False
        if token.type == "heading_open" and int(token.tag[1]) <= min(level, 5):
            return False
    return True


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """(kind, line): ``text``, ``code`` (a fence or what is in it), ``indented`` (a code block),
    ``close`` (added)."""
    fence = Fence()
    blank, in_indented = True, False
    for line in text.split("\n"):
        if fence.takes(line):
            yield "code", line
            blank = in_indented = False
            continue
        in_indented = line.startswith("    ") and bool(line.strip()) and (blank or in_indented)
        yield ("indented" if in_indented else "text"), line
        blank = not line.strip()
    if fence.mark:
        yield "close", fence.mark


def _outside_code(text: str) -> str:
    """Show HTML as text where Markdown would take it as HTML."""
    return _by_paragraph(((kind == "text", line) for kind, line in _lines(text)), _tags)


def _tags(lines: list[str]) -> str:
    paragraph = "\n".join(lines)
    pieces, position = [], 0
    for span in _CODE_SPAN.finditer(paragraph):
        pieces += [_TAG.sub(r"\\<", paragraph[position : span.start()]), _disarm(span[0])]
        position = span.end()
    return "".join([*pieces, _TAG.sub(r"\\<", paragraph[position:])])


def _disarm(span: str) -> str:
    """A code span may run over lines, and a line of it may look like a mark."""
    return _MARK.sub(r"<!--\1q1lab :", span)


def table(
    head: Sequence[object], rows: Sequence[Sequence[object]], right: Sequence[int] = ()
) -> Md:
    """A Markdown table; the columns in ``right`` (from 0) are right-aligned."""
    rule: list[str] = ["---:" if index in right else "---" for index in range(len(head))]
    lines: list[Sequence[str]] = [[inline(text) for text in head], rule]
    lines += [[cell(text) for text in row] for row in rows]
    return Md("\n".join("| " + " | ".join(line) + " |" for line in lines))

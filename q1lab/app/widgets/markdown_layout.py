"""Markdown laid out for a width, as lines of text: paragraphs, lists, tables, code, links. Pure.

One piece of text per block of Markdown, where Textual's own widget mounts one widget per paragraph:
a page with its steps opens in a few milliseconds, and a step can stand between two paragraphs. The
text is data; HTML in it is shown as text, comments are left out, and no markup is read from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from rich.cells import cell_len
from textual.content import Content, Span
from textual.style import Style

from q1lab.week.syllabus import ARXIV, GLOSSARY

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

CODE, LINK, WORD, QUIET = "$accent", "underline $primary", "underline", "$muted"
STRONG = "$block-cursor-foreground"
"""Stress in a text is light, not weight: only what is to be done is bold."""
HEADINGS = dict.fromkeys(("h1", "h2", "h3"), "$primary") | {"h4": STRONG}
NUMERIC = re.compile(r"[−+±≈~-]?[\d.,·×%/\s]*\d[\d.,·×%/\s]*[a-zA-Zµ%]{0,4}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@lru_cache(maxsize=64)
def lay_out_markdown(markdown: str, width: int) -> tuple[Content, ...]:
    """``markdown`` in lines of at most ``width`` cells."""
    from markdown_it.tree import SyntaxTreeNode

    tree = SyntaxTreeNode(_parser().parse(markdown))
    return tuple(_blocks(tree.children, max(12, width)))


@lru_cache(maxsize=1)
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


_COLUMN = re.compile("^ *|  +")
"""The blanks before a column of a drawing, or before a line of code."""
LEAST_COLUMN = 12
"""A column that has less room, in cells, goes on at the line's beginning."""


def wrap_content(content: Content, width: int) -> list[Content]:
    """Lines of at most ``width`` cells. Works around Textual: after a word that it had to fold, it
    may begin a line with the space that follows, or leave that space alone on a line."""
    lines = (line[len(line) - len(line.plain.lstrip()) :] for line in content.wrap(width))
    return [line for line in lines if line] or [Content("")]


# ── blocks


def _blocks(nodes: Sequence[SyntaxTreeNode], width: int, tight: bool = False) -> list[Content]:
    lines: list[Content] = []
    for node in nodes:
        if node.type == "html_block" and not _COMMENT.sub("", node.content).strip():
            continue
        if lines and not tight:
            lines.append(Content(""))
        lines += _block(node, width)
    return lines


def _block(node: SyntaxTreeNode, width: int) -> list[Content]:
    kind = node.type
    if kind == "heading":
        return [
            line.stylize_before(HEADINGS.get(node.tag, "italic"))
            for line in wrap_content(_inline_content(node), width)
        ]
    if kind == "paragraph":
        return wrap_content(_inline_content(node), width)
    if kind in ("fence", "code_block"):
        return _code(node.content, node.info.split()[:1], width)
    if kind in ("bullet_list", "ordered_list"):
        return _list(node, width)
    if kind == "blockquote":
        return [Content.assemble(("▎ ", QUIET), line) for line in _blocks(node.children, width - 2)]
    if kind == "table":
        return _table(node, width)
    if kind == "hr":
        return [Content.styled("─" * width, "$border-blurred")]
    if kind == "html_block":
        return wrap_content(Content(_COMMENT.sub("", node.content).strip()), width)
    return _blocks(node.children, width)


def _list(node: SyntaxTreeNode, width: int) -> list[Content]:
    number = int(node.attrs.get("start", 1) or 1)
    tight = all(
        child.hidden
        for item in node.children
        for child in item.children
        if child.type == "paragraph"
    )
    lines: list[Content] = []
    for index, item in enumerate(node.children):
        bullet = "• " if node.type == "bullet_list" else f"{number + index}. "
        inner = _blocks(item.children, width - len(bullet), tight) or [Content("")]
        if lines and not tight:
            lines.append(Content(""))
        lines.append(Content.assemble((bullet, "$primary"), inner[0]))
        lines += [Content.assemble(" " * len(bullet), line) for line in inner[1:]]
    return lines


def _code(text: str, info: Sequence[str], width: int) -> list[Content]:
    lines = text.rstrip("\n").expandtabs(4).split("\n")
    shown: list[Content] = [Content(line) for line in lines]
    if info and info[0] in ("python", "py", "diff", "toml", "bash", "sh", "console"):
        from textual.highlight import highlight

        colored = highlight("\n".join(lines), language=info[0]).split("\n", allow_blank=True)
        if [line.plain for line in colored[: len(lines)]] == lines:
            shown = colored[: len(lines)]
    room = width - 2
    return [Content.assemble("  ", part) for line in shown for part in _folded(line, room)]


def _folded(line: Content, room: int) -> list[Content]:
    """A line of code or of a drawing in lines of ``room`` cells: it breaks between two words, and
    goes on below the beginning of its column."""
    if line.cell_length <= room:
        return [line]
    text = line.plain
    column = max(match.end() for match in _COLUMN.finditer(text[: max(0, room - LEAST_COLUMN)]))
    end = text.rfind(" ", column + 1, room + 1)
    if end < 0 or line[:end].cell_length > room:
        return line.fold(room)
    return [line[:end], *_folded(Content.assemble(" " * column, line[end + 1 :]), room)]


def _table(node: SyntaxTreeNode, width: int) -> list[Content]:
    rows = [row for part in node.children for row in part.children]
    cells = [[_inline_content(cell) for cell in row.children] for row in rows]
    count = max((len(row) for row in cells), default=0)
    texts = [[cell.plain for cell in row] for row in cells]
    wants = [max(cell_len(row[k]) if k < len(row) else 0 for row in texts) for k in range(count)]
    words = [
        max((cell_len(w) for row in texts if k < len(row) for w in row[k].split()), default=1)
        for k in range(count)
    ]
    gap = 3 if sum(wants) + 3 * (count - 1) <= width else 2
    room = max(count, width - gap * (count - 1))
    sizes = _squeezed(wants, words, room)
    right = [
        "right" in str(rows[0].children[k].attrs.get("style", ""))
        or (
            len(rows) > 1
            and all(NUMERIC.fullmatch(row[k].strip()) for row in texts[1:] if k < len(row))
        )
        for k in range(count)
    ]
    lines: list[Content] = []
    for number, row in enumerate(cells):
        wrapped = [wrap_content(cell, size) for cell, size in zip(row, sizes, strict=False)]
        for level in range(max((len(cell) for cell in wrapped), default=0)):
            parts: list[Content] = []
            for k, cell in enumerate(wrapped):
                text = cell[level] if level < len(cell) else Content("")
                blank = Content(" " * max(0, sizes[k] - text.cell_length))
                parts.append(Content.assemble(*((blank, text) if right[k] else (text, blank))))
            line = Content(" " * gap).join(parts).rstrip()
            lines.append(line.stylize_before(QUIET) if number == 0 else line)
        if number == 0:
            rule = (" " * gap).join("─" * size for size in sizes)
            lines.append(Content.styled(rule, "$border-blurred"))
    return lines


def _squeezed(wants: Sequence[int], words: Sequence[int], room: int) -> list[int]:
    """Column widths that fit: the widest columns give first, down to their longest word."""
    sizes = list(wants)
    for least in (words, [4] * len(sizes)):
        while sum(sizes) > room:
            able = [k for k in range(len(sizes)) if sizes[k] > least[k]]
            if not able:
                break
            widest = max(able, key=lambda k: sizes[k])
            sizes[widest] -= 1
    return [max(1, size) for size in sizes]


# ── inside a line


def glossary_word(address: str) -> str:
    """The anchor in the week's glossary that an address names; empty for any other address."""
    file, _, place = unquote(address).rpartition("#")
    return place if file.rpartition("/")[2] == GLOSSARY else ""


def link_address(span: Span) -> str:
    """The address that a click on the span opens; empty if the span is not a link."""
    return str(span.style.meta.get("url", "")) if isinstance(span.style, Style) else ""


def _inline_content(node: SyntaxTreeNode, linked: bool = False) -> Content:
    """The inline content of a node; inside a link (``linked``), nothing is a link of its own."""
    return Content.assemble(*(_node_content(child, linked) for child in node.children))


def _node_content(node: SyntaxTreeNode, linked: bool) -> Content:
    kind = node.type
    if kind == "text":
        return Content(node.content) if linked else _text(node.content)
    if kind == "code_inline":
        return Content.styled(node.content, CODE)
    if kind in ("softbreak", "hardbreak"):
        return Content(" " if kind == "softbreak" else "\n")
    if kind == "image":
        return Content.styled(node.content, "italic")
    if kind == "html_inline":
        return Content(_COMMENT.sub("", node.content))
    if kind == "link":
        address = str(node.attrs.get("href", ""))
        opens = bool(glossary_word(address)) or address.startswith(("https://", "http://"))
        inner = _inline_content(node, linked or opens)
        return _link(inner, address) if opens else inner
    style = {"strong": STRONG, "em": "italic", "s": "strike"}.get(kind, "")
    return _inline_content(node, linked).stylize_before(style)


def _link(content: Content, address: str) -> Content:
    meta = {"@click": f"app.open_link({address!r})", "url": address}
    shown = content.stylize_before(WORD if glossary_word(address) else LINK)
    return shown.stylize(Style.from_meta(meta))


def _text(text: str) -> Content:
    """Plain text, in which arXiv numbers are links."""
    parts: list[str | Content] = []
    end = 0
    for match in ARXIV.finditer(text):
        address = f"https://arxiv.org/abs/{match[1]}"
        parts += [text[end : match.start()], _link(Content(match[0]), address)]
        end = match.end()
    return Content.assemble(*parts, text[end:])

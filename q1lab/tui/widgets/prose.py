"""Markdown laid out for a width, as lines of text: paragraphs, lists, tables, code, links. Pure.

One piece of text per block of Markdown, where Textual's own widget mounts one widget per paragraph:
a page with its steps opens in a few milliseconds, and a step can stand between two paragraphs. The
text is data; HTML in it is shown as text, comments are left out, and no markup is read from it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from rich.cells import cell_len
from textual.content import Content, Span
from textual.style import Style

from q1lab.formats import cut_cells
from q1lab.week.model import ARXIV, GLOSSARY

if TYPE_CHECKING:
    from markdown_it.token import Token

Fragment = tuple[str, str, str]
"""Text, its style, and the address that a click opens ("" for none)."""

CODE, LINK, WORD, QUIET = "$accent", "underline $primary", "underline", "$muted"
HEADINGS = {"h1": "bold $primary", "h2": "bold $primary", "h3": "bold $primary", "h4": "bold"}
NUMERIC = re.compile(r"[−+±≈~-]?[\d.,·×%/\s]*\d[\d.,·×%/\s]*[a-zA-Zµ%]{0,4}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Laid:
    """Lines of at most the width asked for, and the links in them as (line, words, address)."""

    lines: tuple[Content, ...] = ()
    links: tuple[tuple[int, str, str], ...] = ()


@dataclass
class _Node:
    """A token with what is inside it: the flat list of tokens as a tree."""

    token: Token
    children: list[_Node] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.token.type.removesuffix("_open")


@lru_cache(maxsize=64)
def laid(markdown: str, width: int) -> Laid:
    """``markdown`` for ``width`` cells."""
    lines = _blocks(_tree(_parser().parse(markdown)), max(12, width))
    links = []
    for number, line in enumerate(lines):
        for span in line.spans:
            url = span.style.meta.get("url") if isinstance(span.style, Style) else None
            if url and not word_of(url):  # to a word leads the key `w`
                links.append((number, line.plain[span.start : span.end], str(url)))
    return Laid(tuple(lines), tuple(links))


def first_coat(markdown: str, width: int) -> list[Content]:
    """The same text before the parser is loaded: its lines wrapped, headings bold, signs left out.

    The first paint shows it, so that the page is there at once; ``laid`` takes its place."""
    lines: list[Content] = []
    paragraph: list[str] = []
    code = False

    def flush() -> None:
        if paragraph:
            lines.extend(Content(one) for one in textwrap.wrap(" ".join(paragraph), max(12, width)))
            paragraph.clear()

    for raw in markdown.splitlines():
        text = raw.rstrip()
        if text.startswith(("```", "~~~")):
            flush()
            code = not code
        elif code:
            lines.append(Content(f"  {cut_cells(text, width - 2)}"))
        elif text.startswith("#"):
            flush()
            lines.append(Content.styled(cut_cells(text.lstrip("# "), width), HEADINGS["h2"]))
        elif not text or text[0] in "|`> " or re.match(r"([-*+]|\d+\.) ", text):
            flush()
            lines.append(Content(cut_cells(text, width)))
        else:
            paragraph.append(re.sub(r"[*`]|\[(?=[^]]*\]\()|(?<=[^]])\]\([^)]*\)", "", text))
    flush()
    return lines


def wrap(fragments: Iterable[Fragment], width: int) -> list[Content]:
    """Fragments as lines of at most ``width`` cells, broken at spaces; a longer word is folded."""
    words: list[list[Fragment]] = [[]]
    breaks: set[int] = set()
    for text, style, url in fragments:
        for piece in re.split(r"(\s+)", text):
            if not piece:
                continue
            if piece.isspace():
                if words[-1]:
                    words.append([])
                if "\n" in piece:
                    breaks.add(len(words) - 1)
            else:
                words[-1].append((piece, style, url))
    lines: list[list[Fragment]] = [[]]
    used = 0
    for number, word in enumerate(words):
        if number in breaks and lines[-1]:
            lines.append([])
            used = 0
        if not word:
            continue
        size = sum(cell_len(text) for text, _, _ in word)
        if lines[-1] and used + 1 + size > width:
            lines.append([])
            used = 0
        if lines[-1]:
            before, after = lines[-1][-1], word[0]
            same = before[1:] == after[1:]
            lines[-1].append((" ", *(before[1:] if same else ("", ""))))
            used += 1
        for fragment in word:
            for piece in _fold(fragment, width, used):
                if used and used + cell_len(piece[0]) > width:
                    lines.append([])
                    used = 0
                lines[-1].append(piece)
                used += cell_len(piece[0])
    return [_line(line) for line in lines if line] or [Content("")]


def _fold(fragment: Fragment, width: int, used: int) -> list[Fragment]:
    text, style, url = fragment
    if used + cell_len(text) <= width or cell_len(text) <= width:
        return [fragment]
    pieces, now = [], ""
    for letter in text:
        if cell_len(now + letter) > width:
            pieces.append((now, style, url))
            now = ""
        now += letter
    return [*pieces, (now, style, url)]


def _line(fragments: Sequence[Fragment]) -> Content:
    plain, spans = "", []
    linked: list[tuple[int, int, str]] = []
    for text, style, url in fragments:
        start, plain = len(plain), plain + text
        if style:
            spans.append(Span(start, len(plain), style))
        if url and linked and linked[-1][1:] == (start, url):
            linked[-1] = (linked[-1][0], len(plain), url)
        elif url:
            linked.append((start, len(plain), url))
    for start, end, url in linked:
        meta = {"@click": f"app.open_link({url!r})", "url": url}
        spans.append(Span(start, end, Style.from_meta(meta)))
    return Content(plain, spans=spans)


@lru_cache(maxsize=1)
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _tree(tokens: Sequence[Token]) -> list[_Node]:
    top: list[_Node] = []
    inside = [top]
    for token in tokens:
        if token.nesting == -1:
            inside.pop()
            continue
        node = _Node(token)
        inside[-1].append(node)
        if token.nesting == 1:
            inside.append(node.children)
    return top


# ── blocks


def _blocks(nodes: Sequence[_Node], width: int, tight: bool = False) -> list[Content]:
    lines: list[Content] = []
    for node in nodes:
        if node.kind == "html_block" and not _COMMENT.sub("", node.token.content).strip():
            continue
        if lines and not tight:
            lines.append(Content(""))
        lines += _block(node, width)
    return lines


def _block(node: _Node, width: int) -> list[Content]:
    kind = node.kind
    if kind == "heading":
        return [
            line.stylize_before(HEADINGS.get(node.token.tag, "bold italic"))
            for line in wrap(_spoken(node), width)
        ]
    if kind == "paragraph":
        return wrap(_spoken(node), width)
    if kind in ("fence", "code_block"):
        return _code(node.token.content, node.token.info.split()[:1], width)
    if kind in ("bullet_list", "ordered_list"):
        return _list(node, width)
    if kind == "blockquote":
        return [Content.assemble(("▎ ", QUIET), line) for line in _blocks(node.children, width - 2)]
    if kind == "table":
        return _table(node, width)
    if kind == "hr":
        return [Content.styled("─" * width, "$border-blurred")]
    if kind == "html_block":
        return wrap([(_COMMENT.sub("", node.token.content).strip(), "", "")], width)
    return _blocks(node.children, width)


def _list(node: _Node, width: int) -> list[Content]:
    number = int(node.token.attrs.get("start", 1) or 1)
    tight = all(
        child.token.hidden
        for item in node.children
        for child in item.children
        if child.kind == "paragraph"
    )
    lines: list[Content] = []
    for index, item in enumerate(node.children):
        mark = "• " if node.kind == "bullet_list" else f"{number + index}. "
        inner = _blocks(item.children, width - len(mark), tight) or [Content("")]
        if lines and not tight:
            lines.append(Content(""))
        lines.append(Content.assemble((mark, "$primary"), inner[0]))
        lines += [Content.assemble(" " * len(mark), line) for line in inner[1:]]
    return lines


def _code(text: str, info: Sequence[str], width: int) -> list[Content]:
    lines = text.rstrip("\n").expandtabs(4).split("\n")
    shown: list[Content] = [Content(line) for line in lines]
    if info and info[0] in ("python", "py", "diff", "toml", "bash", "sh", "console"):
        from textual.highlight import highlight

        colored = highlight("\n".join(lines), language=info[0]).split("\n", allow_blank=True)
        if [one.plain for one in colored[: len(lines)]] == lines:
            shown = colored[: len(lines)]
    room = width - 2
    folded = [part for line in shown for part in (line.fold(room) if line.plain else [line])]
    return [Content.assemble("  ", line) for line in folded]


def _table(node: _Node, width: int) -> list[Content]:
    rows = [row for part in node.children for row in part.children]
    cells = [[_spoken(cell) for cell in row.children] for row in rows]
    count = max((len(row) for row in cells), default=0)
    plain = [["".join(text for text, _, _ in cell) for cell in row] for row in cells]
    wants = [max(cell_len(row[k]) if k < len(row) else 0 for row in plain) for k in range(count)]
    words = [
        max((cell_len(w) for row in plain if k < len(row) for w in row[k].split()), default=1)
        for k in range(count)
    ]
    gap = 3 if sum(wants) + 3 * (count - 1) <= width else 2
    room = max(count, width - gap * (count - 1))
    sizes = _squeezed(wants, words, room)
    right = [
        "right" in str(rows[0].children[k].token.attrs.get("style", ""))
        or (
            len(rows) > 1
            and all(NUMERIC.fullmatch(row[k].strip()) for row in plain[1:] if k < len(row))
        )
        for k in range(count)
    ]
    lines: list[Content] = []
    for number, row in enumerate(cells):
        made = [wrap(cell, size) for cell, size in zip(row, sizes, strict=False)]
        for level in range(max((len(cell) for cell in made), default=0)):
            parts: list[Content] = []
            for k, cell in enumerate(made):
                text = cell[level] if level < len(cell) else Content("")
                blank = Content(" " * max(0, sizes[k] - text.cell_length))
                parts.append(Content.assemble(*((blank, text) if right[k] else (text, blank))))
            line = Content(" " * gap).join(parts).rstrip()
            lines.append(line.stylize_before("bold") if number == 0 else line)
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


def word_of(address: str) -> str:
    """The place in the week's glossary that an address names; empty for any other address."""
    file, _, place = unquote(address).rpartition("#")
    return place if file.rpartition("/")[2] == GLOSSARY else ""


def _spoken(node: _Node) -> list[Fragment]:
    """What a block says, as fragments."""
    found: list[Fragment] = []
    for child in node.children:
        if child.kind == "inline":
            found += _inline(_tree(child.token.children or []), "", "")
        else:
            found += _spoken(child)
    return found


def _inline(nodes: Sequence[_Node], style: str, url: str) -> list[Fragment]:
    found: list[Fragment] = []
    for node in nodes:
        token, kind = node.token, node.kind
        if kind == "text":
            found += _text(token.content, style, url)
        elif kind == "code_inline":
            found.append((token.content, f"{style} {CODE}".strip(), url))
        elif kind == "softbreak":
            found.append((" ", style, url))
        elif kind == "hardbreak":
            found.append(("\n", style, url))
        elif kind == "link":
            address = str(token.attrs.get("href", ""))
            word = word_of(address)
            opens = address if word or address.startswith(("https://", "http://")) else ""
            inner = f"{style} {WORD if word else LINK}".strip() if opens else style
            found += _inline(node.children, inner, opens or url)
        elif kind == "image":
            found.append((token.content, f"{style} italic".strip(), url))
        elif kind == "html_inline":
            found.append((_COMMENT.sub("", token.content), style, url))
        else:
            more = {"strong": "bold", "em": "italic", "s": "strike"}.get(kind, "")
            found += _inline(node.children, f"{style} {more}".strip(), url)
    return found


def _text(text: str, style: str, url: str) -> list[Fragment]:
    """Plain text; an arXiv number in it is a link, as everybody writes it."""
    if url:
        return [(text, style, url)]
    found, end = [], 0
    for match in ARXIV.finditer(text):
        found.append((text[end : match.start()], style, ""))
        address = f"https://arxiv.org/abs/{match[1]}"
        found.append((match[0], f"{style} {LINK}".strip(), address))
        end = match.end()
    return [*found, (text[end:], style, "")]

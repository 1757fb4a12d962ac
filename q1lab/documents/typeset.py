"""Math and code of a post as HTML that needs no script: MathML, and spans with classes.

The learner's text is data: only known elements come out, with their text escaped, and text that
can't be read as LaTeX or as code is shown as it was written.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_MATH, MOST_CODE = 4_000, 40_000
"""Characters; longer formulas and blocks are shown plain."""
INLINE = r"\$(?P<inline>[^\s$`](?:[^$\n`]*[^\s$\\`])?)\$(?![\d$])"
"""A formula in a line, for a regular expression: no blank inside its dollars, no code, and no digit
after it, so that prices stay prices."""
_MATHML = frozenset(
    {
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "mfrac",
        "msqrt",
        "mroot",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mstyle",
        "mpadded",
        "mphantom",
        "menclose",
        "mfenced",
    }
)
_ATTRIBUTES = frozenset(
    {
        "display",
        "mathvariant",
        "stretchy",
        "fence",
        "form",
        "separator",
        "lspace",
        "rspace",
        "minsize",
        "maxsize",
        "movablelimits",
        "linethickness",
        "columnalign",
        "rowspacing",
        "columnspacing",
        "width",
        "accent",
        "displaystyle",
        "scriptlevel",
    }
)


_INLINE = re.compile(INLINE)


def inline_rule(state: Any, silent: bool) -> bool:
    """A rule of markdown-it: ``$x$`` becomes a token ``math_inline``."""
    match = _INLINE.match(state.src, state.pos)
    if match is None or state.src[state.pos - 1 : state.pos] == "$":
        return False
    if not silent:
        state.push("math_inline", "math", 0).content = match["inline"]
    state.pos = match.end()
    return True


def mathml(tex: str, *, block: bool) -> str:
    """LaTeX as MathML, which browsers draw by themselves; as code where it can't be read."""
    element = _element(tex.strip(), block)
    if element is None:
        plain = html.escape(tex.strip())
        return f"<pre><code>{plain}</code></pre>\n" if block else f"<code>{plain}</code>"
    from xml.etree.ElementTree import tostring

    text = tostring(element, encoding="unicode")
    return f'<div class="math" tabindex="0">{text}</div>\n' if block else text


def _element(tex: str, block: bool) -> Element | None:
    if len(tex) > MOST_MATH or tex.count("{") > 400:
        return None
    from latex2mathml.converter import convert_to_element

    try:
        element: Element = convert_to_element(tex, display="block" if block else "inline")
        _clean(element)
    except Exception:  # a parser may raise anything for what someone types
        return None
    return element


def _clean(element: Element) -> None:
    """Drop attributes that MathML does not have. ValueError for an element that it does not
    have."""
    if element.tag not in _MATHML:
        raise ValueError(element.tag)
    for name in list(element.attrib):
        if name not in _ATTRIBUTES and name != "xmlns":
            del element.attrib[name]
    # The converter writes signs as entities, into what is text here.
    element.text = html.unescape(element.text) if element.text else element.text
    element.tail = None
    for child in element:
        _clean(child)


def highlighted_code(text: str, language: str) -> str:
    """Code as HTML, its words in spans of the classes ``h-…`` where the language is known."""
    if not re.fullmatch(r"[\w+#.-]{1,30}", language) or len(text) > MOST_CODE:
        return html.escape(text)
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return html.escape(text)
    shown: str = highlight(text, lexer, HtmlFormatter(nowrap=True, classprefix="h-"))
    return shown if shown.endswith("\n") or not text.endswith("\n") else shown + "\n"

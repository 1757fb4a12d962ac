"""Markdown of q1lab's as one HTML page: self-contained, light and dark, nothing in it runs.

HTML in the text is shown as text, and a content security policy forbids every script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from markdown_it import MarkdownIt

from q1lab.judgment.layout import CHIP_STYLE


@cache
def style() -> str:
    """The page's stylesheet."""
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8").strip() + CHIP_STYLE


def content_policy() -> str:
    """The content security policy: nothing loads but this page's own style and pictures inside the
    page."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; script-src 'none'"
    )


def html_page(text: str, heading: str, figure: bytes, note: str) -> str:
    """The whole page. ``heading`` is the HTML that stands for the title; every picture in ``text``
    is ``figure``, an SVG; ``note`` is a line for the page's foot."""
    body = re.sub("<h1>.*?</h1>", lambda _: heading, _markdown(figure).render(text), count=1)
    body = re.sub("<p>(<figure>.*?</figure>)</p>", r"\1", body)
    title = next(line[2:].strip() for line in text.splitlines() if line.startswith("# "))
    shown = re.sub(r"\\(?=[^\w\s])", "", title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{content_policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html.escape(shown)}</title>\n<style>{style()}</style>\n</head>\n"
        f'<body>\n<main>\n{body}<p class="note">{html.escape(note)}</p>\n</main>\n</body>\n'
        "</html>\n"
    )


def _markdown(figure: bytes) -> Any:
    md = MarkdownIt("commonmark", {"html": False}).enable("table")

    def fence(tokens: Any, index: int, _options: Any, _env: Any) -> str:
        return f'<pre tabindex="0"><code>{html.escape(tokens[index].content)}</code></pre>\n'

    def image(tokens: Any, index: int, _options: Any, _env: Any) -> str:
        # An SVG inside <img> runs no script, whatever it holds.
        alt, data = html.escape(tokens[index].content), base64.b64encode(figure).decode()
        picture = f'<img src="data:image/svg+xml;base64,{data}" alt="{alt}">'
        return (
            f'<figure><div class="wide" tabindex="0">{picture}</div>'
            f"<figcaption>{alt}</figcaption></figure>"
        )

    def cell_open(tag: str) -> Callable[[Any, int, Any, Any], str]:
        def opened(tokens: Any, index: int, _options: Any, _env: Any) -> str:
            # the policy forbids the style attribute that markdown-it aligns with
            is_right = "right" in str(tokens[index].attrs.get("style", ""))
            return f'<{tag} class="right">' if is_right else f"<{tag}>"

        return opened

    rules = cast("Any", md.renderer).rules
    rules["fence"], rules["image"] = fence, image
    rules["td_open"], rules["th_open"] = cell_open("td"), cell_open("th")
    rules["table_open"] = lambda *_: '<div class="scroll" tabindex="0"><table>\n'
    rules["table_close"] = lambda *_: "</table></div>\n"
    return md

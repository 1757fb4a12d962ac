"""The post as one HTML page: self-contained, light and dark, nothing in it runs.

The Markdown is the learner's, and it is data: HTML in it is shown as text (but for folds), comments
are left out, charts are put into the page, and a content security policy forbids every script.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import html
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from q1lab.documents import typeset
from q1lab.ground.files import os_reason, read_bytes

MAX_IMAGE = 8 << 20
_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_FOLD = re.compile(r"<details>\s*<summary>([^<>]*)</summary>\s*|</details>\s*")
"""A fold as q1lab writes it: the only HTML in a draft that stays HTML."""
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@cache
def style() -> str:
    """The page's stylesheet."""
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8").strip()


def content_policy() -> str:
    """The content security policy: nothing loads but this page's own style and pictures inside the
    page."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action "
        f"'none'; "
        "script-src 'none'"
    )


def html_page(
    text: str, folder: Path, note: str = "", pictures: Mapping[str, bytes] | None = None
) -> str:
    """The whole page. Pictures are those of ``pictures``, else read from ``folder`` or below it;
    ``note`` is a line for the page's foot."""
    text = text.removeprefix("\ufeff")
    body = _markdown(folder, pictures or {}).render(text)
    body = re.sub("<p>(<figure>.*?</figure>)</p>", r"\1", body)
    titles = (line[2:].strip() for line in text.splitlines() if line.startswith("# "))
    shown = re.sub(r"\\(?=[^\w\s])", "", next(filter(None, titles), "Preview"))
    foot = f'<p class="note">{html.escape(note)}</p>' if note else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{content_policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html.escape(shown)}</title>\n<style>{style()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}{foot}\n</main>\n</body>\n</html>\n"
    )


def _markdown(folder: Path, pictures: Mapping[str, bytes]) -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    # HTML is recognized so that comments can be told from it: comments are dropped, the rest is
    # shown as text.
    md = MarkdownIt("commonmark", {"html": True, "typographer": False}).enable(
        ["table", "strikethrough"]
    )
    dollarmath_plugin(md, allow_labels=False)
    md.inline.ruler.at("math_inline", typeset.inline_rule)

    def shown_html(tokens: Any, index: int, _options: Any, _env: Any) -> str:
        rest = _COMMENT.sub("", tokens[index].content)
        if tokens[index].type == "html_block" and (fold := _FOLD.fullmatch(rest)):
            title = fold[1]
            if title is None:
                return "</details>\n"
            return f"<details>\n<summary>{html.escape(html.unescape(title))}</summary>\n"
        if tokens[index].type == "html_block":
            return f"<p>{html.escape(rest.strip())}</p>\n" if rest.strip() else ""
        return html.escape(rest)

    def fence(tokens: Any, index: int, _options: Any, _env: Any) -> str:
        token = tokens[index]
        language = token.info.strip().split(maxsplit=1)[0] if token.info.strip() else ""
        if language == "diff":
            return f'<pre class="diff" tabindex="0"><code>{_diff(token.content)}</code></pre>\n'
        code = typeset.highlighted_code(token.content, language)
        return f'<pre tabindex="0"><code>{code}</code></pre>\n'

    def math_inline(tokens: Any, index: int, _options: Any, _env: Any) -> str:
        return typeset.mathml(tokens[index].content, block=False)

    def math_block(tokens: Any, index: int, _options: Any, _env: Any) -> str:
        return typeset.mathml(tokens[index].content, block=True)

    def image(tokens: Any, index: int, _options: Any, _env: Any) -> str:
        token = tokens[index]
        source = str(token.attrs.get("src", ""))
        return picture(source, token.content, folder, pictures.get(source))

    def cell_open(tag: str) -> Callable[[Any, int, Any, Any], str]:
        def opened(tokens: Any, index: int, _options: Any, _env: Any) -> str:
            side = re.search(
                r"text-align:(right|center)", str(tokens[index].attrs.get("style", ""))
            )
            return f'<{tag} class="{side[1]}">' if side else f"<{tag}>"

        return opened

    rules = cast("Any", md.renderer).rules
    rules["html_block"] = rules["html_inline"] = shown_html
    rules["math_inline"], rules["math_block"] = math_inline, math_block
    rules["fence"] = fence
    rules["code_block"] = fence
    rules["image"] = image
    rules["td_open"], rules["th_open"] = cell_open("td"), cell_open("th")
    rules["table_open"] = lambda *_: '<div class="scroll" tabindex="0"><table>\n'
    rules["table_close"] = lambda *_: "</table></div>\n"
    return md


def _diff(code: str) -> str:
    out = []
    for line in code.rstrip("\n").split("\n"):
        kind = "same"
        if line.startswith(("+++", "---", "@@")):
            kind = "hunk"
        elif line.startswith("+"):
            kind = "add"
        elif line.startswith("-"):
            kind = "del"
        out.append(f'<span class="{kind}">{html.escape(line) or " "}</span>')
    return "".join(out)  # every line is a block of its own


def picture(source: str, alt: str, folder: Path, content: bytes | None = None) -> str:
    """A picture put into the page, or a sentence with the reason why it can't be. ``content``:
    the picture's bytes, for one that lies in no file."""
    from q1lab.documents import study_picture

    def missing(why: str) -> str:
        return f"<em>[picture {html.escape(source)}: {html.escape(why)}]</em>"

    try:
        parts = urlsplit(source)
    except ValueError:  # http://[
        return missing("no address and no path")
    if parts.scheme or parts.netloc:
        return missing("it is elsewhere; put a copy beside the post")
    name = unquote(parts.path)
    kind = _TYPES.get(Path(name).suffix.lower())
    if kind is None:
        return missing("not a picture that a page can hold (svg, png, jpg, gif, webp)")
    try:
        root = folder.resolve()
        file = (root / name).resolve()
        if not file.is_relative_to(root):
            return missing("it is outside the post's folder")
        upright = content is not None  # the page's own, drawn for it
        content = read_bytes(file, MAX_IMAGE) if content is None else content
        data = base64.b64encode(content).decode()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL byte; a link that leads to itself
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
            return missing(os_reason(error))
        return missing("no such file")
    shown = html.escape(alt)
    # An SVG inside <img> runs no script, whatever it holds. A chart of q1lab's has a dark form.
    is_chart = kind == _TYPES[".svg"] and study_picture.is_drawn_by_q1lab(content)
    classes = ["chart"] * is_chart + ["upright"] * upright
    marked = f' class="{" ".join(classes)}"' if classes else ""
    tag = f'<img{marked} src="data:{kind};base64,{data}" alt="{shown}">'
    if not alt:
        return tag
    wide = f'<div class="wide" tabindex="0">{tag}</div>'
    return f"<figure>{wide}<figcaption>{shown}</figcaption></figure>"

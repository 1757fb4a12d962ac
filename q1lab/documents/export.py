"""The post as the place takes it where it is published: Jekyll, Hugo, dev.to. Pure.

q1lab's marks and the comments go, the title moves into the front matter, math is written as the
place writes it, and what its templates would read as commands is kept as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from q1lab.documents.fences import Fence
from q1lab.documents.typeset import INLINE
from q1lab.documents.words import by_kind

TAGS = ("machinelearning", "transformers", "pytorch")
PLACES = ("jekyll", "hugo", "dev.to")


@dataclass(frozen=True)
class Exported:
    """``name`` is what the place calls such a file; ``notes`` say what is left to do by hand."""

    text: str
    name: str
    notes: tuple[str, ...]


def export(
    text: str, place: str, *, date: str, url: str | None = None, tags: Sequence[str] = TAGS
) -> Exported:
    """A draft for ``place`` (one of PLACES). ``date`` is an ISO time stamp, ``url`` the canonical
    address where there is one."""
    title, body = _without_title(_without_comments(text))
    math, inside = False, False
    notes: list[str] = []
    kept: list[str] = []
    for line, is_code in _lines(body):
        # What the learner wrote is what Liquid may not read; what is added here, it must.
        own = line
        if not is_code and line.strip() == "$$":  # a formula over several lines
            line, math, inside = _MATH[place][3 if inside else 2].strip(), True, not inside
        elif not is_code and not inside:
            line, found = _math(line, _MATH[place])
            math = math or found
        if place != "hugo" and ("{{" in own or "{%" in own):
            line = f"{{% raw %}}{own}{{% endraw %}}"
        kept.append(line)
    body = "\n".join(kept)
    pictures = [
        found for found in re.findall(r"!\[[^\]]*\]\(<?([^)>\s]+)", body) if "://" not in found
    ]
    if place == "dev.to":
        notes += [
            f"dev.to takes pictures by address: upload {name} as PNG, "
            "and put its address in its place"
            for name in pictures
        ]
    elif pictures:
        notes.append(f"copy beside it: {', '.join(pictures)}")
    if math and place == "jekyll":
        notes.append("math needs a page that loads MathJax or KaTeX; kramdown marks it for both")
    if math and place == "hugo":
        notes.append("math needs Goldmark's passthrough extension and KaTeX or MathJax on the page")
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "post"
    head, name = _FRONT[place](title, date, url, tags, math), f"{slug}.md"
    if place == "jekyll":
        name = f"{date[:10]}-{slug}.md"
    return Exported(f"{head}\n{body.strip()}\n", name, tuple(notes))


# ── front matter


def _quoted(text: str) -> str:
    """A string as YAML takes it: JSON's strings are YAML's."""
    return json.dumps(text, ensure_ascii=False)


def _jekyll(title: str, date: str, url: str | None, tags: Sequence[str], math: bool) -> str:
    lines = [
        "layout: post",
        f"title: {_quoted(title)}",
        f"date: {date}",
        f"tags: [{', '.join(tags)}]",
    ]
    lines += ["math: true"] if math else []
    lines += [f"canonical_url: {_quoted(url)}"] if url else []
    return "\n".join(["---", *lines, "---", ""])


def _hugo(title: str, date: str, url: str | None, tags: Sequence[str], math: bool) -> str:
    lines = [f"title: {_quoted(title)}", f"date: {date}", "draft: false"]
    lines += [f"tags: [{', '.join(_quoted(tag) for tag in tags)}]"]
    lines += ["math: true"] if math else []
    lines += [f"canonicalURL: {_quoted(url)}"] if url else []
    return "\n".join(["---", *lines, "---", ""])


def _devto(title: str, date: str, url: str | None, tags: Sequence[str], math: bool) -> str:
    short = [re.sub(r"[^a-z0-9]", "", tag.lower()) for tag in tags][:4]  # it takes four, plain ones
    lines = [f"title: {_quoted(title)}", "published: false", f"tags: {', '.join(short)}"]
    lines += [f"canonical_url: {url}"] if url else []
    return "\n".join(["---", *lines, "---", ""])


_FRONT: dict[str, Callable[[str, str, str | None, Sequence[str], bool], str]] = {
    "jekyll": _jekyll,
    "hugo": _hugo,
    "dev.to": _devto,
}

# ── the body


def _without_comments(text: str) -> str:
    kept = [line for _, kind, line in by_kind(text.removeprefix("\ufeff")) if kind != "comment"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept))


def _without_title(text: str) -> tuple[str, str]:
    match = re.search(r"(?m)^# +(.+?)\s*$", text)
    if match is None:
        return "Untitled", text
    title = re.sub(r"\\(?=[^\w\s])", "", match[1])
    return title, text[: match.start()] + text[match.end() :]


def _lines(text: str) -> list[tuple[str, bool]]:
    fence = Fence()
    return [(line, fence.takes(line)) for line in text.split("\n")]


_FORMULA = re.compile(
    r"(?P<code>(?P<ticks>`+)(?:(?!(?P=ticks)).)+(?P=ticks))"
    r"|(?<!\\)\$\$(?P<block>[^$]+?)\$\$"
    rf"|(?<![\\$]){INLINE}"
)


def _math(line: str, how: tuple[str, str, str, str]) -> tuple[str, bool]:
    """The line with its formulas written as the place writes them, and whether it has any."""
    found = False

    def write(match: re.Match[str]) -> str:
        nonlocal found
        if match["code"]:
            return match[0]
        found = True
        opens, closes = how[2:] if match["block"] else how[:2]
        return f"{opens}{match['block'] or match['inline']}{closes}"

    return _FORMULA.sub(write, line), found


_MATH = {
    "jekyll": ("$$", "$$", "$$", "$$"),
    "hugo": ("\\\\(", "\\\\)", "$$", "$$"),
    "dev.to": (
        "{% katex inline %} ",
        " {% endkatex %}",
        "{% katex %} ",
        " {% endkatex %}",
    ),
}

"""The post for the site that publishes it: without q1lab's markers and without comments, its title
in a front matter, which is a template of the week. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from q1lab.documents.templates import render_template
from q1lab.documents.word_count import lines_by_kind

TAGS = ("machinelearning", "transformers", "pytorch")
TEMPLATE = "front-matter.txt.j2"
_IN_A_LINE = r"\$[^\s$`](?:[^$\n`]*[^\s$\\`])?\$(?![\d$])"
"""A formula in a line: no blank inside its dollars, no code, and no digit after it, so that prices
stay prices."""
_FORMULA = re.compile(rf"^\$\$|(?<!\\)\$\$[^$]+\$\$|(?<![\\$`]){_IN_A_LINE}", re.MULTILINE)


@dataclass(frozen=True)
class Exported:
    """``name`` is a file name made of the title; ``notes`` say what is left to do by hand."""

    text: str
    name: str
    notes: tuple[str, ...]


def export_post(
    text: str,
    *,
    date: str,
    url: str | None = None,
    root: Path | None = None,
) -> Exported:
    """A draft with front matter. ``date`` is an ISO time stamp, ``url`` the canonical address where
    there is one, ``root`` the week's folder."""
    lines = [(kind, line) for _, kind, line in lines_by_kind(text) if kind != "comment"]
    titles = (at for at, line in enumerate(lines) if line[0] == "heading" and line[1][:2] == "# ")
    title = "Untitled"
    if (at := next(titles, None)) is not None:
        title = re.sub(r"\\(?=[^\w\s])", "", lines.pop(at)[1][2:].strip())
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(line for _, line in lines))
    prose = "\n".join(line for kind, line in lines if kind != "code")
    math = bool(_FORMULA.search(re.sub(r"`[^`\n]+`", "", prose)))
    notes = []
    pictures = re.findall(r"!\[[^\]]*\]\(<?([^)>\s]+)", prose)
    if near := [name for name in pictures if "://" not in name]:
        notes.append(f"copy next to it, or upload and put in the address: {', '.join(near)}")
    if math:
        notes.append("math is between dollar signs; the page has to load KaTeX or MathJax")
    if "<details>" in prose:
        notes.append("it folds a part with <details>; a site that drops HTML shows that part open")
    if "{{" in body or "{%" in body:
        notes.append("it has {{ or {%; if your site reads templates, tell it to leave them alone")
    record = {"title": title, "date": date, "url": url, "tags": list(TAGS), "math": math}
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "post"
    front = render_template(TEMPLATE, record, root).text
    return Exported(f"{front}\n{body.strip()}\n", f"{slug}.md", tuple(notes))

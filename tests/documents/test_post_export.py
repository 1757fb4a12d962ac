"""The post as other places take it: front matter, math, pictures, and nothing of q1lab's marks."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from q1lab.documents import post
from q1lab.documents.post_export import export_post
from tests.kit import document_records as records

DATE = "2026-03-08T20:00:00+00:00"
TEXT = (
    '# Twelve \\*weeks\\*: a "deep" dive\n\n<!-- a note -->\n<!-- q1lab:begin setup sha=00 -->\n'
    "Turned by $m\\theta$, at $5 and $6, `$code$`.\n<!-- q1lab:end setup -->\n\n"
    "$$\nq_m^\\top k_n\n$$\n\nAlso $$a+b$$ here. {{ braces }}\n\n"
    "```python\nx = '{{ y }}'  # $z$\n<!-- in code -->\n```\n\n![A chart](figures/rope-1.svg)\n"
)


def test_the_marks_go_and_the_title_moves() -> None:
    export = export_post(TEXT, date=DATE, url="https://example.org/q1")
    head, body = export.text.removeprefix("---\n").split("\n---\n", 1)
    assert 'title: "Twelve *weeks*: a \\"deep\\" dive"' in head
    assert 'canonical_url: "https://example.org/q1"' in head
    assert "q1lab:" not in body
    assert "a note" not in body
    assert "<!-- in code -->" in body  # code is code
    assert "# Twelve" not in body
    assert "at $5 and $6" in body
    assert "`$code$`" in body
    assert "# $z$" in body
    assert "$$\nq_m^\\top k_n\n$$" in body


def test_names_and_notes() -> None:
    export = export_post(TEXT, date=DATE)
    assert export.name == "twelve-weeks-a-deep-dive.md"
    for part, note in zip(
        ("copy next to it", "dollar signs", "{{ or {%"), export.notes, strict=True
    ):
        assert part in note


@pytest.mark.parametrize(
    ("text", "math"),
    [
        ("$x$", True),
        ("$$\nx\n$$", True),
        ("a $$x$$", True),
        ("at $5 and $6", False),
        ("`$x$`", False),
        ("```\n$x$\n$$\n```", False),
        ("", False),
    ],
)
def test_the_front_matter_says_whether_there_is_math(text: str, math: bool) -> None:
    assert ("math: true" in export_post(f"# T\n\n{text}\n", date=DATE).text) == math


def test_a_whole_draft_and_an_empty_one() -> None:
    draft = post.post_document(records.post_record("cannot tell")).text
    text = export_post(draft, date=DATE).text
    assert "q1lab:" not in text
    assert "<!--" not in text.replace("<!-- the -->", "")
    assert "## What surprised me" in text
    assert export_post("", date=DATE).text.count("---") == 2


def test_front_matter_is_what_its_reader_reads() -> None:
    # Hugo reads TOML, too; every string here is one in both.
    head = export_post(TEXT, date=DATE, url="https://example.org/q1").text.split("---")[1]
    pairs = dict(line.split(": ", 1) for line in head.strip().split("\n"))
    for value in (pairs["title"], pairs["canonical_url"], pairs["tags"]):
        tomllib.loads(f"x = {value}")


def test_a_week_has_a_front_matter_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "front-matter.txt.j2").write_text(
        "+++\ntitle = {{ title | quoted }}\n+++"
    )
    export = export_post('# A "post"\n\ntext\n', date=DATE, root=tmp_path)
    assert export.text == '+++\ntitle = "A \\"post\\""\n+++\n\ntext\n'

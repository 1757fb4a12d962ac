"""The post as other places take it: front matter, math, pictures, and nothing of q1lab's marks."""

from __future__ import annotations

import tomllib

import pytest

from q1lab.documents import post
from q1lab.documents.export import PLACES, export
from tests.kit import document_records as records

DATE = "2026-03-08T20:00:00+00:00"
TEXT = (
    '# Twelve \\*weeks\\*: a "deep" dive\n\n<!-- a note -->\n<!-- q1lab:begin setup sha=00 -->\n'
    "Turned by $m\\theta$, at $5 and $6, `$code$`.\n<!-- q1lab:end setup -->\n\n"
    "$$\nq_m^\\top k_n\n$$\n\nAlso $$a+b$$ here. {{ braces }}\n\n"
    "```python\nx = '{{ y }}'  # $z$\n<!-- in code -->\n```\n\n![A chart](figures/rope-1.svg)\n"
)


@pytest.mark.parametrize("place", PLACES)
def test_the_marks_go_and_the_title_moves(place: str) -> None:
    made = export(TEXT, place, date=DATE, url="https://example.org/q1")
    head, body = made.text.removeprefix("---\n").split("\n---\n", 1)
    assert 'title: "Twelve *weeks*: a \\"deep\\" dive"' in head
    assert "https://example.org/q1" in head
    assert "q1lab:" not in body
    assert "a note" not in body
    assert "<!-- in code -->" in body  # code is code
    assert "# Twelve" not in body
    assert "at $5 and $6" in body
    assert "`$code$`" in body
    assert "# $z$" in body


def test_each_place_has_its_own_math() -> None:
    jekyll, hugo, devto = (export(TEXT, place, date=DATE).text for place in PLACES)
    assert "by $$m\\theta$$, at" in jekyll
    assert "$$\nq_m^\\top k_n\n$$" in jekyll
    assert "by \\\\(m\\theta\\\\), at" in hugo
    assert "math: true" in hugo
    assert "by {% katex inline %} m\\theta {% endkatex %}, at" in devto
    assert "{% katex %}\nq_m^\\top k_n\n{% endkatex %}" in devto
    assert "Also {% katex %} a+b {% endkatex %} here." not in devto  # the braces made it raw


@pytest.mark.parametrize("place", ["jekyll", "dev.to"])
def test_liquid_reads_nothing_of_the_text(place: str) -> None:
    lines = export(TEXT, place, date=DATE).text.split("\n")
    for line in lines:
        if "{{" in line:
            assert line.startswith("{% raw %}")
            assert line.endswith("{% endraw %}")
    assert any("braces" in line for line in lines)
    assert "{% raw %}" not in export(TEXT, "hugo", date=DATE).text


def test_names_and_notes() -> None:
    jekyll, hugo, devto = (export(TEXT, place, date=DATE) for place in PLACES)
    assert jekyll.name == "2026-03-08-twelve-weeks-a-deep-dive.md"
    assert hugo.name == "twelve-weeks-a-deep-dive.md"
    assert "copy beside it: figures/rope-1.svg" in hugo.notes
    assert any("upload figures/rope-1.svg as PNG" in note for note in devto.notes)
    assert "published: false" in devto.text


def test_devto_takes_four_plain_tags() -> None:
    text = export("# T\n", "dev.to", date=DATE, tags=["Machine Learning", "a", "b", "c", "d"]).text
    assert "tags: machinelearning, a, b, c\n" in text


def test_a_whole_draft_and_an_empty_one() -> None:
    draft = post.document(records.post_record("cannot tell")).text
    for place in PLACES:
        text = export(draft, place, date=DATE).text
        assert "q1lab:" not in text
        assert "<!--" not in text.replace("<!-- the -->", "")
        assert "## What surprised me" in text
        assert export("", place, date=DATE).text.count("---") == 2


def test_front_matter_is_what_its_reader_reads() -> None:
    # Hugo reads TOML, too; every string here is one in both.
    head = export(TEXT, "hugo", date=DATE, url="https://example.org/q1").text.split("---")[1]
    pairs = dict(line.split(": ", 1) for line in head.strip().split("\n"))
    for value in (pairs["title"], pairs["canonicalURL"], pairs["tags"]):
        tomllib.loads(f"x = {value}")

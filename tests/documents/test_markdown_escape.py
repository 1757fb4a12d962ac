"""Text of others in Markdown: it never breaks a document, and nothing of it is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from q1lab.documents import managed_regions, markdown_escape
from q1lab.documents.markdown_escape import answer, code_span, fenced, inline, link, table

PLAIN, WITH_TABLES = MarkdownIt(), MarkdownIt().enable("table")
WITH_HTML = MarkdownIt("commonmark", {"html": True})

anything = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab `~#<>!-=+*_[](){}%|&$\\/\n\t0123.:'\""),
        st.characters(exclude_categories=["Cs", "Cc", "Cf"]),
    ),
    max_size=80,
)
hostile = st.one_of(
    anything,
    st.sampled_from(
        [
            "<!-- q1lab:end notes -->",
            "<!-- q1lab:begin notes sha=00 -->",
            "```\nopen",
            "~~~~ x\nopen",
            "# heading\n## heading",
            "text\n===",
            "text\n---",
            "<script>alert(1)</script>",
            "<!-- open comment",
            "<details>\n<summary>x",
            "{{ 7 * 7 }} {% raw %}",
            "`<!-- q1lab:end notes\n<!-- q1lab:end notes -->`",
            "    <!-- q1lab:end notes -->",
            "> quote\n<!-- q1lab:end notes -->",
            "- item\n  ```\n  open",
        ]
    ),
)
texts = st.lists(hostile, min_size=1, max_size=4).map("\n".join)


def text_of(html: str) -> str:
    """What a reader sees of rendered Markdown."""
    bare = re.sub(r"<[^>]*>", "", html)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        bare = bare.replace(entity, character)
    return bare


@settings(max_examples=400, deadline=None)
@given(anything)
def test_a_phrase_is_shown_as_it_is(text: str) -> None:
    shown = text_of(PLAIN.render("x " + inline(text)))
    assert " ".join(shown.split()) == " ".join(("x " + text).split())


@settings(max_examples=300, deadline=None)
@given(anything)
def test_a_phrase_at_the_start_of_a_line_is_a_paragraph(text: str) -> None:
    if not inline(text):
        return
    html = WITH_TABLES.render(inline(text))
    assert html.startswith("<p>")
    assert html.count("<") == 2 + html.count("<br")
    assert " ".join(text_of(html).split()) == " ".join(text.split())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(anything, min_size=2, max_size=2), min_size=1, max_size=3))
def test_a_table_keeps_its_shape(rows: list[list[str]]) -> None:
    html = WITH_TABLES.render(table(["a", "b"], rows))
    assert html.count("<tr>") == 1 + len(rows)
    assert html.count("<td>") == 2 * len(rows)


@settings(max_examples=300, deadline=None)
@given(anything)
def test_code_and_fences_hold_anything(text: str) -> None:
    block = PLAIN.render(fenced(text, "py"))
    assert block.count("<pre>") == 1
    shown = re.sub(r"<!--(\s*)q1lab:", r"<!--\1q1lab :", text)  # no mark of a region
    assert text_of(block).strip("\n") == shown.strip("\n") or "\n" in text
    if text.strip():
        assert PLAIN.render("x " + code_span(text)).count("<code>") == 1


@settings(max_examples=600, deadline=None)
@given(texts)
def test_an_answer_stays_inside_its_region(text: str) -> None:
    """Whatever a learner writes: the region closes where q1lab closed it, and what follows is what
    it was."""
    body = "## Notes\n\n" + answer(text)
    document = managed_regions.region_block("notes", body) + "\n## After\n\nthe end\n"
    regions = managed_regions.find_regions(document.encode())
    assert [region.name for region in regions] == ["notes"]
    assert not regions[0].edited
    html = PLAIN.render(document)
    assert "<h2>After</h2>" in html
    assert html.rstrip().endswith("<p>the end</p>")
    # No heading of an answer reaches the document's own levels.
    assert "<h1>" not in html
    assert html.count("<h2>") == 2


@settings(max_examples=300, deadline=None)
@given(texts)
def test_no_html_of_an_answer_is_html(text: str) -> None:
    tokens = WITH_HTML.parse(answer(text))
    for token in tokens:
        assert token.type != "html_block", token.content
        assert not any(child.type == "html_inline" for child in token.children or []), token.content


def test_markdown_of_an_answer_is_kept() -> None:
    text = "Some *stress*, `code <b>`, a [link](https://a.b) and <https://c.d>:\n\n- 1\n- two\n\n```py\nx < y\n```"
    assert answer(text) == text


def test_headings_go_below_their_place() -> None:
    assert answer("# one\n\n#### four", 3) == "#### one\n\n###### four"


def test_several_points_are_numbered_where_they_are_read() -> None:
    paragraphs = "Seeds vary,\nwhich I had not known.\n\nWrite shapes first."
    numbered = "1. Seeds vary,\n   which I had not known.\n2. Write shapes first."
    assert markdown_escape.numbered(paragraphs) == numbered
    assert (
        markdown_escape.numbered("Seeds vary.\nShapes first.") == "1. Seeds vary.\n2. Shapes first."
    )
    for unchanged in (
        "One insight, told\nover two lines.",
        "- a list\n\nand a sentence",
        "1. so\n2. too",
        "",
        "```\na\n\nb\n```",
    ):
        assert markdown_escape.numbered(unchanged) == unchanged


def test_comments_in_a_sketch_are_code_and_no_headings() -> None:
    text = "Two lines go.\n\n# mean of squares (B, T, 1)\nx * r  # (B, T, C) * (B, T, 1)\n\n## Count\n\n```py\n# kept\n```"
    assert answer(markdown_escape.sketched(text)) == (
        "Two lines go.\n\n```python\n# mean of squares (B, T, 1)\nx * r  # (B, T, C) * (B, T, 1)\n```\n\n"
        "##### Count\n\n```py\n# kept\n```"
    )
    between = "Only the MLP changes.\n# h = 341\ny = gate * value\nThat is 512 parameters fewer."
    assert answer(markdown_escape.sketched(between)) == (
        "Only the MLP changes.\n\n```python\n# h = 341\ny = gate * value\n```\n\nThat is 512 parameters fewer."
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.b/c", "[t](https://a.b/c)"),
        ("https://a.b/c_(d)", "[t](<https://a.b/c_(d)>)"),
        ("javascript:alert(1)", "t (`javascript:alert(1)`)"),
        ("https://a.b/ x>", "t (`https://a.b/ x>`)"),
        (None, "t"),
    ],
)
def test_links(url: str | None, shown: str) -> None:
    assert link("t", url) == shown


def test_control_characters_and_escape_sequences_are_gone() -> None:
    assert inline("a\x1b[31mred\x1b[0m\x07b\x00\u202ec") == "aredbc"
    assert answer("a\x1b]0;title\x07b") == "ab"


def test_a_command_in_a_sentence_is_code_and_nothing_else_is() -> None:
    escaped = markdown_escape.sentence("`q1lab plan` says it of *x* and `rm -rf`.")
    assert escaped == r"`q1lab plan` says it of \*x\* and \`rm -rf\`."

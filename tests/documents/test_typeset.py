"""Math and code in the preview: drawn without a script, and never more than data."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from q1lab.documents import post_page, typeset


def page(text: str, folder: Path = Path(__file__).parent) -> str:
    whole = post_page.html_page(text, folder)
    return whole[whole.index("<main>") :]


def test_formulas_are_drawn() -> None:
    body = page("Turned by $m\\theta$.\n\n$$\nq_m^\\top k_n\n$$\n")
    assert "<math" in body
    assert "θ" in body
    assert 'display="block"' in body
    assert "$" not in body


def test_dollars_are_dollars() -> None:
    body = page("It costs $5 and then $6, or \\$a\\$, or `$x$`.\n")
    assert "<math" not in body
    assert "$5 and then $6" in body


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\frac{1}{",
        r"\style{color:red}{x}",
        r"\class{x}{y}",
        "{" * 3000,
        "<img src=x onerror=alert(1)>",
        r"\unknown{x}",
        "",
        "&lt;b&gt;",
        r"\text{&lt;script&gt;}",
    ],
)
def test_hostile_formulas_stay_text(tex: str) -> None:
    for block in (True, False):
        shown = typeset.mathml(tex, block=block)
        assert "<script" not in shown
        assert "<img" not in shown
        assert "<b>" not in shown
        assert "javascript:" not in shown
        ET.fromstring(f"<p>{shown}</p>")


@given(st.text(alphabet="{}\\frac^_&<>lefright()abc123 $#~", max_size=60))
def test_whatever_is_typed_is_well_formed(tex: str) -> None:
    ET.fromstring(f"<p>{typeset.mathml(tex, block=False)}</p>")


def test_code_is_highlighted_by_its_language() -> None:
    body = page('```python\ndef f(x):  # <b>\n    return "a"\n```\n\n```nope\n<b>\n```\n')
    assert '<span class="h-k">def</span>' in body
    assert "&lt;b&gt;" in body
    assert "<b>" not in body
    assert "h-" not in page("```\ndef f\n```\n")
    assert "<span" not in page("```" + "x" * 50 + "\ndef\n```\n").split("<pre")[1]


def test_code_keeps_every_line() -> None:
    text = "\n\ndef f():\n    pass\n\n"
    shown = typeset.highlighted_code(text, "python")
    assert shown.count("\n") == text.count("\n")

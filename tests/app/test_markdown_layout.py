"""Pages as lines."""

from __future__ import annotations

import pytest

from q1lab.app.widgets.markdown_layout import lay_out_markdown

DRAWING = """```text
  table + positions    ◄ RoPE   the position table goes
      │
  MLP                  ◄ SwiGLU two branches, multiplied
```"""


def plain(markdown: str, width: int) -> list[str]:
    return [line.plain.rstrip() for line in lay_out_markdown(markdown, width)]


def test_a_drawing_that_is_too_wide_goes_on_in_its_column_between_two_words() -> None:
    """On the first page one read `the position table goe`, and `s` below it."""
    assert plain(DRAWING, 70) == [f"  {line}" for line in DRAWING.splitlines()[1:-1]]
    assert plain(DRAWING, 48) == [
        "    table + positions    ◄ RoPE   the position",
        "                                  table goes",
        "        │",
        "    MLP                  ◄ SwiGLU two branches,",
        "                         multiplied",
    ]


@pytest.mark.parametrize("width", [12, 20, 31, 44, 80])
def test_no_line_of_code_leaves_its_width_and_none_loses_a_letter(width: int) -> None:
    code = (
        "    x = self.norm(a) + 日本語で書かれたとても長い名前(b)   # why, in some words\nlong" * 2
    )
    lines = lay_out_markdown(f"```python\n{code}\n```", width)
    assert max(line.cell_length for line in lines) <= width
    assert "".join("".join(line.plain.split()) for line in lines) == "".join(code.split())

"""A unified diff as colored text: changed lines in the arms' colors, with Python syntax
highlighted."""

from __future__ import annotations

from rich.syntax import Syntax
from rich.text import Text

from q1lab.tui.widgets.theme_colors import Palette

MOST_LINES = 2_000
"""Longer diffs are cut: they can't be read on a screen, and coloring them takes too long."""


def diff_text(diff: str, colors: Palette, *, code: bool = True) -> Text:
    """The diff's lines, removed ones tinted in the baseline's color, added ones in the modified
    arm's.

    The signs + and − stay in front, so that nothing is said by color alone. The text is data: no
    markup is read. With ``code`` False it is prose, and long lines are wrapped.
    """
    lines = diff.splitlines()
    cut = len(lines) - MOST_LINES
    body = _body(lines[:MOST_LINES])
    syntax = Syntax(
        "",
        "python" if code else "text",
        theme="github-dark" if colors.dark else "default",
        background_color="default",
    )
    spoken = syntax.highlight(
        "\n".join(line[1:] if line[:1] in "+- " else "" for line in body)
    ).split("\n")
    out = Text(no_wrap=code, overflow="crop" if code else "fold")
    share = 0.2 if colors.dark else 0.12  # the words' colors need a light ground to be read on
    tints = {
        "-": f"on {colors.tint(colors.baseline, share)}",
        "+": f"on {colors.tint(colors.modified, share)}",
    }
    bold = {"-": f"bold {colors.baseline}", "+": f"bold {colors.modified}"}
    for number, line in enumerate(body):
        sign = line[:1]
        if line.startswith("@@"):
            out.append(line + "\n", style=colors.muted)
            continue
        row = Text.assemble((f"{sign or ' '} ", bold.get(sign, colors.muted)))
        if sign in tints:
            row.append_text(spoken[number] if number < len(spoken) else Text(line[1:]))
            row.stylize(tints[sign])
        else:
            row.append(line[1:], style=colors.muted)
        out.append_text(row)
        out.append("\n")
    if cut > 0:
        out.append(f"… {cut:,} more lines; `q1lab diff` shows them\n", style=colors.muted)
    return out


HEADS = ("diff --git ", "index ", "--- ", "+++ ", "new file mode ", "deleted file mode ")


def _body(lines: list[str]) -> list[str]:
    """The lines without file headers: the screen names the files elsewhere. Inside a hunk, a line
    that looks like a header is a changed line that itself begins with dashes or pluses."""
    body, in_hunk = [], False
    for line in lines:
        in_hunk = (in_hunk or line.startswith("@@")) and not line.startswith("diff --git ")
        if in_hunk or not line.startswith(HEADS):
            body.append(line)
    return body

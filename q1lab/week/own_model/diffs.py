"""A variant's changes: the unified diff of two model files, computed from the code that runs.

Pure: text in, text out. By default only the code is compared. A file's opening docstring tells its
own story, so it would fill the diff without changing what runs, and the line that `q1lab new` puts
on top is not a change; comments and other docstrings are kept.
"""

from __future__ import annotations

import ast
import difflib
import re

from q1lab.ground.python_source import parse_python
from q1lab.study.own_model import origin_line

_HUNK = re.compile(r"@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@")


def code_without_docstring(text: str) -> str:
    """The text of a Python file without q1lab's own line on top and without its module docstring
    (and the blank lines after it).

    A file that does not parse, or has no such docstring, keeps the rest as it is: a diff can still
    be shown.
    """
    text = origin_line.strip_marker_text(text)
    try:
        tree = parse_python(text)
    except SyntaxError:
        return text
    if ast.get_docstring(tree, clean=False) is None:
        return text
    doc = tree.body[0]
    if len(tree.body) > 1 and tree.body[1].lineno <= (doc.end_lineno or doc.lineno):
        return text  # code on the docstring's own line, after a semicolon
    lines = text.splitlines(keepends=True)
    before, after = lines[: doc.lineno - 1], lines[doc.end_lineno :]
    while after and not after[0].strip():
        after.pop(0)
    return "".join(before + after)


def unified_diff(
    old_text: str,
    new_text: str,
    old_name: str,
    new_name: str,
    context: int = 3,
    code_only: bool = True,
) -> str:
    """The unified diff from old_text to new_text, ending in a newline; empty when nothing differs.

    context: unchanged lines around each change. code_only: leave the module docstrings and q1lab's
    own line out; the hunk headers count the lines of the whole files all the same.
    """
    old, new = old_text.splitlines(), new_text.splitlines()
    old_code, new_code = old, new
    if code_only:
        old_code, new_code = (
            code_without_docstring(old_text).splitlines(),
            code_without_docstring(new_text).splitlines(),
        )
    above = len(old) - len(old_code), len(new) - len(new_code)
    lines: list[str] = []
    for line in difflib.unified_diff(
        old_code, new_code, old_name, new_name, n=context, lineterm=""
    ):
        lines.append(_shift_hunk_header(line, *above) + "\n")
    return "".join(lines)


def _shift_hunk_header(line: str, old_above: int, new_above: int) -> str:
    """A hunk's header with the lines counted that are above what is compared; any other line as it
    is."""
    hunk = _HUNK.fullmatch(line)
    if hunk is None:
        return line
    old, new = int(hunk[1]) + old_above, int(hunk[3]) + new_above
    return f"@@ -{old}{hunk[2]} +{new}{hunk[4]} @@"


def count_changed_lines(diff: str) -> tuple[int, int]:
    """The number of lines that a unified diff adds and removes: (added, removed). Its file headers
    are not counted."""
    added = removed = 0
    # "+++" and "---" before the first hunk name files; inside one they are changed lines
    in_hunk = False
    for line in diff.splitlines():
        if line.startswith("@@"):
            in_hunk = True
        elif in_hunk and line.startswith("+"):
            added += 1
        elif in_hunk and line.startswith("-"):
            removed += 1
    return added, removed

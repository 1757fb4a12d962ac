"""The diffs that people see: what is left out, and what is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from q1lab.week.own_model import diffs


def test_only_the_module_docstring_is_left_out() -> None:
    doc = '"""Title: idea.\n\nMore.\n"""\n\n'
    text = doc + 'import math\n\n\ndef f():\n    """Kept."""\n    return math.pi  # kept\n'
    assert (
        diffs.code_without_docstring(text)
        == 'import math\n\n\ndef f():\n    """Kept."""\n    return math.pi  # kept\n'
    )


def test_comments_before_the_docstring_stay() -> None:
    assert diffs.code_without_docstring('# mine\n"""Doc."""\nx = 1\n') == "# mine\nx = 1\n"


@pytest.mark.parametrize("text", ["x = 1\n", "def broken(:\n", '"""Doc."""; x = 1\n', "", "\0"])
def test_what_cannot_be_cut_comes_back_whole(text: str) -> None:
    assert diffs.code_without_docstring(text) == text


def test_unified_and_count() -> None:
    old = '"""A."""\na = 1\nb = 2\nc = 3\n'
    new = '"""Another story."""\na = 1\nb = 20\nb2 = 21\nc = 3\n'
    diff = diffs.unified_diff(old, new, "old.py", "new.py")
    assert (
        diff
        == "--- old.py\n+++ new.py\n@@ -2,3 +2,4 @@\n a = 1\n-b = 2\n+b = 20\n+b2 = 21\n c = 3\n"
    )
    assert diffs.count_changed_lines(diff) == (2, 1)
    assert diffs.count_changed_lines(diffs.unified_diff(old, new, "a", "b", context=0)) == (2, 1)
    assert diffs.count_changed_lines(diffs.unified_diff(old, new, "a", "b", code_only=False)) == (
        3,
        2,
    )


plain_lines = st.lists(st.text(alphabet="ab-+@ ", max_size=4), max_size=12)


@given(plain_lines, plain_lines)
def test_counts_explain_the_difference_in_length(old: list[str], new: list[str]) -> None:
    old_text, new_text = ("".join(line + "\n" for line in lines) for lines in (old, new))
    added, removed = diffs.count_changed_lines(
        diffs.unified_diff(old_text, new_text, "a", "b", code_only=False)
    )
    assert added - removed == len(new) - len(old)
    assert (added, removed) == (0, 0) or old != new


def test_hunks_count_the_lines_of_the_files() -> None:
    """Also of what is not compared: one looks for the change in the file."""
    old = '"""Doc.\n\nMore.\n"""\n\na = 1\nb = 2\n'
    new = (
        f"# q1lab: rope, made from model.py, sha256 {'0' * 64} (q1lab reads this line)\n"
        + '"""Doc."""\n\na = 1\nb = 3\n'
    )
    assert [
        line for line in diffs.unified_diff(old, new, "o", "n").splitlines() if "@@" in line
    ] == ["@@ -6,2 +4,2 @@"]
    text = "x = '@@ -1 +1 @@'\n"
    assert "+x = '@@ -1 +1 @@'" in diffs.unified_diff("", text, "o", "n")

"""Code blocks between fences: what is inside, and that it agrees with a Markdown parser."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from q1lab.documents.code_fences import Fence

LINES = [
    "```",
    "~~~",
    "````",
    "   ```",
    "    ```",
    "```py",
    "```a`b",
    "~~~ a`b",
    "``` ",
    "text",
    "",
]


def inside(lines: list[str]) -> list[bool]:
    fence = Fence()
    return [fence.takes(line) for line in lines]


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert inside(["````", "```", "x", "````", "y"]) == [True] * 4 + [False]
    assert inside(["~~~", "```", "~~~", "y"]) == [True] * 3 + [False]


def test_bytes_of_any_encoding_and_carriage_returns() -> None:
    fence = Fence()
    lines = [b"```\r\n", b"\xff\xfe\r\n", b"```\r\n", b"after"]
    assert [fence.takes(line) for line in lines] == [True, True, True, False]


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_it_agrees_with_a_markdown_parser(lines: list[str]) -> None:
    # A last blank line belongs to nothing for the parser.
    lines = [*lines, "end"]
    tokens = MarkdownIt("commonmark").parse("\n".join(lines))
    expected = [False] * len(lines)
    for token in tokens:
        if token.type == "fence":
            assert token.map is not None
            expected[token.map[0] : token.map[1]] = [True] * (token.map[1] - token.map[0])
    assert inside(lines) == expected

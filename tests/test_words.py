"""Words that were found to be riddles, and do not come back: in what the program says and in the
week."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.kit.places import ROOT

RIDDLES = (
    "mend the file",
    "finds the projection back",
    "unless it is committed",
    "the study before this one",
    "ask the oracle",
    "more has none",
    "trainings",
    "in this home",
    "such homes",
)


@cache
def texts() -> list[tuple[str, str]]:
    """What people read, in small letters: the content, the docs, and every string of the
    program."""
    return [(str(file.relative_to(ROOT)), text.lower()) for file, text in _texts()]


def _texts() -> Iterator[tuple[Path, str]]:
    for folder, form in (("content", "*.md"), ("docs", "*.md"), ("content", "*.j2")):
        for file in (ROOT / folder).rglob(form):
            if "showcase" not in file.parts:
                yield file, file.read_text(encoding="utf-8")
    for file in (ROOT / "q1lab").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        said = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        yield file, "\n".join(said)


@pytest.mark.parametrize("riddle", RIDDLES)
def test_a_riddle_does_not_come_back(riddle: str) -> None:
    assert [file for file, text in texts() if riddle in text] == []

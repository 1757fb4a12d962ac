"""Names that a reader can rely on: a module, a class and a room each have one of their own, and a
docstring begins with its subject."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.kit.places import ROOT

Trees = dict[str, ast.Module]
PAIRED = ("q1lab/commands", "q1lab/tui/screens", "labs/checks")
"""A module here may bear the name of what it is the command, the screen or the checks of."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(scope="module")
def trees() -> Trees:
    files = [file for top in ("q1lab", "labs") for file in sorted((ROOT / top).rglob("*.py"))]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text()) for file in files}


def documented(trees: Trees) -> Iterator[tuple[str, str]]:
    """Each docstring of the code, those below a constant or a field too, with its place."""
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, Documented) and (text := ast.get_docstring(node)):
                yield f"{file}:{getattr(node, 'lineno', 1)}", text
            body = getattr(node, "body", None)
            for statement, below in pairwise(body if isinstance(body, list) else ()):
                match statement, below:
                    case ast.Assign() | ast.AnnAssign(), ast.Expr(ast.Constant(str(text))):
                        yield f"{file}:{below.lineno}", text


def twice(places: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {', '.join(files)}" for name, files in places.items() if len(files) > 1]


def test_no_two_modules_have_one_name(trees: Trees) -> None:
    places = defaultdict(list)
    for file in map(Path, trees):
        if not file.name.startswith("__") and not str(file.parent).startswith(PAIRED):
            places[file.name].append(str(file))
    assert twice(places) == []


def test_no_two_public_classes_have_one_name(trees: Trees) -> None:
    places = defaultdict(list)
    for file, tree in trees.items():
        for node in tree.body if file.startswith("q1lab/") else []:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file)
    assert twice(places) == []


@pytest.mark.parametrize("word", ["What", "Whether", "How", "Whose", "Whom", "Which"])
def test_no_docstring_begins_with_a_clause_for_a_noun(trees: Trees, word: str) -> None:
    assert [place for place, text in documented(trees) if text.split()[0] == word] == []

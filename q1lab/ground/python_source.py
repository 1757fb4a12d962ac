"""Parse Python source: for what a file defines and imports, never to run it."""

from __future__ import annotations

import ast
import threading

_ONE_AT_A_TIME = threading.Lock()
"""CPython 3.11 counts the depth of a syntax tree for all threads together: two that build one at
the same time can raise SystemError (python/cpython#106905)."""


def parse_python(text: str | bytes, filename: str = "<text>") -> ast.Module:
    """The syntax tree of a text. SyntaxError, with a line number, for any text that is not Python:
    also for a null byte (a ValueError before Python 3.12) and for code that is nested too
    deeply."""
    try:
        with _ONE_AT_A_TIME:
            return ast.parse(text, filename)
    except SyntaxError as error:
        error.lineno = error.lineno or 1
        raise
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or "nested too deeply", (filename, 1, 0, None)) from None


def code_of(text: str) -> str:
    """A Python file without comments, docstrings and layout, to compare it with another.
    SyntaxError as of ``parse_python``."""
    tree = parse_python(text)
    for node in ast.walk(tree):
        match getattr(node, "body", None):
            case [ast.Expr(ast.Constant(str())), *rest]:
                node.body = rest  # type: ignore[attr-defined]
    return ast.dump(tree)

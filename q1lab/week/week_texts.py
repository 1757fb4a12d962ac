"""A week's files as one learner reads them: Jinja2 templates, shown with the learner's names.

What was shown is kept in q1lab's home until a file of the week changes, as JSON: to compile the
templates would be a third of what the app needs to open.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import read_json, sha256_text, write_atomic
from q1lab.ground.text_formats import printable

if TYPE_CHECKING:
    import jinja2


class WeekTexts:
    """The texts of the week in folder ``root``, for the learner whom ``learner`` tells apart."""

    def __init__(self, root: Path, *learner: object) -> None:
        self.root = root
        self._file = paths.week_texts_file(sha256_text(repr((str(root), learner)))[:16])
        self._stamp = _stamp(root)
        self._kept: dict[str, str] = {}
        with contextlib.suppress(Problem, OSError, ValueError, TypeError, KeyError):
            kept = read_json(self._file)
            if kept["stamp"] == self._stamp:
                self._kept = {file: printable(text) for file, text in kept["texts"].items()}
        self._new: dict[str, str] = {}

    def shown(self, file: str, names: Mapping[str, Any]) -> str:
        """A file's text. OSError, UnicodeDecodeError or jinja2.TemplateError if there is none."""
        if file in self._kept:
            return self._kept[file]
        self._new[file] = printable(self._templates.get_template(file).render(names))
        return self._new[file]

    def keep(self) -> None:
        """Keep what was shown, if something of it is new and there is a place for it."""
        if self._new and paths.home().is_dir():
            texts = {**self._kept, **self._new}
            with contextlib.suppress(Problem):
                write_atomic(self._file, json.dumps({"stamp": self._stamp, "texts": texts}))

    @cached_property
    def _templates(self) -> jinja2.Environment:
        """The files as templates. A week may come from anybody: its text reaches no more than the
        names that it is given."""
        import jinja2.sandbox

        jinja = jinja2.sandbox.ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(self.root),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            comment_start_string="{##",
            autoescape=False,
        )
        jinja.filters["rjust"] = lambda value, width: str(value).rjust(width)
        return jinja


def _stamp(root: Path) -> list[list[Any]]:
    """What changes when a file of the week does, or the code that gives it its numbers."""
    code = [paths.PACKAGE / room for room in ("week", "judgment", "study", "ground")]
    files = [*root.rglob("*"), *(file for folder in code for file in folder.glob("*.py"))]
    return [[str(file), *_state(file)] for file in sorted(files)]


def _state(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:  # a link to nowhere
        return 0, 0
    return status.st_mtime_ns, status.st_size

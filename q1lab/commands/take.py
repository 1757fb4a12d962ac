"""`q1lab take`: copy one of the week's files beside the learner's model."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import click

from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_text
from q1lab.commands._week import current_week
from q1lab.ground import paths
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import read_bytes, write_atomic
from q1lab.ground.python_source import parse_python
from q1lab.judgment.lines import column_sizes, row_text
from q1lab.week.content import FILES
from q1lab.week.syllabus import Week

SPEAKS = "smol.py"
"""The model of `q1lab speak`, which is labs' and every week's."""


@click.command(epilog="Example: q1lab take oracle_rope.py")
@click.argument("name", required=False)
@json_option
def take(name: str | None, as_json: bool) -> int:
    """Copy the file NAME of the week into this folder, or list what there is.

    There are slow and simple versions of each idea to test against (oracle_…), small experiments to
    train, and pictures for the post. The week's files that NAME imports come along. A file that is
    there already is never overwritten.

    Exit status: 0 done, 1 it can't be written, 2 no such file, or one that differs is there
    already.
    """
    week = current_week()
    if name is None:
        rows = [(file_name, _first_line(week.root / FILES / file_name)) for file_name in week.files]
        rows.append((SPEAKS, _first_line(paths.models_dir().parent / SPEAKS)))
        if as_json:
            print_json(
                {"files": [{"name": file_name, "about": about} for file_name, about in rows]}
            )
        else:
            sizes = column_sizes(rows)
            for row in rows:
                print_text(row_text(row, sizes))
        return 0
    if name == SPEAKS:
        _copy_here(paths.models_dir().parent / SPEAKS)
        if as_json:
            print_json({"file": name, "files": [name]})
        else:
            print_text(str(Path(name).absolute()))
        return 0
    if name not in week.files:
        raise Problem(f"the week has no file {name!r}", next=nearest(name, week.files))
    file_names = [*_imported_files(week, name), name]
    for file_name in file_names:
        _copy_here(week.root / FILES / file_name)
    if as_json:
        print_json({"file": name, "files": file_names})
        return 0
    for file_name in reversed(file_names):
        about = _first_line(week.root / FILES / file_name)
        print_text(f"{Path(file_name).absolute()}{': ' + about if about else ''}")
    return 0


def _imported_files(week: Week, name: str) -> list[str]:
    """The week's files that its Python file ``name`` imports."""
    if not name.endswith(".py"):
        return []
    try:
        nodes = list(ast.walk(parse_python(read_bytes(week.root / FILES / name))))
    except SyntaxError:  # somebody's week: the file is copied as it is
        return []
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    return [file for file in week.files if file != name and file.removesuffix(".py") in modules]


def _copy_here(source: Path) -> None:
    """Copy a file into the working folder. Problem if another one has its name there."""
    data, target = read_bytes(source), Path(source.name)
    if not os.path.lexists(target):
        write_atomic(target, data, mode=0o644)
    elif not target.is_file() or read_bytes(target) != data:
        raise Problem(
            f"{target} is there already and differs",
            next="move it away, or take it in another folder",
            file=target,
        )


def _first_line(file: Path) -> str:
    """The first line of a Python file's docstring; empty for other files."""
    if file.suffix != ".py":
        return ""
    return file.read_text(encoding="utf-8").partition("\n")[0].strip('"').strip()

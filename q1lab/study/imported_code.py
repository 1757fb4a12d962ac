"""The files that a command runs without naming them: what its scripts import from its folder.

They are found by reading, never by running: the scripts that the command and its shell scripts
name, the modules after ``-m``, and the import statements in these, from file to file. So an edit
of a README, a notebook or an unused module changes nothing, and git's diff is not asked. What is
loaded in another way (a plugin by a name that is computed, a compiled kernel, a YAML file) is not
seen; ``inputs`` of a study.toml names such files.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shlex
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

from q1lab.ground.errors import Problem
from q1lab.ground.files import read_bytes, sha256_file
from q1lab.ground.python_source import parse_python

if TYPE_CHECKING:
    from q1lab.study.command_arms import CommandSpec

MOST_FILES = 500
"""Files that are followed and hashed; those behind them are not known."""
LARGEST_SOURCE, LARGEST_FILE = 1 << 20, 64 << 20
"""Bytes of a file that is read as Python, and of one that is hashed."""
NAMED_SCRIPT = re.compile(r"[^\s\"'`=;|&()<>]+\.(?:py|sh)\b")
NAMED_MODULE = re.compile(r"(?<!\S)-m[ =]([A-Za-z_][\w.]*)")
COMPILED = tuple(
    dict.fromkeys(
        re.sub(r"-3\d+", f"-3{minor}", suffix)
        for suffix in EXTENSION_SUFFIXES
        for minor in range(8, 20)
    )
)
"""Ends of the names of C extensions; the command's Python may be another one than q1lab's."""


def hash_imports(loop: CommandSpec) -> dict[str, str]:
    """The hash (``hash_file``) of each file that the command runs without naming it, by its name
    as seen from the command's folder."""
    folder = Path(loop.folder)
    inputs = {os.path.normpath(name) for name in (*_words(loop), *loop.inputs)}
    hash_by_name: dict[str, str] = {}
    for file in _files_run(loop, folder):
        name = os.path.relpath(file, folder)
        if name not in inputs and str(file) not in inputs and (hashed := hash_file(file)):
            hash_by_name[name] = hashed
    return hash_by_name


def hash_inputs(loop: CommandSpec) -> dict[str, str]:
    """The hashes of the files that the command or its inputs name, by name."""
    program, *words = shlex.split(loop.run)
    words += [] if Path(program).is_absolute() else [program]
    words += [word for args in loop.args.values() for word in shlex.split(args)]
    files_in_command = [word for word in words if Path(loop.folder, word).is_file()]
    hash_by_name = {}
    for name in (*files_in_command, *loop.inputs):
        file = Path(loop.folder, name)
        try:
            hash_by_name[name] = sha256_file(file)
        except OSError as error:
            raise Problem(
                f"{file}: {error.strerror or error}, and the command needs it",
                next="put it back",
                file=file,
            ) from None
    return hash_by_name


def changed_imports(folder: Path | str, hash_by_name: Mapping[str, str]) -> list[str]:
    """The names of files that are gone, or train differently than when they were hashed."""
    return [name for name, then in hash_by_name.items() if not _is_same(Path(folder, name), then)]


def _is_same(file: Path, then: str) -> bool:
    raw, _, tree = then.partition(" ")
    try:
        if sha256_file(file) == raw:
            return True
    except OSError:
        return False
    return bool(tree) and hash_file(file).partition(" ")[2] == tree


def hash_file(file: Path) -> str:
    """The SHA-256 of a file's bytes, and behind a blank that of its syntax tree without docstrings
    if it is Python: a comment changes the first alone. The first holds where another release of
    Python builds another tree. Empty for a file that can't be read or is too large.

    ``labs/loop.py`` has the same rule, for the moment before each run."""
    try:
        if file.stat().st_size > LARGEST_SOURCE:
            return sha256_file(file) if file.stat().st_size <= LARGEST_FILE else ""
        data = read_bytes(file, LARGEST_SOURCE)
    except OSError:
        return ""
    raw = hashlib.sha256(data).hexdigest()
    try:
        tree = parse_python(data)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and _is_docstring(body[0]):
                del body[0]
        return f"{raw} {hashlib.sha256(ast.dump(tree).encode()).hexdigest()}"
    except (SyntaxError, RecursionError):
        return raw


def _is_docstring(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


# ── the files that run


def _files_run(loop: CommandSpec, folder: Path) -> Iterator[Path]:
    """The scripts of a command, and all that they import from its folder; each once."""
    text = "\n".join((loop.run, *loop.args.values()))
    inputs = [folder / word for word in _words(loop) if os.path.isfile(folder / word)]  # noqa: PTH113
    to_read = deque((file, file.parent) for file in inputs)
    to_read += _scripts_in(text, folder)
    read: set[tuple[Path, Path]] = set()
    files: set[Path] = set()
    while to_read and len(files) < MOST_FILES + len(inputs):
        file, start = to_read.popleft()
        if (file, start) in read:
            continue
        read.add((file, start))
        if file not in files:
            files.add(file)
            yield file
        try:
            source = read_bytes(file, LARGEST_SOURCE)
        except OSError:
            continue
        first_line = source.partition(b"\n")[0]
        if file.suffix == ".py" or (first_line.startswith(b"#!") and b"python" in first_line):
            to_read += ((module, start) for module in _imported_by(source, file, start, folder))
        elif file.suffix == ".sh" or first_line.startswith(b"#!"):
            to_read += _scripts_in(source.decode("utf-8", "replace"), folder)


def _words(loop: CommandSpec) -> list[str]:
    return [word for text in (loop.run, *loop.args.values()) for word in shlex.split(text)]


def _scripts_in(text: str, folder: Path) -> list[tuple[Path, Path]]:
    """The scripts that a command or a shell script names, each with the folder that Python then
    imports from first."""
    scripts = [folder / name for name in NAMED_SCRIPT.findall(text)]
    sources = [(file, file.parent) for file in scripts if os.path.isfile(file)]  # noqa: PTH113
    for module in NAMED_MODULE.findall(text):
        for name in (module, f"{module}.__main__"):
            sources += [(file, folder) for file in _find_module(name, _roots(folder, folder))]
    return sources


def _roots(start: Path, folder: Path) -> list[Path]:
    """The folders that imports are looked up in: the script's, the command's, and the repository's,
    where a package may be installed from (``src`` is its usual place)."""
    top = next((at for at in (folder, *folder.parents) if os.path.exists(at / ".git")), folder)  # noqa: PTH110
    return list(dict.fromkeys((start, folder, folder / "src", top, top / "src")))


def _imported_by(source: bytes, file: Path, start: Path, folder: Path) -> Iterator[Path]:
    """The files that a Python file imports, wherever in it."""
    try:
        tree = parse_python(source)
    except SyntaxError:
        return
    roots = _roots(start, folder)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _find_module(alias.name, roots)
        elif isinstance(node, ast.ImportFrom):
            places = [file.parents[node.level - 1]] if 0 < node.level <= len(file.parents) else []
            for alias in node.names:
                name = ".".join(filter(None, (node.module, alias.name)))
                yield from _find_module(name, places if node.level else roots)
        elif isinstance(node, ast.Call) and (name := _imported_by_call(node)):
            yield from _find_module(name, roots)


def _imported_by_call(call: ast.Call) -> str:
    """The module of ``importlib.import_module("model")``; empty for any other call."""
    function = getattr(call.func, "attr", getattr(call.func, "id", ""))
    first = call.args[0] if call.args else None
    if function not in ("import_module", "__import__") or not isinstance(first, ast.Constant):
        return ""
    return first.value if isinstance(first.value, str) else ""


def _find_module(name: str, roots: Sequence[Path]) -> list[Path]:
    """The files of a module and of the packages that it lies in, in the first of the folders that
    has any; a last part that is no module but a name in one is left out."""
    for root in roots:
        files, at = [], root
        for part in name.split("."):
            at = at / part
            if (file := _module_file(at)) is not None:
                files.append(file)
            elif not os.path.isdir(at):  # noqa: PTH112
                break
        if files:
            return files
    return []


def _module_file(at: Path) -> Path | None:
    """The file of the module ``at`` a path without a suffix; None if there is none."""
    # (os.path takes no offense at a link to itself or a name that is too long)
    ends = (".py", *COMPILED)
    candidates = (at / "__init__.py", *(at.parent / f"{at.name}{end}" for end in ends))
    return next((file for file in candidates if os.path.isfile(file)), None)  # noqa: PTH113

"""The commands and options that the docs, the week and messages name are there."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import click
import pytest

from q1lab.commands.cli import MODULES, cli
from tests.kit.places import ROOT

CODE = ("q1lab/", "labs/", "tools/", "benchmarks/")
PEOPLE = (
    "*.md",
    "docs/*.md",
    "content/*.md",
    "content/*/*.md",
    "q1lab/commands/*/*.md",
)


Named = tuple[int, str, bool]
"""Where in a text, what is named, and whether there is no such thing."""
ENTRY_POINT = r'(?m)^(\w+) = "\w+:\w+"$'
"""A command that a page adds to q1lab from outside."""
PROGRAMS = r"\b(q1lab|diff|git|gpt|mypy|pip|pipx|python|pytest|ray|ruff|squeue|uv)\b"


class Passage(NamedTuple):
    """A text that a person reads, and where its first line is."""

    file: str
    line: int
    text: str
    kind: str
    """markdown, docstring, comment, or message: any other string of the code."""


class Unit(NamedTuple):
    """A stretch of a passage: a code span, a line of a code block, or the prose between them."""

    line: int
    text: str
    code: bool


@cache
def tree() -> tuple[str, ...]:
    """Every module whose words a person may read; a clone without .git has them, too."""
    folders = (*CODE, "content/files/")
    modules = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return tuple(sorted(str(file.relative_to(ROOT)) for file in modules))


@cache
def parsed(name: str) -> list[ast.AST]:
    """All nodes of a module."""
    return list(ast.walk(ast.parse((ROOT / name).read_text())))


def of_python(file: str, source: str, nodes: Sequence[ast.AST]) -> Iterator[Passage]:
    """Docstrings, comments and other strings of a module; a value in an f-string is `{}`."""
    docstrings, parts = set(), set()
    for node in nodes:
        if isinstance(node, ast.Expr):
            docstrings.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            parts |= {id(value) for value in node.values}
            pieces = (v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
            yield Passage(file, node.lineno, "".join(map(str, pieces)), "message")
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            kind = "docstring" if id(node) in docstrings else "message"
            yield Passage(file, node.lineno, node.value, kind)
    for number, line in enumerate(source.splitlines(), 1):
        if comment := re.search(r"(?:^|\s)#\s(.*)$", line):
            yield Passage(file, number, comment[1], "comment")


@cache
def passages() -> tuple[Passage, ...]:
    all_passages = [
        Passage(str(file.relative_to(ROOT)), 1, file.read_text(), "markdown")
        for pattern in PEOPLE
        for file in ROOT.glob(pattern)
        if file.name != "CHANGELOG.md"
    ]
    for name in tree():
        all_passages += of_python(name, (ROOT / name).read_text(), parsed(name))
    return tuple(all_passages)


def units(passage: Passage) -> Iterator[Unit]:
    text, kind = passage.text, passage.kind
    pattern = r"(?ms)^ *```.*?^ *```|(`+)(?!`).+?\1" if kind != "comment" else r"(`+)(?!`).+?\1"
    end = 0
    for match in [*re.finditer(pattern, text), None]:
        start = match.start() if match else len(text)
        yield _unit(passage, end, text[end:start], code=False)
        if match is None:
            return
        end = match.end()
        if match[1]:
            yield _unit(passage, start, match[0].strip("`"), code=True)
            continue
        at = start
        for line in re.sub(r"\\\n", "  ", match[0]).splitlines(keepends=True)[1:-1]:
            at = text.index(line[:8], at)
            yield _unit(passage, at, line, code=True)


def _unit(passage: Passage, at: int, text: str, code: bool) -> Unit:
    line = passage.line + passage.text.count("\n", 0, at)
    return Unit(line, " ".join(text.split()) if code else text, code)


# ── options and commands


@cache
def literals() -> frozenset[str]:
    """Strings of the code that are one word."""
    return frozenset(p.text for p in passages() if p.kind == "message" and " " not in p.text)


@cache
def all_options() -> frozenset[str]:
    """Those of every command, and those that the code itself passes on or reads."""
    passed_on = {text for text in literals() if text.startswith("--")}
    return frozenset(passed_on | _options(cli, deep=True) | {"--help"})


def _options(command: click.Command, deep: bool = False) -> set[str]:
    options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    if deep and isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            options |= _options(below, deep=True) if below else set()
    return options


def stale_commands(unit: Unit) -> Iterator[Named]:
    """Each command and option of a unit, and whether there is none."""
    if not unit.code:
        for option in re.finditer(r"(?<![\w'-])--[a-z][a-z0-9-]+(?![\w=-])", unit.text):
            before = re.findall(PROGRAMS, re.split(r"[.;:(]", unit.text[: option.start()])[-1])
            if not before or before[-1] == "q1lab":
                yield option.start(), option[0], option[0] not in all_options()
        return
    for part in re.split(r" && | \|\|? |; | > ", unit.text.removeprefix("Example: ")):
        words = re.sub(r"^(\$ |!|\w+=\S+ )*", "", part).partition("  #")[0].split(" ")
        if words[0] in MODULES and any(word.startswith("--") for word in words):
            words.insert(0, "q1lab")
        if words[0].startswith("--"):
            yield 0, words[0], re.split(r"[=\[]", words[0])[0] not in all_options()
        elif words[0] == "q1lab":
            yield from _of_command(words[1:])


def _of_command(words: list[str]) -> Iterator[Named]:
    command: click.Command = cli
    path = "q1lab"
    if words and not re.fullmatch(r"[a-z][a-z-]*", words[0]):
        path = "" if not words[0].startswith("-") else path  # `q1lab COMMAND --help`, `q1lab …`
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        below = command.get_command(click.Context(command), words[0])
        if below is None and any(isinstance(param, click.Argument) for param in command.params):
            break  # a value of that argument
        path += f" {words.pop(0)}"
        yield 0, path, below is None
        if below is None:
            return
        command = below
    names = (_options(command) if path else set(all_options())) | {"--help"}
    with contextlib.suppress(ValueError):
        words = shlex.split(" ".join(words))
    for word in words:
        if option := re.match(r"--[a-z][a-z0-9-]*(?![\w-])", word):
            yield 0, f"{path} {option[0]}", option[0] not in names


# ── the tests


def references(passage: Passage) -> Iterator[tuple[str, str, bool]]:
    """All commands and options that a passage names: the place, what it is, and whether there is no
    such thing."""
    if passage.kind == "message" and " " not in passage.text:
        return
    added = {f"q1lab {name}" for name in re.findall(ENTRY_POINT, passage.text)}
    for unit in units(passage):
        for at, name, stale in stale_commands(unit):
            yield _place(passage, unit, at), name, stale and name not in added


def _place(passage: Passage, unit: Unit, at: int) -> str:
    return f"{passage.file}:{unit.line + unit.text.count(chr(10), 0, at)}"


def test_everything_that_is_named_is_there() -> None:
    every_reference = [reference for passage in passages() for reference in references(passage)]
    assert [f"{place}: {name}" for place, name, stale in every_reference if stale] == []
    for kind, at_least in ((r"q1lab ", 300), (r"--", 60)):
        resolved = sum(1 for _, name, _ in every_reference if re.match(kind, name))
        assert resolved >= at_least, (kind, resolved)


@pytest.mark.parametrize(
    ("file", "kind", "text", "name"),
    [
        ("docs/x.md", "markdown", "Type\n`q1lab restore rope-1 --as NAME`", "q1lab restore --as"),
        ("docs/x.md", "markdown", "```sh\nq1lab restor rope-1\n```", "q1lab restor"),
        ("docs/x.md", "markdown", "Or\nuse `restore --as`.", "q1lab restore --as"),
        ("docs/x.md", "markdown", "Or `q1lab post text x`.", "q1lab post text"),
        ("q1lab/x.py", "message", "there is one;\nrestore it with --as NAME", "--as"),
    ],
)
def test_a_stale_reference_is_named_with_its_place(
    file: str, kind: str, text: str, name: str
) -> None:
    stale = [reference for reference in references(Passage(file, 7, text, kind)) if reference[2]]
    assert stale == [(f"{file}:{7 + text.count(chr(10)) - text.endswith('```')}", name, True)]

"""What the docs, the week, messages, docstrings and comments name is there: commands and options,
keys, names of code, files. Each reference is resolved against what it names."""

from __future__ import annotations

import ast
import builtins
import contextlib
import itertools
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from q1lab.commands.cli import cli
from q1lab.ground import command_table
from q1lab.tui.keys import all_keys, key_name
from tests.kit.places import ROOT

CODE = ("q1lab/", "labs/", "tools/", "benchmarks/")
PEOPLE = (
    "*.md",
    "docs/*.md",
    "content/*.md",
    "content/*/*.md",
    "q1lab/commands/skill_pages/**/*.md",
    "q1lab/plugins/*/*.md",
)
EXAMPLES = {
    "MODIFICATION-NAME.md",
    "base_train.py",
    "config/train_shakespeare_char.py",
    "draft.md",
    "gpt.py",
    "llama3.py",
    "nanochat/gpt.py",
    "qwen3.py",
    "train_gpt2.py",
    "mine.py",
    "my_rope.py",
    "posts/one-week-retrospective.md",
    "post.md",
    "request.json",
    "answer.json",
    "gqa_wide.py",
    "model_rope.py",
    "prepare.py",
    "results.json",
    "same.py",
    "source/modified/relu_squared.py",
    "studies/relu_squared-1/source/modified/relu_squared.py",
    "tests/test_gqa.py",
    "tests/test_rmsnorm.py",
    "tests/test_rope.py",
    "tests/test_swiglu.py",
    "train_2.py",
    "train_3.py",
}
"""Files of a learner, or of other people's projects, that examples name."""
OUTSIDE = {"F", "git", "nn", "scipy", "torch", *sys.stdlib_module_names, "e", "arms", "core"}
"""What names may begin with that are not q1lab's: modules of others, "e.g.", a field of a file, a
setting of git's."""
Named = tuple[int, str, bool]
"""Where in a text, what is named, and whether there is no such thing."""
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
    """Every file of the repository, tracked or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(name for name in done.stdout.splitlines() if (ROOT / name).exists())


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
        if name.endswith(".py") and name.startswith((*CODE, "content/files/")):
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
        if words[0] in command_table.listed_acts() and any(word.startswith("--") for word in words):
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


# ── keys


APP = ("q1lab/tui/", "q1lab/plugins/sample/screen.py")
KEY = r"[A-Za-z0-9?+/]|Ctrl\+[A-Z]|F\d"


def stale_keys(passage: Passage) -> Iterator[Named]:
    """Each key that a text of the app, or a page about it, says does something."""
    if passage.file.startswith(APP):
        hint = r"(?:^|· |\. | {3})([A-Za-z]) (?=[a-z]+s\b)"  # as in "e opens it · c copies"
        pattern = hint if passage.kind == "message" else rf"``({KEY})`` [a-z]"
    elif passage.kind == "markdown":
        pattern = rf"(?:[Pp]ress|[Kk]ey) `({KEY})`|`([A-Za-z?])` (?:opens|shows|asks|adds)"
    else:
        return
    keys = keys_of(pages_of_modules().get(passage.file))
    for match in re.finditer(pattern, passage.text):
        key = next(filter(None, match.groups()))
        yield match.start(), f"key {key}", key not in keys


@cache
def pages_of_modules() -> dict[str, str]:
    """The part of the table of keys that a screen's module uses, where it is one."""
    page_by_module = {}
    for name in tree():
        if name.startswith(("q1lab/tui/screens/", "q1lab/plugins/")) and name.endswith(".py"):
            pages = set(re.findall(r'(?m)^    screen_name = "(\w+)"', (ROOT / name).read_text()))
            if len(pages) == 1:
                page_by_module[name] = pages.pop()
    return page_by_module


@cache
def keys_of(page: str | None) -> frozenset[str]:
    return frozenset(
        key_name(key)
        for name, row in all_keys().items()
        if page is None or name.split(".")[0] in (page, "app")
        for key in row.keys.split(",")
    )


# ── names of code, and files


@cache
def defined() -> dict[str, set[str]]:
    """What q1lab's code binds: by package, module, and class or an instance that is named for it."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    aliases: dict[str, str] = {}
    for file in tree():
        if not file.endswith(".py") or not file.startswith(CODE):
            continue
        path = Path(file.removesuffix("/__init__.py"))
        names[path.parent.name].add(path.stem)
        for node in parsed(file):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    names[path.stem].add(node.name)
                case ast.Name(ctx=ast.Store(), id=name) | ast.Attribute(ctx=ast.Store(), attr=name):
                    names[path.stem].add(name)
                case ast.alias():
                    names[path.stem].add(node.asname or node.name.rpartition(".")[2])
                    aliases[node.asname or ""] = node.name.rpartition(".")[2]
            if isinstance(node, ast.ClassDef):
                fields = (getattr(field, "target", field) for field in node.body)
                members = {getattr(field, "name", getattr(field, "id", "")) for field in fields}
                names[node.name] |= members
                names[node.name.lower()] |= members
    for alias, module in aliases.items():
        names[alias] |= names.get(module, set())
    return dict(names)


SUFFIXES = r"py|md|toml|j2|tcss|sql|jsonl|json|sh|db|log|pt|lock"
OTHERS = SUFFIXES + r"|svg|txt|zip|csv|html|parquet|ipynb|diff|io|ai|org|com"


def stale_names(unit: Unit, passage: Passage) -> Iterator[Named]:
    """Each ``module.name`` and ``Class.name`` of a docstring or comment of q1lab's code."""
    if passage.kind not in ("docstring", "comment") or not passage.file.startswith(CODE):
        return
    for match in re.finditer(r"(?<![\w./:~{-])[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(?![\w/=-])", unit.text):
        parts = match[0].split(".")
        if parts[0] in OUTSIDE or re.fullmatch(OTHERS, parts[-1]) or match[0] in literals():
            continue
        while len(parts) > 2 and f"{parts[0]}/__init__.py" in endings():
            parts = parts[1:]
        yield match.start(), match[0], parts[1] not in defined().get(parts[0], ())


def stale_identifiers(unit: Unit, passage: Passage) -> Iterator[Named]:
    """Each ``name`` of a docstring that its module does not use, and that is neither a module, a
    built-in, a key of the app, nor a word that the code spells out as a string."""
    if passage.kind != "docstring" or not unit.code or not passage.file.startswith(CODE):
        return
    if match := re.fullmatch(r"([A-Za-z_]\w+)(?:\(.*\))?", unit.text):
        is_known = (
            match[1] in identifiers(passage.file)
            or match[1] in literals()
            or match[1] in defined()
            or hasattr(builtins, match[1])
        )
        yield 0, match[1], not is_known


@cache
def identifiers(name: str) -> frozenset[str]:
    """Every name that a module defines, takes, imports or reads, and the words of its strings."""
    names: set[str] = set()
    nodes = parsed(name) if (ROOT / name).exists() else []
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        for field in ("id", "attr", "arg", "name"):
            if isinstance(value := getattr(node, field, None), str):
                names |= set(value.split("."))
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            names |= set(re.findall(r"\w+", str(node.value)[:60]))
    return frozenset(names)


@cache
def literals() -> frozenset[str]:
    """Strings of the code that are one word: names of files that it writes, of keys, of fields."""
    return frozenset(p.text for p in passages() if p.kind == "message" and " " not in p.text)


@cache
def endings() -> frozenset[str]:
    """Every file of the repository, by its whole path and by each of its ends."""
    parts = (name.split("/") for name in tree())
    return frozenset("/".join(p[start:]) for p in parts for start in range(len(p)))


def stale_files(unit: Unit, passage: Passage) -> Iterator[Named]:
    """Each file with a name of q1lab's kinds; NAME.py is anybody's, and a script that made a page
    once is one `of that commit`."""
    path = rf"(?<![\w{{}}/<>*.-])(?:\./)?((?:[\w.-]+/)*[\w-]+\.(?:{SUFFIXES}))(?![\w/*]|\.\w)"
    for match in re.finditer(path, re.sub(r"https?://\S+", "", unit.text)):
        name, last = match[1], match[1].rpartition("/")[2]
        if last.startswith("NAME.") or name in EXAMPLES:
            continue
        if re.search(
            r"of\s(that\s)?commit|at\scommit", passage.text[passage.text.find(name) :][:120]
        ):
            continue
        yield match.start(), name, name not in endings() and last not in literals()


# ── the tests


def references(passage: Passage) -> Iterator[tuple[str, str, bool]]:
    """All that a passage names: the place, what it is, and whether there is no such thing."""
    if passage.kind == "message" and " " not in passage.text:
        return
    whole = Unit(passage.line, passage.text, code=False)
    for unit in units(passage):
        names_by_kind = (
            stale_commands(unit),
            stale_names(unit, passage),
            stale_identifiers(unit, passage),
            stale_files(unit, passage),
        )
        for at, name, stale in itertools.chain(*names_by_kind):
            yield _place(passage, unit, at), name, stale
    for at, name, stale in stale_keys(passage):
        yield _place(passage, whole, at), name, stale


def _place(passage: Passage, unit: Unit, at: int) -> str:
    return f"{passage.file}:{unit.line + unit.text.count(chr(10), 0, at)}"


@pytest.mark.needs_plugin
def test_everything_that_is_named_is_there() -> None:
    every_reference = [reference for passage in passages() for reference in references(passage)]
    assert [f"{place}: {name}" for place, name, stale in every_reference if stale] == []
    for kind, at_least in ((r"q1lab ", 600), (r"--", 150), (r"key ", 20), (r"\S+\.(py|md)$", 400)):
        resolved = sum(1 for _, name, _ in every_reference if re.match(kind, name))
        assert resolved >= at_least, (kind, resolved)


@pytest.mark.parametrize(
    ("file", "kind", "text", "name"),
    [
        ("docs/x.md", "markdown", "Type\n`q1lab restore rope-1 --as NAME`", "q1lab restore --as"),
        ("docs/x.md", "markdown", "```sh\nq1lab restor rope-1\n```", "q1lab restor"),
        ("docs/x.md", "markdown", "Or\nuse `restore --as`.", "q1lab restore --as"),
        ("docs/x.md", "markdown", "Or `q1lab post text x`.", "q1lab post text"),
        ("docs/x.md", "markdown", "Press it,\nor press `Q`.", "key Q"),
        ("docs/x.md", "markdown", "It is\nin docs/gone.md.", "docs/gone.md"),
        ("q1lab/x.py", "message", "there is one;\nrestore it with --as NAME", "--as"),
        ("q1lab/x.py", "docstring", "What\n``telling.pace`` said.", "telling.pace"),
        ("q1lab/x.py", "docstring", "First\n``gathered_all`` puts it.", "gathered_all"),
        (
            "q1lab/x.py",
            "docstring",
            "What is of\n``q1lab.tracking.strangers``.",
            "q1lab.tracking.strangers",
        ),
        ("q1lab/x.py", "comment", "reading is in foreign.py.", "foreign.py"),
        ("q1lab/tui/screens/verdict.py", "docstring", "Esc goes\nback; ``e`` answers.", "key e"),
    ],
)
def test_a_stale_reference_is_named_with_its_place(
    file: str, kind: str, text: str, name: str
) -> None:
    stale = [reference for reference in references(Passage(file, 7, text, kind)) if reference[2]]
    assert stale == [(f"{file}:{7 + text.count(chr(10)) - text.endswith('```')}", name, True)]


@pytest.mark.needs_plugin("gate")
def test_the_examples_are_still_named() -> None:
    everything = "\n".join(passage.text for passage in passages())
    assert [name for name in sorted(EXAMPLES) if name not in everything] == []


def test_a_docstring_of_a_field_stands_below_it() -> None:
    bodies = [
        (name, body)
        for name in tree()
        if name.startswith(CODE) and name.endswith(".py")
        for node in parsed(name)
        if isinstance(body := getattr(node, "body", None), list)
    ]
    twice = [
        f"{name}:{second.lineno}"
        for name, body in bodies
        for first, second in itertools.pairwise(body)
        if _is_string(first) and _is_string(second)
    ]
    assert bodies
    assert twice == []


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)

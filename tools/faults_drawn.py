"""Draws one-line faults at random, ten for each room, and prints which test notices each.

`make draw-faults` does it for every room, ROOMS="study labs" for some, COPIES=2 in two copies at
once. The seed is the hash of the commit that is measured: a draw can be repeated, not chosen.
Faults are made in clones in a scratch folder. First `make test`'s selection runs once, and it is
noted which test enters which function, in children too, or reads which model file; of each fault
only the tests run that enter its function or read its file (for a line outside functions: that
enter its file or one that imports it), up to the first that fails. A test that fails without the
fault, too, is left out.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import os
import queue
import random
import re
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
ROOMS = ["ground", "judgment", "study", "journal", "train", "compare", "week", "documents"]
ROOMS += ["commands", "app", "labs"]

# ── in the tests' processes: which test enters which function

TEST, SEEN = "OMP_FAULTS_TEST", "OMP_FAULTS_SEEN"  # q1lab hands OMP_… on to every child
CHOSEN = "OMP_FAULTS_CHOSEN"
READ = -1
"""In the place of a function's line: the test reads the file as text, as `q1lab diff` does."""
MODELS = re.compile(r"/labs/models/\w+\.py$")
_seen: dict[int, CodeType] = {}


def _note(frame: FrameType, *_: Any) -> None:
    code = frame.f_code
    if _seen is None or id(code) in _seen:  # None where the process ends
        return
    _seen[id(code)] = code
    is_ours = re.search(r"/(?:q1lab|labs)/", code.co_filename)
    if is_ours and not _write(code.co_filename, code.co_firstlineno):
        del _seen[id(code)]


def _write(file: str, line: int) -> bool:
    """Write down what the test that runs has met; false where nobody asked for it."""
    if SEEN not in os.environ:
        return False
    record = json.dumps([os.environ.get(TEST), file, line]) + "\n"
    try:
        notes = os.open(os.environ[SEEN], os.O_WRONLY | os.O_APPEND)
        os.write(notes, record.encode())
        os.close(notes)
    except OSError:
        return False
    return True


def _note_read(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(args[0], str) and MODELS.search(args[0]):
        _write(args[0], READ)


def watch() -> None:
    """Called as Python starts in a copy."""
    os.register_at_fork(after_in_child=_seen.clear)
    sys.addaudithook(_note_read)
    threading.settrace(_note)
    sys.settrace(_note)


def pytest_runtest_logstart(nodeid: str) -> None:
    os.environ[TEST] = nodeid
    _seen.clear()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    if CHOSEN in os.environ:
        order = {name: n for n, name in enumerate(Path(os.environ[CHOSEN]).read_text().split("\n"))}
        items[:] = sorted(
            (item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid]
        )


# ── the faults


class Fault(NamedTuple):
    file: str
    line: int
    function: int  # its first line, 0 outside functions
    old: str
    new: str  # the whole line


SWAPS: dict[type[ast.AST], type[ast.AST]] = {}
for one, other in (
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.In, ast.NotIn),
    (ast.Is, ast.IsNot), (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.Div),
):  # fmt: skip
    SWAPS |= {one: other, other: one}
NAMES = {"min": "max", "any": "all", "startswith": "endswith", "removeprefix": "removesuffix"}
NAMES |= {other: one for one, other in NAMES.items()}
PLAIN = ast.Name | ast.Attribute | ast.Call
WAITING = re.compile("timeout|sleep|seconds|wait|poll")  # another number there is seen by nobody


def changes(node: ast.AST) -> Iterator[str]:
    """What may stand in the place of a node."""
    match node:
        case ast.Compare(left, [op], [right]) if type(op) in SWAPS:
            yield ast.unparse(ast.Compare(left, [SWAPS[type(op)]()], [right]))  # type: ignore[list-item]
        case ast.BoolOp(op, values):
            yield f"({ast.unparse(ast.BoolOp(SWAPS[type(op)](), values))})"  # type: ignore[arg-type]
        case ast.BinOp(left, op, right) if type(op) in SWAPS:
            if not any(isinstance(side, ast.JoinedStr) or _text(side) for side in (left, right)):
                yield f"({ast.unparse(ast.BinOp(left, SWAPS[type(op)](), right))})"  # type: ignore[arg-type]
        case ast.UnaryOp(ast.Not(), operand):
            yield f"({ast.unparse(operand)})"
        case ast.IfExp(test, body, other):
            yield f"({ast.unparse(ast.IfExp(test, other, body))})"
        case ast.Constant(bool(value)):
            yield str(not value)
        case ast.Constant(int(value) | float(value)) if abs(value) < 10:  # not a bound of bytes
            yield str(value + 1 if isinstance(value, int) else value * 2 or 1.0)
        case ast.Call(ast.Name(name) | ast.Attribute(_, name)) if name in NAMES:
            called = ast.unparse(node.func)
            yield ast.unparse(node).replace(called, called.removesuffix(name) + NAMES[name], 1)
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Continue() | ast.Break():
            yield "pass"


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def faults(file: str, source: str) -> Iterator[Fault]:
    """Every fault of a module, but in what no run shows: docstrings, types, decorators, reprs."""
    lines = source.splitlines()

    def walk(node: Any, function: int) -> Iterator[Fault]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name == "__repr__":
                return
            function = min([node.lineno, *(item.lineno for item in node.decorator_list)])
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for below in value if isinstance(value, list) else [value]:
                    if isinstance(below, ast.AST):
                        yield from walk(below, function)
        tested = [node.test] if isinstance(node, ast.If | ast.While) else getattr(node, "ifs", [])
        turned = [(test, f"not {ast.unparse(test)}") for test in tested if isinstance(test, PLAIN)]
        places = [(node, text) for text in changes(node)] + turned
        for place, text in places:
            if place.lineno == place.end_lineno:
                old = lines[place.lineno - 1]
                raw = old.encode()
                new = raw[: place.col_offset].decode() + text + raw[place.end_col_offset :].decode()
                if not (isinstance(place, ast.Constant) and WAITING.search(old.lower())):
                    yield Fault(file, place.lineno, function, old, new)

    yield from walk(ast.parse(source), 0)


def changed(copy: Path, fault: Fault) -> str | None:
    """The module with the fault; None where it is none."""
    source = (copy / fault.file).read_text()
    lines = source.splitlines()
    lines[fault.line - 1] = fault.new
    text = "\n".join(lines) + "\n"
    try:
        return None if ast.dump(ast.parse(text)) == ast.dump(ast.parse(source)) else text
    except SyntaxError:  # quotes in an f-string
        return None


def drawn(copy: Path, room: str, commit: str, number: int, left_out: set[str]) -> list[Fault]:
    """This many faults of a room, each in a line of its own."""
    folder = copy / ("labs" if room == "labs" else f"q1lab/{room}")
    files = sorted(str(file.relative_to(copy)) for file in folder.rglob("*.py"))
    every = [fault for file in files for fault in faults(file, (copy / file).read_text())]
    random.Random(f"{commit} {room}").shuffle(every)
    found: dict[str, Fault] = {}
    for fault in every:
        place = f"{fault.file}:{fault.line}"
        if len(found) < number and place not in left_out and changed(copy, fault):
            found.setdefault(place, fault)
    return list(found.values())


# ── the copies, and the tests in them


def new_copy(folder: Path, commit: str) -> Path:
    """A clone with an environment of its own, which borrows what is installed here."""
    if not folder.exists():
        subprocess.run(["git", "clone", "-q", "--shared", ROOT, folder], check=True)
        subprocess.run(["git", "checkout", "-q", commit], cwd=folder, check=True)
        venv.create(folder / ".venv", with_pip=False)
        (site,) = (folder / ".venv" / "lib").glob("python*/site-packages")
        start = f"import os; os.environ.get({SEEN!r}) and __import__('faults_drawn').watch()"
        borrowed = [folder, Path(__file__).parent, *map(Path, sys.path)]
        (site / "faults.pth").write_text("\n".join([*map(str, borrowed), start]) + "\n")
    return folder


def run_tests(copy: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(copy / ".venv/bin/python"), "-m", "pytest", "-q", "-p", "faults_drawn"]
    command += ["-m", "not long and not slow", "--timeout=120", "-p", "no:cacheprovider", *options]
    command += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)


def tests_by_function(copy: Path) -> dict[str, dict[str, list[str]]]:
    """The tests that enter each function: file -> first line (0 for the file) -> tests."""
    kept, seen = copy.parent / "map.json", copy.parent / "seen.jsonl"
    if not kept.exists():
        seen.touch()
        print("running all tests once ...", file=sys.stderr)
        done = run_tests(copy, "-n", "auto", "--dist", "worksteal", **{SEEN: str(seen)})
        print(done.stdout[-3000:], file=sys.stderr)
        # (3: a worker may fail once all tests have run, when a traced child outlives its test)
        if done.returncode not in (0, 1, 3) or " passed" not in done.stdout[-200:]:
            sys.exit("the tests did not run to their end: without them nothing can be drawn")
        found: dict[str, dict[str, set[str]]] = {}
        for test, file, line in map(json.loads, seen.read_text().splitlines()):
            if test and file.startswith(f"{copy}{os.sep}"):
                by_line = found.setdefault(file.removeprefix(f"{copy}{os.sep}"), {})
                by_line.setdefault(str(line), set()).add(test)
                by_line.setdefault("0", set()).add(test)
        kept.write_text(json.dumps(found, default=sorted))
    return json.loads(kept.read_text())  # type: ignore[no-any-return]


def reaching(copy: Path, fault: Fault, tests: dict[str, dict[str, list[str]]]) -> list[str]:
    """The tests that may notice a fault, those of its room and of its module's name first."""
    of_file = tests.get(fault.file, {})
    found = {*of_file.get(str(fault.function), ()), *of_file.get(str(READ), ())}
    if not fault.function:
        module = fault.file.removesuffix(".py").replace("/", ".")
        package, _, name = module.rpartition(".")
        words = re.compile(rf"{re.escape(module)}\b|from {re.escape(package)} import .*\b{name}\b")
        for file, by_line in tests.items():
            if words.search((copy / file).read_text()):
                found.update(by_line["0"])
    near = {*Path(fault.file).with_suffix("").parts} - {"q1lab"}
    return sorted(found, key=lambda test: -sum(part in test.partition("::")[0] for part in near))


def noticed_by(copy: Path, fault: Fault, tests: list[str]) -> str:
    """The test that fails with the fault, and not without it; nothing where none does."""
    module, chosen = copy / fault.file, copy.parent / f"{copy.name}.txt"
    sound, faulty = module.read_text(), changed(copy, fault)
    assert faulty is not None

    def write(text: str) -> None:
        module.write_text(text)
        os.utime(module, ns=(stamp := next(STAMPS) * 10**9, stamp))  # else old bytecode would do

    def failing(names: list[str]) -> str:
        chosen.write_text("\n".join(names))
        files = sorted({name.partition("::")[0] for name in names})
        done = run_tests(copy, "-x", "-n", "0", *files, **{CHOSEN: str(chosen)})
        failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
        return failed[1] if failed else "" if done.returncode in (0, 5) else "the run itself"

    try:
        while tests:
            write(faulty)
            test = failing(tests)
            write(sound)
            if not test or test not in tests or not failing([test]):
                return test
            tests.remove(test)  # it fails on this machine, or now and then
        return ""
    finally:
        write(sound)


STAMPS = itertools.count(1_000_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description="one-line faults, and the tests that notice them")
    parser.add_argument("rooms", nargs="*", default=ROOMS)
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--faults", type=int, default=10, help="in each room")
    parser.add_argument("--copies", type=int, default=1, help="how many faults at the same time")
    parser.add_argument(
        "--but", nargs="*", default=[], help="FILE:LINE of faults that change nothing"
    )
    given = parser.parse_args()
    commit = subprocess.check_output(
        ["git", "rev-parse", given.commit], cwd=ROOT, text=True
    ).strip()
    folder = Path(tempfile.gettempdir()) / f"faults-{commit[:12]}"
    folder.mkdir(exist_ok=True)
    copies: queue.Queue[Path] = queue.Queue()
    for number in range(given.copies):
        copies.put(first := new_copy(folder / f"copy{number}", commit))
    tests = tests_by_function(folder / "copy0")

    def one(fault: Fault) -> str:
        copy = copies.get()
        try:
            return noticed_by(copy, fault, reaching(copy, fault, tests))
        finally:
            copies.put(copy)

    print(f"commit {commit}")
    for room in given.rooms:
        found = drawn(first, room, commit, given.faults, set(given.but))
        caught = 0
        with ThreadPoolExecutor(given.copies) as pool:
            for fault, test in zip(found, pool.map(one, found), strict=True):
                caught += bool(test)
                print(f"{fault.file}:{fault.line}: {test or 'SURVIVED'}")
                print(f"    - {fault.old.strip()}\n    + {fault.new.strip()}", flush=True)
        print(f"{room}: {caught} of {len(found)} caught\n", flush=True)


if __name__ == "__main__":
    main()

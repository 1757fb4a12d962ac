"""Judge your tests: do they catch every mistake?

The broken_… files import this. It copies this folder, puts a mistake
in place of your code in the copy, and runs your tests there. Your own
files stay as they are.
"""

import contextlib
import importlib.util
import inspect
import io
import os
import random
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

import torch


class Outcomes:
    """The tests that pass, and a reason for each that fails; pytest
    fills it in."""

    def __init__(self) -> None:
        self.passing: list[str] = []
        self.skipped: list[str] = []
        self.reason_by_test: dict[str, str] = {}

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.add_failure(report)

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.add_failure(report)
        elif report.skipped:
            self.skipped.append(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passing.append(report.nodeid)

    def pytest_keyboard_interrupt(self, excinfo) -> None:
        if excinfo.type is KeyboardInterrupt:  # not an import's error
            sys.exit("stopped")

    def add_failure(self, report) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash else str(report.longrepr)
        reason = text.strip().splitlines()[0 if crash else -1]
        test = report.nodeid.rpartition("::")[2]
        self.reason_by_test[test] = reason.removeprefix("E ").strip()


def judge(
    variant, replaced, right, mistakes, helpers=(), styles=("",)
):
    """Name the tests that catch each mistake, and the mistakes that
    no test catches.

    The copy's file of the variant gets another class or function
    `replaced`: first `right`, with which every test has to pass, then
    one mistake after the other. It gets `helpers`, too. `styles` are lines that
    turn the broken file to another right way to write it.
    """
    if importlib.util.find_spec("pytest") is None:
        sys.exit(
            "this Python has no pytest; install it:"
            " python -m pip install pytest"
        )
    tests = Path(*sys.argv[1:2] or ("tests", f"test_{variant}.py"))
    if not tests.is_file():
        print(
            f"there is no {tests} here: write your tests first, or"
            f" name their file: python broken_{variant}.py FILE"
        )
        return
    tests = tests.resolve()
    if not tests.is_relative_to(Path.cwd().resolve()):
        sys.exit(
            f"{tests} is in another folder: run this in that one"
        )
    tests = tests.relative_to(Path.cwd().resolve())
    source = own_source(variant)
    with copied_folder(tests) as copy:

        def run(code, style: str) -> Outcomes:
            names = [(code.__name__, replaced)]
            names += [(helper, helper) for helper in helpers]
            lines = [source, f"import broken_{variant}", style]
            lines += [
                f"from broken_{variant} import {name} as {other}"
                for name, other in names
            ]
            (copy / f"{variant}.py").write_text(
                "\n".join(lines), encoding="utf-8"
            )
            return run_tests(copy, tests)

        for style in styles:
            outcomes = run(right, style)
            if not outcomes.reason_by_test:
                break
        for test, reason in outcomes.reason_by_test.items():
            sys.exit(
                f"{tests} fails with a correct {replaced}, too, so it"
                f" judges nothing yet: {test}: {reason}"
            )
        if outcomes.skipped and not outcomes.passing:
            count = len(outcomes.skipped)
            sys.exit(
                f"{tests} has tests, but none of them judges: {count}"
                " skipped or allowed to fail"
            )
        if not outcomes.passing:
            sys.exit(f"{tests} has no test: write a function test_…")
        count = len(outcomes.passing)
        passes = "passes" if count == 1 else "pass"
        print(
            f"{tests}: {count} of your tests {passes} with a correct"
            f" {replaced}"
        )
        caught = [report(run(one, style), one) for one in mistakes]
    if not any(caught):
        print(
            f"no test catches any mistake: do they call {replaced}?"
        )


def report(outcomes: Outcomes, mistake) -> bool:
    """Print what caught a mistake, or its code; True if caught."""
    name = mistake.__name__.lower()
    if outcomes.reason_by_test:
        print(
            f"{name}  caught by {', '.join(outcomes.reason_by_test)}"
        )
        return True
    print(f"{name}  your tests let this mistake through:")
    print(textwrap.indent(inspect.getsource(mistake), "   "), end="")
    return False


def own_source(variant: str) -> str:
    """The text of the variant's file; of model.py if there is none."""
    for file in (Path(f"{variant}.py"), Path("model.py")):
        if file.is_file():
            source = file.read_text(encoding="utf-8")
            try:
                compile(source, str(file), "exec")
            except SyntaxError as error:
                sys.exit(
                    f"{file}, line {error.lineno}: {error.msg};"
                    " fix it first"
                )
            return source
    return ""


@contextlib.contextmanager
def copied_folder(tests: Path):
    """A copy of this folder's Python files and of the tests' folder,
    the only place that imports find."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as made:
        copy = Path(made).resolve()
        for file in here.glob("*.py"):
            shutil.copy(file, copy)
        if len(tests.parts) > 1:
            shutil.copytree(
                tests.parts[0],
                copy / tests.parts[0],
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        (copy / "pytest.ini").write_text("[pytest]\n")
        os.environ.pop("PYTEST_ADDOPTS", None)
        sys.dont_write_bytecode = True  # mistakes share a file's name
        sys.path[:] = [str(copy)] + [
            path for path in sys.path if Path(path).resolve() != here
        ]
        os.chdir(copy)
        try:
            yield copy
        finally:
            os.chdir(here)


def run_tests(copy: Path, tests: Path) -> Outcomes:
    """Run the tests on the copy as it is now."""
    import pytest

    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if Path(file).is_relative_to(copy):
            del sys.modules[name]
    importlib.invalidate_caches()
    random.seed(0)  # luck is the same for right and wrong code
    torch.manual_seed(0)
    outcomes = Outcomes()
    # what it looks for takes seconds in a process that has torch
    options = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:unraisableexception",
    ]
    output = io.StringIO()
    with (
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        code = pytest.main([*options, str(tests)], plugins=[outcomes])
    if code not in (0, 1, 2, 5):
        lines = output.getvalue().strip().splitlines()
        errors = [line for line in lines if "ERROR> " in line]
        reason = [*lines[-1:], *errors][-1].split("> ")[-1]
        sys.exit(f"pytest can't run {tests}: {reason}")
    return outcomes

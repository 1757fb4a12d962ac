"""The modules that a command may load: seen in a process of its own, after the command has run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

HEAVY = {
    "torch",
    "scipy",
    "numpy",
    "wandb",
    "git",
    "resvg_py",
    "textual",
    "sqlite_utils",
    "jinja2",
    "labs",
    "rich.console",
}


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


WEEK = {"jinja2"}
"""What the text of a week needs."""


@pytest.mark.parametrize(
    ("args", "needed"),
    [(["--help"], set()), (["--version"], set()), (["status"], WEEK), (["diff", "rope"], set())],
)
def test_quick_commands_load_nothing_heavy(args: list[str], needed: set[str]) -> None:
    loaded_after("from q1lab.journal.store import Store; Store().close()")  # the home is made once
    loaded = loaded_after(
        f"from q1lab.commands.cli import run_command_line; run_command_line({args!r})"
    )
    assert not loaded & (HEAVY - needed)


@pytest.mark.parametrize(
    "code",
    [
        "from q1lab.commands.cli import MODULES, cli\nfor name in MODULES: cli.get_command(None, name)",
        "import q1lab.train.runner",
        "import q1lab.train.weights_and_biases.history_rows",
        f"from pathlib import Path; from q1lab.week.content import load_week; load_week(Path({str(ROOT / 'content')!r}))",
    ],
    ids=["every command", "the runner", "what W&B gets", "the week"],
)
def test_what_is_there_before_it_is_used_loads_nothing_heavy(code: str) -> None:
    assert not loaded_after(code) & (
        HEAVY - {"rich.console", "sqlite_utils"} - (WEEK if "load_week" in code else set())
    )


def test_judge_loads_no_tools_of_numpy_s_makers() -> None:
    words = ["judge", "--baseline", "1,2,3", "--modified", "2,3,4.5", "--better", "lower"]
    code = f"from q1lab.commands.cli import run_command_line; run_command_line({words})"
    loaded = loaded_after(code)
    assert "scipy.special" in loaded
    assert not loaded & {"numpy.f2py", "numpy.testing", "torch", "textual", "wandb"}


def test_libraries_whose_private_names_are_used_have_a_tested_upper_bound() -> None:
    """The installed version, with which these tests run, is below it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, parts in (("textual", 1), ("wandb", 2)):
        line = next(
            requirement
            for requirement in project["dependencies"]
            if re.match(rf"{name}(\[.*\])?>=", requirement)
        )
        upper = tuple(int(n) for n in line.partition("<")[2].split("."))
        installed = tuple(int(n) for n in metadata.version(name).split("+")[0].split(".")[:parts])
        assert installed < upper, f"{line}: {name} {metadata.version(name)} is installed"


def test_what_the_week_needs_comes_with_q1lab_and_nothing_holds_torch_back() -> None:
    """The learner's own tests are written for pytest; an upper bound would take a newer torch
    away."""
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert any(re.match(r"pytest\b", requirement) for requirement in needs)
    (torch,) = (requirement for requirement in needs if re.match(r"torch\b", requirement))
    assert "<" not in torch

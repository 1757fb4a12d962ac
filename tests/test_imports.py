"""What a command may load: seen in a process of its own, after the command has run."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "scipy",
    "numpy",
    "wandb",
    "git",
    "matplotlib",
    "textual",
    "sqlite_utils",
    "jinja2",
    "labs",
    "rich",
}


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["status"], ["diff", "rope"]])
def test_quick_commands_load_nothing_heavy(args: list[str]) -> None:
    loaded_after(
        "from q1lab.index.store import Store; Store().close()"
    )  # the schema is made once, by sqlite_utils
    found = loaded_after(f"from q1lab.cli import run; run({args!r})")
    assert not found & HEAVY


def test_a_trainer_loads_nothing_of_q1lab() -> None:
    found = loaded_after("import labs.train")
    assert not found & {"q1lab", "textual", "sqlite_utils", "git", "wandb", "click"}


def test_the_runner_is_light() -> None:
    assert not loaded_after("import q1lab.study.runner") & HEAVY

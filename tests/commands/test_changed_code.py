"""A command's code that its command does not name: the files that its scripts import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labs import loop as trainer_loop
from q1lab.ground import paths
from q1lab.study import imported_code, studies
from q1lab.study.command import Command
from q1lab.study.command_arms import CommandSpec
from tests.commands.test_command_arms import PYTHON
from tests.kit.commands import q1lab

pytestmark = pytest.mark.sample

TRAIN = """import argparse, random
from model import effect
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--big", action="store_true")
parser.add_argument("--word")
args = parser.parse_args()
draw = random.Random(f"{args.seed} {args.big}")
value = 2 + draw.gauss(0, 0.005) - effect(args.big)
print(f"METRIC step=1 loss={value}")
"""
HELPS = "def effect(big):\n    return 0.06 if big else 0.0\n"
NOTHING = HELPS.replace("0.06", "0.0")
COMMAND = f"{PYTHON} train.py --seed {{seed}} {{args}}"
ARMS = ("--arm", "baseline=", "--arm", "big=--big")
RUN = ("run", "--command", COMMAND, *ARMS, "--metric", "loss")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository as nanoGPT's: train.py imports model.py."""
    work = tmp_path / "theirs"
    work.mkdir()
    (work / "train.py").write_text(TRAIN)
    (work / "model.py").write_text(HELPS)
    monkeypatch.chdir(work)
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    return work


def git(*words: str) -> str:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *names, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def refused(*words: str) -> str:
    """The one line of a command that is refused."""
    shown = q1lab(*words, code=2).stderr.strip().splitlines()
    lines = [line for line in shown if not line.startswith("Looking at ")]
    assert len(lines) == 1, shown
    return lines[0]


def test_the_same_command_after_a_change_of_an_imported_file_prints_no_old_verdict(
    folder: Path,
) -> None:
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    assert "HELPS" in q1lab(*RUN).stdout
    (folder / "model.py").write_text(NOTHING)
    git("commit", "-qam", "no effect")
    line = refused(*RUN)
    assert "model.py changed since big-1 was planned" in line
    assert commit[:7] in line
    assert "--fresh" in line
    assert refused(*RUN, "--seeds", "5") == line, "old and new code are not put into one study"
    assert "model.py changed" in refused("run", "big-1", "--seeds", "5")
    assert len(studies.load("big-1").seeds) == 3
    for words in ((), ("--full",)):
        shown = " ".join(q1lab("compare", "big-1", *words).stdout.split())
        assert "The code has changed since these runs: model.py." in shown
    assert "HELPS" not in q1lab(*RUN, "--fresh").stdout
    assert studies.ids() == ["big-1", "big-2"]
    assert "model.py" not in q1lab("compare", "big-2", "--full").stdout
    # with the file as it was, the same command prints what was found with it
    git("checkout", "-q", commit, "--", "model.py")
    assert "HELPS" in q1lab(*RUN).stdout
    assert studies.ids() == ["big-1", "big-2"]


def test_a_change_that_trains_the_same_is_none(folder: Path) -> None:
    q1lab(*RUN)
    before = q1lab(*RUN).stdout
    (folder / "model.py").write_text(f'"""The model."""\n# a word\n\n{HELPS}')
    (folder / "README.md").write_text("other words")
    (folder / "notes.ipynb").write_text("{}")
    (folder / "unused.py").write_text("1 / 0")
    assert q1lab(*RUN).stdout == before
    q1lab(*RUN, "--seeds", "4")
    assert len(studies.load("big-1").seeds) == 4
    assert "model.py" not in q1lab("compare", "big-1", "--full").stdout


def test_a_run_that_begins_after_a_change_fails_and_says_so(folder: Path) -> None:
    """The study trains, and its code is edited meanwhile."""
    (folder / "train.py").write_text(
        TRAIN.replace("args = ", "open('model.py', 'a').write('x = 1\\n')\nargs = ")
    )
    shown = q1lab(*RUN, "--jobs", "1", code=1)
    assert "model.py changed since the study was planned" in shown.stdout


def test_runs_of_other_code_are_not_reused(folder: Path) -> None:
    q1lab(*RUN)
    (folder / "model.py").write_text(HELPS.replace("else 0.0", "else 0.5"))
    other = (*RUN[:3], "--arm", "baseline=", "--arm", "more=--big --big", *RUN[-2:])
    q1lab(*other)
    events = paths.study_dir("more-1").glob("runs/baseline-*/events.jsonl")
    assert not any("reused_from" in file.read_text() for file in events)


def test_a_plan_that_does_not_know_what_it_imported_goes_on(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as older:
        older.setattr(imported_code, "hash_imports", lambda _: {})
        q1lab(*RUN)
    assert (
        "imports" not in json.loads((paths.study_dir("big-1") / "study.json").read_text())["loop"]
    )
    (folder / "model.py").write_text(NOTHING)
    q1lab(*RUN, "--seeds", "4")
    assert studies.ids() == ["big-1"]
    assert "model.py" not in q1lab("compare", "big-1", "--full").stdout


def test_a_deleted_module_is_named(folder: Path) -> None:
    q1lab(*RUN)
    (folder / "model.py").unlink()
    assert "model.py changed since big-1" in refused(*RUN)
    assert "since these runs: model.py." in q1lab("compare", "big-1").stdout


# ── what a command is seen to import


def names(command: str, **arms: str) -> list[str]:
    spec = CommandSpec(command, arms or {"baseline": ""}, str(Path.cwd()), "loss")
    return sorted(imported_code.hash_imports(spec))


def write(**texts: str) -> None:
    for name, text in texts.items():
        file = Path(name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_modules_packages_and_relative_imports_are_found() -> None:
    write(
        model="import numpy, blocks.attention\nfrom lib import optim as o\nimport json",
        blocks__attention="from .. import nothing\nfrom . import mlp\nfrom .deep.rope import turn",
        blocks__mlp="import importlib\nimportlib.import_module('plug')",
        blocks__deep__rope="def f():\n    import late",
        lib__optim="",
        late="",
        plug="",
        other="",
    )
    Path("blocks/__init__.py").write_text("import blocks.attention")
    assert names("python train.py") == [
        *("blocks/__init__.py", "blocks/attention.py", "blocks/deep/rope.py", "blocks/mlp.py"),
        *("late.py", "lib/optim.py", "model.py", "plug.py"),
    ]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("python -m train", ["model.py", "train.py"]),
        ("torchrun --nproc 1 train.py", ["model.py"]),
        ("bash -c 'python train.py --seed={seed}'", ["model.py", "train.py"]),
        ("bash go.sh", ["model.py", "train.py"]),
        ("./start", ["model.py"]),
        ("python {args}", ["model.py"]),
        ("python src/app/main.py", ["src/app/here.py", "src/own/core.py"]),
        ("python -m app.main", ["src/app/main.py", "src/own/core.py"]),
        ("jupyter execute notes.ipynb", []),
        ("python gone.py --config=train.py", ["model.py", "train.py"]),
        ("true", []),
    ],
)
def test_the_scripts_of_a_command_are_found(command: str, found: list[str]) -> None:
    Path("go.sh").write_text('# starts it\nexec python train.py "$@"\n')
    Path("start").write_text("#!/usr/bin/env python3\nimport model\n")
    Path("notes.ipynb").write_text('{"cells": []}')
    write(src__app__main="import here, own.core", src__app__here="", src__own__core="")
    assert names(command, baseline="train.py" if "{args}" in command else "") == found


def test_a_link_counts_by_what_it_leads_to(folder: Path) -> None:
    (folder.parent / "shared.py").write_text(HELPS)
    (folder / "model.py").unlink()
    (folder / "model.py").symlink_to(folder.parent / "shared.py")
    q1lab(*RUN)
    (folder.parent / "shared.py").write_text(NOTHING)
    assert "model.py changed since big-1" in refused(*RUN)


def test_an_extension_is_hashed_by_its_bytes(folder: Path) -> None:
    (folder / "model.py").write_text("import fast\n" + HELPS)
    (folder / "fast.cpython-313-x86_64-linux-gnu.so").write_bytes(b"\0one")
    assert names("python train.py") == ["fast.cpython-313-x86_64-linux-gnu.so", "model.py"]
    spec = CommandSpec("python train.py", {"baseline": ""}, str(folder), "loss")
    hashed = imported_code.hash_imports(spec)
    assert imported_code.changed_imports(folder, hashed) == []
    (folder / "fast.cpython-313-x86_64-linux-gnu.so").write_bytes(b"\0two")
    assert imported_code.changed_imports(folder, hashed) == ["fast.cpython-313-x86_64-linux-gnu.so"]


def test_what_can_not_be_read_is_left_out(folder: Path) -> None:
    names_of_traps = ("loops", "pipe", "broken", "large", "null", "binary")
    (folder / "model.py").write_text(f"import {', '.join(names_of_traps)}\n")
    (folder / "loops.py").symlink_to("loops.py")
    os.mkfifo(folder / "pipe.py")
    (folder / "broken.py").write_text("def (")
    (folder / "large.py").write_text("#" * (imported_code.LARGEST_SOURCE + 1))
    (folder / "null.py").symlink_to("/dev/zero")
    (folder / "binary.py").write_bytes(b"\xff\xfe\0")
    assert names("python train.py") == ["binary.py", "broken.py", "large.py", "model.py"]


def test_no_more_files_are_looked_at_than_a_plan_can_hold(folder: Path) -> None:
    many = imported_code.MOST_FILES + 50
    (folder / "model.py").write_text("\n".join(f"import m{at}" for at in range(many)))
    for at in range(many):
        (folder / f"m{at}.py").write_text("")
    assert len(names("python train.py")) == imported_code.MOST_FILES


def test_runs_and_plans_hash_a_file_alike(tmp_path: Path) -> None:
    """The program that trains can't import q1lab, and has the rule once more."""
    file = tmp_path / "some.py"
    spec: dict[str, Any] = {"folder": str(tmp_path)}
    texts = (HELPS, f"# first\n{HELPS}", NOTHING, "def (", f'"""Docs."""\n{HELPS}', "x" * 2_000_000)
    for text in texts:
        file.write_text(text)
        spec["imports"] = {"some.py": imported_code.hash_file(file)}
        for other in texts:
            file.write_text(other)
            changed = imported_code.changed_imports(tmp_path, spec["imports"])
            assert bool(trainer_loop.changed_input(spec)) == bool(changed)
    file.unlink()
    assert "some.py" in trainer_loop.changed_input(spec)


def test_the_imports_stand_in_the_plan() -> None:
    q1lab(*RUN)
    trainer = studies.load("big-1").trainer
    assert isinstance(trainer, Command)
    assert list(trainer.loop.imports) == ["model.py"]
    assert sys.executable not in json.dumps(dict(trainer.loop.imports))

"""q1lab's commands in this process: a process of its own costs most of a second, and few tests need
one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from q1lab.commands.cli import cli, run_command_line
from tests.kit.places import KIT

Words = tuple[str, ...]


def q1lab(*args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """A command, to its end, with the exit status that is expected. Whatever it meets, it shows no
    traceback; an exception that nothing caught passes through."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run_command_line(list(args))
    done = subprocess.CompletedProcess(args, status, out.getvalue(), err.getvalue())
    assert "Traceback" not in done.stdout + done.stderr
    if code is not None:
        assert status == code, (status, done.stdout, done.stderr)
    return done


def at_terminal(*words: str, typed: str, code: int = 0) -> str:
    """What the installed command prints where stdin and stderr are a terminal."""
    person, terminal = pty.openpty()
    os.write(person, typed.encode())
    command = [Path(sys.executable).with_name("q1lab"), *words]
    done = subprocess.run(
        command, stdin=terminal, stderr=terminal, stdout=subprocess.PIPE, text=True, check=False
    )
    os.close(terminal)
    shown = os.read(person, 65536).decode() + done.stdout
    os.close(person)
    assert done.returncode == code, shown
    return shown


def study_toml(run: str, *, metric: str, better: str = "lower", **args: str) -> Words:
    """Write a study.toml with this command and the arguments of each arm here; returns the words
    that train it."""
    command = {"run": run, "metric": metric, "better": better}
    tables = {"command": command, **{f"arm.{name}": {"args": text} for name, text in args.items()}}
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    Path("study.toml").write_text("\n".join(lines) + "\n")
    return "run", "study.toml"


def without_torch(patch: pytest.MonkeyPatch, **how: Any) -> None:
    """Put the trainer and the probe without torch in place, with FAKE_TRAIN's settings.

    Nothing goes to W&B unless a test asks for it: a relay costs more than such a study."""
    patch.setenv("Q1LAB_TRAINER", f"{sys.executable} {KIT / 'fake_train.py'}")
    patch.setenv("Q1LAB_PROBE", f"{sys.executable} {KIT / 'fake_probe.py'}")
    patch.setenv("Q1LAB_WANDB", "disabled")
    patch.setenv("FAKE_TRAIN", json.dumps(how))


def commands(
    command: click.Command = cli, words: Words = ()
) -> Iterator[tuple[Words, click.Command]]:
    """Every command and group with the words that call it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*words, name))


def parse(words: Sequence[str]) -> click.Context:
    """The context of a command line without ``q1lab``. A click error or a Problem where the command
    would refuse the words."""
    command: click.Command | None = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        _, command, rest = command.resolve_command(click.Context(command), rest)
    assert command is not None
    return command.make_context("q1lab", rest)

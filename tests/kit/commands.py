"""q1lab's commands in this process: a process of its own costs most of a second, and few tests need
one."""

from __future__ import annotations

import contextlib
import io
import subprocess
from collections.abc import Iterator

import click

from q1lab.commands.cli import cli, run

Words = tuple[str, ...]


def q1lab(*args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """A command, to its end, with the exit status that is expected. Whatever it meets, it shows no
    traceback; an exception that nothing caught passes through."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(list(args))
    done = subprocess.CompletedProcess(args, status, out.getvalue(), err.getvalue())
    assert "Traceback" not in done.stdout + done.stderr
    if code is not None:
        assert status == code, (status, done.stdout, done.stderr)
    return done


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

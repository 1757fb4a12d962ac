"""`q1lab take`: copy one of the week's files beside the learner's model."""

from __future__ import annotations

from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import print_json
from q1lab.ground.errors import FAILED, Problem, nearest
from q1lab.ground.files import os_reason, printable, read_bytes
from q1lab.week.markdown_reader import FILES


@click.command(epilog="Example: q1lab take oracle_rope.py")
@click.argument("name", required=False)
@shared.json_option
def take(name: str | None, as_json: bool) -> int:
    """Copy the file NAME of the week into this folder, or list what there is.

    There are slow and simple versions of each idea to test against (oracle_…), small experiments to
    train, and pictures for the post. A file that is there already is never overwritten.

    \b
    Exit codes: 0 done, 1 it can't be written, 2 no such file, or one that differs is there already.
    """
    week = shared.current_week()
    if name is None:
        rows = [(file_name, _first_line(week.root / FILES / file_name)) for file_name in week.files]
        if as_json:
            print_json(
                {"files": [{"name": file_name, "about": about} for file_name, about in rows]}
            )
        else:
            width = max((len(file_name) for file_name, _ in rows), default=0)
            for file_name, about in rows:
                click.echo(printable(f"{file_name:{width}}  {about}".rstrip()))
        return 0
    if name not in week.files:
        raise Problem(f"the week has no file {name!r}", next=nearest(name, week.files))
    source, target = week.root / FILES / name, Path(name)
    data = read_bytes(source)
    try:
        with target.open("xb") as handle:
            handle.write(data)
    except FileExistsError:
        if not target.is_file() or read_bytes(target) != data:
            raise Problem(
                f"{target} is there already and differs",
                next="move it away, or take it in another folder",
                file=target,
            ) from None
    except OSError as error:
        raise Problem(f"can't write {target}: {os_reason(error)}", FAILED, file=target) from error
    if as_json:
        print_json({"file": str(target)})
    else:
        about = _first_line(source)
        click.echo(printable(f"{target.absolute()}{': ' + about if about else ''}"))
    return 0


def _first_line(file: Path) -> str:
    """The first line of a Python file's docstring; empty for other files."""
    if file.suffix != ".py":
        return ""
    return file.read_text(encoding="utf-8").partition("\n")[0].strip('"').strip()

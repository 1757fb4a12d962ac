"""`q1lab config [path | set]`."""

from __future__ import annotations

import contextlib
import json

import click

from q1lab import config as settings
from q1lab import paths
from q1lab.commands._output import fitted
from q1lab.errors import Problem
from q1lab.files import plain


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--keys", is_flag=True, help="The app's actions with their keys.")
@click.pass_context
def config(ctx: click.Context, as_json: bool, keys: bool) -> None:
    """Every setting, where it comes from, and how to change one.

    \b
    Examples: q1lab config
              q1lab config --keys
              q1lab config set theme q1lab-light
    """
    if ctx.invoked_subcommand is not None:
        return
    found = settings.load()
    if keys:
        _keys(dict(found.keymap), as_json)
        return
    rows = settings.as_rows(found)
    if as_json:
        click.echo(
            json.dumps(
                {key: {"value": value, "from": source} for key, value, source in rows}, indent=1
            )
        )
        return
    for key, value, source in rows:
        click.echo(plain(f"{key:<10} {value or '–':<28} {source}"))
        click.echo(f"{'':<10} {fitted(settings.HELP[key], 11)}")


@config.command()
def path() -> None:
    """Print the file that holds the settings (it need not be there).

    \b
    Example: $EDITOR "$(q1lab config path)"
    """
    click.echo(paths.config_file())


@config.command("set")
@click.argument("key")
@click.argument("value", type=click.UNPROCESSED)  # empty text is a value of on_end
def set_(key: str, value: str) -> None:
    """Change one setting; comments in the file stay.

    \b
    Examples: q1lab config set repo ~/transformer-from-scratch
              q1lab config set keymap.study.tick x
    """
    if key.startswith("keymap."):
        from q1lab.tui.keys import check_keymap

        check_keymap({key.removeprefix("keymap."): value}, "`q1lab config set`")
    if key == "theme":
        from q1lab.tui import theme

        theme.check(value, "`q1lab config set`")
    settings.put(key, value)
    if key == "course":
        _tick()
    click.echo(plain(f"{key} = {value}"))


def _tick() -> None:
    """Tick the week's step that asks how one came here. What can't be noted is no reason to
    fail."""
    from q1lab.commands import _documents as shared
    from q1lab.commands._store import opened
    from q1lab.week import progress

    with contextlib.suppress(Problem), opened() as store:
        progress.tick_those(store, shared.week(), "config")


def _keys(moved: dict[str, str], as_json: bool) -> None:
    from q1lab.tui.keys import KEYS

    table = {name: moved.get(name, key.keys) for name, key in KEYS.items()}
    if as_json:
        click.echo(json.dumps(table, indent=1))
        return
    for name, keys in table.items():
        note = "  (moved)" if name in moved else ""
        click.echo(plain(f"{name:<20} {keys:<28} {KEYS[name].more or KEYS[name].words}{note}"))

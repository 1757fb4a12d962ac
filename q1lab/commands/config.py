"""`q1lab config`: settings."""

from __future__ import annotations

import contextlib

import click

from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_text, wrapped
from q1lab.ground import config as settings
from q1lab.ground import paths
from q1lab.ground.errors import Problem


@click.command(
    epilog="""\b
Examples:
  q1lab config
  q1lab config repo ~/transformer-from-scratch
  q1lab config theme q1lab-light
  q1lab config keymap.study.tick x
  q1lab config --keys"""
)
@click.argument("key", required=False)
@click.argument("value", required=False, type=click.UNPROCESSED)  # launcher may be empty
@click.option("--keys", is_flag=True, help="The app's actions with their keys.")
@json_option
def config(key: str | None, value: str | None, keys: bool, as_json: bool) -> None:
    """Every setting, where it comes from, and the file that holds them.

    With KEY and VALUE, change one; comments in the file stay.
    """
    if key is not None:
        if value is None:
            raise Problem(f"give {key} a value", next="`q1lab config` says what it is now")
        _set_value(key, value)
        return
    current = settings.load_settings()
    if keys:
        _print_keys(dict(current.keymap), as_json)
        return
    rows = settings.as_rows(current)
    if as_json:
        print_json({name: {"value": is_now, "from": source} for name, is_now, source in rows})
        return
    width = max(len(name) for name, *_ in rows)
    file = paths.config_file()  # the last line gives its folder
    for name, is_now, source in rows:
        place = file.name if source == str(file) else source
        print_text(f"{name:<{width}} {is_now or '–':<28} {place}")
        click.echo(f"{'':<{width}} {wrapped(settings.SETTINGS[name].help_text, width + 1)}")
    print_text(f"They are kept in {paths.config_file()}")


def _set_value(key: str, value: str) -> None:
    if key.startswith("keymap."):
        from q1lab.app.keys import check_keymap

        check_keymap({key.removeprefix("keymap."): value}, "`q1lab config`")
    if key == "theme":
        from q1lab.app import theme

        theme.check_theme_name(value, "`q1lab config`")
    settings.save_setting(key, value)
    if key == "course":
        _tick_step()
    print_text(f"{key} = {value}")


def _tick_step() -> None:
    """Tick the week's step about the course. The setting is saved even if this can't be noted."""
    from q1lab.commands._store import open_store
    from q1lab.commands._week import current_week
    from q1lab.week import progress

    with contextlib.suppress(Problem), open_store() as store:
        progress.tick_steps_of_command(store, current_week(), "config")


def _print_keys(moved: dict[str, str], as_json: bool) -> None:
    from q1lab.app.keys import KEYS

    table = {name: moved.get(name, binding.key) for name, binding in KEYS.items()}
    if as_json:
        print_json(table)
        return
    for name, keys in table.items():
        note = "  (moved)" if name in moved else ""
        print_text(f"{name:<20} {keys:<28} {KEYS[name].description}{note}")

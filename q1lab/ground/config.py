"""The learner's settings: config.toml in q1lab's home, and Q1LAB_<KEY> in the environment above it.

Reading uses the standard library; editing goes through tomlkit, so that comments and order stay. An
unknown key is left out, with one line that has file, key and the nearest name.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem, nearest, not_a_choice, notice
from q1lab.ground.files import (
    absolute_path,
    expand_user,
    os_reason,
    printable,
    read_text,
    write_atomic,
)
from q1lab.ground.options import declare, option, options_of


@dataclass(frozen=True)
class Config:
    """All settings with their defaults. Each one is declared at its field."""

    repo: Path | None = option(
        None, "your git repository, where q1lab writes documents and commits them"
    )
    theme: str = option("q1lab-dark", "q1lab-dark, q1lab-light or q1lab-terminal")
    animation: str = option("none", "none, basic or full", choices=("none", "basic", "full"))
    """Moving pictures in the app."""
    bell: bool = option(
        True, "true or false: ring when a part's minutes are spent or a watched study has ended"
    )
    ask_before_commit: bool = option(
        True, "true or false: show every commit before it is made, and ask"
    )
    wandb: str = option(
        "auto",
        "auto (online where a key is configured), online, offline or disabled",
        choices=("auto", "online", "offline", "disabled"),
    )
    content: Path | None = option(None, "folder of another week")
    """None opens the week that ships with q1lab."""
    week: bool = option(
        True, "true or false: the week's commands in --help, its welcome and its clock"
    )
    """False for who came for the studies alone."""
    course: bool = option(
        False, "true or false: you follow the twelve-week course, or came here by yourself"
    )
    keymap: Mapping[str, str] = field(
        default_factory=dict,
        metadata=declare('other keys by action id: [keymap] then "study.tick" = "x"'),
    )
    launcher: str = option("", "words before the command of each run: srun --gres=gpu:1")
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The source of each value that isn't a default."""


SETTINGS = options_of(Config)
"""The settings by their keys, in the order of `q1lab config`."""


def load_settings(file: Path | None = None, env: Mapping[str, str] = os.environ) -> Config:
    """The current settings: defaults, then the file, then ``Q1LAB_<KEY>``. Problem names file
    and key; a key that is no setting is said, and the rest is read."""
    file = file or paths.config_file()
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for key, value in _read(file).items():
        if key not in SETTINGS:
            notice(f"{_unknown_key(key, str(file))}; it is left out")
            continue
        try:
            values[key] = _check_value(key, value, str(file), file.parent)
        except Problem as problem:
            problem.file = file
            raise
        sources[key] = str(file)
    for key in SETTINGS:
        variable = f"Q1LAB_{key.upper()}"
        if key != "keymap" and env.get(variable):
            values[key] = _check_value(key, _from_text(key, env[variable]), variable, Path.cwd())
            sources[key] = variable
    return Config(**values, sources=MappingProxyType(sources))


def save_setting(key: str, text: str, file: Path | None = None) -> None:
    """Set one key in the file; everything else in it stays as it is. ``keymap.<action id>`` moves a
    key."""
    import tomlkit

    file = file or paths.config_file()
    head, _, action = key.partition(".")
    if head not in SETTINGS:
        raise _unknown_key(head, "`q1lab config`")
    if (head == "keymap") != bool(action):
        raise Problem("keys are set one by one: ", next="`q1lab config keymap.study.tick x`")
    _read(file)  # a damaged file raises Problem here, and is not overwritten
    document = tomlkit.parse(read_text(file)) if file.exists() else tomlkit.document()
    if action:
        table = document.setdefault("keymap", tomlkit.table())
        table[action] = text
    else:
        value = _from_text(head, text)
        _check_value(head, value, "`q1lab config`", Path.cwd())
        if head in ("repo", "content"):
            value = str(absolute_path(str(value)))
        if head not in document and "keymap" in document:  # a plain key must stand above the tables
            tables = document.pop("keymap")
            document[head] = value
            document["keymap"] = tables
        else:
            document[head] = value
    write_atomic(file, tomlkit.dumps(document), through=True)


class SettingRow(NamedTuple):
    """A setting as it is listed: ``source`` is where its value came from."""

    key: str
    value: str
    source: str


def as_rows(config: Config) -> list[SettingRow]:
    """Every setting, in order."""
    rows = []
    for key in SETTINGS:
        value = getattr(config, key)
        if key == "keymap":
            text = ", ".join(f"{name} = {keys}" for name, keys in value.items())
        elif isinstance(value, bool):
            text = str(value).lower()
        else:
            text = "" if value is None else str(value)
        rows.append(SettingRow(key, text, config.sources.get(key, "default")))
    return rows


_LONG_KEY = re.compile(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){64}")


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text. ValueError for one that isn't TOML, and for a key of more than 64
    parts, which tomllib reads in a time that grows with their square; RecursionError for one that
    is nested too deeply."""
    if _LONG_KEY.search(text):
        raise ValueError("a key has more than 64 parts")
    return tomllib.loads(text)


def _read(file: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_text(file))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Problem(f"cannot read {file}: {os_reason(error)}", FAILED, file=file) from error
    except (ValueError, RecursionError) as error:  # ValueError: an integer of 5,000 digits, too
        reason = (
            "nested too deeply"
            if isinstance(error, RecursionError)
            else printable(str(error))[:200]
        )
        raise Problem(
            f"{file}: not valid TOML: {reason}",
            next="fix it, or move it away for the defaults",
            file=file,
        ) from None


def _is_switch(key: str) -> bool:
    return isinstance(getattr(Config, key, None), bool)


def _unknown_key(key: str, where: str) -> Problem:
    return Problem(f"{where}: there is no setting {key!r}", next=nearest(key, SETTINGS))


def _from_text(key: str, text: str) -> Any:
    if _is_switch(key):
        words = {True: ("true", "on", "yes", "1"), False: ("false", "off", "no", "0")}
        return next((value for value in words if text.lower() in words[value]), text)
    return text


def _check_value(key: str, value: Any, where: str, folder: Path) -> Any:
    """The value as the Config holds it; Problem when it has the wrong form."""
    if _is_switch(key):
        if not isinstance(value, bool):
            raise Problem(f"{where}: {key} must be true or false, not {value!r}")
        return value
    if key == "keymap":
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise Problem(
                f'{where}: keymap is a table of action ids and keys, such as "study.tick" = "x"'
            )
        return MappingProxyType(dict(value))
    empty = isinstance(value, str) and not value.strip() and key != "launcher"
    if not isinstance(value, str) or empty or "\0" in value:
        raise Problem(f"{where}: {key} must be text, not {value!r}")
    choices = SETTINGS[key].choices
    if choices and value not in choices:
        reason, cure = not_a_choice(value, choices)
        raise Problem(f"{where}: {key} {reason}", next=cure)
    if key in ("repo", "content"):
        return absolute_path(folder / expand_user(value))
    return value

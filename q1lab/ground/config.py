"""The learner's settings: config.toml in q1lab's home, and Q1LAB_<KEY> in the environment above it.

Reading uses the standard library; editing goes through tomlkit, so that comments and order stay. An
unknown key is an error with file, key and the nearest name: a typo must not look like a setting.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from q1lab.ground import hooks, paths, plugin_finder
from q1lab.ground.errors import FAILED, Problem, nearest
from q1lab.ground.files import (
    absolute_path,
    expand_user,
    os_reason,
    printable,
    read_text,
    write_atomic,
)

MOST_CONFIG_BYTES = 1 << 20
"""The most bytes of a config.toml."""

CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"wandb": ("auto", "online", "offline", "disabled"), "animation": ("none", "basic", "full")}
)
SWITCHES = ("bell", "ask_before_commit", "week", "course")


@dataclass(frozen=True)
class Config:
    """All settings with their defaults. The fields are the known keys."""

    repo: Path | None = None
    """The learner's git repository, where documents are written and committed."""
    theme: str = "q1lab-dark"
    """q1lab-dark or q1lab-light."""
    animation: str = "none"
    """Moving pictures in the app: none, basic or full."""
    bell: bool = True
    """Ring the terminal's bell when a part's minutes are spent, and when a watched study has
    ended."""
    ask_before_commit: bool = True
    """Show every commit before it is made, and ask."""
    wandb: str = "auto"
    """Weights & Biases: online, offline, disabled, or auto: online where a key is configured, else
    offline."""
    on_end: str = ""
    """A command of the learner's own, run when a study has ended, a run has diverged or
    no event has come for long (see ``commands/run_on_end.py``)."""
    content: Path | None = None
    """The folder of another week; None opens the week that ships with q1lab."""
    week: bool = True
    """True to have the week: its commands in `q1lab --help`, and the app's welcome and clock. False
    for who came for the studies alone."""
    course: bool = True
    """True if the learner follows the whole course; False shows the week by itself."""
    keymap: Mapping[str, str] = field(default_factory=dict)
    """Other keys for actions, by action id."""
    engine: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Engines by name: ``[engine.gpu-box]`` with its kind (``engine_settings``), options, and
    ``presets``, the presets it is the default for."""
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The tables of plug-ins, each by the plug-in's name and as it checked it."""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The source of each value that isn't a default."""


KEYS = tuple(f.name for f in fields(Config) if f.name not in ("sources", "plugins"))
HELP = MappingProxyType(
    {
        "repo": "your git repository, where q1lab writes documents and commits them",
        "theme": "q1lab-dark or q1lab-light",
        "animation": "none, basic or full",
        "bell": "true or false: ring when a part's minutes are spent or a watched study has ended",
        "ask_before_commit": "true or false: show every commit before it is made, and ask",
        "wandb": "auto (online where a key is configured), online, offline or disabled",
        "on_end": 'a command to run when a study has ended: notify-send "$Q1LAB_SENTENCE"',
        "content": "folder of another week",
        "week": "true or false: the week's commands in --help, its welcome and its clock",
        "course": "true or false: you follow the twelve-week course, or came here by yourself",
        "keymap": 'other keys by action id: [keymap] then "study.tick" = "x"',
        "engine": "where runs train, by name: [engine.gpu-box] then {settings}",
    }
)


def engine_settings() -> str:
    """The lines of which a table ``[engine.…]`` has one."""
    kinds = [kind for plugin in plugin_finder.plugins() for kind in plugin.engines.values()]
    return " or ".join(kind.setting for kind in kinds) or "its kind"


def setting_help(key: str) -> str:
    """The line of help of a key."""
    return HELP[key].format(settings=engine_settings()) if key == "engine" else HELP[key]


def load_settings(file: Path | None = None, env: Mapping[str, str] = os.environ) -> Config:
    """The current settings: defaults, then the file, then ``Q1LAB_<KEY>``. Problem names file
    and key."""
    file = file or paths.config_file()
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    of_plugins: dict[str, Mapping[str, Any]] = {}
    for key, value in _read(file).items():
        try:
            if key not in KEYS and (check := _settings_of_plugin(key)):
                of_plugins[key] = _checked_table(key, value, check, str(file))
                continue
            _check_key(key, str(file))
            values[key] = _check_value(key, value, str(file), file.parent)
        except Problem as problem:
            problem.file = file
            raise
        sources[key] = str(file)
    for key in KEYS:
        variable = f"Q1LAB_{key.upper()}"
        if key not in ("keymap", "engine") and env.get(variable):
            values[key] = _check_value(key, _from_text(key, env[variable]), variable, Path.cwd())
            sources[key] = variable
    return Config(**values, plugins=MappingProxyType(of_plugins), sources=MappingProxyType(sources))


def _settings_of_plugin(name: str) -> hooks.Place:
    """The place of a plug-in's check of its own settings; empty where there is none."""
    shipped = plugin_finder.named_plugins()
    plugin = shipped.get(name) or plugin_finder.named_plugins(installed=True).get(name)
    return "" if plugin is None else plugin.settings


def _checked_table(name: str, value: Any, check: hooks.Place, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Problem(f"{where}: {name} is a table, [{name}]")
    try:
        return MappingProxyType(dict(plugin_finder.load(check)(value)))
    except ValueError as error:
        raise Problem(f"{where}: [{name}]: {error}") from error


def save_setting(key: str, text: str, file: Path | None = None) -> None:
    """Set one key in the file; everything else in it stays as it is. ``keymap.<action id>`` moves a
    key."""
    import tomlkit

    file = file or paths.config_file()
    head, _, action = key.partition(".")
    _check_key(head, "`q1lab config`")
    if (head == "keymap") != bool(action):
        raise Problem("keys are set one by one: ", next="`q1lab config keymap.study.tick x`")
    _read(file)  # a damaged file raises Problem here, and is not overwritten
    document = (
        tomlkit.parse(read_text(file, MOST_CONFIG_BYTES)) if file.exists() else tomlkit.document()
    )
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


def as_rows(config: Config) -> list[tuple[str, str, str]]:
    """(key, value as text, where it came from) for every setting, in order."""
    rows = []
    for key in KEYS:
        value = getattr(config, key)
        if key == "engine":
            text = ", ".join(value)
        elif key == "keymap":
            text = ", ".join(f"{name} = {keys}" for name, keys in value.items())
        elif isinstance(value, bool):
            text = str(value).lower()
        else:
            text = "" if value is None else str(value)
        rows.append((key, text, config.sources.get(key, "default")))
    return rows


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(file, MOST_CONFIG_BYTES))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Problem(f"cannot read {file}: {os_reason(error)}", FAILED, file=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
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


def _check_key(key: str, where: str) -> str:
    if key in KEYS:
        return key
    raise Problem(f"{where}: there is no setting {key!r}", next=nearest(key, KEYS))


def _from_text(key: str, text: str) -> Any:
    if key in SWITCHES:
        words = {True: ("true", "on", "yes", "1"), False: ("false", "off", "no", "0")}
        return next((value for value in words if text.lower() in words[value]), text)
    return text


def _check_value(key: str, value: Any, where: str, folder: Path) -> Any:
    """The value as the Config holds it; Problem when it has the wrong form."""
    if key in SWITCHES:
        if not isinstance(value, bool):
            raise Problem(f"{where}: {key} must be true or false, not {value!r}")
        return value
    if key == "keymap":
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise Problem(
                f'{where}: keymap is a table of action ids and keys, such as "study.tick" = "x"'
            )
        return MappingProxyType(dict(value))
    if key == "engine":
        if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
            raise Problem(
                f"{where}: engines are tables, such as [engine.gpu-box] with {engine_settings()}"
            )
        return MappingProxyType(value)
    empty = isinstance(value, str) and not value.strip() and key != "on_end"
    if not isinstance(value, str) or empty or "\0" in value:
        raise Problem(f"{where}: {key} must be text, not {value!r}")
    if key in CHOICES and value not in CHOICES[key]:
        one_of = f"it is one of {', '.join(CHOICES[key])}"
        raise Problem(
            f"{where}: {key} can't be {value!r}", next=nearest(value, CHOICES[key], one_of)
        )
    if key in ("repo", "content"):
        return absolute_path(folder / expand_user(value))
    return value

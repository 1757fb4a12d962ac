"""The choice of a study's engine, from --engine or a name in config.toml.

``local`` is this machine; the other kinds come from plug-ins (ground/hooks.py). A name from the
settings stands for a kind with its address and options::

    [engine.gpu-box]
    toy = "http://127.0.0.1:8265"
    gpus = 0.5
    presets = ["gpu"]          # the default engine for these presets
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from q1lab.ground import plugin_finder
from q1lab.ground.config import engine_settings
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.hooks import EngineKind

if TYPE_CHECKING:
    from q1lab.runner.engine import Engine

LOCAL = "local"
HERE = EngineKind("q1lab.runner.local_engine:Local", LOCAL, runs_commands=True)
"""This machine, the one kind of the core."""


@dataclass(frozen=True)
class EngineChoice:
    """The chosen engine. ``text`` is the value of ``--engine``, as commands print it."""

    text: str
    kind: str
    address: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def choose_engine(
    text: str | None,
    preset: str | None,
    options: Iterable[str],
    table_by_name: Mapping[str, Mapping[str, Any]],
) -> EngineChoice | None:
    """The engine for a request; None for this machine. ``table_by_name`` holds config.toml's
    ``[engine.…]`` tables. Problem for an unknown engine, and for options that it doesn't take."""
    if text is None:
        text = default_engine(preset, table_by_name)
    option_values = _parse_options(options)
    kind, _, address = text.partition("=")
    if text in table_by_name:
        table = {key: value for key, value in table_by_name[text].items() if key != "presets"}
        kinds = [key for key in table if engine_kind(key) is not None]
        if len(kinds) != 1:
            raise Problem(f"config.toml: [engine.{text}] needs one of {engine_settings()}")
        kind, value = kinds[0], table.pop(kinds[0])
        address = "" if value is True else str(value)
        option_values = {**{key: str(value) for key, value in table.items()}, **option_values}
    elif (found := engine_kind(kind)) is None or not (
        ("=" in text) == bool(address) == ("=" in found.usage)
    ):
        hint = nearest(text, [*table_by_name, *engine_usages(installed=True)])
        raise Problem(f"--engine {text}: there is no such engine", next=hint)
    choice = EngineChoice(text, kind, address.rstrip("/"), option_values)
    load_engine(choice)  # refuses an address or options that it can't use
    return None if kind == LOCAL else choice


def default_engine(preset: str | None, table_by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """The engine without ``--engine``: the one that the settings give for the preset, else
    local."""
    return next(
        (name for name, table in table_by_name.items() if preset in table.get("presets", ())), LOCAL
    )


def _parse_options(typed: Iterable[str]) -> dict[str, str]:
    value_by_name = {}
    for item in typed:
        key, sign, value = item.partition("=")
        if not sign or not key.replace("-", "").isalnum():
            raise Problem(f"--engine-option {item!r}: ", next=f"give NAME=VALUE{option_examples()}")
        value_by_name[key] = value
    return value_by_name


def engine_kinds(*, installed: bool = False) -> Mapping[str, EngineKind]:
    """All kinds by name: this machine, those of the plug-ins that ship, and with ``installed``
    those of other packages."""
    kinds = {LOCAL: HERE}
    for plugin in plugin_finder.plugins(installed=installed):
        for name, kind in plugin.engines.items():
            kinds.setdefault(name, kind)
    return kinds


def engine_kind(name: str) -> EngineKind | None:
    """The kind of this name; None if no plug-in that is here has it."""
    return engine_kinds().get(name) or engine_kinds(installed=True).get(name)


def engine_usages(*, for_commands: bool = False, installed: bool = False) -> list[str]:
    """The forms of ``--engine``, for help and messages; ``for_commands``: of engines that train a
    command."""
    kinds = engine_kinds(installed=installed).values()
    return [kind.usage for kind in kinds if kind.runs_commands or not for_commands]


def option_examples() -> str:
    """Examples of ``--engine-option`` behind a comma; "" if no kind takes any."""
    examples = [kind.option for kind in engine_kinds().values() if kind.option]
    return f", such as {' or '.join(examples)}" if examples else ""


def runs_commands(choice: EngineChoice | None) -> bool:
    """True if the chosen engine trains a command of the learner's own."""
    kind = HERE if choice is None else engine_kind(choice.kind)
    return kind is not None and kind.runs_commands


def engine_class(name: str) -> type[Engine] | None:
    """The class of that kind's engines; None if it isn't here. Problem if the class of a plug-in
    can't be loaded."""
    kind = engine_kind(name)
    if kind is None:
        return None
    try:
        engine_type: type[Engine] = plugin_finder.load(kind.place)
    except Exception as error:
        raise Problem(f"the engine {name!r} can't be loaded: {error}") from error
    return engine_type


def load_engine(choice: EngineChoice | None) -> Engine:
    """Make the engine. Problem if it isn't here, or refuses this address or these options."""
    if choice is None:
        choice = EngineChoice(LOCAL, LOCAL)
    engine_type = engine_class(choice.kind)
    if engine_type is None:
        raise Problem(
            f"the engine {choice.kind!r} is of a plug-in that is not here",
            next="`--engine local` trains on this machine",
        )
    return engine_type(choice.address, choice.options)


def manual_command(choice: EngineChoice | None, study_id: str) -> str:
    """The command that trains a study by hand, for an engine that only plans it; "" for engines
    that train it."""
    engine_type = None
    if choice is not None:
        with contextlib.suppress(Problem):
            engine_type = engine_class(choice.kind)
    return "" if engine_type is None else engine_type.manual_command(study_id)

"""The choice of a study's engine, from --engine or a name in config.toml.

``local`` is this machine; ``slurm``, ``ray=http://127.0.0.1:8265``, ``notebook`` (planned here,
trained where a person takes it), or a name from the settings::

    [engine.gpu-box]
    ray = "http://127.0.0.1:8265"
    gpus = 0.5
    presets = ["gpu"]          # the default engine for these presets

Another package adds one by an entry point of the group ``q1lab.engines`` whose name is its kind.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from q1lab.ground.errors import Problem, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from q1lab.runner.engine import Engine

LOCAL, ENTRY_POINT_GROUP = "local", "q1lab.engines"

ENGINES = {
    LOCAL: "q1lab.runner.local_engine:Local",
    "slurm": "q1lab.doors.slurm_engine:Slurm",
    "ray": "q1lab.doors.ray_engine:Ray",
    "notebook": "q1lab.doors.notebook_engine:Notebook",
}
"""Each kind's module and class. Only the one that is used is imported."""


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
        kinds = [key for key in table if key in _engine_kinds()]
        if len(kinds) != 1:
            raise Problem(
                f'config.toml: [engine.{text}] needs either ray = "http://…" or slurm = true'
            )
        kind, value = kinds[0], table.pop(kinds[0])
        address = "" if value is True else str(value)
        option_values = {**{key: str(value) for key, value in table.items()}, **option_values}
    elif (engine_type := engine_class(kind)) is None or not (
        ("=" in text) == bool(address) == ("=" in engine_type.usage)
    ):
        usages = [
            kind_type.usage
            for kind in _engine_kinds()
            if (kind_type := engine_class(kind)) is not None
        ]
        hint = nearest(text, [*table_by_name, *usages])
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
            raise Problem(
                f"--engine-option {item!r}: ", next="give NAME=VALUE, such as partition=gpu"
            )
        value_by_name[key] = value
    return value_by_name


def engine_class(kind: str) -> type[Engine] | None:
    """The class of that kind's engines; None if it isn't installed. Problem if another package's
    class can't be loaded."""
    engine_type: type[Engine]
    if kind in ENGINES:
        module, name = ENGINES[kind].split(":")
        engine_type = getattr(importlib.import_module(module), name)
        return engine_type
    for entry in _installed_engines().select(name=kind):
        try:
            engine_type = entry.load()
        except Exception as error:
            raise Problem(f"the engine {kind!r} can't be loaded: {error}") from error
        return engine_type
    return None


def _installed_engines() -> EntryPoints:
    """The engines of other packages."""
    from importlib import metadata

    return metadata.entry_points(group=ENTRY_POINT_GROUP)


def _engine_kinds() -> list[str]:
    return [*ENGINES, *_installed_engines().names]


def load_engine(choice: EngineChoice | None) -> Engine:
    """Make the engine. Problem if it isn't installed, or refuses this address or these options."""
    if choice is None:
        choice = EngineChoice(LOCAL, LOCAL)
    engine_type = engine_class(choice.kind)
    if engine_type is None:
        raise Problem(f"the engine {choice.kind!r} is not installed here")
    return engine_type(choice.address, choice.options)


def manual_command(choice: EngineChoice | None, study_id: str) -> str:
    """The command that trains a study by hand, for an engine that only plans it; "" for engines
    that train it."""
    engine_type = None
    if choice is not None:
        with contextlib.suppress(Problem):
            engine_type = engine_class(choice.kind)
    return "" if engine_type is None else engine_type.manual_command(study_id)

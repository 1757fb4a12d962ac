"""The choice of a study's engine, from --engine or a name in config.toml.

``local`` is this machine; the other kinds come from plug-ins (ground/hooks.py). A name from the
settings stands for a kind with its address and options::

    [engine.gpu-box]
    toy = "http://127.0.0.1:8265"
    gpus = 0.5
    presets = ["gpu"]          # the default engine for these presets
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from q1lab.ground import plugin_finder
from q1lab.ground.hooks import EngineKind

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


def default_engine(preset: str | None, table_by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """The engine without ``--engine``: the one that the settings give for the preset, else
    local."""
    return next(
        (name for name, table in table_by_name.items() if preset in table.get("presets", ())), LOCAL
    )


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


def manual_command(choice: EngineChoice | None, study_id: str) -> str:
    """The command that trains a study by hand, for an engine that only plans it; "" for engines
    that train it."""
    kind = None if choice is None else engine_kind(choice.kind)
    return "" if kind is None else kind.by_hand.format(study=study_id)

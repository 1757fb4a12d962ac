"""Which engine a study trains on, from what a person typed or a name in config.toml.

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
    """An engine as it was chosen. ``text`` is what ``--engine`` takes, and what commands print."""

    text: str
    kind: str
    address: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def choose_engine(
    text: str | None,
    preset: str | None,
    options: Iterable[str],
    named: Mapping[str, Mapping[str, Any]],
) -> EngineChoice | None:
    """The engine for a request; None for this machine. ``named`` is config.toml's ``[engine.…]``
    tables. Problem for what none of this is, and for what the engine can't be used with."""
    if text is None:
        text = default_engine(preset, named)
    given = _parse_options(options)
    kind, _, address = text.partition("=")
    if text in named:
        table = {key: value for key, value in named[text].items() if key != "presets"}
        kinds = [key for key in table if key in _engine_kinds()]
        if len(kinds) != 1:
            raise Problem(
                f'config.toml: [engine.{text}] needs either ray = "http://…" or slurm = true'
            )
        kind, value = kinds[0], table.pop(kinds[0])
        address = "" if value is True else str(value)
        given = {**{key: str(value) for key, value in table.items()}, **given}
    elif (found := engine_class(kind)) is None or not (
        ("=" in text) == bool(address) == ("=" in found.usage)
    ):
        shown = [one.usage for kind in _engine_kinds() if (one := engine_class(kind)) is not None]
        hint = nearest(text, [*named, *shown])
        raise Problem(f"--engine {text}: there is no such engine", next=hint)
    choice = EngineChoice(text, kind, address.rstrip("/"), given)
    load_engine(choice)  # has the last word on address and options
    return None if kind == LOCAL else choice


def default_engine(preset: str | None, named: Mapping[str, Mapping[str, Any]]) -> str:
    """What is meant without ``--engine``."""
    return next((one for one, table in named.items() if preset in table.get("presets", ())), LOCAL)


def _parse_options(given: Iterable[str]) -> dict[str, str]:
    found = {}
    for item in given:
        key, sign, value = item.partition("=")
        if not sign or not key.replace("-", "").isalnum():
            raise Problem(
                f"--engine-option {item!r}: ", next="give NAME=VALUE, such as partition=gpu"
            )
        found[key] = value
    return found


def engine_class(kind: str) -> type[Engine] | None:
    """The class of that kind's engines; None where it isn't installed. Problem for a broken one of
    another package."""
    found: type[Engine]
    if kind in ENGINES:
        module, name = ENGINES[kind].split(":")
        found = getattr(importlib.import_module(module), name)
        return found
    for entry in _installed_engines().select(name=kind):
        try:
            found = entry.load()
        except Exception as error:
            raise Problem(f"the engine {kind!r} can't be loaded: {error}") from error
        return found
    return None


def _installed_engines() -> EntryPoints:
    """The engines of other packages."""
    from importlib import metadata

    return metadata.entry_points(group=ENTRY_POINT_GROUP)


def _engine_kinds() -> list[str]:
    return [*ENGINES, *_installed_engines().names]


def load_engine(choice: EngineChoice | None) -> Engine:
    """The engine itself. Problem where it isn't installed, or not with this address and these
    options."""
    if choice is None:
        choice = EngineChoice(LOCAL, LOCAL)
    found = engine_class(choice.kind)
    if found is None:
        raise Problem(f"the engine {choice.kind!r} is not installed here")
    return found(choice.address, choice.options)


def manual_command(choice: EngineChoice | None, study_id: str) -> str:
    """What to type to take a study further whose engine only plans it; "" where q1lab has it
    trained."""
    found = None
    if choice is not None:
        with contextlib.suppress(Problem):
            found = engine_class(choice.kind)
    return "" if found is None else found.manual_command(study_id)

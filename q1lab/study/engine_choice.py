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

HERE, GROUP = "local", "q1lab.engines"

ENGINES = {
    HERE: "q1lab.runner.local_engine:Local",
    "slurm": "q1lab.doors.slurm_engine:Slurm",
    "ray": "q1lab.doors.ray_engine:Ray",
    "notebook": "q1lab.doors.notebook_engine:Notebook",
}
"""Each kind's module and class. Only the one that is used is imported."""


@dataclass(frozen=True)
class Choice:
    """An engine as it was chosen. ``text`` is what ``--engine`` takes, and what commands print."""

    text: str
    kind: str
    address: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def choose(
    text: str | None,
    preset: str | None,
    options: Iterable[str],
    named: Mapping[str, Mapping[str, Any]],
) -> Choice | None:
    """The engine for a request; None for this machine. ``named`` is config.toml's ``[engine.…]``
    tables. Problem for what none of this is, and for what the engine can't be used with."""
    if text is None:
        text = usual(preset, named)
    given = _options(options)
    kind, _, address = text.partition("=")
    if text in named:
        table = {key: value for key, value in named[text].items() if key != "presets"}
        kinds = [key for key in table if key in _kinds()]
        if len(kinds) != 1:
            raise Problem(
                f'config.toml: [engine.{text}] needs either ray = "http://…" or slurm = true'
            )
        kind, value = kinds[0], table.pop(kinds[0])
        address = "" if value is True else str(value)
        given = {**{key: str(value) for key, value in table.items()}, **given}
    elif (found := type_of(kind)) is None or not (
        ("=" in text) == bool(address) == ("=" in found.usage)
    ):
        shown = [one.usage for kind in _kinds() if (one := type_of(kind)) is not None]
        hint = nearest(text, [*named, *shown])
        raise Problem(f"--engine {text}: there is no such engine", next=hint)
    choice = Choice(text, kind, address.rstrip("/"), given)
    engine_of(choice)  # has the last word on address and options
    return None if kind == HERE else choice


def usual(preset: str | None, named: Mapping[str, Mapping[str, Any]]) -> str:
    """What is meant without ``--engine``."""
    return next((one for one, table in named.items() if preset in table.get("presets", ())), HERE)


def _options(given: Iterable[str]) -> dict[str, str]:
    found = {}
    for item in given:
        key, sign, value = item.partition("=")
        if not sign or not key.replace("-", "").isalnum():
            raise Problem(
                f"--engine-option {item!r}: ", next="give NAME=VALUE, such as partition=gpu"
            )
        found[key] = value
    return found


def type_of(kind: str) -> type[Engine] | None:
    """The class of that kind's engines; None where it isn't installed. Problem for a broken one of
    another package."""
    found: type[Engine]
    if kind in ENGINES:
        module, name = ENGINES[kind].split(":")
        found = getattr(importlib.import_module(module), name)
        return found
    for entry in _others().select(name=kind):
        try:
            found = entry.load()
        except Exception as error:
            raise Problem(f"the engine {kind!r} can't be loaded: {error}") from error
        return found
    return None


def _others() -> EntryPoints:
    """The engines of other packages."""
    from importlib import metadata

    return metadata.entry_points(group=GROUP)


def _kinds() -> list[str]:
    return [*ENGINES, *_others().names]


def engine_of(choice: Choice | None) -> Engine:
    """The engine itself. Problem where it isn't installed, or not with this address and these
    options."""
    if choice is None:
        choice = Choice(HERE, HERE)
    found = type_of(choice.kind)
    if found is None:
        raise Problem(f"the engine {choice.kind!r} is not installed here")
    return found(choice.address, choice.options)


def by_hand(choice: Choice | None, study_id: str) -> str:
    """What to type to take a study further whose engine only plans it; "" where q1lab has it
    trained."""
    found = None
    if choice is not None:
        with contextlib.suppress(Problem):
            found = type_of(choice.kind)
    return "" if found is None else found.by_hand(study_id)

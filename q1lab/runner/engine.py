"""Engines: the places where a study trains, and the one that a request or a study names.

An engine on other machines (``remote_engine.Remote``) is handed cells of the grid arm × seed, which
it starts, counts and restarts with its own means; q1lab asks how they stand, and takes the events
in.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from q1lab.ground import plugin_finder
from q1lab.ground.config import engine_settings
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import utc_now
from q1lab.runner import child_processes, machine
from q1lab.study.engine_choice import (
    LOCAL,
    EngineChoice,
    default_engine,
    engine_kind,
    engine_usages,
    option_examples,
)
from q1lab.study.engine_state import CellStatus
from q1lab.study.studies import Study


class OutOfReach(Exception):
    """The engine did not answer. Its work continues; ask again later."""


class Refused(Exception):
    """The engine refused, and the message says why. Asking again changes nothing."""


@dataclass(frozen=True)
class EngineCheck:
    """One check of ``q1lab doctor --engine``."""

    name: str
    good: bool
    words: str


@dataclass(frozen=True)
class JobNews:
    """The news of a job since the last look."""

    cells: Mapping[str, CellStatus]
    lines: tuple[tuple[int, str, str], ...] = ()
    """Numbered event lines (n, cell, line), joined to what came before. Empty where trainers write
    into the study's folder themselves."""
    over: bool = False
    """True if nothing of the job is left at the engine."""
    why: str = ""
    """The reason why the job ended as a whole, where its cells' own ends don't tell."""


class Crew(ABC):
    """Works off one launch of one study, inside the runner."""

    stopping = False

    @abstractmethod
    def run(self) -> None:
        """Work until nothing of the launch is left."""

    def stop(self) -> None:
        """End the launch soon; each run writes a checkpoint where it can. Called from a signal's
        handler."""
        self.stopping = True


class Engine(ABC):
    """The interface of an engine, with defaults. ``check``, ``ask``, ``ask_trainer`` and
    ``probe_for_plan`` raise OutOfReach and Refused."""

    def __init__(self, address: str, options: Mapping[str, str]) -> None:
        """Problem for an address or options that it doesn't take."""
        if options:
            raise Problem("--engine-option goes with another engine", next="--engine says which")

    def check(self) -> list[EngineCheck]:
        """The engine's parts, found and missing, for ``q1lab doctor``."""
        return []

    @abstractmethod
    def ask(self, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """The probe's answer (labs/probe.py) from a machine that trains; None where none can be
        asked."""

    def ask_trainer(
        self, program: list[str], question: Mapping[str, Any], seconds: float
    ) -> dict[str, Any]:
        """The answer of a trainer's program from a machine that trains."""
        return child_processes.ask_child(
            program, dict(question), threads=machine.cores(), seconds=seconds
        )

    def device(self, typed: str, preset: str | None) -> str:
        """The device to probe for this value of ``--device``. "auto": the probe decides."""
        return typed

    def probe_for_plan(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The probe's answer that a study is planned by. An arm has no ``seconds_per_iter`` if
        that is unknown."""
        return self.ask(question) or probe_here(question)

    def choose_slots(self, device: str, runs: int, first: int, jobs: int | None) -> tuple[int, int]:
        """The number of runs that train at once, and threads of each. ``first`` of the ``runs``
        train before the first look; ``jobs`` is the value of ``--jobs``."""
        return jobs or first, 1

    def runs_at_once(self, study: Study) -> int:
        """The number of a study's runs that train at once without taking time from each other."""
        return study.trainer.jobs

    @abstractmethod
    def crew(self, study: Study, launch: int, lock: int, tick: Callable[[], None]) -> Crew:
        """The crew for one launch. ``lock`` is the study's, for processes that keep it alive; the
        crew calls ``tick`` after every poll."""


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
        kinds = [key for key in table if engine_kind(key)]
        if len(kinds) != 1:
            raise Problem(f"config.toml: [engine.{text}] needs one of {engine_settings()}")
        kind, value = kinds[0], table.pop(kinds[0])
        address = "" if value is True else str(value)
        option_values = {**{key: str(value) for key, value in table.items()}, **option_values}
    elif (engine := engine_kind(kind)) is None or not (
        ("=" in text) == bool(address) == ("=" in engine.usage)
    ):
        hint = nearest(text, [*table_by_name, *engine_usages(installed=True)])
        raise Problem(f"--engine {text}: there is no such engine", next=hint)
    choice = EngineChoice(text, kind, address.rstrip("/"), option_values)
    load_engine(choice)  # refuses an address or options that it can't use
    return None if kind == LOCAL else choice


def _parse_options(typed: Iterable[str]) -> dict[str, str]:
    value_by_name = {}
    for item in typed:
        key, sign, value = item.partition("=")
        if not sign or not key.replace("-", "").isalnum():
            raise Problem(f"--engine-option {item!r}: ", next=f"give NAME=VALUE{option_examples()}")
        value_by_name[key] = value
    return value_by_name


def load_engine(choice: EngineChoice | None) -> Engine:
    """Make the engine. Problem if it isn't here, or refuses this address or these options."""
    choice = choice or EngineChoice(LOCAL, LOCAL)
    kind = engine_kind(choice.kind)
    if kind is None:
        raise Problem(
            f"the engine {choice.kind!r} is of a plug-in that is not here",
            next="`--engine local` trains on this machine",
        )
    try:
        engine_type: type[Engine] = plugin_finder.load(kind.place)
    except Exception as error:
        raise Problem(f"the engine {choice.kind!r} can't be loaded: {error}") from error
    return engine_type(choice.address, choice.options)


def probe_here(question: Mapping[str, Any]) -> dict[str, Any]:
    """Answer for machines that can't be probed before they train: count parameters on this machine,
    for the device and number format that every such machine has. The trainer checks them when it
    starts."""
    answer = child_processes.ask_child(
        child_processes.probe_command(), {**question, "device": "cpu", "dtype": "fp32"}
    )
    device, dtype = question["device"], question["dtype"]
    if dtype == "auto":
        dtype = "fp16" if device == "cuda" else "fp32"
    if device != "cpu":
        for arm in answer["arms"].values():
            arm.pop("seconds_per_iter", None)
    return {**answer, "device": device, "dtype": dtype}


def log(text: str) -> None:
    """A line for runner.log."""
    sys.stderr.write(f"{utc_now()} {text}\n")
    sys.stderr.flush()

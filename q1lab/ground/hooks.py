"""Every seam of q1lab on one page: what a plug-in may add, and how plug-ins are found.

A plug-in is all of one feature in one folder: ``q1lab/plugins/NAME``, whose module has ``PLUGIN``.
Another package adds one by an entry point of the group ``q1lab.plugins`` that names its ``PLUGIN``.
The core imports no plug-in, and a plug-in no other; each is reached through this page alone. A
``Place`` is code by its address, ``module:attribute``, imported at its first use.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING, Any

from q1lab.ground.act import Act
from q1lab.ground.errors import NOTICES

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Place = str
VERSION = 1
"""Of this page. A plug-in that names another one is left out, and said to be."""
GROUP = "q1lab.plugins"


@dataclass(frozen=True)
class PartKind:
    """A trainer or a design of a study."""

    place: Place
    """Its class: a q1lab.study.trainer.Trainer, or a q1lab.study.design.Design."""
    draft: Place = ""
    """Of a trainer: ``(Request, Store) -> Draft``, the study that `q1lab run` would make."""


@dataclass(frozen=True)
class EngineKind:
    """A place where studies train."""

    place: Place
    """Its class, a q1lab.runner.engine.Engine."""
    usage: str
    """The form of ``--engine``: its name alone, or with an address ``NAME=http://HOST:8265``."""
    option: str = ""
    """An example of ``--engine-option``, with whose it is: ``gpus=1 (Name)``."""
    runs_commands: bool = False
    """True if it trains where the learner's own folder is, so that a command finds its files."""

    @property
    def setting(self) -> str:
        """Its line in a table ``[engine.…]`` of config.toml."""
        name, _, address = self.usage.partition("=")
        return f'{name} = "{address}"' if address else f"{name} = true"


@dataclass(frozen=True)
class EntryKind:
    """A kind of line in the journal."""

    fields: Place
    """``{field: kind}``, as q1lab.index.entry_fields reads kinds."""
    fold: Place
    """``(db, body) -> None``: takes a line into the plug-in's tables."""
    learner_only: str = ""
    """The thing that the line records, if only the learner may do it: "a tick"."""


@dataclass(frozen=True)
class ExportFormat:
    """A format of `q1lab export`."""

    suffixes: tuple[str, ...]
    """The endings of files of this format, the usual one first."""
    write: Place
    """``(Store, Study, suffix) -> bytes``: one study as a file."""
    after: str = ""
    """Advice on the file, said when it is written."""
    examples: tuple[str, ...] = ()
    """Command lines for `q1lab export --help`, each with what it does."""


@dataclass(frozen=True)
class StudyScreen:
    """A screen that opens on a study, from the lab."""

    name: str
    """Its part of the app's table of keys."""
    key: Place
    """The q1lab.tui.keys.Key that opens it; its action is ``study_screen('NAME')``."""
    screen: Place
    """``(Study) -> Screen``."""
    shows: Place
    """``(StudyView) -> bool``: whether this study has one."""
    keys: Place = ""
    """``{action: Key}`` of the screen itself."""


@dataclass(frozen=True)
class SkillPage:
    """A page of `q1lab skill`."""

    about: str
    """Its line in the list of pages."""
    text: Place
    """``() -> str``: its text."""


@dataclass(frozen=True)
class Plugin:
    """All that one feature adds. Everything has a default: a plug-in names what it has."""

    about: str
    """One line for `q1lab doctor`."""
    version: int = VERSION
    """The version of this page that it was written for."""
    acts: tuple[Act, ...] = ()
    """Commands, with their lines in `--help`, the palette, and the steps that they tick."""
    trainers: Mapping[str, PartKind] = field(default_factory=dict)
    """A trainer accepts a request of `q1lab run` (Trainer.accepts): the doors of run."""
    designs: Mapping[str, PartKind] = field(default_factory=dict)
    engines: Mapping[str, EngineKind] = field(default_factory=dict)
    entries: Mapping[str, EntryKind] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    """Tables of the index that its entries fill: name → CREATE TABLE, parents first."""
    row_groups: Place = ""
    """``(Store) -> {study: q1lab.verdict.result_rows.RowGroup}``: studies that a list folds into
    one line, with the answer that each has from elsewhere."""
    study_screens: tuple[StudyScreen, ...] = ()
    study_facts: Place = ""
    """``(Store, Study) -> Iterator[str]``: sentences that documents tell of a study."""
    formats: Mapping[str, ExportFormat] = field(default_factory=dict)
    settings: Place = ""
    """``(Mapping) -> Mapping``: checks the plug-in's table of config.toml, ``[NAME]``."""
    skill_pages: Mapping[str, SkillPage] = field(default_factory=dict)


def signs(part: str) -> Mapping[str, str]:
    """The kinds of a part that a key of study.json tells, with the key; also of plug-ins that are
    away (q1lab/plugins)."""
    try:
        return dict(load("q1lab.plugins:SIGNS")[part])
    except ModuleNotFoundError:
        return {}


def load(place: Place) -> Any:
    """The object at a place."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


@cache
def named_plugins(*, installed: bool = False) -> Mapping[str, Plugin]:
    """The plug-ins that ship, by name; with ``installed`` those of other packages, too, which take
    a tenth of a second to find."""
    found: dict[str, Plugin] = {}
    for name in _built_in():
        found[name] = load(f"q1lab.plugins.{name}:PLUGIN")
    for entry in _entry_points() if installed else ():
        if entry.name in found:
            _leave_out(entry, "another plug-in has this name")
        elif (plugin := _of_other(entry)) is not None:
            found[entry.name] = plugin
    return found


def plugins(*, installed: bool = False) -> Iterator[Plugin]:
    """The same without their names."""
    yield from named_plugins(installed=installed).values()


@cache
def study_screens() -> Mapping[str, StudyScreen]:
    """The screens that open on a study, by their names; also of other packages."""
    found = plugins(installed=True)
    return {screen.name: screen for plugin in found for screen in plugin.study_screens}


def find(group: str, name: str) -> Any:
    """The thing that a plug-in adds under a name to a group such as ``engines``; None where none
    does. Other packages are asked last."""
    for installed in (False, True):
        for plugin in plugins(installed=installed):
            if name in getattr(plugin, group):
                return getattr(plugin, group)[name]
    return None


def _built_in() -> list[str]:
    """The folders of q1lab/plugins. One that is taken away is a feature less."""
    try:
        package = importlib.import_module("q1lab.plugins")
    except ModuleNotFoundError:
        return []
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)


def _entry_points() -> list[EntryPoint]:
    from importlib import metadata

    return sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name)


def _of_other(entry: EntryPoint) -> Plugin | None:
    """The plug-in of another package; None, with one line said, for one that can't be used."""
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            plugin = entry.load()
    except Exception as error:
        _leave_out(entry, f"{type(error).__name__}: {error}")
        return None
    if not isinstance(plugin, Plugin):
        _leave_out(entry, f"{entry.value} is not a Plugin")
        return None
    if plugin.version != VERSION:
        why = f"it is for version {plugin.version} of the seams, and this is {VERSION}"
        _leave_out(entry, why)
        return None
    if said.getvalue():
        NOTICES.append(f"the plug-in {entry.name} prints when it is imported; that is left out")
    return plugin


def _leave_out(entry: EntryPoint, why: str) -> None:
    first = " ".join(why.split())[:200]
    NOTICES.append(f"the plug-in {entry.name} is left out: {first}")

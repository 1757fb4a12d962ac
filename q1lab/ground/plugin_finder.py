"""Plug-ins are found here: the folders of q1lab/plugins, and the entry points of other packages.

hooks.py is the page of what a plug-in may add.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING, Any

from q1lab.ground.errors import NOTICES
from q1lab.ground.hooks import VERSION, Place, Plugin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "q1lab.plugins"


def signs(part: str) -> Mapping[str, str]:
    """Of a part (``trainer`` or ``design``): kind → the key of study.json that tells it. It knows
    plug-ins that are away, too (q1lab/plugins)."""
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
    plugins_by_name: dict[str, Plugin] = {}
    for name in _built_in():
        plugins_by_name[name] = load(f"q1lab.plugins.{name}:PLUGIN")
    for entry in _entry_points() if installed else ():
        if entry.name in plugins_by_name:
            _leave_out(entry, "another plug-in has this name")
        elif (plugin := _of_other(entry)) is not None:
            plugins_by_name[entry.name] = plugin
    return plugins_by_name


def plugins(*, installed: bool = False) -> Iterator[Plugin]:
    """The same without their names."""
    yield from named_plugins(installed=installed).values()


def away() -> list[str]:
    """The plug-ins that ship with q1lab and are not here."""
    try:
        shipped = load("q1lab.plugins:SHIPPED")
    except ModuleNotFoundError:
        return []
    return [name for name in shipped if name not in named_plugins()]


def find(group: str, name: str) -> Any:
    """The thing that a plug-in adds under a name to a group such as ``formats``; None where none
    does. Other packages are asked last, if at all."""
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
    output = StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output):
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
    if output.getvalue():
        NOTICES.append(f"the plug-in {entry.name} prints when it is imported; that is left out")
    return plugin


def _leave_out(entry: EntryPoint, why: str) -> None:
    first = " ".join(why.split())[:200]
    NOTICES.append(f"the plug-in {entry.name} is left out: {first}")

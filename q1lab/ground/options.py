"""An option, declared once: at the field of the record that takes its value, as
``device: str = option("auto", "Where it trains.", choices=("auto", "cpu"))``.

Its flag with help and completion, the words that repeat it in a command, and its key in a file are
made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, TypeVar

from q1lab.ground.errors import Problem

T = TypeVar("T")

OPTION = "option"
"""The key of a field's metadata for an option of the field's name."""
EVERY_DAY, YOUR_COMMAND, EXPERTS = "Every day", "Your command", "Experts"
"""The groups of options in `q1lab run --help`, in their order."""
STUDY_NAME, KEPT_FOLDER, COMMAND = "study name", "kept folder", "command"
"""The things that may be typed in place of a variant."""


@dataclass(frozen=True)
class Option:
    """An option as people see it, and what it may be typed with."""

    help: str | Callable[[], str] = ""
    """Its line of help, or a function that makes it when it is shown."""
    group: str = EXPERTS
    default: Any = None
    """Its value where it is not typed; None if that depends on others."""
    flag: str = ""
    """Its flag, if not the field's name."""
    is_number: bool = False
    """True for a whole number from 1 up."""
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    may_be_empty: bool = False
    """True if nothing is a value of its own: it overrules a setting."""
    is_list: bool = False
    """True if it may be typed several times."""
    goes_with: tuple[str, ...] = ()
    """The things in place of a variant that it may be typed with."""

    @property
    def help_text(self) -> str:
        return self.help() if callable(self.help) else self.help

    def words(self, value: Any) -> list[str]:
        """The words by which a command gives it a value."""
        if self.default is False:
            return [self.flag]
        values = value if self.is_list else [value]
        return [word for item in values for word in (self.flag, str(item))]

    def whole_number(self, text: str) -> int:
        """The number that was typed. Problem unless it is a whole number from 1 up."""
        try:
            number = int(text) if len(text) <= 20 else 0
        except ValueError:
            number = 0
        if number < 1:
            cure = "give a whole number from 1 up"
            raise Problem(f"{self.flag} {text[:60]!r}: ", next=cure)
        return number


Help = str | Callable[[], str]


def declare(
    help: Help = "",  # noqa: A002
    group: str = EXPERTS,
    *,
    name: str = OPTION,
    **more: Any,
) -> dict[str, Option]:
    """The metadata of a field that declares an option, under another ``name`` than the field's."""
    return {name: Option(help, group, **more)}


def option(default: T, help: Help = "", group: str = EXPERTS, **more: Any) -> T:  # noqa: A002
    """A field with a default that declares an option."""
    return field(default=default, metadata=declare(help, group, default=default, **more))


@cache
def options_of(record: type[Any]) -> Mapping[str, Option]:
    """The options that the fields of a dataclass declare, by name. A field whose metadata has
    options under names of their own takes the values of all of them."""
    options = {}
    for declared in fields(record):
        for key, option in declared.metadata.items():
            name = declared.name if key == OPTION else key
            options[name] = replace(option, flag=option.flag or f"--{name.replace('_', '-')}")
    return options

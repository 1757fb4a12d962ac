"""Arguments that are names of studies and variants, which a shell can complete."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from q1lab.commands._store import open_store
from q1lab.ground.errors import Problem
from q1lab.journal.study_names import study_named
from q1lab.study import studies, variants

F = TypeVar("F", bound=Callable[..., Any])


class StudyName(click.types.StringParamType):
    """The name of a study: its own, or one that the learner gave it, which becomes its own. Any
    other text stays as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = str(super().convert(value, param, ctx))
        ids = studies.ids() if studies.is_id(name) else ()
        if not ids or name in ids or Path(name).exists():
            return name

        if name in variants.variant_names():
            return name

        with open_store() as store:
            return study_named(store, name) or name


def study_argument(name: str = "study", **attributes: Any) -> Callable[[F], F]:
    """An argument that takes the name of a study, which a shell can complete."""
    return click.argument(name, type=StudyName(), shell_complete=_complete_study, **attributes)


def variant_argument(
    name: str = "variant", *, or_study: bool = False, **attributes: Any
) -> Callable[[F], F]:
    """An argument that takes a variant's name, and ``or_study``, a study's."""
    complete = _complete_variant_or_study if or_study else _complete_variant
    kind = StudyName() if or_study else None
    return click.argument(name, type=kind, shell_complete=complete, **attributes)


def _complete_study(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The studies whose names begin so; none where q1lab's home can't be read."""
    with contextlib.suppress(Problem, OSError):
        return [name for name in studies.ids() if name.startswith(incomplete)]
    return []


def _complete_variant(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The variants that ship whose names begin so."""
    return [name for name in variants.variant_names() if name.startswith(incomplete)]


def _complete_variant_or_study(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[str]:
    """The variants that ship, and the studies, whose names begin so."""
    shipped = _complete_variant(ctx, param, incomplete)
    return [*shipped, *_complete_study(ctx, param, incomplete)]

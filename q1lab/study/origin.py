"""The origin of a study: what was typed, where, and with which others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from q1lab.ground.json_records import max_chars, stored_as
from q1lab.study.series import Series

Name = Annotated[str, max_chars(200)]


@dataclass(frozen=True)
class TypedOptions:
    """Options as typed, where the rest of the plan doesn't tell."""

    data: Annotated[str, max_chars(4096)] = ""
    """The value of --data."""
    wandb: Name = "auto"
    baseline: Annotated[str, max_chars(10_000)] | None = None
    """None: the baseline that `q1lab run` takes by default."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The origin of a study."""

    typed: TypedOptions | None = field(default=None, metadata=stored_as("asked"))
    repo: dict[str, Any] | None = None
    """The git repository of the modified file, its commit, and whether it was dirty."""
    series: Series | None = None
    """The series that the study was declared in, and its place there."""

    def for_publication(self, typed: TypedOptions) -> Origin:
        """The origin without facts about this machine: the repository, paths, the series."""
        return Origin(typed=typed)

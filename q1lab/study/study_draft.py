"""A draft: the study that a request would become. Nothing of it is on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from q1lab.study.command_line import Request
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.studies import Study
from q1lab.study.typed_seeds import TypedSeeds


@dataclass(frozen=True)
class Draft(ABC):
    """A request, with the study that it would become if there were no studies yet."""

    request: Request
    seeds: TypedSeeds
    kept_study: KeptStudy | None
    """The kept study that trains again; None for a new one."""
    study: Study

    @property
    def note(self) -> str:
        """A note for people about the training; empty where there is nothing to say."""
        return ""

    @property
    def checks(self) -> Mapping[str, Callable[[], object]]:
        """The checks of its files before a study begins, by unique names; each raises a Problem if
        it fails, and runs once a process."""
        return {}

    def seconds(self, study: Study, missing: Sequence[str]) -> float | None:
        """The seconds that the missing runs (names) will take; None if unknown."""
        return None

    @abstractmethod
    def write(self, study: Study) -> None:
        """Write the sources into the folder of a new study. Problem if they have changed since."""

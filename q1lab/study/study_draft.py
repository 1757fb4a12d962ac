"""A study that could be made of a request, as its trainer drafts it. Nothing of it is on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from q1lab.study.command_line import Request
from q1lab.study.design import TypedSeeds
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.studies import Study
from q1lab.study.trainer import Trainer


@dataclass(frozen=True)
class Draft(ABC):
    """A request that was read and asked about on this machine: the study that it would be, if there
    were none yet."""

    request: Request
    seeds: TypedSeeds
    kept_study: KeptStudy | None
    """The folder that the study was read from, where a study of the repository trains again."""
    study: Study

    @property
    def note(self) -> str:
        """What a person should know of what will train; empty where there is nothing to say."""
        return ""

    @property
    def checks(self) -> Mapping[str, Callable[[], object]]:
        """What of the look beforehand can be done at once with that of other drafts, by a name of
        its own; each raises a Problem where it fails, and is done once a process."""
        return {}

    @abstractmethod
    def preflight(self) -> Trainer:
        """The trainer with what a look beforehand shows of it: its files' checks, or short runs.
        Problem where the arms can't be compared."""

    @abstractmethod
    def seconds(self, study: Study, missing: Sequence[str]) -> float | None:
        """How long the missing runs will take, by their names; None where nobody can tell."""

    @abstractmethod
    def write(self, study: Study) -> None:
        """Put what trains into the folder of a new study. Problem where it has changed since."""

"""One value of a hyperparameter that is tried before a study, on seeds that no study has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from q1lab.designs.fixed import Fixed
from q1lab.study.design import TypedSeeds


@dataclass(frozen=True, kw_only=True)
class Tuning(Fixed):
    """A study that only tries a value: it claims nothing about the modification."""

    kind: ClassVar[str] = "tuning"

    @classmethod
    def parse_seeds(cls, text: str) -> TypedSeeds | None:
        return None  # nobody types it: `q1lab run --tune` declares it

    @property
    def counts_as_asking(self) -> bool:
        return False

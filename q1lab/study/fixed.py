"""A number of pairs that was fixed before the first run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from q1lab.ground.errors import Problem
from q1lab.study.design import Design, TypedSeeds

MOST_TYPED, MOST_FRESH = 1000, 100


@dataclass(frozen=True, kw_only=True)
class Fixed(Design):
    """All pairs count, and the study is over after the last one."""

    kind: ClassVar[str] = "fixed"

    @classmethod
    def parse_seeds(cls, text: str) -> TypedSeeds | None:
        """``3`` is seeds 0, 1, 2; ``fresh:8`` is 8 seeds that q1lab draws."""
        fresh = _fresh(text)
        if fresh:
            return TypedSeeds(cls, tuple(range(fresh)), fresh, fresh)
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
            return None
        many = int(text)
        if not 1 <= many <= MOST_TYPED:
            raise Problem(f"--seeds {text}: ", next=f"give at least 1 and at most {MOST_TYPED}")
        return TypedSeeds(cls, tuple(range(many)), many)


def _fresh(text: str) -> int:
    """``fresh:8`` is 8; 0 for a text that asks for no new seeds."""
    if not text.strip().startswith("fresh"):
        return 0
    match = re.fullmatch(r"\s*fresh:([0-9]{1,9})\s*", text)
    if match is None or not 1 <= int(match[1]) <= MOST_FRESH:
        raise Problem(f"--seeds {text}: fresh:8 draws 8 seeds", next=f"give from 1 to {MOST_FRESH}")
    return int(match[1])

"""The value of --seeds, parsed: ``3``, ``3..12`` or ``fresh:8``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from q1lab.ground.errors import Problem

MOST_TYPED, MOST_FRESH = 1000, 100


@dataclass(frozen=True)
class TypedSeeds:
    """The value of --seeds: its seeds as far as they can be known before the other studies are
    read."""

    seeds: tuple[int, ...]
    """All seeds that the design may train; placeholders 0, 1, 2 … where unused seeds will be
    drawn."""
    fewest: int
    """The smallest number of pairs after which the study can be over."""
    fresh: int = 0
    """The number of seeds to draw that no run has used."""
    are_drawn: bool = False
    """True if ``seeds`` are those that were drawn: of a kept study that trains again."""

    @property
    def is_sequential(self) -> bool:
        return self.fewest < len(self.seeds)


def parse_seeds(text: str) -> TypedSeeds:
    """``3`` is seeds 0, 1, 2; ``3..12`` a range of 3 to 12 pairs; ``fresh:8`` is 8 seeds that q1lab
    draws. Problem for anything else."""
    typed = text.strip()
    if typed.startswith("fresh"):
        match = re.fullmatch(r"fresh:([0-9]{1,9})", typed)
        if match is None or not 1 <= int(match[1]) <= MOST_FRESH:
            cure = f"give from 1 to {MOST_FRESH}"
            raise Problem(f"--seeds {text}: fresh:8 draws 8 seeds", next=cure)
        many = int(match[1])
        return TypedSeeds(tuple(range(many)), many, many)
    if ".." in typed:
        return _range(text)
    if not re.fullmatch(r"[0-9]{1,9}", typed):
        raise Problem(
            f"--seeds {text!r}: ",
            next="give how many (3), a range (3..12), or how many new ones (fresh:8)",
        )
    many = int(typed)
    if not 1 <= many <= MOST_TYPED:
        raise Problem(f"--seeds {text}: ", next=f"give at least 1 and at most {MOST_TYPED}")
    return TypedSeeds(tuple(range(many)), many)


def _range(text: str) -> TypedSeeds:
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*\.\.\s*([0-9]{1,9})\s*", text)
    if match is None:
        raise Problem(f"--seeds {text!r}: a range is two whole numbers, for example 3..12")
    first, most = int(match[1]), int(match[2])
    if first < 3:
        raise Problem(f"--seeds {text}: a range begins at 3 pairs or more; fewer give no verdict")
    if first >= most:
        example = f"{first}..{max(first + 5, 12)}"
        raise Problem(f"--seeds {text}: a range goes up, for example {example}")
    from q1lab.judgment import interim_analyses

    interim_analyses.prove_range(first, most)
    return TypedSeeds(tuple(range(most)), first)

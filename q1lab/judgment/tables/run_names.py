"""The arm and the seed of each log: as a person names them, else by its settings, else by its name
and place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.ground.text_formats import first_names, in_list
from q1lab.judgment.tables.cells import BadCell, as_number, seed_of_cell
from q1lab.judgment.tables.nested_names import last_part, usual_names
from q1lab.judgment.tables.outside_run import ARM_KEYS, NAME, SEED_KEYS, arm_name

SEED = re.compile(r"(?<![A-Za-z])seed[-_=. ]*(\d{1,9})", re.IGNORECASE)
"""A seed in the name of a file or a folder."""
NUMBER_AT_END = re.compile(r"(?:[-_. ]+s)?[-_. ]*\d+$")
"""A number that tells the runs of an arm apart, behind its name."""
AROUND = "-_. "
"""Characters beside a seed that are no part of a name."""


@dataclass(frozen=True)
class Named:
    """A run with all that may name it."""

    file: Path
    label: str | None
    """The arm that a person named."""
    facts: Mapping[str, str]
    """Its settings and properties."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Its name, if it has one, and the parts of its path, from the file up."""
        names = (stem(self.file), *reversed(self.file.parts[:-1]))
        return (self.facts["name"], *names) if "name" in self.facts else names


def stem(file: Path) -> str:
    """The name of a file without its ending."""
    return file.name.partition(".")[0] or file.name


def arms_of(runs: Sequence[Named], arm_key: str | None) -> tuple[list[str], str]:
    """The arm of each run, and where it was found. Problem if it can't be told."""
    if arm_key is not None:
        guess = _by_key(runs, arm_key), arm_key
    elif all(run.label is not None for run in runs):
        return [_checked(run, run.label or "") for run in runs], ""
    elif key := _usual_key(runs):
        guess = [run.facts[key] for run in runs], key
    elif names := _by_name(runs):
        guess = names, "the runs' names"
    else:
        guess = _grouped_by_path(runs), "the files' names"
        if _each_differs(guess[0]) and (key := _only_key(runs)):
            guess = [run.facts[key] for run in runs], key
    arms = [run.label or arm for run, arm in zip(runs, guess[0], strict=True)]
    if len(runs) > 2 and _each_differs(arms):
        raise Problem(
            f"which of these {len(runs)} runs belong together is not clear "
            f"({first_names([in_list(arm) for arm in arms])})",
            next="name the files of each arm with --arm NAME='PATTERN', or the setting that is the "
            f"arm with --arm-key; {_differ(runs)}",
        )
    return [_checked(run, arm) for run, arm in zip(runs, arms, strict=True)], guess[1]


def are_runs(runs: Sequence[Named]) -> bool:
    """True if names or settings say that several of these files are of one arm."""
    return not _each_differs(_grouped_by_path(runs)) or _only_key(runs) is not None


def _each_differs(arms: Sequence[str]) -> bool:
    return len(set(arms)) == len(arms)


def seeds_of(runs: Sequence[Named]) -> tuple[list[int] | None, str]:
    """The seed of each run, and where it was found; None where any run's is not known."""
    if None not in (seeds := [_seed_setting(run) for run in runs]):
        where = "the settings"
    elif None not in (seeds := [_seed_in_name(run) for run in runs]):
        where = "the names"
    else:
        return None, ""
    try:
        return [seed_of_cell(seed) for seed in seeds], where
    except BadCell as error:
        raise Problem(f"{where}: {error}") from None


def _without_numbers(arms: list[str]) -> list[str]:
    """Names such as ``base 0`` and ``new 0`` without their last numbers, where each arm has the
    same ones; else the names as they are."""
    numbers: dict[str, list[str]] = defaultdict(list)
    for arm in arms:
        bare = NUMBER_AT_END.sub("", arm)
        numbers[bare].append(arm.removeprefix(bare).strip(AROUND))
    each = [sorted(ends) for ends in numbers.values()]
    is_counted = len(each) > 1 and len(each[0]) > 1 and all(ends == each[0] for ends in each)
    are_names = all(any(map(str.isalpha, bare)) for bare in numbers)  # and no times of day
    return [NUMBER_AT_END.sub("", arm) for arm in arms] if is_counted and are_names else arms


def _by_key(runs: Sequence[Named], key: str) -> list[str]:
    for run in runs:
        if key not in run.facts:
            raise Problem(
                f"{printable(str(run.file))} has no {printable(key)}",
                next=f"name another --arm-key ({_differ(runs)}), or runs that all have it",
            )
    return [run.facts[key] for run in runs]


def _usual_key(runs: Sequence[Named]) -> str | None:
    """The usual setting for an arm that all runs have and in which they differ."""
    for key in usual_names(runs[0].facts, ARM_KEYS):
        values = {run.facts.get(key) for run in runs}
        if len(values) > 1 and None not in values:
            return key
    return None


def _only_key(runs: Sequence[Named]) -> str | None:
    """The one setting that tells groups of runs apart, if it is a text that all have."""
    keys = _differing(runs)
    values = [run.facts.get(keys[0]) for run in runs] if len(keys) == 1 else [None]
    return keys[0] if all(value and as_number(value) is None for value in values) else None


def _by_name(runs: Sequence[Named]) -> list[str] | None:
    """The arms by names such as ``modified-seed0``; None if a run is called otherwise."""
    matches = [next(filter(None, map(NAME.fullmatch, run.parts[:2])), None) for run in runs]
    names = [match["cfg"] for match in matches if match]
    return names if len(names) == len(runs) else None


def by_path(files: Sequence[Path]) -> list[str]:
    """The arms by the first part, from the top, in which the paths differ beside their seeds; a
    file alone is called by its name."""
    paths = [[*file.parts[:-1], stem(file)] for file in files]
    for parts in zip(*paths, strict=False):
        bare = [SEED.sub("", part).strip(AROUND) for part in parts]
        if len(set(bare)) > 1 and all(bare):
            return bare
    same = {SEED.sub("", parts[-1]).strip(AROUND) for parts in paths}
    return [(same.pop() if len(same) == 1 else "") or "these runs"] * len(files)


def _grouped_by_path(runs: Sequence[Named]) -> list[str]:
    """The arms by path, without the numbers that tell an arm's runs apart."""
    arms = by_path([run.file for run in runs])
    return _without_numbers(arms) if _each_differs(arms) else arms


def _seed_setting(run: Named) -> str | None:
    keys = usual_names(run.facts, SEED_KEYS)
    return run.facts[keys[0]] if keys else None


def _seed_in_name(run: Named) -> str | None:
    matches = filter(None, map(SEED.search, run.parts))
    return next((match[1] for match in matches), None)


def _differing(runs: Sequence[Named]) -> list[str]:
    """The settings that could name an arm: more than one value among the runs, and not the seed."""
    values: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for key, value in run.facts.items():
            values[key].add(value)
    return [
        key
        for key, seen in sorted(values.items())
        if 1 < len(seen) < len(runs) and last_part(key) not in SEED_KEYS
    ]


def _differ(runs: Sequence[Named]) -> str:
    """The settings that could name an arm, for the end of a message."""
    return f"these differ: {printable(', '.join(_differing(runs)))[:300] or 'none'}"


def _checked(run: Named, arm: str) -> str:
    try:
        return arm_name(arm, "an arm's name")
    except ValueError as error:
        raise Problem(f"{printable(str(run.file))}: {error}", next="name it with --arm") from None

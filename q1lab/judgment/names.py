"""Names of a judgment's arms and runs for people. Pure."""

from __future__ import annotations

from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import plural, printable
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.subject import ARMS, run_word

CELLS = 18
"""The most columns of an arm's name beside numbers."""


def told_apart(base: str, modified: str, cells: int = CELLS) -> tuple[str, str]:
    """Two names of at most ``cells`` columns that differ: A and B behind them where they would be
    equal."""
    names = [cut_cells(" ".join(printable(name).split()), cells) for name in (base, modified)]
    if names[0] != names[1]:
        return names[0], names[1]
    return f"{cut_cells(names[0], cells - 2)} A", f"{cut_cells(names[1], cells - 2)} B"


def short_name(variant: str) -> str:
    """A variant's name for people, a path by its last part; ``baseline`` where there is none."""
    name = " ".join(printable(variant.replace("\\", "/")).split())
    return name.rstrip("/").rpartition("/")[2].removesuffix(".py") or "baseline"


def the_baseline(j: Judgment) -> str:
    """The baseline in a sentence: ``the baseline``, or with a name of its own ``the baseline
    llama``."""
    name = j.names[0]
    return f"the {name}" if name.startswith("baseline") else f"the baseline {name}"


def finished_runs(j: Judgment) -> tuple[int, int]:
    """The number of runs of each arm that have a number, baseline first."""
    base, modified = (
        j.arms[arm].n or sum(value is not None for value in j.arms[arm].values.values())
        for arm in ARMS
    )
    return base, modified


def sample_sizes(j: Judgment) -> tuple[int, ...]:
    """The number of pairs, or of each arm's runs."""
    return (j.analysis.n,) if j.analysis.headline == "paired" else finished_runs(j)


def sample(j: Judgment) -> str:
    """What is counted: ``3 pairs``, ``3 seeds per arm``, ``4 and 8 runs``."""
    if j.analysis.headline == "paired":
        return plural(j.analysis.n, "pair")
    base, modified = finished_runs(j)
    if base != modified:
        return f"{base} and {modified} runs"
    return f"{plural(base, run_word(j.plan.has_seeds))} per arm"


def sample_number(j: Judgment) -> str:
    """The sample in a column: ``3``, or ``4+8`` of arms of unequal size."""
    base, modified = finished_runs(j)
    if j.analysis.headline == "paired" or base == modified:
        return str(j.analysis.n)
    return f"{base}+{modified}"


def unit_of_sample(j: Judgment) -> str:
    """The things of which more would settle it: ``pairs``, or ``seeds per arm``."""
    return "pairs" if j.analysis.headline == "paired" else f"{run_word(j.plan.has_seeds)}s per arm"

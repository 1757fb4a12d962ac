"""Names, labels and titles of a comparison: its arms, the rows of its figure, its verdict in
capitals.

Text from outside (names, notes of a study) is cleaned of control characters. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import cut_cells, plural, printable
from q1lab.judgment.difference_text import (
    MeasuredDifference,
    level_text,
)
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


COVERS_AS_NAMED_FROM = 94.5
"""A "95%" interval that covers at least this much (in %) is said to cover about 95%."""


def arm_names(c: Judgment) -> tuple[str, str]:
    """The arms' names, baseline first: their variants, a model file's path by its last part, told
    apart when they are the same."""
    name_of = short_name if c.subject.are_model_files else _one_line
    base, modified = (name_of(name, arm) for name, arm in zip(c.subject.names, ARMS, strict=True))
    return (base, modified) if base != modified else (f"{base} A", f"{modified} B")


NAME_CELLS = 18
"""Columns of an arm's name beside numbers."""


def brief_names(names: Sequence[str]) -> tuple[str, str]:
    """The arms' names, short enough for a column, still told apart."""
    base, modified = names
    if cut_cells(base, NAME_CELLS) == cut_cells(modified, NAME_CELLS):
        room = NAME_CELLS - 2
        return f"{cut_cells(base, room)} A", f"{cut_cells(modified, room)} B"
    return cut_cells(base, NAME_CELLS), cut_cells(modified, NAME_CELLS)


SENTENCE_CELLS = 40
"""Columns of an arm's name in a sentence."""


def names_in_text(c: Judgment) -> tuple[str, str]:
    """The arms for a sentence, the first as ``the_baseline``: brief names where one is so long that
    a line would cut it, and with it what tells the two apart."""
    names = arm_names(c)
    is_long = any(name != cut_cells(name, SENTENCE_CELLS) for name in names)
    base, modified = brief_names(names) if is_long else names
    return the_baseline(base), modified


def the_baseline(name: str) -> str:
    """The baseline in a sentence: ``the baseline``, or with a name of its own ``the baseline
    llama``."""
    return f"the {name}" if name.startswith("baseline") else f"the baseline {name}"


def _one_line(name: str, default: str) -> str:
    return " ".join(printable(name).split()) or default


def short_name(variant: str, default: str = "baseline") -> str:
    """A variant's name for people, a path by its last part."""
    name = _one_line(variant.replace("\\", "/"), "")
    return name.rstrip("/").rsplit("/", 1)[-1].removesuffix(".py") or default


def interval_label(c: MeasuredDifference) -> str:
    """The headline interval by its name: ``95% interval (paired t)``."""
    return f"{level_text(c)} interval ({headline_method(c.headline)})"


def headline_method(headline: str) -> str:
    return "paired t" if headline == "paired" else "Welch t"


def interval_note(c: Judgment) -> str:
    """The headline interval's coverage, and that it decides."""
    if c.analysis.verdict == "no verdict":
        return f"covers {level_text(c.analysis)}"
    return f"covers {level_text(c.analysis)} and decides"


BOOTSTRAP_LABEL = "95% bootstrap CI"


def pair_label(seed: int) -> str:
    """A pair by itself, by its seed."""
    return f"pair of seed {seed}"


def bootstrap_note(c: Judgment, n: int | None = None) -> str:
    """The true coverage of the bootstrap CI, which calls itself 95%; at ``n`` seeds, if given.

    Drawn from each arm by itself it covers the more, the better the pairs go together: at three
    seeds from 80% (not at all) to 98% (correlation .9).
    """
    analysis = c.analysis
    covers = 95.0 if analysis.bootstrap is None else analysis.bootstrap.true_coverage
    if covers >= COVERS_AS_NAMED_FROM:
        return "covers about 95%"
    at = "" if n is None else f" at {plural(n, 'seed')}"
    if analysis.headline == "welch" and analysis.pairs:
        return f"covers {covers:.0f} to 98%{at}"
    return f"covers about {covers:.0f}%{at}, not 95%"


def curve_name(c: Judgment) -> str:
    """The number that the curves draw: ``val loss on 64 windows``. While a run trains, q1lab's own
    loop measures on some windows of the text; only the final value is over all of it."""
    windows = c.subject.settings.get("eval_windows")
    return f"{c.metric.name} on {windows} windows" if windows else c.metric.name


FLOOR_LABEL = "baseline against itself"


def floor_sentence(c: Judgment) -> str:
    """The row of the baseline against itself: what it is, and why it may be wider than all
    pairs."""
    return (
        f"In the figure, “{FLOOR_LABEL}” compares runs of different seeds ({floor_note(c)}); the "
        f"two runs of a pair {c.subject.description.pair_shares}."
    )


def floor_note(c: Judgment) -> str:
    """The source of the row of the baseline against itself."""
    if c.floor is None or c.floor.study is None:
        return "widest gap of these runs"
    return f"measured: {printable(c.floor.study)}"


DELTA_LABEL = "too small to matter"


def prediction_label(c: Judgment) -> str:
    """The row of the prediction."""
    late = c.subject.prediction and c.subject.prediction.get("after")
    return "prediction, later" if late else "prediction"


def sample_text(c: Judgment) -> str:
    """The sample behind the verdict: ``3 pairs``, ``3 seeds per arm``, ``4 and 8 seeds``, or where
    no seeds are known ``two groups of 3``."""
    if c.analysis.headline == "paired":
        return plural(c.analysis.n, "pair")
    thing = c.subject.plan.run_word
    base, modified = finished_runs(c)
    if not c.subject.plan.has_seeds:
        return f"groups of {base} and {modified}" if base != modified else f"two groups of {base}"
    if base != modified:
        return f"{base} and {plural(modified, thing)}"
    return f"{plural(c.analysis.n, thing)} per arm"


def sample_number(c: Judgment) -> str:
    """The sample in a column: ``3``, or ``4+8`` of arms of unequal size."""
    base, modified = finished_runs(c)
    if c.analysis.headline == "paired" or base == modified:
        return str(c.analysis.n)
    return f"{base}+{modified}"


def finished_runs(c: Judgment) -> tuple[int, int]:
    """The number of runs of each arm that have a number, baseline first."""
    base, modified = (
        sum(value is not None for value in c.arms[arm].values.values()) for arm in ARMS
    )
    return base, modified


def verdict_word(c: Judgment) -> str:
    """The verdict in capitals, or what stands in its place."""
    return c.analysis.verdict.upper() if c.instead is None else c.instead.word

"""Tables with one row an arm: the mean of its runs, their spread and their number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.judgment.intervals import Moments
from q1lab.judgment.tables.cells import BadCell, number_of_cell, seed_of_cell
from q1lab.judgment.tables.found_runs import Found
from q1lab.judgment.tables.outside_run import arm_name
from q1lab.judgment.tables.table_rows import Rows
from q1lab.judgment.tables.written_numbers import Writing, spread_of

COUNT = frozenset({"n", "runs", "seeds", "trials", "repeats", "num_seeds", "n_seeds", "n_runs"})
SPREADS: Mapping[str, Literal["sd", "se"]] = {
    **dict.fromkeys(["sd", "std", "stdev", "stddev", "std_dev", "deviation"], "sd"),
    **dict.fromkeys(["standardabweichung", "stdabw", "écart_type", "ecart_type"], "sd"),
    **dict.fromkeys(["se", "sem", "stderr", "std_err", "std_error", "standard_error"], "se"),
    **dict.fromkeys(["standardfehler", "erreur_type"], "se"),
}
"""What numbers beside a mean are, by the words for them in English, German and French."""
MEANS = frozenset(
    [
        "mean",
        "avg",
        "average",
        "median",
        "mittelwert",
        "mittel",
        "durchschnitt",
        "moyenne",
        "médiane",
        "mediane",
    ]
)
SUMMARIES = MEANS.union(
    "all total min max alle gesamt summe tous total ± Ø".lower().split(),
    *(word.split("_") for word in SPREADS),
)
"""Words where a row of runs has its seed: the row sums up the others."""


class SummaryColumns(NamedTuple):
    """Where the numbers of an arm's summary stand."""

    mean: str
    spread: str
    kind: Literal["sd", "se"]
    n: str


def kind_of_spread(column: str) -> Literal["sd", "se"] | None:
    """What a column's name says that its spread is: ``acc (mean ± std)`` → sd."""
    words = re.findall(r"[^\W\d]+", column.lower().replace("-", "_"))
    words += [part for word in words for part in word.split("_")]
    return next((SPREADS[word] for word in words if word in SPREADS), None)


def is_spread(column: str) -> bool:
    """True for a column of spreads alone, and none of means with their spread."""
    return kind_of_spread(column) is not None and not re.search(
        r"±|\+/?-|" + "|".join(MEANS), column.lower()
    )


def summary_columns(
    rows: Rows, mean: str, arm: str, written: Mapping[str, Writing]
) -> SummaryColumns | None:
    """The columns of a table with one row an arm and the spread of its runs; None for a table of
    runs. Problem where the spread or the number of runs isn't told."""
    arms = [str(cell).strip() for cell in rows.first_cells(arm)]
    if len(set(arms)) < len(arms):
        return None
    others = [column for column in rows.columns if column not in (arm, mean)]
    spreads = [column for column in others if is_spread(column) and rows.is_numeric(column)]
    own = [column for column in spreads if mean.lower() in column.lower()]
    spread = next(iter(own or spreads), None)
    if spread is None and mean in written and written[mean].has_spread:
        spread = spread_of(mean)
    if spread is None:
        return None
    n = next((column for column in others if column.lower() in COUNT), None)
    if n is None:
        raise Problem(
            f"{rows.name}: {printable(mean)} has one row an arm, and no column says of how many "
            "runs it is the mean",
            next="add a column n, or give a row per run",
        )
    kind = kind_of_spread(spread)
    if kind is None:
        raise Problem(
            f"{rows.name}: is the number behind ± the standard deviation or the standard error?",
            next=f"say it in the column's name: '{printable(mean)} ± sd', or '± se'",
        )
    return SummaryColumns(mean, spread, kind, n)


def add_summaries(found: Found, rows: Rows, arm: str, columns: SummaryColumns) -> None:
    """Add the arms of the rows. Problem, with the place, for a cell that is no number."""
    for line, row in rows:
        try:
            found.summaries[arm_name(str(row[arm]), arm)] = _summary(row, columns)
        except ValueError as error:
            raise Problem(f"{rows.place(line)}: {error}", line=line) from None


def _summary(row: Mapping[str, Any], columns: SummaryColumns) -> Moments:
    n = seed_of_cell(row[columns.n])
    mean, sd = number_of_cell(row[columns.mean]), number_of_cell(row[columns.spread])
    if mean is None or sd is None or sd < 0 or n < 1:
        raise BadCell("a mean, a spread of 0 or more and a number of runs are needed")
    return Moments(mean, sd**2 * (n if columns.kind == "se" else 1), n)

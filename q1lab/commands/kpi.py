"""`q1lab course kpi`: the quarter's numbers against their targets."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from pathlib import Path

import click

from q1lab.commands._documents import repository_if_any
from q1lab.commands._lists import list_command
from q1lab.commands._options import json_option, repo_option
from q1lab.documents import kpi_sources
from q1lab.ground.errors import Problem
from q1lab.ground.text_formats import grouped_number
from q1lab.journal.store import Store
from q1lab.judgment.lines import column_sizes, row_text
from q1lab.week.lists import kpis
from q1lab.week.lists.change import ListChange
from q1lab.week.lists.kpis import KpiRow
from q1lab.week.syllabus import Week


@click.command(
    epilog="""\b
Examples:
  q1lab course kpi
  q1lab course kpi papers_read --actual 10
  q1lab course kpi "Talks given" --target 1 --actual 0""",
)
@click.argument("name", required=False)
@click.option("--actual", type=float, metavar="NUMBER", help="The value, by hand.")
@click.option("--target", type=float, metavar="NUMBER", help="The target, by hand.")
@click.option("--count", "counted", is_flag=True, help="Forget the value set by hand; count again.")
@repo_option
@json_option
@list_command
def kpi(
    store: Store,
    week: Week,
    name: str | None = None,
    actual: float | None = None,
    target: float | None = None,
    counted: bool = False,
    repo: Path | None = None,
) -> ListChange:
    """KPIs: target, actual, and where the actual comes from.

    With NAME (an id or a title), set one by hand.
    """
    if name is not None:
        return _set_by_hand(store, week, name, actual, target, counted)
    if counted or actual is not None or target is not None:
        raise Problem("which KPI? ", next="Give its NAME; `q1lab course kpi` lists them")
    lines = kpi_sources.kpis_of_week(store, week, repository_if_any(repo))
    return ListChange(
        "",
        [kpi_table(lines, "KPI" if week.course else "count")],
        {"kpis": [{**asdict(line), "met": line.met} for line in lines]},
    )


def kpi_table(lines: list[KpiRow], heading: str) -> str:
    """The KPIs as an aligned table, with `heading` above their names; below each, a line with the
    sources of both numbers."""
    if not lines:
        return "No KPI yet. Set one: q1lab course kpi NAME --target 3 --actual 1"
    rows = [(heading, "target", "actual", "")]
    for line in lines:
        met = {True: "met", False: "not met", None: ""}[line.met]
        rows.append((line.title, grouped_number(line.target), grouped_number(line.actual), met))
    sizes = column_sizes(rows)
    head, *shown = [row_text(row, sizes, right=(1, 2)) for row in rows]
    origins = [f"  {line.origin}; target: {line.target_from}" for line in lines]
    return "\n".join([head, *itertools.chain.from_iterable(zip(shown, origins, strict=True))])


def _set_by_hand(
    store: Store,
    week: Week,
    name: str,
    actual: float | None,
    target: float | None,
    counted: bool,
) -> ListChange:
    if counted and actual is not None:
        raise Problem("--count and --actual contradict each other")
    ids_by_title = {item.title.lower(): item.id for item in week.kpis}
    key = ids_by_title.get(" ".join(name.split()).lower(), name)
    kpis.set_kpi(store, key, actual=actual, target=target, count=counted)
    lines = [line for line in kpis.kpi_rows(store) if line.name == " ".join(key.split())]
    return ListChange(f"{key}: set" if lines else f"{key}: counted again")

"""`q1lab kpi`: the quarter's numbers against their targets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from q1lab.acts import Said
from q1lab.commands import _documents as shared
from q1lab.commands._store import opened
from q1lab.errors import OK, Problem
from q1lab.index.store import Store
from q1lab.journal import kpis
from q1lab.journal.kpis import KpiLine
from q1lab.week.model import Week


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  q1lab kpi
  q1lab kpi set papers_read --actual 10
  q1lab kpi set "Talks given" --target 1 --actual 0""",
)
@shared.repo_option
@shared.json_option
@click.pass_context
def kpi(ctx: click.Context, repo: Path | None, as_json: bool) -> int:
    """KPIs: target, actual, and where the actual comes from (counted, or set by hand)."""
    if ctx.invoked_subcommand is not None:
        return OK
    from q1lab.documents import kpi_sources

    with opened() as store:
        lines = kpi_sources.kpi_lines(store, shared.week(), shared.maybe_repository(repo))
    if as_json:
        shared.emit({"kpis": [{**asdict(line), "met": line.met} for line in lines]})
        return OK
    shared.show(as_text(lines))
    return OK


def as_text(lines: list[KpiLine]) -> str:
    """The KPIs as an aligned table; where both numbers come from is a line below each."""
    from q1lab.formats import count

    if not lines:
        return "No KPI yet. Set one: q1lab kpi set NAME --target 3 --actual 1"
    rows = [("KPI", "target", "actual", "")]
    for line in lines:
        met = {True: "met", False: "not met", None: ""}[line.met]
        rows.append((line.title, count(line.target), count(line.actual), met))
    first, second, third, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    told = ["", *(f"\n  {line.origin}; target: {line.target_from}" for line in lines)]
    return "\n".join(
        f"{a:{first}}  {b:>{second}}  {c:>{third}}  {met}".rstrip() + below
        for (a, b, c, met), below in zip(rows, told, strict=True)
    )


@kpi.command("set", epilog="Example: q1lab kpi set papers_read --actual 10")
@click.argument("name")
@click.option("--actual", type=float, metavar="NUMBER", help="The value, by hand.")
@click.option("--target", type=float, metavar="NUMBER", help="The target, by hand.")
@click.option("--count", "counted", is_flag=True, help="Forget the value set by hand; count again.")
@shared.entry
def set_command(
    store: Store,
    week: Week,
    name: str,
    actual: float | None,
    target: float | None,
    counted: bool,
) -> Said:
    """Set the KPI NAME (an id or a title) by hand."""
    if counted and actual is not None:
        raise Problem("--count and --actual contradict each other")
    known = {item.title.lower(): item.id for item in week.kpis}
    key = known.get(" ".join(name.split()).lower(), name)
    kpis.set_kpi(store, key, actual=actual, target=target, count=counted)
    lines = [line for line in kpis.lines(store) if line.name == " ".join(key.split())]
    return Said(f"{key}: set" if lines else f"{key}: counted again")

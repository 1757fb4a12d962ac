"""The tables of a comparison: the values of every seed, and what each arm cost. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.text_formats import DASH, grouped_number
from q1lab.judgment import cost_columns, difference_text, label_text, table_text
from q1lab.judgment.blocks import Table, TableRow
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def means_table(c: Judgment) -> Table:
    """The mean and sd of each arm."""
    return Table("losses", _loss_heads(c), _mean_and_sd(c))


def loss_table(c: Judgment, *, published: bool = False, has_means: bool = True) -> Table:
    """The final value of every seed, and the means; the ends of many seeds unless ``published``.
    The rows of an A/A test are pairs: their runs share no seed."""
    seeds = sorted({seed for arm in c.arms.values() for seed in arm.values})
    shown = seeds if published else table_text.seeds_shown(c, seeds)
    rows = []
    for seed in shown:
        base, modified = (table_text.loss_cell(c, arm, seed) for arm in ARMS)
        name = f"pair {seed + 1}" if c.subject.is_floor else c.subject.plan.run_label(seed)
        rows.append(TableRow(name, base, modified, table_text.difference_cell(c, seed)))
    arms = [c.arms[arm] for arm in ARMS]
    if has_means and len(seeds) > 1 and (published or any(arm.mean is not None for arm in arms)):
        rows += _mean_and_sd(c)
    foot = table_text.folded_note(c, len(shown), len(seeds)) if len(shown) < len(seeds) else ""
    return Table("losses", _loss_heads(c), tuple(rows), foot)


def cost_table(c: Judgment, *, published: bool = False) -> Table:
    """The cost of each arm; ``published``: to the last digit."""
    rows = []
    for column in cost_columns.COST_COLUMNS:
        values = [c.arms[arm].costs.get(column.key) for arm in ARMS]
        if not any(values):
            continue
        write = (lambda value: grouped_number(round(value))) if published else column.write
        base, modified = (DASH if value is None else write(value) for value in values)
        label = column.label + column.unit if published else column.label
        rows.append(TableRow(label, base, modified, table_text.cost_change(c, column.key)))
    base, modified = label_text.arm_names(c)
    return Table(
        "costs",
        ("cost", base, modified, "change"),
        tuple(rows),
        table_text.timing_note(c) if rows else "",
    )


def _loss_heads(c: Judgment) -> tuple[str, str, str, str]:
    return (c.metric.name, *label_text.arm_names(c), "difference")


def _mean_and_sd(c: Judgment) -> tuple[TableRow, TableRow]:
    number, arms = difference_text.number_writer(c.analysis), [c.arms[arm] for arm in ARMS]
    base, modified = (number.loss(arm.mean) for arm in arms)
    mean = TableRow("mean", base, modified, difference_text.mean_text(c.analysis))
    base, modified = (number.loss(arm.std) for arm in arms)
    return mean, TableRow("sd", base, modified, "")

"""What is shown of a judgment beside its sentences: the headline, the rows of the figure, the two
tables. Plain text and numbers; layout.py and the pictures lay it out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from q1lab.ground.text_formats import (
    DASH,
    MINUS,
    as_typed,
    decimals_of,
    duration,
    plural,
    printable,
    three_digits,
)
from q1lab.judgment import names
from q1lab.judgment.blocks import Bar, Figure, Table, TableRow
from q1lab.judgment.difference_text import (
    MOST_DECIMALS,
    NumberWriter,
    mean_text,
    number_writer,
    percent_change,
    percent_level,
)
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.lines import Line
from q1lab.judgment.prediction_score import predicted_difference
from q1lab.judgment.subject import ARMS, run_label

COSTS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "n_params": ("parameters", three_digits),
    "flops_per_token": ("matmul FLOPs/token", three_digits),
    "tokens_per_s": ("tokens/s", three_digits),
    "wall_s": ("wall clock per run", duration),
}
"""The costs of an arm: key → its label, and how a person reads it."""
MEASURED = ("tokens_per_s", "wall_s")
"""The costs that vary from run to run: a change is told with its interval."""
MOST_SEEDS, SEEDS_PER_END = 20, 5
"""Seeds that a table shows one by one; of more, those at either end."""


def headline_parts(j: Judgment) -> list[Line]:
    """``HELPS``, ``rope``, ``− baseline``, ``= −0.0297 nats``, ``(lower is better; 3 pairs)``: the
    pieces that go together, with their roles."""
    base, modified = j.names
    first: list[Line] = [[(j.word, j.analysis.verdict)], [("   ", ""), (modified, "modified")]]
    if j.analysis.mean is None:
        return [*first, [(" against ", ""), (base, "baseline")]]
    return [
        *first,
        [(f" {MINUS} ", ""), (base, "baseline")],
        [(f" = {mean_text(j.analysis)}{j.metric.suffix}", "bold")],
        [(f" ({j.metric.direction}; {names.sample(j)})", "")],
    ]


def answer_text(j: Judgment) -> str:
    """The verdict and the mean difference: ``HELPS −0.0297``."""
    return f"{j.word} {mean_text(j.analysis)}" if j.analysis.mean is not None else j.word


def title(j: Judgment) -> str:
    """The headline of a page or a picture: ``HELPS: rope − baseline = −0.0297 nats``."""
    parts = headline_parts(j)[:4]
    return "".join(text for part in parts for text, _ in part).replace("   ", ": ", 1)


def sample_text(j: Judgment) -> str:
    """The runs behind a judgment: ``8 pairs, shakespeare, cpu preset``."""
    many = f"{plural(j.diverged, 'run')} diverged" if j.diverged else names.sample(j)
    preset = f"{j.setting.preset} preset" if j.setting.preset else ""
    return ", ".join(filter(None, (many, printable(j.setting.data), preset)))


def curve_name(j: Judgment) -> str:
    """The number that the curves draw: ``val loss on 64 windows``. While a run trains, q1lab's own
    loop measures on some windows of the text; only the final value is over all of it."""
    windows = j.setting.values.get("eval_windows")
    return f"{j.metric.name} on {windows:g} windows" if windows else j.metric.name


def figure(j: Judgment) -> Figure:
    """The differences, without rows where there is neither a pair nor an interval."""
    has_rows = bool(j.analysis.pairs) or j.analysis.ends is not None
    return Figure(tuple(_bars(j)) if has_rows else (), j.metric.difference)


def _bars(j: Judgment) -> Iterator[Bar]:
    analysis, number = j.analysis, number_writer(j.analysis)
    mean = () if analysis.mean is None else (analysis.mean,)
    if (ends := analysis.ends) is not None:
        method = "paired t" if analysis.headline == "paired" else "Welch t"
        label = f"{percent_level(analysis.alpha)} interval ({method})"
        note = "decides" if analysis.reason is None else ""
        yield Bar("interval", label, note, ends.low, ends.high, mean, number.ends(ends))
    if (boot := analysis.bootstrap) is not None:
        ends, covers = boot.interval(), round(boot.true_coverage)
        note = f"covers about {covers}%, not 95%" if covers < 95 else ""
        if analysis.headline == "welch" and analysis.pairs and note:
            note = f"covers {covers} to 98%"  # the better pairs go together, the more it covers
        label = "95% bootstrap CI"
        yield Bar("bootstrap", label, note, ends.low, ends.high, mean, number.ends(ends))
    if analysis.pairs:
        yield pairs_bar(analysis.pairs, number)
    if (ends := j.floor) is not None:
        label = "baseline against itself"
        yield Bar("floor", label, "", ends.low, ends.high, (), number.ends(ends))
    if delta := analysis.delta:
        yield Bar("delta", "too small to matter", "", -delta, delta, text=f"±{delta:g}")
    predicted = predicted_difference(j.prediction) if j.prediction else None
    if predicted is not None:
        text = as_typed(predicted, sign=True)
        yield Bar("prediction", "prediction", points=(predicted,), text=text)


def pairs_bar(pairs: Mapping[int, float], write: Callable[[float], str]) -> Bar:
    """All pairs as one row, which has them one by one, too."""
    parts = tuple(
        Bar("pairs", f"pair of seed {seed}", points=(value,), text=write(value))
        for seed, value in pairs.items()
    )
    label = f"each of {len(pairs)} pairs" if len(pairs) > 1 else "1 pair"
    return Bar("pairs", label, points=tuple(pairs.values()), parts=parts)


def tables(j: Judgment, *, every_seed: bool = False) -> list[Table]:
    """The tables of the values and of the costs that have rows."""
    both = values_table(j, every_seed=every_seed), costs_table(j)
    return [table for table in both if table.rows]


def values_table(j: Judgment, *, every_seed: bool = False) -> Table:
    """The value of each run, or of many those at the ends; then means and sds. The rows of an A/A
    test are pairs: their runs share no seed."""
    seeds = sorted({seed for arm in j.arms.values() for seed in (*arm.values, *arm.unfinished)})
    shown, foot = seeds, ""
    if len(seeds) > MOST_SEEDS and not every_seed:
        pairs = j.analysis.pairs
        by_size = sorted(pairs, key=lambda seed: (pairs[seed], seed)) or seeds
        alone = [seed for seed in seeds if seed not in pairs][:SEEDS_PER_END]
        shown = sorted({*by_size[:SEEDS_PER_END], *by_size[-SEEDS_PER_END:], *alone})
        foot = (
            f"{len(shown)} of {len(seeds):,} seeds: those at either end and those without a pair; "
            "`--json` has all."
        )
    number, at_most = number_writer(j.analysis), None
    if not j.metric.unit:  # as many decimals as all runs' values have
        ended = [value for arm in j.arms.values() for value in arm.values.values()]
        at_most = decimals_of((value for value in ended if value is not None), MOST_DECIMALS)
    rows = [_run_row(j, seed, number, at_most) for seed in shown]
    if len(seeds) != 1 and any(arm.mean is not None for arm in j.arms.values()):
        rows += _mean_rows(j)
    return Table((j.metric.name, *j.names, "difference"), tuple(rows), foot)


def _run_row(j: Judgment, seed: int, number: NumberWriter, at_most: int | None) -> TableRow:
    cells = []
    for arm in ARMS:
        value = j.arms[arm].values.get(seed)
        missing = "diverged" if seed in j.arms[arm].values else "no run"
        missing = "no number" if seed in j.arms[arm].unfinished else missing
        cells.append(missing if value is None else number.loss(value, at_most))
    pair = j.analysis.pairs.get(seed)
    difference = "" if pair is None else number.end(pair)
    label = run_label(seed, has_seeds=j.plan.has_seeds)
    label = f"pair {seed + 1}" if j.same_code else label
    return TableRow(label, cells[0], cells[1], difference)


def _mean_rows(j: Judgment) -> list[TableRow]:
    number, arms = number_writer(j.analysis), [j.arms[arm] for arm in ARMS]
    means, sds = [number.loss(arm.mean) for arm in arms], [number.loss(arm.std) for arm in arms]
    return [
        TableRow("mean", means[0], means[1], mean_text(j.analysis)),
        TableRow("sd", sds[0], sds[1], ""),
    ]


def costs_table(j: Judgment) -> Table:
    """What each arm cost."""
    rows = []
    for key, (label, write) in COSTS.items():
        values = [j.arms[arm].costs.get(key) for arm in ARMS]
        if any(values):
            base, modified = (DASH if value is None else write(value) for value in values)
            rows.append(TableRow(label, base, modified, cost_change(j, key)))
    foot = "Not clear: the 95% interval of the change contains 0, or runs are too few for one."
    is_unclear = any(row.change == UNCLEAR for row in rows)
    return Table(("cost", *j.names, "change"), tuple(rows), foot if is_unclear else "")


UNCLEAR = "not clear"


def cost_change(j: Judgment, key: str) -> str:
    """``−1.0%``; of a measured cost only where its interval says that there is a change."""
    base, modified = (j.arms[arm].costs.get(key) for arm in ARMS)
    if not base or not modified:
        return ""
    if key in MEASURED and (j.timed is not None or len(j.analysis.pairs) == 1):
        ends = (j.timed or {}).get(key)
        if ends is None or not ends.excludes_zero():
            return UNCLEAR
    return percent_change(base, modified)

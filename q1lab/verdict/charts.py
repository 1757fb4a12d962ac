"""The comparison as a picture: both arms' curves, and a forest plot of the difference.

Drawn through matplotlib's objects, without pyplot: no window system, no global state, safe in any
process. The same record and curves give the same bytes with the same matplotlib (fixed ids in SVG,
no date in either format). Colors keep apart for color-blind eyes, and line styles and markers say
the same in black and white.
"""

from __future__ import annotations

import contextlib
import math
import os
import textwrap
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import private_folder, private_umask
from q1lab.ground.paths import home
from q1lab.ground.text_formats import MINUS, plural
from q1lab.study.events import standard_names
from q1lab.study.studies import ARMS
from q1lab.verdict import label_text
from q1lab.verdict.equal_budget import BUDGET_NAMES, Curves, equal_budget_text
from q1lab.verdict.figure import Bar, BarKind, comparison_figure
from q1lab.verdict.terminal_text import ARM_COLORS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from q1lab.verdict.comparison import Comparison
    from q1lab.verdict.equal_budget import EqualBudgetResult

    Floats = NDArray[np.float64]

MOST_ROWS = 12  # pairs with a row each; more share one
MOST_NUMBERS = 12  # that have a small chart each; the others are named
SMALL = (2.7, 1.9)  # inches of a small chart
TITLE, NARROW_TITLE = 66, 48  # characters of a line of the title above curves, above differences
MOST_POINTS = 300  # that a curve has in it
FORMATS = ("svg", "png")
CREATOR = "q1lab"
DASHES = {"baseline": "-", "modified": (0, (5, 2))}
MARKERS = {"baseline": "o", "modified": "D"}
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the picture is the same everywhere
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "text.parse_math": False,  # a $ in a variant's name begins no formula
    "svg.hashsalt": "q1lab",  # else every id in the file is random
    "svg.fonttype": "path",
}


def draw_comparison(
    c: Comparison,
    curves: Curves,
    form: str,
    *,
    answer: EqualBudgetResult | None = None,
    size: tuple[float, float] = (11.0, 4.8),
    stacked: bool = False,
) -> bytes:
    """The comparison as a picture, ``svg`` or ``png``.

    ``curves`` are those of comparison_cache.curves; arms, seeds or numbers may be missing. With
    ``answer`` they are drawn over what an iter costs. ``size`` is width and height in inches, at
    150 dots per inch for PNG; small charts of other numbers than the metric add to the height.
    ``stacked`` puts the difference below the curves, without a title: it stands in a text that has
    one.
    """
    if answer is not None:
        curves = _over_cost(curves, answer)
    names = _metrics_beside_loss(c, curves)
    shown = names[:MOST_NUMBERS]
    columns = round(size[0] / SMALL[0])
    height = math.ceil(len(shown) / columns) * SMALL[1]

    def draw(figure: Any) -> None:
        below = None
        if shown:
            figure, below = figure.subfigures(2, 1, height_ratios=[size[1], height])
        left, right = _two_axes(figure, stacked=stacked)
        _draw_curves(left, c, curves)
        if answer is not None:
            _mark_budget(left, answer)
        _draw_forest(right, c)
        if below is not None:
            across = "iter" if answer is None else BUDGET_NAMES[answer.what]
            _draw_small(below, columns, c, curves, shown, across)
            if len(names) > len(shown):
                rest = ", ".join(c.metric.title(name) for name in names[len(shown) :])
                rest = textwrap.shorten(rest, int(size[0] * 15), placeholder=" …")
                below.supxlabel(f"also reported: {rest}", x=0.01, ha="left", fontsize=7)

    whole = (size[0], size[1] + height)
    return _drawn(form, whole, "" if stacked else label_text.comparison_title(c), draw)


def _two_axes(figure: Any, *, stacked: bool) -> tuple[Any, Any]:
    """The axes of the curves and of the difference, side by side, or one above the other: then each
    has a left edge of its own, since the rows of the difference have long names."""
    if not stacked:
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        return left, right
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    return upper.subplots(), lower.subplots()


def is_drawn_by_q1lab(content: bytes) -> bool:
    """True if an SVG is a picture of this module's."""
    return f"<dc:title>{CREATOR}</dc:title>".encode() in content[:4000]


def picture_format(path: Path) -> str:
    """The kind of picture that a file's name asks for. Problem for another suffix."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise Problem(
            f"{path}: a plot is written as .svg or .png",
            next="give a file name that ends so",
            file=path,
        )
    return form


def _drawn(form: str, size: tuple[float, float], title: str, draw: Callable[[Any], None]) -> bytes:
    """One figure with its title, drawn by ``draw``."""
    # matplotlib keeps its list of fonts in a folder of its own; everything of q1lab's lies in one
    # place
    cache = home() / "cache" / "matplotlib"
    os.environ.setdefault("MPLCONFIGDIR", str(cache))
    with contextlib.suppress(OSError):
        private_folder(cache)
    with private_umask():
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

    with (
        private_umask(),
        mpl.rc_context({**mpl.rcParamsDefault, **STYLE}),
        warnings.catch_warnings(),
    ):
        # a box is drawn, and that will do
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        canvas = (FigureCanvasSVG if form == "svg" else FigureCanvasAgg)(figure)
        draw(figure)
        if title:
            title = textwrap.fill(title, max(30, int(size[0] * 8.5)))
            figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        buffer = BytesIO()
        metadata = {"Date": None, "Creator": CREATOR} if form == "svg" else {"Software": CREATOR}
        # `savefig` would draw the figure twice, the first time for the layout alone
        print_picture = canvas.print_svg if form == "svg" else canvas.print_png
        print_picture(buffer, metadata=metadata)
    return buffer.getvalue()


# ── left: the curves


def _draw_curves(axes: Any, c: Comparison, curves: Curves) -> None:
    """Each seed's metric thin, the mean thick, the range of the seeds as a band; training losses
    faint."""
    import numpy as np

    drawn_values = []
    train, metric, _ = standard_names(c.metric)
    for arm, name in zip(ARMS, label_text.arm_names(c), strict=True):
        color = ARM_COLORS[arm]
        for _, at, loss in _runs(curves, arm, train) if c.metric.is_loss else ():
            smooth = _smooth(loss)
            axes.plot(at, smooth, color=color, lw=0.5, alpha=0.25, zorder=1)
            drawn_values += [value for value in smooth.tolist() if math.isfinite(value)]
        runs, lost = _runs(curves, arm, metric), 0
        for seed, at, loss in runs:
            drawn_values += [value for value in loss.tolist() if math.isfinite(value)]
            if seed in c.analysis.diverged.get(arm, []) or not math.isfinite(loss[-1]):
                lost += 1
                last = np.flatnonzero(np.isfinite(loss))[-1:]
                axes.plot(at[last], loss[last], "x", color=color, ms=9, mew=2, zorder=5)
        if runs:
            label = f"{name} ({plural(len(runs), c.study.design.run_word)})"
            if lost:
                label = label.removesuffix(")") + f", {lost} diverged: ×)"
            _draw_arm(axes, arm, [(at, loss) for _, at, loss in runs], label)
    faint = "; faint: training" if c.metric.is_loss else ""
    title = f"{label_text.curve_name(c)}: each {c.study.design.run_word}, mean, range{faint}"
    axes.set_title(textwrap.fill(title, TITLE), fontsize=9)
    axes.set_xlabel("iter")
    axes.set_ylabel(c.metric.axis)
    axes.grid(True, color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    if drawn_values:
        # The first evaluations tower over the rest; what differs is at the end, so the top is cut a
        # little.
        low, high = min(drawn_values), max(drawn_values)
        margin = 0.05 * (high - low or 1.0)
        axes.set_ylim(low - margin, high + margin)
        corner = "upper right" if c.metric.better == "lower" else "lower right"
        axes.legend(loc=corner, frameon=False, handlelength=3.2, fontsize=9)
        _inset(axes, curves, metric)
    else:
        _say(axes, "no curves were recorded")


def _draw_arm(axes: Any, arm: str, runs: Sequence[tuple[Floats, Floats]], label: str) -> None:
    """One arm's runs: each thin, the mean thick, the range as a band."""
    color, dashes = ARM_COLORS[arm], DASHES[arm]
    for at, values in runs:
        axes.plot(at, values, color=color, ls=dashes, lw=0.7, alpha=0.6, zorder=2)
    grid, table = _losses_by_iter(runs)
    if not len(grid):
        return
    if len(runs) > 1:
        band = [table.min(axis=0), table.max(axis=0)]
        axes.fill_between(grid, *band, color=color, alpha=0.18, lw=0, zorder=2)
    mean = table.mean(axis=0)
    axes.plot(grid, mean, color=color, ls=dashes, lw=2, zorder=3, label=label)
    axes.plot(grid[-1:], mean[-1:], MARKERS[arm], color=color, ms=6, zorder=4)


def _metrics_beside_loss(c: Comparison, curves: Curves) -> list[str]:
    """The numbers that are drawn beside the metric, the training loss first. One that is the same
    in both arms, as a shared learning rate is, says nothing of them."""
    train, metric, _ = standard_names(c.metric)
    drawn_names = {metric, train} if c.metric.is_loss else {metric}
    names = {name for runs in curves.values() for run in runs.values() for name in run}
    undrawn = sorted(names - drawn_names, key=lambda name: (name != train, name))
    return [name for name in undrawn if _differs(curves, name)]


def _differs(curves: Curves, name: str) -> bool:
    """True if the arms have other values of a number at the iters that both reported."""
    baseline, modified = (
        {
            (seed, i): value
            for seed, run in (curves.get(arm) or {}).items()
            for i, value in run.get(name, ())
            if math.isfinite(value)
        }
        for arm in ARMS
    )
    shared = baseline.keys() & modified.keys()
    if not shared:
        return bool(baseline or modified)
    return any(baseline[at] != modified[at] for at in shared)


def _draw_small(
    figure: Any, columns: int, c: Comparison, curves: Curves, names: Sequence[str], across: str
) -> None:
    """A small chart for each of these numbers, over what ``across`` says."""
    rows = math.ceil(len(names) / columns)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for name, axes in zip(names, grid, strict=False):
        runs = {arm: _runs(curves, arm, name) for arm in ARMS}
        longest = max(len(at) for arm_runs in runs.values() for _, at, _ in arm_runs)
        step = math.ceil(longest / MOST_POINTS)
        for arm, arm_runs in runs.items():
            thin = [(at[::step], _smooth(values)[::step]) for _, at, values in arm_runs]
            if thin:
                _draw_arm(axes, arm, thin, "")
        axes.set_title(textwrap.fill(c.metric.title(name), 40), fontsize=8)
        axes.set_xlabel(across, fontsize=7)
        axes.tick_params(labelsize=7)
        axes.grid(True, color="#dddddd", lw=0.6)
        axes.set_axisbelow(True)
    for axes in grid:
        axes.set_axis_off()


def _over_cost(curves: Curves, answer: EqualBudgetResult) -> Curves:
    """The curves with FLOPs or seconds in place of iters."""
    return {
        arm: {
            seed: {
                name: [(i * answer.costs[arm], value) for i, value in points]
                for name, points in run.items()
            }
            for seed, run in runs.items()
        }
        for arm, runs in curves.items()
    }


def _mark_budget(axes: Any, answer: EqualBudgetResult) -> None:
    """A line where both arms have spent the same, and the axis' own unit."""
    name = BUDGET_NAMES[answer.what]
    axes.axvline(answer.budget, color="black", lw=0.9, ls=(0, (4, 2)), zorder=1)
    unit = "FLOPs" if answer.what == "flops" else "seconds, without evaluation"
    axes.set_xlabel(f"{name} ({unit}); line: equal {name}, {equal_budget_text(answer)} per run")


def _inset(axes: Any, curves: Curves, metric: str) -> None:
    """The last quarter enlarged, where the arms differ by less than a line is thick."""
    ends = []
    last = 0.0
    for arm in ARMS:
        for _, at, loss in _runs(curves, arm, metric):
            last = max(last, float(at[-1]))
            ends.append((at, loss, arm))
    tail = [(at, loss, arm) for at, loss, arm in ends if sum(at >= 0.75 * last) >= 2]
    values = [float(v) for at, loss, _ in tail for v in loss[at >= 0.75 * last] if math.isfinite(v)]
    everything = [float(v) for _, loss, _ in ends for v in loss if math.isfinite(v)]
    if len(values) < 4 or max(values) == min(values):
        return
    if max(values) - min(values) > 0.25 * (max(everything) - min(everything)):
        return  # the end is easy to see as it is
    inset = axes.inset_axes((0.42, 0.33, 0.56, 0.36))
    for at, loss, arm in tail:
        keep = at >= 0.75 * last
        inset.plot(at[keep], loss[keep], color=ARM_COLORS[arm], ls=DASHES[arm], lw=0.9)
        inset.plot(at[keep][-1:], loss[keep][-1:], MARKERS[arm], color=ARM_COLORS[arm], ms=3)
    inset.set_title("last quarter, each seed", fontsize=8)
    inset.tick_params(labelsize=7)
    inset.grid(True, color="#eeeeee", lw=0.5)


def _losses_by_iter(runs: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """The iters at which every run was evaluated, and the losses there: shape (runs, iters).

    Iters that only some runs reached (a run still going, a diverged one) stay out of mean and band:
    a mean over fewer seeds would jump where a run ends.
    """
    import numpy as np

    shared = sorted(set.intersection(*(set(at.tolist()) for at, _ in runs)))
    losses = [dict(zip(at.tolist(), loss.tolist(), strict=True)) for at, loss in runs]
    table = np.array([[run[i] for i in shared] for run in losses])
    grid = np.array(shared, dtype=np.float64)
    keep = np.isfinite(table).all(axis=0) if table.size else np.zeros(0, dtype=bool)
    return grid[keep], table[:, keep] if table.size else table


def _runs(curves: Curves, arm: str, name: str) -> list[tuple[int, Floats, Floats]]:
    """(seed, iters, values) of the runs of an arm that reported a number; an infinite value is a
    gap."""
    import numpy as np

    runs = []
    for seed, run in sorted((curves.get(arm) or {}).items()):
        if points := run.get(name):
            at, values = np.array(points, dtype=np.float64).T
            runs.append((seed, at, np.where(np.isfinite(values), values, np.nan)))
    return runs


def _smooth(values: Floats) -> Floats:
    """A running mean over about a fiftieth of the curve: single training batches jump too much to
    compare."""
    import numpy as np

    width = max(1, len(values) // 50)
    if width == 1:
        return values
    kernel = np.ones(width) / width
    padded = np.concatenate(
        [np.full(width // 2, values[0]), values, np.full(width - 1 - width // 2, values[-1])]
    )
    return np.convolve(padded, kernel, mode="valid")


# ── right: the difference


INTERVAL_STYLES: dict[BarKind, tuple[float, str, str]] = {
    "interval": (2.6, "s", "black"),
    "bootstrap": (1.2, "o", "white"),
}
"""The style of the rows of intervals: the line's width, the mean's marker and its fill."""


def _draw_forest(axes: Any, c: Comparison) -> None:
    """Each pair, the headline interval, the bootstrap CI with what it covers, 0, and ±δ if there is
    one."""
    bars = {bar.kind: bar for bar in comparison_figure(c).bars}
    rows: list[str] = []
    reach = [0.0]
    for bar in _pair_rows(bars.get("pairs")):
        fill = "none" if bar.parts else "white"
        y = [-len(rows)] * len(bar.points)
        axes.plot(bar.points, y, "o", color="#444444", mfc=fill, ms=6, zorder=3)
        rows.append(bar.label)
        reach.extend(bar.points)
    for kind, (width, marker, fill) in INTERVAL_STYLES.items():
        interval = bars.get(kind)
        if interval is None or interval.low is None or interval.high is None:
            continue
        at, ends = -len(rows), (interval.low, interval.high)
        axes.plot(ends, [at, at], color="black", lw=width, solid_capstyle="butt", zorder=3)
        axes.plot(ends, [at, at], "|", color="black", ms=9, mew=1.4, zorder=3)
        for mean in interval.points:
            axes.plot([mean], [at], marker, color="black", mfc=fill, ms=7, zorder=4)
        rows.append(f"{interval.label}\n({interval.note})")
        reach.extend(ends)
    title = f"Difference in final {c.metric.name}"
    axes.set_title(textwrap.fill(title, NARROW_TITLE), fontsize=9)
    base, modified = label_text.arm_names(c)
    unit = f" ({c.metric.unit})" if c.metric.unit else ""
    side = "left" if c.metric.favors(-1) else "right"
    below = f"{modified} {MINUS} {base}{unit}\n{side} of 0: {c.metric.better}, so better"
    if not rows:
        _say(axes, "no seed has finished in both arms")
        return
    axes.axvline(0, color="black", lw=1.2, zorder=2)
    low, high = min(reach), max(reach)
    margin = 0.08 * (high - low or 0.01)
    if (small := bars.get("delta")) is not None:
        axes.axvspan(small.low, small.high, color="#888888", alpha=0.16, lw=0, zorder=0)
        for edge in (small.low, small.high):
            axes.axvline(edge, color="#666666", lw=0.9, ls=(0, (2, 2)), zorder=1)
        below += f"\ngray: {small.label} ({small.text})"
    axes.set_xlabel(below)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(-len(rows) + 0.2, 0.7)
    axes.set_yticks([-i for i in range(len(rows))], rows, fontsize=8.5)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(True, axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _pair_rows(pairs: Bar | None) -> Sequence[Bar]:
    """A row for each pair; of many one for all of them."""
    if pairs is None:
        return ()
    return pairs.parts if len(pairs.parts) <= MOST_ROWS else (pairs,)


# ── small pieces


def _say(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#666666")
    axes.set_xticks([])
    axes.set_yticks([])

"""The comparison as a picture: a forest plot of the difference, both arms' curves, and small charts
of the other numbers that the runs reported.

Colors keep apart for color-blind eyes, and line styles and markers say the same in black and white.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_text
from q1lab.ground.text_formats import MINUS, plural
from q1lab.judgment import arrange, svg
from q1lab.judgment.blocks import Bar
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.metric import TRAIN_LOSS
from q1lab.judgment.subject import ARMS, run_word
from q1lab.judgment.svg import Plot, Point, fit, text, text_width

Curves = Mapping[str, Mapping[int, Mapping[str, Sequence[Point]]]]
"""Arm → seed → a number's name → its points, by iter; NaN where it was not finite."""

Runs = Mapping[str, Mapping[int, Sequence[Point]]]
"""Arm → seed → the points of one number."""

WIDTH, PAD = 660, 14
IN_A_PAGE = 480  # pixels: letters are as large as the text beside it, as wide as a page's column
MOST_NUMBERS = 12  # that have a small chart each; the others are named
MOST_POINTS = 300  # that a curve has in it
FORMATS = ("svg", "png")
DASHES = {"baseline": "", "modified": "7 3"}
MARKS = {"baseline": "circle", "modified": "diamond"}
BAR_STYLES = {
    "interval": ("ink", 2.6, "", "square"),
    "bootstrap": ("ink", 1.2, "", "circle"),
    "floor": ("baseline", 1.6, "5 3", "circle"),
    "delta": ("soft", 1.2, "2 2", "circle"),
    "pairs": ("modified", 1.2, "", "circle"),
    "prediction": ("prediction", 1.2, "", "diamond"),
}
"""The style of a row of the figure: its role, the width of its line, its dashes and its mark."""


def draw_comparison(
    c: Judgment,
    curves: Curves,
    form: str,
    *,
    width: float = WIDTH,
    titled: bool = True,
) -> bytes:
    """The comparison as a picture, ``svg`` or ``png``, of ``width`` pixels.

    In ``curves`` arms, seeds or numbers may be missing. A picture without a title stands in a text
    that has one.
    """
    title, page = f"{arrange.title(c)} ({arrange.sample_text(c)})", _Page(width)
    if titled:
        page.write(title, 15, most=3, more=svg.BOLD)
        page.y += 6
    runs = _runs_by_name(curves)
    _draw_forest(page, c)
    _draw_curves(page, c, runs)
    _draw_small(page, c, runs)
    picture = svg.document(width, page.y + PAD, title, page.drawn, facts_mark(c, curves))
    return picture.encode() if form == "svg" else svg.png(picture)


def facts_mark(c: Judgment, curves: Curves) -> str:
    """The mark of a picture of q1lab's: a hash of what it shows, however it is worded and drawn."""
    bars = [(b.kind, [f"{v:.6g}" for v in _values(b)]) for b in arrange.figure(c).bars]
    facts = [c.id, c.names, c.analysis.verdict, c.diverged, bars, curves]
    return f"q1lab {sha256_text(json.dumps(facts))}"


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


class _Page:
    """A picture that grows downward."""

    def __init__(self, width: float) -> None:
        self.width, self.room, self.y = width, width - 2 * PAD, float(PAD)
        self.drawn: list[str] = []

    def write(self, words: str, size: float = 11, most: int = 2, more: str = "") -> None:
        """A paragraph of ``most`` lines at most."""
        for line in svg.wrapped(words, 1.08 * size, self.room, most):
            role = "ink" if more else "soft"
            self.drawn.append(text(PAD, self.y + size, line, size, role, more))
            self.y += round(1.35 * size)

    def head(self, words: str) -> None:
        self.write(words, 12, most=4, more=svg.BOLD)
        self.y += 3


# ── the curves


def _draw_curves(page: _Page, c: Judgment, runs: Mapping[str, Runs]) -> None:
    """Each seed's metric thin, the mean thick, the range of the seeds as a band; training losses
    faint."""
    train, metric = TRAIN_LOSS, c.metric.key()
    curves: Runs = runs.get(metric, {})
    faint = _smoothed(runs.get(train, {})) if c.metric.is_loss else {}
    lost = _lost(c, curves)
    lines = [*_lines(curves), *_lines(faint)]
    finished = [points for at, points in lines if at not in lost]
    values = _finite(finished) or _finite(points for _, points in lines)
    if not values:
        page.write("no curves were recorded")
        page.y += PAD
        return
    thing = run_word(c.plan.has_seeds)
    more = "; faint: training" if faint else ""
    page.head(f"{arrange.curve_name(c)}: each {thing}, mean, range{more}")
    for arm, name in zip(ARMS, c.names, strict=True):
        gone = sum(at[0] == arm for at in lost)
        if each := curves.get(arm):
            tail = f", {gone} diverged: ×)" if gone else ")"
            _draw_key(page, arm, name, f" ({plural(len(each), thing)}{tail}")
    page.write(c.metric.axis, most=1)
    up = svg.reach(values)  # a diverged run may leave it
    left = 8 + max(text_width(words, 11) for _, words in svg.ticks(*up, 6))
    reach = svg.reach(at for _, points in lines for at, _ in points)
    plot = Plot(PAD + left, page.y + 4, page.room - left, 0.4 * page.width, reach, up)
    page.drawn += plot.grid()
    page.drawn += [plot.line(points, at[0], 0.6, opacity=0.3) for at, points in _lines(faint)]
    page.drawn += _arms(plot, curves)
    for (arm, _), points in lost.items():
        ends = [point for point in points if math.isfinite(point[1])]
        page.drawn += [svg.mark(plot.x(x), plot.y(y), "cross", arm, 4.5) for x, y in ends[-1:]]
    _draw_inset(page, plot, curves, c.metric.better)
    page.y += plot.height + 20
    page.y += 14
    page.drawn.append(text(page.width - PAD, page.y, "iter", 11, "soft", svg.END))
    page.y += 2 * PAD


def _lost(c: Judgment, runs: Runs) -> dict[tuple[str, int], Sequence[Point]]:
    """The runs that diverged."""
    return {
        (arm, seed): points
        for (arm, seed), points in _lines(runs)
        if seed in c.analysis.diverged.get(arm, []) or not math.isfinite(points[-1][1])
    }


def _draw_key(page: _Page, arm: str, name: str, tail: str) -> None:
    """The line and the mark of an arm, its name, and how many runs it has."""
    words = fit(name, 12, page.room - 46 - text_width(tail, 12)) + tail
    page.drawn.append(
        svg.stroke(f"M{PAD} {page.y + 9:.1f}h34", arm, 2, DASHES[arm])
        + svg.mark(PAD + 34, page.y + 9, MARKS[arm], arm)
        + text(PAD + 46, page.y + 13, words)
    )
    page.y += 18


def _arms(plot: Plot, runs: Runs, scale: float = 1.0) -> list[str]:
    """Each run thin, the arms' means thick, the range as a band.

    Iters that only some runs reached (a run still going, a diverged one) stay out of mean and band:
    a mean over fewer seeds would jump where a run ends.
    """
    out = []
    for arm, each in runs.items():
        thin = [_thinned(points) for points in each.values()]
        finite = [{at: value for at, value in run if math.isfinite(value)} for run in thin]
        shared = sorted(set.intersection(*map(set, finite))) if finite else []
        rows = [(at, [run[at] for run in finite]) for at in shared]
        low, high = ([(at, end(values)) for at, values in rows] for end in (min, max))
        mean = [(at, statistics.fmean(values)) for at, values in rows]
        out.append(plot.band(low, high, arm) if len(thin) > 1 else "")
        out += [plot.line(run, arm, 0.8 * scale, DASHES[arm], 0.6) for run in thin]
        out.append(plot.line(mean, arm, 2 * scale, DASHES[arm]))
        out += [svg.mark(plot.x(x), plot.y(y), MARKS[arm], arm, 3.5 * scale) for x, y in mean[-1:]]
    return [shape for shape in out if shape]


def _draw_inset(page: _Page, plot: Plot, runs: Runs, better: str) -> None:
    """The last quarter enlarged, where the arms differ by less than a line is thick."""
    start = 0.75 * max((points[-1][0] for _, points in _lines(runs)), default=0.0)
    tails = {
        arm: {
            seed: [point for point in points if point[0] >= start]
            for seed, points in each.items()
            if sum(at >= start for at, _ in points) > 1
        }
        for arm, each in runs.items()
    }
    values = _finite(tail for _, tail in _lines(tails))
    if len(values) < 4 or not 0 < max(values) - min(values) <= 0.2 * (plot.up[1] - plot.up[0]):
        return  # there is nothing to see, or it is easy to see as it is
    left, width, height = plot.left + 0.42 * plot.width, 0.56 * plot.width, 0.34 * plot.height
    top = plot.top + (0.12 if better == "lower" else 0.46) * plot.height
    reach = svg.reach(at for _, tail in _lines(tails) for at, _ in tail)
    inset = Plot(left, top, width, height, reach, svg.reach(values))
    page.drawn += [
        f'<rect class="q1-paper" x="{left - 50:.1f}" y="{top - 20:.1f}" width="{width + 56:.1f}" '
        f'height="{height + 38:.1f}" fill-opacity="0.9"/>',
        text(left, top - 6, "last quarter", 10, "soft"),
        *inset.grid(10, 5, 3),
        *_arms(inset, tails, 0.6),
    ]


# ── the difference


def _draw_forest(page: _Page, c: Judgment) -> None:
    """Each row of the comparison's figure on one axis, with 0, and ±δ if there is one."""
    page.head(f"Difference in final {c.metric.name}")
    bars = arrange.figure(c).one_by_one().bars
    if not bars:
        page.write("no seed has finished in both arms")
        page.y += PAD
        return
    _draw_bars(page, bars)
    base, modified = (fit(name, 11, page.room / 3) for name in c.names)
    unit = f" ({c.metric.unit})" if c.metric.unit else ""
    page.write(f"{modified} {MINUS} {base}{unit}")
    side = "left" if c.metric.favors(-1) else "right"
    page.write(f"{side} of 0: {c.metric.better}, so better")
    page.y += PAD


def _draw_bars(page: _Page, bars: Sequence[Bar]) -> None:
    """Rows on one axis, with their names and numbers."""
    texts = [f"{bar.ends[0]} to {bar.ends[1]}" if bar.ends else bar.text for bar in bars]
    labels = [(bar.label, 12.0) for bar in bars] + [(bar.note, 10.5) for bar in bars]
    left = min(0.37 * page.width, 8 + max(text_width(*label) for label in labels))
    right = min(0.35 * page.width, 8 + max(text_width(words, 12) for words in texts))
    across = svg.reach([0.0, *(value for bar in bars for value in _values(bar))])
    heights = [36 if bar.note else 23 for bar in bars]
    plot = Plot(PAD + left, page.y, page.room - left - right, sum(heights), across, (0.0, 1.0))
    page.drawn += plot.grid(across=max(4, int(plot.width / 50)), up=0)
    for bar in bars:
        if bar.kind == "delta":
            low, high = ([(value, 0.0), (value, 1.0)] for value in _values(bar))
            page.drawn.append(plot.band(low, high, "soft"))
    page.drawn.append(plot.line([(0.0, 0.0), (0.0, 1.0)], "ink", 1.2))
    for bar, number, height in zip(bars, texts, heights, strict=True):
        y = page.y + height / 2
        page.drawn += [
            text(PAD, y - 3 if bar.note else y + 4, fit(bar.label, 12, left - 4)),
            text(PAD, y + 11, fit(bar.note, 10.5, left - 4), 10.5, "soft"),
            *_bar(plot, bar, y),
            text(page.width - PAD, y + 4, fit(number, 12, right), 12, "ink", svg.END),
        ]
        page.y += height
    page.y += 20


def _values(bar: Bar) -> list[float]:
    return [value for value in bar.values if math.isfinite(value)]


def _bar(plot: Plot, bar: Bar, y: float) -> list[str]:
    role, width, dashes, shape = BAR_STYLES[bar.kind]
    out = []
    if bar.low is not None and bar.high is not None:
        low, high = plot.x(bar.low), plot.x(bar.high)
        out.append(svg.stroke(f"M{low:.1f} {y:.1f}H{high:.1f}", role, width, dashes))
        out += [svg.stroke(f"M{x:.1f} {y - 5:.1f}v10", role, 1.4) for x in (low, high)]
    hollow = bar.kind in ("pairs", "bootstrap")
    return out + [svg.mark(plot.x(value), y, shape, role, 4, hollow=hollow) for value in bar.points]


# ── small charts of the other numbers


def _draw_small(page: _Page, c: Judgment, runs: Mapping[str, Runs]) -> None:
    """A small chart for each number beside the metric, the training loss first. A number that is
    the same in both arms, as a shared learning rate is, says nothing of them."""
    train, metric = TRAIN_LOSS, c.metric.key()
    metrics = {metric, train} if c.metric.is_loss else {metric}
    names = sorted(runs.keys() - metrics, key=lambda name: (name != train, name))
    names = [name for name in names if _differs(runs[name])]
    columns = int(page.width // 210)
    width = page.room / columns
    for at, name in enumerate(names[:MOST_NUMBERS]):
        left, top = PAD + width * (at % columns), page.y + 150 * (at // columns)
        smooth = _smoothed(runs[name])
        lines = [points for _, points in _lines(smooth)]
        up = svg.reach(_finite(lines))
        numbers = 6 + max(text_width(words, 9) for _, words in svg.ticks(*up, 4))
        ends = svg.reach(i for points in lines for i, _ in points)
        plot = Plot(left + numbers, top + 30, width - numbers - 16, 85, ends, up)
        for line, words in enumerate(svg.wrapped(c.metric.title(name), 11, width - 14, 2)):
            page.drawn.append(text(left, top + 10 + 13 * line, words, 11))
        page.drawn += [*plot.grid(9, 3, 4), *_arms(plot, smooth, 0.7)]
        page.drawn.append(text(left + width - 16, top + 140, "iter", 9, "soft", svg.END))
    page.y += 150 * math.ceil(min(len(names), MOST_NUMBERS) / columns)
    if rest := names[MOST_NUMBERS:]:
        page.write(f"also reported: {', '.join(map(c.metric.title, rest))}")


def _differs(runs: Runs) -> bool:
    """True if the arms have other values of a number in the runs of one seed."""
    base, modified = (runs[arm] for arm in ARMS)
    pairs = [
        (point[1], other[1])
        for seed in base.keys() & modified.keys()
        for point, other in zip(base[seed], modified[seed], strict=False)
        if math.isfinite(point[1]) and math.isfinite(other[1])
    ]
    if pairs:
        return any(point != other for point, other in pairs)
    return bool(_finite(points for _, points in _lines(runs)))


# ── points


def _runs_by_name(curves: Curves) -> dict[str, Runs]:
    """Every number's points."""
    names = {name for each in curves.values() for run in each.values() for name in run if run[name]}
    return {
        name: {
            arm: {
                seed: list(run[name])
                for seed, run in sorted(curves.get(arm, {}).items())
                if run.get(name)
            }
            for arm in ARMS
        }
        for name in names
    }


def _lines(runs: Runs) -> Iterator[tuple[tuple[str, int], Sequence[Point]]]:
    """Each run's points, by its arm and seed."""
    for arm, each in runs.items():
        for seed, points in each.items():
            yield (arm, seed), points


def _finite(lines: Iterable[Sequence[Point]]) -> list[float]:
    return [value for points in lines for _, value in points if math.isfinite(value)]


def _thinned(points: Sequence[Point]) -> list[Point]:
    """About MOST_POINTS of the points at most, the last one among them."""
    step = math.ceil(len(points) / MOST_POINTS)
    return [*points[:-1:step], points[-1]]


def _smoothed(runs: Runs) -> Runs:
    """A running mean over about a fiftieth of each curve: single training batches jump too much to
    compare."""
    return {arm: {seed: _smooth(p) for seed, p in each.items()} for arm, each in runs.items()}


def _smooth(points: Sequence[Point]) -> list[Point]:
    half, out = len(points) // 100, []
    for i, at in _thinned([(float(n), at) for n, (at, _) in enumerate(points)]):
        near = _finite([points[max(0, int(i) - half) : int(i) + half + 1]])
        out.append((at, statistics.fmean(near) if near else math.nan))
    return out

"""The picture of a comparison: what is drawn, that it is drawn alike each time, and that odd curves
do no harm."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from q1lab.documents.comparison_page import PORTRAIT
from q1lab.ground.errors import Problem
from q1lab.study.command_arms import CommandSpec
from q1lab.verdict import charts, label_text
from q1lab.verdict.charts import draw_comparison, picture_format
from q1lab.verdict.comparison import Comparison
from q1lab.verdict.terminal_text import ARM_COLORS
from tests.kit.comparisons import make
from tests.kit.plans import changed

Curves = dict[str, dict[int, dict[str, list[tuple[float, float]]]]]


BASE: dict[int, float | None] = {0: 1.909, 1: 1.9055, 2: 1.9102}


def make_record(mod: dict[int, float | None], **more: Any) -> Comparison:
    return make(BASE, mod, **more)


def make_curves(change: float = -0.03) -> Curves:
    iters = list(range(0, 401, 10))
    at = list(range(0, 401, 50))

    def curve(where: list[int], offset: float) -> list[tuple[float, float]]:
        return [(i, 1.9 + offset + 2.4 * math.exp(-i / 90)) for i in where]

    return {
        arm: {
            seed: {
                "train_loss": curve(iters, shift + seed * 0.004 - 0.05),
                "val_loss": curve(at, shift + seed * 0.004),
            }
            for seed in range(3)
        }
        for arm, shift in (("baseline", 0.0), ("modified", change))
    }


HELPS: dict[int, float | None] = {0: 1.8804, 1: 1.8760, 2: 1.8791}


@pytest.mark.parametrize("name", ["a.svg", "a.png", "A.PNG"])
def test_the_same_picture_has_the_same_bytes(name: str) -> None:
    form = picture_format(Path(name))
    first = draw_comparison(make_record(HELPS, delta=0.01), make_curves(), form)
    assert draw_comparison(make_record(HELPS, delta=0.01), make_curves(), form) == first
    assert first.startswith(b"<?xml" if form == "svg" else b"\x89PNG")


def test_a_curve_that_ends_elsewhere_than_the_table_says_why() -> None:
    """The curve ended at 1.93 beside a table that said 1.82."""
    usual = make_record(HELPS)
    config = {**usual.study.trainer.hyperparameters, "eval_windows": 64}
    by_windows = replace(usual, study=changed(usual.study, config=config))
    assert (label_text.curve_name(usual), label_text.curve_name(by_windows)) == (
        "val loss",
        "val loss on 64 windows",
    )


LONG = CommandSpec("t.py {args}", {}, "/p", "loss on the questions that nobody saw before " * 2)


@pytest.mark.parametrize("loop", [None, LONG], ids=["q1lab's own", "a long metric"])
def test_no_title_is_cut_where_one_chart_is_above_the_other(loop: CommandSpec | None) -> None:
    """The upper chart began at the lower one's labels, and its title lost its last words."""
    record = make_record(HELPS, **({} if loop is None else {"loop": loop}))
    if loop is None:
        config = {**record.study.trainer.hyperparameters, "eval_windows": 64}
        record = replace(record, study=changed(record.study, config=config))
    curves = {
        arm: {
            seed: {record.metric.key(): points["val_loss"], "train_loss": points["train_loss"]}
            for seed, points in runs.items()
        }
        for arm, runs in make_curves().items()
    }
    with mpl.rc_context({**mpl.rcParamsDefault, **charts.STYLE}):
        figure = Figure(figsize=PORTRAIT, dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        upper, lower = charts._two_axes(figure, stacked=True)
        charts._draw_curves(upper, record, curves)
        charts._draw_forest(lower, record)
        figure.draw_without_rendering()
        assert record.metric.name.split()[0] in upper.get_title("left")
        for axes in (upper, lower):
            assert axes._left_title.get_window_extent().x1 <= figure.bbox.x1
        assert upper.get_position().x0 < lower.get_position().x0


def svg(record: Comparison, curves: Curves) -> str:
    """The SVG's text: matplotlib draws letters as paths, and keeps each string in a comment beside
    its path."""
    text = draw_comparison(record, curves, "svg").decode()
    ElementTree.fromstring(text)  # it is well-formed
    assert "dc:date" not in text
    return text


def test_everything_is_named() -> None:
    text = svg(make_record(HELPS, delta=0.01), make_curves())
    for part in (
        "HELPS: rope − baseline = −0.0297 nats",
        "baseline (3 seeds)",
        "rope (3 seeds)",
        "pair of seed 2",
        "95% interval",
        "95% interval (paired t)",
        "(covers 95% and decides)",
        "95% bootstrap CI",
        "(covers about 7",
        "too small to matter (±0.01)",
        "iter",
        "lower is better",
        "rope − baseline (nats)",
        "left of 0: lower, so better",
    ):
        assert part in text, part
    for color in ARM_COLORS.values():
        assert color in text
    assert "stroke-dasharray" in text, "the arms differ in black and white too"


def test_a_diverged_run_is_marked_and_ends_the_mean() -> None:
    curves = make_curves()
    points = curves["modified"][1]["val_loss"]
    points[4:] = [(i, math.nan) for i, _ in points[4:]]
    text = svg(make_record({**HELPS, 1: None}), curves)
    assert "NO VERDICT: rope against baseline (1 run diverged" in text
    assert "1 diverged: ×" in text
    assert "decides" not in text


@pytest.mark.parametrize(
    "curves",
    [
        {},
        {"baseline": {}, "modified": {}},
        {"baseline": {0: {}}},
        {"baseline": {0: {"val_loss": [(0, 4.2)]}}},
        {"baseline": {0: {"val_loss": [(0, math.nan), (1, math.inf)], "x": [(0, math.nan)]}}},
        {
            "baseline": {0: {"val_loss": [(0, 4.0), (50, 3.0)]}},
            "modified": {
                0: {"val_loss": [(0, 4.0), (50, 3.0), (100, 2.0)], "x": [(7, 1.0)]},
                1: {"val_loss": [(7, 3.9)], "train_loss": [(1, 4.0)]},
            },
        },
    ],
)
def test_unfinished_or_empty_curves(curves: Curves) -> None:
    svg(make_record(HELPS), curves)
    svg(make_record({}), curves)


def test_names_with_dollar_signs_are_no_formulas() -> None:
    text = svg(make_record(HELPS, variant="$x^{$ <b>&"), make_curves())
    assert "$x^{$" in text
    draw_comparison(make_record(HELPS, variant="変圧器"), make_curves(), "png")


def test_many_pairs_share_a_row() -> None:
    base = {seed: 1.9 + 0.001 * (seed * 7 % 5) for seed in range(20)}
    mod = {seed: 1.9 + 0.001 * (seed * 5 % 7) for seed in range(20)}
    text = svg(make(base, mod), make_curves())
    assert "each of 20 pairs" in text
    assert "pair of seed 3" not in text


def test_of_many_numbers_a_dozen_is_drawn_and_the_others_are_named() -> None:
    curves = make_curves()
    for arm, runs in curves.items():
        for run in runs.values():
            run |= {f"number_{n:02}": [(1, n), (2, ord(arm[0]))] for n in range(14)}
            run["the_same"] = [(1, 0.5), (2, 0.25)]
    text = svg(make_record(HELPS), curves)
    titles = re.findall("<!-- (number .*) -->", text)
    assert titles == [f"number {n:02}" for n in range(12)]
    assert "also reported: number 12, number 13" in text
    assert "the same" not in text


def test_a_number_at_every_iter_makes_no_large_picture() -> None:
    curves = make_curves()
    few = len(svg(make_record(HELPS), curves))
    for arm, runs in curves.items():
        for run in runs.values():
            run["noise"] = [(i, i * i % 1009 + ord(arm[0])) for i in range(20_000)]
    assert len(svg(make_record(HELPS), curves)) < few + 200_000


def test_another_suffix_is_refused() -> None:
    with pytest.raises(Problem, match=r"\.svg or \.png"):
        picture_format(Path("a.pdf"))

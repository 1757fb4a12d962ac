"""The picture of a comparison: what is drawn, that it is drawn alike each time, and that odd curves
do no harm."""

from __future__ import annotations

import functools
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import resvg_py

from q1lab.compare.comparison import Comparison, setting_of
from q1lab.ground.errors import Problem
from q1lab.judgment import arrange, svg
from q1lab.judgment.intervals import Interval
from q1lab.judgment.layout import ARM_COLORS
from q1lab.judgment.picture import draw_comparison, picture_format
from q1lab.judgment.svg import text_width
from tests.kit.comparisons import make
from tests.kit.document_records import PREDICTION
from tests.kit.fonts import needs_font
from tests.kit.plans import changed

Curves = dict[str, dict[int, dict[str, list[tuple[float, float]]]]]
SVG = "{http://www.w3.org/2000/svg}"

BASE: dict[int, float | None] = {0: 1.909, 1: 1.9055, 2: 1.9102}
HELPS: dict[int, float | None] = {0: 1.8804, 1: 1.8760, 2: 1.8791}


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


@pytest.mark.parametrize(
    "name",
    ["a.svg", pytest.param("a.png", marks=needs_font), pytest.param("A.PNG", marks=needs_font)],
)
def test_the_same_picture_has_the_same_bytes(name: str) -> None:
    form = picture_format(Path(name))
    first = draw_comparison(make_record(HELPS, delta=0.01), make_curves(), form)
    assert draw_comparison(make_record(HELPS, delta=0.01), make_curves(), form) == first
    assert first.startswith(b"<svg" if form == "svg" else b"\x89PNG")


def test_a_curve_that_ends_elsewhere_than_the_table_says_why() -> None:
    """The curve ended at 1.93 beside a table that said 1.82."""
    usual = make_record(HELPS)
    config = {**usual.study.trainer.config, "eval_windows": 64}
    study = changed(usual.study, config=config)
    by_windows = replace(usual, setting=setting_of(study))
    assert (arrange.curve_name(usual), arrange.curve_name(by_windows)) == (
        "val loss",
        "val loss on 64 windows",
    )


def drawn(record: Comparison, curves: Curves, **how: Any) -> ElementTree.Element:
    """The picture, which is well-formed; nothing in it lies outside of it."""
    root = ElementTree.fromstring(draw_comparison(record, curves, "svg", **how))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for text in root.iter(f"{SVG}text"):
        size, x = float(text.attrib["font-size"]), float(text.attrib["x"])
        assert 0 < float(text.attrib["y"]) <= height - size / 3
        room = {"end": x, "middle": 2 * min(x, width - x)}.get(
            text.attrib.get("text-anchor", ""), width - x
        )
        assert text_width(text.text or "", size) <= room + 0.1, text.text
    for path in root.iter(f"{SVG}path"):
        for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path.attrib["d"]):
            assert 0 <= float(x) <= width, path.attrib
            assert 0 <= float(y) <= height, path.attrib
    return root


def words(root: ElementTree.Element) -> str:
    """Everything that is read in a picture."""
    return "\n".join(text.text or "" for text in root.iter(f"{SVG}text"))


def paths(root: ElementTree.Element, **attributes: str) -> list[str]:
    """The shapes that have these attributes (``_`` for ``-``), by their path commands."""
    wanted = {name.replace("_", "-").strip("-"): value for name, value in attributes.items()}
    return [
        path.attrib["d"]
        for path in root.iter(f"{SVG}path")
        if wanted.items() <= path.attrib.items()
    ]


def test_everything_is_named() -> None:
    record = make_record(HELPS, delta=0.01, floor=Interval(-0.008, 0.008), prediction=PREDICTION)
    text = words(drawn(record, make_curves()))
    for part in (
        "HELPS: rope − baseline = −0.0297 nats",
        "val loss: each seed, mean, range; faint: training",
        "baseline (3 seeds)",
        "rope (3 seeds)",
        "val loss (nats; lower is better)",
        "iter",
        "pair of seed 2",
        "−0.0311",
        "95% interval (paired t)",
        "decides",
        "−0.0329 to −0.0266",
        "95% bootstrap CI",
        "covers about 7",
        "baseline against itself",
        "−0.0080 to +0.0080",
        "prediction",
        "too small to matter",
        "±0.01",
        "rope − baseline (nats)",
        "left of 0: lower, so better",
    ):
        assert part in text, part


def test_the_arms_differ_by_color_and_without_it() -> None:
    root = drawn(make_record(HELPS), make_curves())
    style = root.findtext(f"{SVG}style") or ""
    for arm, color in ARM_COLORS.items():
        assert f".q1-{arm}{{color:{color}}}" in style
    means = {"stroke_width": "2"}
    assert len(paths(root, class_="q1-baseline", **means)) == 2, "the curve, and its key"
    assert paths(root, class_="q1-baseline", stroke_dasharray="7 3") == []
    assert len(paths(root, class_="q1-modified", stroke_dasharray="7 3", **means)) == 2
    assert len(paths(root, class_="q1-modified", fill_opacity="0.18")) == 2, (
        "the band, and enlarged"
    )


def test_every_color_of_a_light_page_has_one_of_a_dark_page() -> None:
    light, dark = (drawn(make_record(HELPS), {}).findtext(f"{SVG}style") or "").split("@media")
    assert "prefers-color-scheme: dark" in dark
    roles = re.findall(r"\.(q1-\w+)\{", light)
    assert roles == re.findall(r"\.(q1-\w+)\{", dark)
    used = {
        shape.attrib["class"]
        for shape in drawn(make_record(HELPS), make_curves())
        if "class" in shape.attrib
    }
    assert used <= set(roles)


def test_an_interval_lies_where_its_numbers_are() -> None:
    """The ends of the headline interval, on the axis that its tick labels make."""
    root = drawn(make_record(HELPS), {})
    ticks = {
        float((text.text or "").replace("−", "-")): float(text.attrib["x"])
        for text in root.iter(f"{SVG}text")
        if text.attrib.get("text-anchor") == "middle"
    }
    low, high = min(ticks), max(ticks)
    per_unit = (ticks[high] - ticks[low]) / (high - low)
    (line,) = paths(root, stroke_width="2.6")
    start, end = (float(x) for x in re.findall(r"[MH]([\d.]+)", line))
    ends = make_record(HELPS).analysis.ends
    assert ends is not None
    assert start == pytest.approx(ticks[low] + per_unit * (ends.low - low), abs=0.2)
    assert end == pytest.approx(ticks[low] + per_unit * (ends.high - low), abs=0.2)


def test_a_diverged_run_is_marked_and_ends_the_mean() -> None:
    curves = make_curves()
    points = curves["modified"][1]["val_loss"]
    points[4:] = [(i, math.nan) for i, _ in points[4:]]
    root = drawn(make_record({**HELPS, 1: None}), curves)
    text = words(root)
    assert "NO VERDICT: rope against baseline (1 run diverged" in text
    assert "rope (3 seeds, 1 diverged: ×)" in text
    assert "decides" not in text
    _, mean, *_ = paths(root, class_="q1-modified", stroke_dasharray="7 3", stroke_width="2")
    assert mean.count("L") == 3
    usual = paths(drawn(make_record(HELPS), make_curves()), class_="q1-baseline", stroke_width="2")
    assert usual[1].count("L") == 8


def test_a_run_that_left_the_axis_does_not_flatten_the_others() -> None:
    curves = make_curves()
    usual = words(drawn(make_record(HELPS), curves))
    curves["modified"][1]["val_loss"][5:] = [(250, 1e30), (300, math.inf)]
    text = words(drawn(make_record({**HELPS, 1: None}), curves))
    assert "3.5" in usual.splitlines()
    assert "3.5" in text.splitlines()


@pytest.mark.parametrize(
    "curves",
    [
        {},
        {"baseline": {}, "modified": {}},
        {"baseline": {0: {}}},
        {"baseline": {0: {"val_loss": [(0, 4.2)]}}},
        {"baseline": {0: {"train_loss": [(0, 4.2), (1, 4.1)]}}},
        {"baseline": {0: {"val_loss": [(0, math.nan), (1, math.inf)], "x": [(0, math.nan)]}}},
        {"baseline": {0: {"val_loss": [(0, 1e308), (1, -1e308), (2, 1e308)]}}},
        {
            "baseline": {0: {"val_loss": [(0, 4.0), (50, 3.0)]}},
            "modified": {
                0: {"val_loss": [(0, 4.0), (50, 3.0), (100, 2.0)], "x": [(7, 1.0)]},
                1: {"val_loss": [(7, 3.9)], "train_loss": [(1, 4.0)]},
            },
        },
    ],
)
def test_unfinished_empty_or_odd_curves(curves: Curves) -> None:
    assert "HELPS" in words(drawn(make_record(HELPS), curves))
    assert "no seed has finished in both arms" in words(drawn(make_record({}), curves))
    drawn(make({0: 1e308, 1: 1.0, 2: 3.0}, {0: -1e308, 1: 2.0, 2: 3.0}), curves)


def test_names_are_text_and_nothing_else() -> None:
    text = words(drawn(make_record(HELPS, variant="$x^{$ <b>&\x1b[31m]]>\u202e"), make_curves()))
    assert "$x^{$ <b>& − baseline" in text.replace("]]>", "").replace("[31m", "")


@needs_font
def test_a_name_in_letters_that_a_font_may_lack_is_drawn() -> None:
    draw_comparison(make_record(HELPS, variant="変圧器"), make_curves(), "png")


@pytest.mark.parametrize("name", ["a_long_name_" * 16, "回転位置埋め込み" * 16])
@pytest.mark.parametrize("width", [480, 660])
def test_long_names_are_cut_and_the_difference_is_not(name: str, width: int) -> None:
    record = make_record(HELPS, variant=name, baseline=f"b{name}")
    text = words(drawn(record, make_curves(), width=width))
    assert "= −0.0297 nats" in text.replace("\n", " ")
    assert text.count("(3 seeds)") == 2
    assert "…" in text


def test_many_pairs_share_a_row() -> None:
    base = {seed: 1.9 + 0.001 * (seed * 7 % 5) for seed in range(20)}
    mod = {seed: 1.9 + 0.001 * (seed * 5 % 7) for seed in range(20)}
    text = words(drawn(make(base, mod), make_curves()))
    assert "each of 20 pairs" in text
    assert "pair of seed 3" not in text


def test_of_many_numbers_a_dozen_is_drawn_and_the_others_are_named() -> None:
    curves = make_curves()
    for arm, runs in curves.items():
        for run in runs.values():
            run |= {f"number_{n:02}": [(1, n), (2, ord(arm[0]))] for n in range(14)}
            run["the_same"] = [(1, 0.5), (2, 0.25)]
            run["a_long_name " * 9] = [(1, 0.5), (2, ord(arm[0]))]
    text = words(drawn(make_record(HELPS), curves))
    assert re.findall("^number .*$", text, re.MULTILINE) == [f"number {n:02}" for n in range(11)]
    assert "also reported: number 11, number 12, number 13" in text
    titles = [line for line in text.splitlines() if "a long name" in line]
    assert len(titles) == 2, "the third line of a title would lie in its chart"
    assert "the same" not in text


def test_a_number_at_every_iter_makes_no_large_picture() -> None:
    curves = make_curves()
    few = len(draw_comparison(make_record(HELPS), curves, "svg"))
    for arm, runs in curves.items():
        for run in runs.values():
            run["noise"] = [(i, i * i % 1009 + ord(arm[0])) for i in range(20_000)]
            run["val_loss"] = [(i, 2 + i % 7) for i in range(20_000)]
    assert len(draw_comparison(make_record(HELPS), curves, "svg")) < few + 100_000


def test_another_suffix_is_refused() -> None:
    with pytest.raises(Problem, match=r"\.svg or \.png"):
        picture_format(Path("a.pdf"))


def test_without_what_draws_a_png_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(Problem, match=r"resvg-py, which can't be loaded") as found:
        draw_comparison(make_record(HELPS), {}, "png")
    assert ".svg" in (found.value.next or "")
    draw_comparison(make_record(HELPS), {}, "svg")


def test_where_no_font_is_a_png_is_refused_for_its_missing_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_fonts = functools.partial(resvg_py.svg_to_bytes, skip_system_fonts=True)
    monkeypatch.setattr(resvg_py, "svg_to_bytes", without_fonts)
    with pytest.raises(Problem, match="this machine has no sans-serif font"):
        draw_comparison(make_record(HELPS), {}, "png")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.0329, 0.001, ["−0.03", "−0.02", "−0.01", "0.00"]),
        (0, 400, ["0", "100", "200", "300", "400"]),
        (1.88, 1.962, ["1.88", "1.90", "1.92", "1.94", "1.96"]),
        (0, 2.1e13, ["0", "5e12", "1e13", "1.5e13", "2e13"]),
        (0, 3e-5, ["0", "5e−6", "1e−5", "1.5e−5", "2e−5", "2.5e−5", "3e−5"]),
        (1.23e7, 1.23e7 + 40, ["12300000", "12300010", "12300020", "12300030", "12300040"]),
    ],
)
def test_an_axis_has_round_numbers(low: float, high: float, words: list[str]) -> None:
    assert [text for _, text in svg.ticks(low, high, 6)] == words

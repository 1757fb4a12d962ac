"""The lab's pure parts: sparkline, canvas of lines, chart data, figures, words, diff, log tail."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from textual.app import App, ComposeResult

from q1lab.app import theme
from q1lab.app.study_in_focus import StudyInFocus
from q1lab.app.widgets.chart_data import ArmCurves, chart_data, mean_curve
from q1lab.app.widgets.line_canvas import Canvas
from q1lab.app.widgets.loss_chart import LossChart, _even_labels, drawn_seeds
from q1lab.app.widgets.run_grid import RunGrid
from q1lab.app.widgets.sparkline import BARS, GAP, common_range, sparkline, value_range
from q1lab.app.widgets.study_text import study_heading
from q1lab.app.widgets.theme_colors import Palette
from q1lab.commands import live_grid
from q1lab.compare import progress_figure
from q1lab.ground.log_tail import LogTail
from q1lab.journal.study_view import RunView, StudyView, fault_lines, study_row
from q1lab.judgment import arrange
from q1lab.judgment.blocks import Bar, Figure
from q1lab.judgment.character_axis import CharacterAxis
from q1lab.judgment.intervals import Interval
from q1lab.judgment.judgment import Found
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.run_states import RunState
from q1lab.judgment.terminal_figure import figure_pieces
from q1lab.study.studies import ARMS, Study
from q1lab.study.trainer import SEED_OFFSET
from tests.kit.comparisons import make
from tests.kit.lab_home import make_study
from tests.kit.plans import changed

COLORS = Palette(
    "#0000ff",
    "#ff8000",
    "#00ff00",
    "#ff0000",
    "#ffff00",
    "#ffffff",
    "#999999",
    "#000000",
    "#ff00ff",
)


class Themed(App[None]):
    """An app with q1lab's colors and nothing else."""

    def on_mount(self) -> None:
        self.register_theme(theme.DARK)
        self.theme = theme.DARK.name


def run(
    arm: str = "modified", seed: int = 0, state: RunState = RunState.FINISHED, **changes: object
) -> RunView:
    values: dict[str, object] = {
        "name": f"{arm}-seed{seed}",
        "arm": arm,
        "variant": "rope" if arm == "modified" else "baseline",
        "seed": seed,
        "state": state,
        "attempt": 1,
        "iter": 100,
        "max_iters": 100,
        "train_loss": 2.0,
        "eval_loss": 1.95,
        "val_loss": 1.9 if state is RunState.FINISHED else None,
        "tokens_per_s": 20_000.0,
        "seconds": 10.0,
        "message": None,
    }
    points = {name: changes.pop(name, ()) for name in ("train", "val")}
    curves = {"train_loss": points["train"], "val_loss": points["val"], "val/bpb": points["val"]}
    return RunView(**{**values, "curves": curves, **changes})  # type: ignore[arg-type]


VAL = ((50, 3.0), (100, 1.9))


# ── sparkline


def test_losses_that_are_no_numbers_are_dots() -> None:
    line = sparkline([(0, 3.0), (50, None), (99, math.nan)], 4, 100, 2.0, 3.0)
    assert line[0] == BARS[-1]
    assert line[2:] == GAP * 2


@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.none() | st.floats()),
        max_size=30,
        unique_by=lambda p: p[0],
    ),
    st.integers(0, 40),
    st.integers(-1, 10_000),
)
@settings(deadline=None)
def test_a_sparkline_always_has_its_width(
    points: list[tuple[int, float | None]], width: int, last: int
) -> None:
    points = sorted(points, key=lambda point: point[0])
    assert len(sparkline(points, width, last, *common_range([value_range(points)]))) == width


# ── canvas and chart data


def text_of(canvas: Canvas) -> list[str]:
    return ["".join(piece.text for piece in row) for row in canvas.rows()]


LINES = st.lists(
    st.tuples(st.integers(0, 39), st.integers(0, 31)), min_size=2, unique_by=lambda dot: dot[0]
).map(sorted)


def dots_in(canvas: Canvas) -> set[tuple[int, int]]:
    """The (column, row) of each dot."""
    return {
        (2 * column + (bit in (3, 4, 5, 7)), 4 * row + (0, 1, 2, 0, 1, 2, 3, 3)[bit])
        for row, line in enumerate(text_of(canvas))
        for column, cell in enumerate(line)
        for bit in range(8)
        if 0x2800 <= ord(cell) <= 0x28FF and ord(cell) >> bit & 1
    }


@given(LINES, st.integers(1, 2))
@settings(deadline=None)
def test_a_line_has_no_gap(line: list[tuple[int, int]], thickness: int) -> None:
    """Each column has its dots without a hole, and they touch those of the next."""
    canvas = Canvas(20, 9)
    canvas.main(line, 0, thickness)
    dots = dots_in(canvas)
    assert set(line) <= dots
    for x in range(line[0][0], line[-1][0]):
        here, there = ({y for at, y in dots if at == each} for each in (x, x + 1))
        assert max(here) - min(here) == len(here) - 1, f"a hole in column {x}"
        assert min(abs(a - b) for a in here for b in there) <= 1, f"a gap after column {x}"


@given(LINES, LINES)
@settings(deadline=None)
def test_arms_never_mix_in_a_cell(
    first: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    alone = [Canvas(20, 9), Canvas(20, 9)]
    both = Canvas(20, 9)
    for pen, line in enumerate((first, other)):
        alone[pen].main(line, pen, 1)
        both.main(line, pen, 1)
    cells = [[(cell, piece.pen) for piece in row for cell in piece.text] for row in both.rows()]
    for row, line in enumerate(cells):
        for column, (cell, pen) in enumerate(line):
            if cell != " ":
                assert cell == text_of(alone[pen])[row][column], "one color, two arms' dots"


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50))
@settings(deadline=None)
def test_lines_outside_are_cut(x0: int, y0: int, x1: int, y1: int) -> None:
    canvas = Canvas(5, 3)
    canvas.thin(sorted([(x0, y0), (x1, y1)]), pen=0)
    canvas.main(sorted([(x0, y0), (x1, y1)]), 1, 2)
    canvas.main([(x0, y0)], 1, 1)
    canvas.write(x0, y0, "1.9", 0)
    assert [cell_len(row) for row in text_of(canvas)] == [5, 5, 5]


def test_the_mean_is_over_finished_seeds_as_soon_as_there_is_one() -> None:
    done = run(seed=0, val=((0, 4.0), (50, 2.0), (100, 1.9)))
    under_way = run(seed=1, state=RunState.RUNNING, val=((0, 8.0), (50, 6.0)))
    (arm,) = chart_data([done, under_way], VAL_LOSS).arms
    assert (arm.n, arm.mean) == (1, ((0, 4.0), (50, 2.0), (100, 1.9)))
    assert len(arm.seeds) == 2
    (arm,) = chart_data(
        [under_way, run(seed=2, state=RunState.RUNNING, val=((0, 4.0),))], VAL_LOSS
    ).arms
    assert (arm.n, arm.mean) == (2, ((0, 6.0),))


def test_the_training_loss_stands_in_until_two_evaluations_make_a_line() -> None:
    """The chart said "no loss yet" for half of a study, then showed six specks."""
    train = ((1, 4.2), (10, 3.0))
    begun = [
        run(state=RunState.RUNNING, val_loss=None, train=train, val=val) for val in ((), VAL[:1])
    ]
    for runs in (begun[:1], begun):
        data = chart_data(runs, Metric("val/bpb", "", "lower"))
        assert (data.name, data.other_metric) == ("train loss", "val/bpb")
        assert data.arms[0].seeds == (train,) * len(runs)
    whole = run(state=RunState.RUNNING, val_loss=None, train=train, val=VAL)
    ended = run(train=train, iter=100, val=((100, 1.9),))
    alone = run(state=RunState.RUNNING, val_loss=None, val=VAL[:1])
    for runs in ([*begun, whole], [ended], [alone]):
        data = chart_data(runs, VAL_LOSS)
        assert (data.name, data.other_metric) == ("val loss", "")
    assert chart_data(begun, VAL_LOSS, "train_loss").other_metric == ""


async def test_a_command_that_reports_its_metric_has_a_curve_of_it() -> None:
    """Of a command that said its training loss once, the lab drew a solid bar."""
    runs = (run(train=((1, 4.2),), val=VAL), run(seed=1, val=VAL))

    class Alone(Themed):
        def compose(self) -> ComposeResult:
            yield RunGrid()

    app, study = Alone(), make_study()
    async with app.run_test(size=(80, 12)) as pilot:
        app.query_one(RunGrid).show(StudyView(study, study_row(study, runs), runs))
        await pilot.pause()
        shown = [strip.text for strip in app.screen._compositor.render_strips()][1:3]
        assert all(BARS[-1] in line and BARS[0] in line for line in shown)


async def test_the_grid_shows_the_seeds_that_the_runs_are_drawn_with() -> None:
    """Of a baseline against itself no two runs share a seed, and both rows said 0."""

    class Alone(Themed):
        def compose(self) -> ComposeResult:
            yield RunGrid()

    app, runs = Alone(), (run("baseline"), run())
    study = make_study()
    shifted = replace(study.trainer, seed_shift={"modified": SEED_OFFSET})
    study = replace(study, trainer=shifted)
    async with app.run_test(size=(80, 12)) as pilot:
        app.query_one(RunGrid).show(StudyView(study, study_row(study, runs), runs))
        await pilot.pause()
        rows = [strip.text.split() for strip in app.screen._compositor.render_strips()[1:3]]
        assert [row[1] for row in rows] == ["0", str(SEED_OFFSET)]
    broken = tuple(replace(each, why=("the loss is not finite",)) for each in runs)
    view = StudyView(study, study_row(study, broken), broken)
    assert f"rope seed {SEED_OFFSET}: " in "".join(fault_lines(view, most=2)).replace(", ", ": ")
    out = io.StringIO()
    grid = live_grid.runs_grid(view, {each.name: (2.0, 1.9) for each in runs}, "", 100)
    Console(file=out, width=100).print(grid)
    assert str(SEED_OFFSET) in out.getvalue()


async def test_a_point_without_a_line_can_be_seen() -> None:
    class Alone(Themed):
        def compose(self) -> ComposeResult:
            yield LossChart()

    app = Alone()
    async with app.run_test(size=(60, 12)):
        chart = app.query_one(LossChart)
        for runs, count in (([run(val=((100, 1.9),))], 1), ([run(val=VAL, iter=100)], 0)):
            chart.data = chart_data(runs, VAL_LOSS)
            assert "\n".join(line.plain for line in chart._draw(COLORS)).count("●") == count
        begun = run(state=RunState.RUNNING, val_loss=None, train=((1, 4.2), (9, 3.0)))
        chart.data = chart_data([begun], Metric("val/bpb", "", "lower"))
        lines = [line.plain for line in chart._draw(COLORS)]
        assert ("val/bpb" in lines[1], len(lines)) == (True, 12)


def test_the_exact_loss_at_the_end_closes_a_val_curve() -> None:
    (arm,) = chart_data([run(val=((50, 2.0),), iter=100, val_loss=1.9)], VAL_LOSS).arms
    assert arm.mean == ((50, 2.0), (100, 1.9))
    (arm,) = chart_data([run(val=((50, 2.0), (100, 1.95)), iter=100, val_loss=1.9)], VAL_LOSS).arms
    assert arm.mean == ((50, 2.0), (100, 1.9)), "as the table and the verdict have it"


def test_a_mean_only_stands_where_every_seed_has_a_point() -> None:
    group = [((0, 1.0), (10, 3.0), (20, 5.0)), ((0, 3.0), (20, 7.0))]
    assert mean_curve(group) == ((0, 2.0), (20, 6.0))
    assert mean_curve([]) == ()


@pytest.mark.parametrize("rows", [4, 6, 10, 12, 25])
@given(low=st.floats(-1e3, 1e3), span=st.floats(0.01, 100))
@settings(deadline=None)
def test_the_axis_of_a_chart_has_several_numbers(rows: int, low: float, span: float) -> None:
    new_low, new_high, labels = _even_labels(low, low + span, rows)
    assert len(labels) >= 2
    assert new_low - 1e-6 * span <= min(low, labels[0])
    assert new_high + 1e-6 * span >= max(low + span, labels[-1])
    waste = (new_high - new_low) / span - 1
    assert waste <= (0.34 if rows >= 10 else 0.51), "the curves use the chart"


def drawn(chart: LossChart, runs: list[RunView]) -> list[str]:
    chart.data = chart_data(runs, VAL_LOSS)
    return [line.plain for line in chart._draw(COLORS)]


LONG: dict[str, object] = {"iter": 2000, "max_iters": 2000}


class AloneChart(Themed):
    def compose(self) -> ComposeResult:
        yield LossChart()


async def test_values_far_above_the_chart_cost_no_time() -> None:
    """A step of a billion rows is drawn as the rows that are seen."""
    app = AloneChart()
    async with app.run_test(size=(46, 12)):
        chart = app.query_one(LossChart)
        runs = [
            run(seed=seed, val=((45, 1e13 * (seed + 1)), (50, 2.0), (100, 1.9 + seed / 10)))
            for seed in range(3)
        ]
        lines = drawn(chart, runs)
        assert len(lines) == 12


# ── figures


@given(st.floats(-5, 5), st.floats(0.0001, 5), st.integers(28, 200))
@settings(deadline=None)
def test_the_axis_of_a_figure_has_three_numbers(middle: float, half: float, columns: int) -> None:
    """At 80 columns it had −0.1 and 0, and no reader could tell the ends of an interval."""
    axis = CharacterAxis.around((middle - half, middle + half), columns)
    row = axis.ticks()
    assert len(row) == columns
    assert len(row.split()) >= 3, f"an axis from {axis.low:g} to {axis.high:g} says: {row!r}"


def told(study: Study, runs: Sequence[RunView]) -> str:
    """What the app says of a study that goes on, in one line."""
    return " ".join(" ".join(plain_lines(progress_figure.progress_lines(study, runs, 60))).split())


def test_no_line_moves_when_a_pair_finishes() -> None:
    study, runs = make_study(), [run(arm, seed) for seed in range(3) for arm in ARMS]
    seen = []
    for done in range(3):
        now = [
            replace(each, state=RunState.FINISHED, val_loss=1.9) if each.seed < done else each
            for each in runs
        ]
        seen.append(plain_lines(progress_figure.progress_lines(study, now, 33)))
    before, first, second = seen
    assert [line.replace("0 of 3", "1 of 3") for line in before] == first[: len(before)]
    assert len(first) == len(second) <= 13, "all of it beside the chart at 80 columns, 24 lines"


BASE = {9: 1.909, 10: 1.9055, 11: 1.9102}
FOUND = make(
    BASE,
    {9: 1.897, 10: 1.9001, 11: 1.8951},
    delta=0.01,
    floor=Interval(-0.008, 0.008),
    found=Found(unchecked=True),
)


def test_of_many_seeds_some_are_drawn() -> None:
    for n, n_bars in ((1, 1), (3, 3), (24, 24), (25, 13), (500, 24)):
        seeds = tuple(((0, 4.0), (100, 2.0 + k)) for k in range(n))
        arm = ArmCurves("modified", "rope", seeds, (), n)
        assert len(drawn_seeds(arm)) == n_bars
        assert drawn_seeds(arm)[0] == seeds[0]


def test_the_declared_interval_is_the_one_shown() -> None:
    plot = arrange.figure(FOUND)
    bars = {bar.kind: bar for bar in plot.bars}
    assert list(bars) == ["interval", "bootstrap", "pairs", "floor", "delta"]
    assert [part.label for part in bars["pairs"].parts] == [
        f"pair of seed {seed}" for seed in (9, 10, 11)
    ]
    assert FOUND.analysis.paired is not None
    assert bars["interval"].low == FOUND.analysis.paired.low
    assert bars["bootstrap"].note == "covers about 75%, not 95%"
    welch = make(BASE, {9: 1.897, 10: 1.9001, 11: 1.8951}, "welch")
    assert welch.analysis.welch is not None
    assert arrange.figure(welch).bars[0].low == welch.analysis.welch.low


def test_wide_characters_are_broken_and_cut_by_their_cells() -> None:
    name = "日本語で書かれたとても長い名前のモデル"
    study = make_study()
    arms = study.to_dict()["arms"]
    arms["modified"]["variant"] = name
    study = changed(study, arms=arms)
    runs = [run("baseline", val_loss=1.9), run(val_loss=1.8)]
    assert told(study, runs).startswith("日本語で書かれた… − baseline")
    figure = Figure((Bar("interval", name, "", -0.1, 0.1, (0.0,)),), name)
    for width in (31, 80):
        shown = [*progress_figure.progress_lines(study, runs, width), *figure_pieces(figure, width)]
        lines = plain_lines(shown)
        assert max(map(cell_len, lines)) <= width
    view = StudyInFocus(study, study_row(study, ()), ())
    assert study_heading(view, 80, COLORS).plain.startswith(" 日本語で書かれたとても… against ")


async def test_no_number_of_a_run_is_cut() -> None:
    """Seeds that q1lab draws have nine digits or ten."""
    drawn = RunGrid()
    study = make_study(seeds=(0, 4_023_737_113))
    runs = tuple(
        run(planned.arm, planned.seed, iter=1_000_000, max_iters=1_000_000)
        for planned in study.runs
    )

    class Host(Themed):
        def compose(self) -> ComposeResult:
            yield drawn

    async with Host().run_test(size=(80, 12)) as pilot:
        drawn.show(StudyView(study, study_row(study, runs), runs))
        await pilot.pause()
        lines = [strip.text for strip in drawn.app.screen._compositor.render_strips()]
        assert sum("4023737113" in line and "1000000" in line for line in lines) == 2


def test_a_diverged_study_has_no_mean_and_still_draws() -> None:
    record = make(BASE, {9: 1.9, 10: None, 11: 1.91})
    lines = plain_lines(progress_figure.figure_lines(record, 40))
    assert any("each of 2 pairs" in line for line in lines)


@given(
    st.integers(24, 130),
    st.lists(st.floats(-5, 5), min_size=1, max_size=14),
    st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)).map(sorted),
)
@example(24, [-4.0], [0.0625, 0.0625])
@example(80, [-4.0], [-math.inf, math.inf])
@example(31, [0.0], [1e-300, 2e-300])
@settings(deadline=None)
def test_a_figure_never_leaves_its_width(
    width: int, points: list[float], ends: list[float]
) -> None:
    parts = tuple(Bar("pairs", f"pair of seed {10**k}", points=(v,)) for k, v in enumerate(points))
    note = "it decides, and this is long " * 3
    low, high = ends
    pairs = Bar("pairs", "pairs", points=tuple(points), parts=parts)
    told = ("[−0.0123", "+0.0123]")
    interval = Bar("interval", "95% interval (paired t)", note, low, high, (points[0],), told)
    plot = Figure((pairs, interval), "difference in nats; lower is better").one_by_one()
    lines = plain_lines(figure_pieces(plot, width))
    assert max(map(cell_len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "95% interval (paired t)" in text, "a label is never cut"
    assert "lower is better" in text


# ── words, diff, tail


@pytest.mark.parametrize("width", [120, 80, 50])
def test_the_heading_says_why_a_study_no_longer_trains(home: Path, width: int) -> None:
    study, reason = make_study(seeds=(0, 1)), "ended by Slurm's time limit of 1 min"
    runs = tuple(
        replace(run(planned.arm, planned.seed, RunState.STOPPED), message=reason)
        for planned in study.runs
    )

    def heading(runs: tuple[RunView, ...]) -> str:
        shown = study_heading(StudyInFocus(study, study_row(study, runs), runs), width, COLORS)
        assert shown.cell_len <= width
        return shown.plain.rstrip()

    shown = heading(runs)
    assert shown.endswith(" · 0 of 4 done")
    assert (reason in shown, "ended by" in shown) == (width == 120, width >= 80)
    by_hand = replace(runs[0], message="stopped; the same command goes on")
    assert heading((by_hand, *runs[1:])).endswith("stopped · 0 of 4 done")


def test_a_tail_follows_whole_and_safely(tmp_path: Path) -> None:
    file = tmp_path / "run.log"
    tail = LogTail(file, cap=100)
    assert tail.read_new() == ("", False)
    file.write_bytes(b"one \x1b[31mred\x1b[0m\r\ntw")
    assert tail.read_new() == ("one red\ntw", False)
    with file.open("ab") as out:
        out.write("o é"[:3].encode() + b"\xc3")  # a character torn in the middle
    assert tail.read_new() == ("o é", False)
    with file.open("ab") as out:
        out.write(b"\xa9\n")
    assert tail.read_new() == ("é\n", False)
    file.write_text("new\n")
    assert tail.read_new() == ("new\n", True)


def test_a_tail_reads_no_more_than_its_cap(tmp_path: Path) -> None:
    file = tmp_path / "run.log"
    file.write_text("".join(f"line {k}\n" for k in range(1000)))
    tail = LogTail(file, cap=64)
    text, anew = tail.read_new()
    assert anew
    assert text.startswith("line ")
    assert text.endswith("line 999\n")
    assert len(text) <= 64
    assert tail.skipped > 8000

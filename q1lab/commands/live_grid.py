"""The table of a study's runs at a terminal, a row per run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from q1lab.commands.run_lines import ARM_STYLE
from q1lab.ground.config import load_settings
from q1lab.ground.errors import Problem
from q1lab.ground.text_formats import bar_characters, duration, token_rate
from q1lab.journal.store import Store
from q1lab.journal.study_view import RunView, StudyView, sparkline_points
from q1lab.judgment.run_states import STATE_SYMBOLS, RunState
from q1lab.train.machine import gpus

STATE_STYLE = {
    RunState.FINISHED: "green",
    RunState.RUNNING: "bold",
    RunState.FAILED: "red",
    RunState.CRASHED: "red",
    RunState.DIVERGED: "red",
    RunState.STOPPED: "yellow",
    RunState.QUEUED: "dim",
}
LINES_AROUND = 4
"""Lines of the terminal that aren't rows: the heading, the foot, and the prompt."""


def show_grid(store: Store, views: Iterable[tuple[StudyView, bool]], hint: str) -> StudyView:
    """Show the table until the last of the ``views``, each with True while a process of the study
    is alive. Returns that last view."""
    console = Console()
    waited = False
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for view, alive in views:
            shown = runs_that_fit(view.runs, console.height - LINES_AROUND)
            sparks = {run.name: sparkline_points(store, run) for run in shown}
            picture = runs_grid(view, sparks, hint if alive else "", console.width)
            live.update(picture, refresh=True)
            waited = waited or alive
    if waited:
        ring_bell()
    return view


def ring_bell() -> None:
    """Ring the terminal's bell, unless ``bell`` is off."""
    with contextlib.suppress(Problem):
        if load_settings().bell:
            sys.stdout.write("\a")
            sys.stdout.flush()


def runs_grid(
    view: StudyView, sparks: Mapping[str, tuple[float, ...]], hint: str, width: int
) -> RenderableType:
    """The table of a study's runs: state, sparkline of the loss, iter, val loss, tokens/s, time
    left. It has a row for each run in ``sparks``, and fits ``width`` columns."""
    metric = view.study.metric
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    titles = ["arm", "seed", "state", "loss", "iter", metric.name, "tok/s", "left"]
    shows_pace = width >= 70
    for title in titles if shows_pace else [*titles[:-2], titles[-1]]:
        is_text = title in ("arm", "state", "loss")
        table.add_column(title, justify="left" if is_text else "right", no_wrap=True)
    low, high = _common_scale(sparks.values())
    for run in view.runs:
        if run.name not in sparks:
            continue
        val = metric.written(run.val_loss) if run.val_loss is not None else ""
        if not val and run.eval_loss is not None:
            val = f"{metric.written(run.eval_loss, 2)}…"
        cells = [
            Text(run.variant, style=ARM_STYLE[run.arm]),
            Text(str(view.study.trainer.drawn_seed(run.arm, run.seed))),
            Text(state_text(run), style=STATE_STYLE[run.state]),
            Text(
                bar_characters(sparks[run.name], low, high).ljust(24 if width >= 90 else 12),
                style=ARM_STYLE[run.arm],
            ),
            Text(str(run.iter) if run.attempt else ""),
            Text(val),
        ]
        if shows_pace:
            cells.append(Text(token_rate(run.tokens_per_s)))
        cells.append(Text(duration(run.seconds_left)))
        table.add_row(*cells)
    line = view.row
    hidden_runs = len(view.runs) - len(sparks)
    foot = (
        f"{line.done} of {line.total} runs done"
        + (f" · {line.time_left}" if line.time_left else "")
        + gpu_text(view)
        + (f" · {hidden_runs} more runs" if hidden_runs else "")
        + (f" · {hint}" if hint else "")
    )
    return Group(table, Text(foot, style="dim"))


def runs_that_fit(runs: Sequence[RunView], rows: int) -> list[RunView]:
    """The runs that fit into ``rows``, in the order of the plan. Running ones have priority, then
    failed ones, finished ones and queued ones; of each the latest, of queued ones the next."""
    if len(runs) <= rows:
        return list(runs)
    groups: dict[int, list[int]] = {0: [], 1: [], 2: [], 3: []}
    for index, run in enumerate(runs):
        group_by_state = {RunState.RUNNING: 0, RunState.FINISHED: 2, RunState.QUEUED: 3}
        groups[group_by_state.get(run.state, 1)].append(index)
    order = [*groups[0][::-1], *groups[1][::-1], *groups[2][::-1], *groups[3]]
    return [runs[index] for index in sorted(order[: max(1, rows)])]


def state_text(run: RunView) -> str:
    """Symbol and state, padded to ten cells: ``▶ 61%``, ``✓ finished``."""
    word = f"{run.progress:.0%}" if run.state is RunState.RUNNING else str(run.state)
    return f"{STATE_SYMBOLS[run.state]} {word}".ljust(10)


def gpu_text(view: StudyView) -> str:
    """Use and memory of the first GPU, for studies that train on one."""
    if view.study.trainer.device != "cuda" or not view.alive:
        return ""

    cards = gpus()
    if not cards:
        return ""
    return f" · GPU {cards[0].use}%, {cards[0].memory}"


def _common_scale(sparks: Iterable[tuple[float, ...]]) -> tuple[float, float]:
    """The lowest and highest loss of all sparklines, so that they share one scale."""
    values = [value for losses in sparks for value in losses]
    return (min(values), max(values)) if values else (0.0, 0.0)

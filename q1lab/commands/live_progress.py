"""Live progress of a study: a Rich table with a row per run, or plain lines where stdout is not a
terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from q1lab.commands._output import remark
from q1lab.ground.config import load_settings
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, Problem, nearest
from q1lab.ground.files import os_reason
from q1lab.ground.log_tail import LogTail
from q1lab.ground.text_formats import bar_characters, duration, token_rate
from q1lab.journal.store import Store
from q1lab.journal.study_view import RunView, StudyRow, StudyView, read_view, sparkline_points
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import ENDED, STATE_SYMBOLS, RunState
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.train import alerts
from q1lab.train.machine import gpus

if TYPE_CHECKING:
    from rich.console import RenderableType

POLL_SECONDS = 0.25
LINES_AROUND = 4
"""Lines of the terminal that aren't rows: the heading, the foot, and the prompt."""
ARM_STYLE = {"baseline": "blue", "modified": "magenta"}
STATE_STYLE = {
    RunState.FINISHED: "green",
    RunState.RUNNING: "bold",
    RunState.FAILED: "red",
    RunState.CRASHED: "red",
    RunState.DIVERGED: "red",
    RunState.STOPPED: "yellow",
    RunState.QUEUED: "dim",
}


def watch_study(store: Store, study: Study, *, quiet: bool = False, hint: str = "") -> StudyView:
    """Show the study's progress until all of its processes have ended. ``quiet`` only waits. Passes
    KeyboardInterrupt through."""
    if quiet:
        return _wait_quietly(store, study)
    if sys.stdout.isatty():
        return _show_grid(store, study, hint)
    return _print_lines(store, study)


def _wait_quietly(store: Store, study: Study) -> StudyView:
    while _poll(store, study)[1]:
        time.sleep(POLL_SECONDS)
    return read_view(store, study)


def _poll(store: Store, study: Study) -> tuple[StudyView, bool]:
    """The study's view, and True if a process of it is alive. The processes are checked before the
    view is read, so that the view has their last events."""
    alive = is_alive(study.files)
    return read_view(store, study), alive


def _show_grid(store: Store, study: Study, hint: str) -> StudyView:
    from rich.console import Console
    from rich.live import Live

    console, news = Console(), alerts.AlertWatch(study)
    waited = False
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            view, alive = _poll(store, study)
            shown = runs_that_fit(view.runs, console.height - LINES_AROUND)
            sparks = {run.name: sparkline_points(store, run) for run in shown}
            picture = runs_grid(view, sparks, hint if alive else "", console.width)
            live.update(picture, refresh=True)
            if not alive:
                break
            waited = True
            for _ in news.poll():
                ring_bell()
            time.sleep(POLL_SECONDS)
    if waited:
        ring_bell()
    return view


def ring_bell() -> None:
    """Ring the terminal's bell, unless ``bell`` is off."""
    with contextlib.suppress(Problem):
        if load_settings().bell:
            sys.stdout.write("\a")
            sys.stdout.flush()


def _print_lines(store: Store, study: Study) -> StudyView:
    """Print a line when a run starts or ends, and in between at each tenth of its iters, or each
    time its iters have doubled where their number is not known."""
    printed_progress: dict[str, tuple[RunState, int, str | None]] = {}
    while True:
        view, alive = _poll(store, study)
        for run in view.runs:
            place = int(run.progress * 10) if run.max_iters else run.iter.bit_length()
            ending = run.message if run.state is RunState.STOPPED else None
            progress = (run.state, place if run.state is RunState.RUNNING else 0, ending)
            if run.state is RunState.QUEUED and not run.message:
                continue
            if printed_progress.get(run.name) == progress:
                continue
            printed_progress[run.name] = progress
            with_reason = run.state is not RunState.FAILED  # which is told once, at the end
            sys.stdout.write(run_line(run, study.metric, told=with_reason) + "\n")
            sys.stdout.flush()
        if not alive:
            return view
        time.sleep(POLL_SECONDS)


def run_line(run: RunView, metric: Metric, *, told: bool = True) -> str:
    """The progress of one run as a plain line, with the reason for its end if it is to be
    ``told``."""
    head = f"{run.variant} seed {run.seed}: {run.state}"
    if run.state is RunState.RUNNING:
        loss = (
            "" if run.eval_loss is None else f", {metric.name} {metric.written(run.eval_loss, 3)}"
        )
        if run.train_loss is not None and (metric.is_loss or not loss):
            loss = f", loss {metric.written(run.train_loss, 3)}"
        pace = f", {token_rate(run.tokens_per_s)} tok/s" if run.tokens_per_s else ""
        message = f", {run.message}" if run.message else ""
        where = f"{run.iter}/{run.max_iters}" if run.max_iters else f"at iter {run.iter}"
        return f"{head} {where}{loss}{pace}{message}"
    if run.state is RunState.QUEUED:
        return f"{head}{', ' + run.message if run.message else ''}"
    if run.val_loss is not None:
        value = f"{head}, {metric.name} {metric.written(run.val_loss)}, {duration(run.seconds)}"
        return ": ".join((value, *run.why))
    by_hand = run.state is RunState.STOPPED and (run.message or "").startswith("stopped")
    reason = "; ".join(run.why or filter(None, ["" if by_hand else run.message]))
    return f"{head} at iter {run.iter}{': ' + reason if reason and told else ''}"


def follow_run_log(store: Store, study: Study, name: str | None) -> int:
    """Print a run's log until the run has ended: the run ``name``, or else the one that wrote last.
    Returns the exit status. Problem if there is no such run, or nothing was written."""
    names = [run.name for run in study.runs]
    if name is not None and name not in names:
        raise Problem(f"{study.id} has no run called {name!r}", next=nearest(name, names))
    logs = [study.files.run(run).log for run in ([name] if name else names)]
    written = [log for log in logs if log.is_file()]
    if not written:
        raise Problem(
            f"no output of {name or study.id} yet", FAILED, next=f"watch: q1lab attach {study.id}"
        )
    log = max(written, key=lambda file: file.stat().st_mtime)
    followed = name or names[logs.index(log)]
    remark(f"{followed}: {log}")
    tail = LogTail(log)
    try:
        while True:
            view, alive = _poll(store, study)  # before the last read, so that no line is missed
            state = next(run.state for run in view.runs if run.name == followed)
            text, _ = tail.read_new()
            sys.stdout.write(text)
            sys.stdout.flush()
            if not text and (state in ENDED or not alive):
                for fault in next(run.why for run in view.runs if run.name == followed):
                    remark(f"! {fault}")
                return OK
            time.sleep(0 if text else POLL_SECONDS)
    except OSError as error:
        raise Problem(f"{log}: {os_reason(error)}", FAILED, file=log) from None
    except KeyboardInterrupt:
        remark(
            f"\nTraining goes on. Watch: q1lab attach {study.id}" if is_alive(study.files) else ""
        )
        return INTERRUPTED


def runs_grid(
    view: StudyView, sparks: Mapping[str, tuple[float, ...]], hint: str, width: int
) -> RenderableType:
    """The table of a study's runs: state, sparkline of the loss, iter, val loss, tokens/s, time
    left. It has a row for each run in ``sparks``, and fits ``width`` columns."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title, justify in (
        ("arm", "left"),
        (view.study.design.plan().run_word, "right"),
        ("state", "left"),
        ("loss", "left"),
        ("iter", "right"),
        (view.study.metric.name, "right"),
        ("tok/s", "right"),
        ("left", "right"),
    ):
        if title == "tok/s" and width < 70:
            continue
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    low, high = _common_scale(sparks.values())
    shift = view.study.trainer.seed_shift
    for run in view.runs:
        if run.name not in sparks:
            continue
        metric = view.study.metric
        val = metric.written(run.val_loss) if run.val_loss is not None else ""
        if not val and run.eval_loss is not None:
            val = f"{metric.written(run.eval_loss, 2)}…"
        cells = [
            Text(run.variant, style=ARM_STYLE[run.arm]),
            Text(str(view.study.design.plan().run_number(run.seed + shift.get(run.arm, 0)))),
            Text(state_text(run), style=STATE_STYLE[run.state]),
            Text(
                bar_characters(sparks[run.name], low, high).ljust(24 if width >= 90 else 12),
                style=ARM_STYLE[run.arm],
            ),
            Text(str(run.iter) if run.attempt else ""),
            Text(val),
        ]
        if width >= 70:
            cells.append(Text(token_rate(run.tokens_per_s)))
        cells.append(Text(duration(run.seconds_left)))
        table.add_row(*cells)
    line = view.row
    time_left = about_time_left(line)
    hidden_runs = len(view.runs) - len(sparks)
    foot = (
        f"{line.done} of {line.total} runs done{time_left and f' · {time_left}'}{gpu_text(view)}"
        + (f" · {hidden_runs} more runs" if hidden_runs else "")
        + (f" · {hint}" if hint else "")
    )
    return Group(table, Text(foot, style="dim"))


def about_time_left(row: StudyRow) -> str:
    """``about 4 min left``; ``waits in the queue``; empty if nothing is known."""
    return row.time_left(lambda seconds: f"about {duration(seconds)} left")


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
    return (
        f" · GPU {cards[0].use}%, {cards[0].memory_used / 1024:.1f} of "
        f"{cards[0].memory_total / 1024:.0f} GiB"
    )


def _common_scale(sparks: Iterable[tuple[float, ...]]) -> tuple[float, float]:
    """The lowest and highest loss of all sparklines, so that they share one scale."""
    values = [value for losses in sparks for value in losses]
    return (min(values), max(values)) if values else (0.0, 0.0)

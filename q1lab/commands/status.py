"""`q1lab status`: the state of each study, and the next step. Imports nothing heavy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import click
from rich.cells import cell_len

from q1lab.commands._names import study_argument
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, width_shown, wrapped
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.commands.run_lines import run_line
from q1lab.compare.result_rows import ResultRow, read_result_rows
from q1lab.ground.errors import OK, Problem
from q1lab.ground.files import printable
from q1lab.ground.terminal_cells import cut_cells, cut_name
from q1lab.ground.text_formats import age, first_names, plural
from q1lab.journal import (
    ingest_events,
    learner_tables,
    stored_results,
    study_names,
    study_view,
)
from q1lab.journal.store import Store
from q1lab.journal.study_view import StudyRow, StudyView
from q1lab.judgment import difference_text
from q1lab.judgment.lines import column_sizes, plain_lines, row_text
from q1lab.judgment.run_states import STATE_SYMBOLS, RunState
from q1lab.study import kinds, studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.first_number import silent_run
from q1lab.study.studies import Study

MAX_STUDIES = 40
"""Studies that are listed; --json has all."""

SHORTEST_NAME, LONGEST_NAME = 12, 28
"""Cells that the name of a study in the list is cut to: the most that let its line fit."""

MAX_FAULTS = 3
"""Reasons why runs of one study ended badly that are printed; --json has all."""

MAX_RUNS = 20
"""Runs of one study that are printed; --json has all."""


@click.command(
    epilog="""\b
Examples:
  q1lab status
  q1lab status rope-1
  q1lab status rope-1 --json"""
)
@study_argument(required=False)
@json_option
def status(study: str | None, as_json: bool) -> int:
    """Show your studies with their verdicts, newest first, and the next step; or STUDY
    alone, with its runs at W&B."""
    with open_store() as store:
        home = read_home(store, study)
        if as_json:
            print_json(home_record(store, home))
            return OK
        lines = home_lines(store, home)
    for line in lines:
        click.echo(line)
    return OK


@dataclass(frozen=True)
class Home:
    """The studies to tell of: all, or the one that was named."""

    rows: tuple[StudyRow, ...]
    """Those that can be read; first comes the one that other commands take without a name."""
    unreadable: Mapping[str, str]
    """Why each of the others can't be read, by id."""
    is_one: bool

    def views(self, store: Store, names: Iterable[str]) -> dict[str, StudyView]:
        return {
            name: study_view.read_view(store, studies.load(name), new_events=False)
            for name in names
        }


def read_home(store: Store, study: str | None) -> Home:
    """The studies after their new events were taken in. Problem where ``study`` is none."""
    unreadable = ingest_events.ingest_all(store)
    rows = {row.id: row for row in study_view.read_study_rows(store) if row.id not in unreadable}
    if study is not None:
        if study not in rows and study not in unreadable:
            name = printable(study)
            raise Problem(f"no study called {name!r}", next="`q1lab status` lists them")
        rows = {study: rows[study]} if study in rows else {}
        unreadable = {study: unreadable[study]} if study in unreadable else {}
    in_order = tuple(rows[name] for name in studies.oldest_first(rows)[::-1])
    return Home(in_order, unreadable, study is not None)


def home_record(store: Store, home: Home) -> dict[str, object]:
    """What ``--json`` prints: of the study that was named everything, of all studies a row each. A
    field that is also in ``study.json`` or in a run's events has the same name there, and a state
    the same word."""
    results = {row.id: row for row in read_result_rows(store)}
    newest = home.views(store, [row.id for row in home.rows[:1]])
    details = {name: study_record(view) for name, view in newest.items() if home.is_one}
    return {
        "studies": [
            {**row_record(row, results[row.id]), **details.get(row.id, {})}
            for row in home.rows
            if row.id in results
        ],
        "broken": home.unreadable,
        "next": (
            next_command(newest[home.rows[0].id], home.rows) if newest else _first_command(store)
        ),
    }


def home_lines(store: Store, home: Home) -> list[str]:
    """What a person reads: the newest study and those that train, the table of all, those that
    can't be read, and the next step."""
    if not home.rows:
        none = [] if home.unreadable else [f"No study yet. Start one: {_first_command(store)}"]
        return [*none, *_unreadable_lines(home)]
    shown = home.rows[:MAX_STUDIES]
    alive = [row.id for row in shown if row.state == "running"]
    views = home.views(store, dict.fromkeys([*alive, shown[0].id]))
    newest = views[shown[0].id]
    short_verdict = _short_verdict(store, newest)
    return [
        *(
            line
            for view in views.values()
            for line in _study_lines(store, view, short_verdict if view is newest else [], home)
        ),
        *_table_lines(store, home),
        *_unreadable_lines(home),
        f"next: {_before(newest)}{_next_step(store, newest, shown, bool(short_verdict))}",
    ]


def _study_lines(
    store: Store, view: StudyView, short_verdict: Sequence[str], home: Home
) -> Iterator[str]:
    yield study_summary(view)
    given_name = study_names.name_of(store, view.study.id)
    for text in (
        *short_verdict,
        *([f"called {given_name}"] if given_name else []),
        *(wandb_lines(view.study) if home.is_one else []),
        *run_lines(view),
    ):
        yield f"    {text}"
    for fault in study_view.fault_lines(view, MAX_FAULTS):
        yield f"    {wrapped(f'! {fault}', 6)}"


def _table_lines(store: Store, home: Home) -> Iterator[str]:
    """The table of all studies under a blank line; nothing for a single one."""
    if len(home.rows) < 2:
        return
    results = {row.id: row for row in read_result_rows(store)}
    rows = [results[row.id] for row in home.rows if row.id in results]
    yield ""
    yield from verdict_table(
        rows[:MAX_STUDIES], {row.id: row.state for row in home.rows}, width_shown()
    )
    if (older := len(rows) - MAX_STUDIES) > 0:
        yield f"… and {older:,} older lines (--json lists all studies)"


def _unreadable_lines(home: Home) -> Iterator[str]:
    for study_id, why in home.unreadable.items():
        yield f"{STATE_SYMBOLS[RunState.FAILED]} {study_id} can't be read: {why}"


def verdict_table(
    rows: Sequence[ResultRow], states: Mapping[str, str], width: int | None
) -> list[str]:
    """A line for each study, of ``width`` cells at most: its name, its verdict (or its state, by
    id), the difference with its interval, the sample size, and its age. Above studies that trained
    and measured the same, a line says what."""
    cells = [("study", "verdict", "difference", "interval", "n", "age")]
    cells += [
        (row.shown_name, *_verdict_cells(row, states.get(row.id)), age(row.created)) for row in rows
    ]
    levels = [
        f"{row.id} {level}"
        for row, (_, _, _, between, *_) in zip(rows, cells[1:], strict=True)
        if between and (level := difference_text.level_text(row)) != "95%"
    ]
    sizes = column_sizes(cells)
    room = LONGEST_NAME if width is None else width - sum(sizes[1:]) - 2 * len(sizes[1:])
    sizes[0] = min(sizes[0], max(SHORTEST_NAME, min(LONGEST_NAME, room)))
    head, *lines = [
        row_text((cut_name(line[0], sizes[0]), *line[1:]), sizes, right=(2, 4, 5)) for line in cells
    ]
    lines = [head, *_under_what_they_measure(rows, lines, width)]
    if levels:
        shown = ", ".join(levels[:3]) + (f" and {len(levels) - 3} more" if len(levels) > 3 else "")
        lines.append(f"Intervals are 95%, but {shown}: `q1lab compare STUDY` gives the reason.")
    return lines


def _verdict_cells(row: ResultRow, state: str | None) -> tuple[str, str, str, str]:
    """The verdict of a study, or its state; the difference, its interval and the sample size, each
    empty without a verdict."""
    n = row.sample if row.verdict is not None and row.n else ""
    if not row.answer:
        unfinished = f"{state}, {row.done}/{row.total}"
        return row.progress_text if state == "finished" else unfinished, "", "", n
    if row.verdict is None:
        return row.answer.upper(), "", "", n
    mean = difference_text.mean_text(row) if row.mean is not None else ""
    return row.answer.upper(), mean, difference_text.interval_text(row), n


def _under_what_they_measure(
    rows: Sequence[ResultRow], lines: Sequence[str], width: int | None
) -> Iterator[str]:
    """The lines of the rows, with what trained and was measured above the first of those that are
    alike in that."""
    before = ("", "")
    for row, line in zip(rows, lines, strict=True):
        measured = row.trained_by, row.metric.axis
        if measured != before:
            room = 80 if width is None else width - cell_len(row.metric.axis) - 2
            yield click.style(f"{cut_cells(row.trained_by, room)}: {row.metric.axis}", dim=True)
        before = measured
        yield line


def _short_verdict(store: Store, newest: StudyView) -> list[str]:
    """The short form of the newest study's comparison; empty until one was computed for all of its
    runs."""
    finished = newest.row.state == "finished"
    if not finished or stored_results.cached_row(store, newest.study.id) is None:
        return []
    from q1lab.compare.comparison_cache import cached_comparison

    comparison = cached_comparison(store, newest.study.id)
    if comparison is None or comparison.study.seeds != newest.study.seeds:
        return []
    from q1lab.judgment import layout

    return plain_lines(layout.first_lines(comparison, 76))


def run_lines(view: StudyView) -> list[str]:
    """A line for each run that is under way or did not finish, while the study is unfinished."""
    if not view.alive and view.row.state not in ("crashed", "failed", "stopped"):
        return []
    runs = [run for run in view.runs if run.state not in (RunState.QUEUED, RunState.FINISHED)]
    runs.sort(key=lambda run: run.state is not RunState.RUNNING)
    more = len(runs) - MAX_RUNS
    return [run_line(run, view.study.metric) for run in runs[:MAX_RUNS]] + (
        [f"… and {more} more runs (--json lists them all)"] if more > 0 else []
    )


def study_summary(view: StudyView) -> str:
    study = view.study
    now = view.row
    time_left = now.time_left
    waiting = sum(run.message == study_view.WAITS for run in view.runs)
    time_left = f"{plural(waiting, 'run')} {study_view.WAITS}" if waiting else time_left
    # a study of commands has no preset
    parts = [f"{study.variant} against {study.baseline}", study.trainer.preset, study.data.name]
    return (
        f"{study.id}: {', '.join(part for part in parts if part)}: "
        f"{now.state}, {now.done} of {now.total} runs done{time_left and f', {time_left}'}"
    )


def _first_command(store: Store) -> str:
    """The study of the modification chosen for the week, else of rope."""
    chosen = None
    with contextlib.suppress(Problem):  # of the week's files
        chosen = learner_tables.chosen_variant(store, current_week().label)
    return f"q1lab run {chosen or 'rope'} --seeds 3"


def wandb_lines(study: Study) -> list[str]:
    """The study's state at W&B, and where its runs can be seen."""
    standing = wandb_state.wandb_status(study)
    if standing.state == wandb_state.OFF:
        return ["W&B off"]
    return [f"W&B {standing.words}", *wandb_state.where_to_look(study)]


def wandb_record(study: Study) -> dict[str, object]:
    standing = wandb_state.wandb_status(study)
    return {
        "state": standing.state,
        "error": standing.error,
        "url": standing.url,
        "leet": wandb_state.leet_command(study) if wandb_state.has_wandb_folders(study) else None,
        "runs": {
            name: {"id": run.id, "state": run.state, "error": run.error, "url": run.url}
            for name, run in standing.runs.items()
        },
    }


def next_command(newest: StudyView, rows: Sequence[StudyRow]) -> str:
    """The command that continues the newest study. ``rows``: all studies, the newest first."""
    if newest.alive:
        return f"q1lab attach {newest.study.id}"
    if newest.row.state != "finished":
        return kinds.resume_command(newest.study)
    same_variant = [
        row
        for row in reversed(rows)
        if row.state == "finished" and row.variant == newest.row.variant
    ]
    # not a small experiment that came after the study with the most seeds
    from q1lab.compare.comparison_cache import leading_study

    leading = leading_study(same_variant, lambda row: row.total // 2) or newest.row
    return f"q1lab compare {leading.id}"


def _next_step(
    store: Store, newest: StudyView, rows: Sequence[StudyRow], verdict_is_shown: bool
) -> str:
    """The next thing for a person. Where no study goes on: a verdict that nobody has seen, else the
    first open step of the week, else the newest verdict again."""
    following = next_command(newest, rows)
    if not following.startswith("q1lab compare"):
        return following
    for row in rows:
        has_ended = row.state == "finished" and studies.load(row.id).counts_as_asking
        if has_ended and stored_results.cached_row(store, row.id) is None:
            return f"q1lab compare {row.id}"
    following = _first_open_step(store) or following
    if verdict_is_shown and following == f"q1lab compare {newest.study.id}":
        following += " --full"  # without it, the lines above would be printed again
    return following


def _first_open_step(store: Store) -> str:
    """Empty where no modification was chosen for the week."""
    week = current_week()
    if learner_tables.chosen_variant(store, week.label) is None:
        return ""
    from q1lab.week import evidence, progress

    done = evidence.read_progress(store, week)
    part, step = progress.first_open(progress.learner_week(week, done), done)
    return f"{part.name} in the app, “{step.title}”" if step else ""


def _before(newest: StudyView) -> str:
    """The beginning of the line of ``next_command`` for a study that failed: it would fail
    again."""
    if newest.alive or newest.row.state != RunState.FAILED:
        return ""
    missing = first_names(newest.study.trainer.loop.missing_files())
    if missing:
        return f"put {missing} back, then "
    typed = " (in the command: type all of it again)" if silent_run(newest.study) else ""
    return f"correct the cause above{typed}, then "


def row_record(row: StudyRow, result: ResultRow) -> dict[str, object]:
    """A study among others."""
    return {
        "id": row.id,
        "variant": row.variant,
        "baseline": row.baseline,
        "preset": row.preset,
        "data": {"name": row.data, "sha256": result.data_sha256},
        "dtype": result.dtype,
        "metric": asdict(result.metric),
        "created": row.created,
        "state": row.state,
        "done": row.done,
        "total": row.total,
        "seconds_left": row.seconds_left,
        "name": result.name or None,
        "verdict": result.answer or None,
    }


def study_record(view: StudyView) -> dict[str, object]:
    """What is told of a study that was named, and not of one among others."""
    study = view.study
    return {
        "device": study.trainer.device,
        "wandb": wandb_record(study),
        "runs": [
            {
                "run": run.name,
                "arm": run.arm,
                "seed": run.seed,
                "state": str(run.state),
                "iter": run.iter,
                "max_iters": run.max_iters or None,
                "train_loss": run.train_loss,
                "eval_loss": run.eval_loss,
                "val_loss": run.val_loss,
                "tok_per_s": run.tokens_per_s,
                "attempt": run.attempt,
                "message": run.message,
                "why": list(run.why),
            }
            for run in view.runs
        ],
    }

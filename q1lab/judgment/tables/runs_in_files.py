"""The runs in files: each file is a table of runs or the log of one, and all of them together are
one set of runs, by arm and seed."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import os_reason, printable
from q1lab.ground.text_formats import first_names
from q1lab.judgment import metric_names
from q1lab.judgment.run_states import RunState
from q1lab.judgment.tables import number_table, run_names
from q1lab.judgment.tables.cells import no_number
from q1lab.judgment.tables.found_runs import (
    Found,
    OpenMetric,
    TableOptions,
    Understood,
    named_metric,
)
from q1lab.judgment.tables.outside_run import FINAL, STEP, TRAIN, VAL, OutsideRun, RunFiles
from q1lab.judgment.tables.readers import printed_log, text_files
from q1lab.judgment.tables.run_log import RunLog
from q1lab.judgment.tables.run_names import Named
from q1lab.judgment.tables.table_rows import OF_FILE, Rows

MOST_NUMBERS = 20_000_000
"""Numbers that are kept of all logs."""
PRINTED = r"say how it is printed: --metric-pattern 'val loss (?P<value>\S+)'"
ONE_RUN_A_FILE = (
    "rows say neither step nor seed, so each file is one run; where each row is a run, put the "
    "rows of an arm in one file"
)
NO_METRIC = frozenset({"lr", "learning_rate", "epoch", "grad_norm", "eval_runtime", *STEP, *TRAIN})
"""Names of numbers that are not the metric."""


def found_in_files(name: str, pieces: list[RunFiles], options: TableOptions) -> Found:
    """The runs in files, which are all tables or all logs."""
    tables: list[tuple[RunFiles, Rows]] = []
    logs: list[tuple[RunFiles, RunLog]] = []
    count = 0
    for piece in pieces:
        read = _read(piece, options)
        if isinstance(read, Rows):
            tables.append((piece, read))
        else:
            logs.append((piece, read))
            count += read.kept
        if count > MOST_NUMBERS:
            raise Problem(
                f"{name}: more than {MOST_NUMBERS:,} numbers", next="name one with --metric NAME"
            )
    is_by_last_row = False
    if _is_a_run_each(tables, options):
        is_by_last_row = any(rows.has_several() for _, rows in tables)
        logs += [(piece, _log_of(piece, rows)) for piece, rows in tables]
        tables = []
    if tables and logs:
        raise Problem(
            f"{tables[0][0].where} is a table of runs, and {logs[0][0].where} is the log of one",
            next="judge them one after the other",
        )
    found = _of_tables(name, tables, options) if tables else _of_logs(name, logs, options)
    if is_by_last_row:
        found.understood = replace(
            found.understood, rest=(("numbers", "the last row of each file"),)
        )
        found.notes.append(ONE_RUN_A_FILE)
    return found


def _is_a_run_each(tables: Sequence[tuple[RunFiles, Rows]], options: TableOptions) -> bool:
    """True if each table is of one run, a row a step: where none says its runs, and several are of
    one arm by their labels, else by their names or settings."""
    named = [number_table.arms_named(rows, options) for _, rows in tables]
    if any(len(arms) > 1 for arms in named) or any(
        number_table.has_seeds(rows) for _, rows in tables
    ):
        return False
    labels = [piece.label for piece, _ in tables]
    if None not in labels:
        return len(set(labels)) < len(labels)
    identities = [Named(piece.files[0], piece.label, rows.constants()) for piece, rows in tables]
    return len(tables) > 2 and run_names.are_runs(identities)


def read_log(piece: RunFiles) -> RunLog:
    """The log of the one run that a program's files are of. Problem for what is no log."""
    read = _read(piece, TableOptions())
    return _log_of(piece, read) if isinstance(read, Rows) else read


def _log_of(piece: RunFiles, rows: Rows) -> RunLog:
    log = RunLog()
    with _place_named(piece):
        text_files.fill_by_rows(log, rows)
    return log


def _read(piece: RunFiles, options: TableOptions) -> Rows | RunLog:
    """The rows of a table, or the log of a run. Problem, with the file, for a damaged one."""
    only = None if options.metric is None else {options.metric}
    log = RunLog(only)
    with _place_named(piece):
        if piece.form is None:
            return text_files.read(piece.files[0], log, piece.label, options)
        reader = importlib.import_module(piece.form.reader)
        reader.read(piece.files, log)
    return log


@contextmanager
def _place_named(piece: RunFiles) -> Iterator[None]:
    """Make an error of a reader one line with the file."""
    try:
        yield
    except OSError as error:
        reason = os_reason(error, reading=True)
        raise Problem(f"cannot read {piece.where}: {reason}", file=piece.files[0]) from None
    except ValueError as error:
        raise Problem(f"{piece.where}: {printable(str(error))}", file=piece.files[0]) from None


def _of_tables(name: str, tables: Sequence[tuple[RunFiles, Rows]], options: TableOptions) -> Found:
    """The runs of several tables, each with a column of arms or of one arm, which is called as its
    file."""
    whole: Found | None = None
    by_path = run_names.by_path([piece.files[0] for piece, _ in tables])
    arms_by_table = [number_table.arms_named(rows, options) for _, rows in tables]
    is_shared = (
        options.arm_key is None and len(tables) > 1 and len(set().union(*arms_by_table)) == 1
    )
    for (piece, rows), name_of_file, arms in zip(tables, by_path, arms_by_table, strict=True):
        if piece.label is None and arms and not is_shared:
            each = number_table.found_in_rows(rows, options)
        else:
            of_arm = rows.of_arm(piece.label or name_of_file)
            each = number_table.found_in_rows(of_arm, replace(options, arm_key=OF_FILE))
        if whole is None:
            whole, options = replace(each, name=name), replace(options, metric=each.metric.name)
            continue
        if each.has_seeds != whole.has_seeds:
            raise Problem(
                f"{piece.where} and {tables[0][0].where}: one has seeds, and the other has none",
                next="judge them one after the other",
            )
        with _place_named(piece):
            whole.join(each)
    assert whole is not None, "there is one table at least"
    return whole


def _of_logs(name: str, logs: Sequence[tuple[RunFiles, RunLog]], options: TableOptions) -> Found:
    """The runs of logs, each of which is of one run."""
    # (a project's run has a name, and lies in a file of ours)
    identities = [
        Named(
            Path(log.facts.get("name", piece.title)) if piece.title else piece.files[0],
            piece.label,
            log.facts,
        )
        for piece, log in logs
    ]
    arms, arms_from = run_names.arms_of(identities, options.arm_key)
    seeds, seeds_from = run_names.seeds_of(identities)
    by_arm: dict[str, list[RunLog]] = {}
    for arm, (_, log) in zip(arms, logs, strict=True):
        by_arm.setdefault(arm, []).append(log)
    metric = options.metric
    if metric is None and options.pattern is not None:
        metric = printed_log.metric_of(options.pattern)
    metric = metric or _metric(name, by_arm)
    found = Found(name, named_metric(metric, options.better), Understood(arms_from, seeds_from))
    check_reported(metric, name, (key for _, log in logs for key in log.names))
    for arm, seed, (piece, log) in zip(arms, seeds or repeat(None), logs, strict=False):
        with _place_named(piece):
            found.add(_run(OutsideRun(piece.where, arm, found.place(arm, seed)), log, metric))
    found.align_ends()
    return found


def _run(run: OutsideRun, log: RunLog, metric: str) -> OutsideRun:
    """A run by its log: it counts by its final number, else by the last of its curve."""
    run.state, run.message = RunState.FAILED, log.unfinished or None
    run.evals = log.points(metric)
    run.conditions = number_table.conditions_of(log.facts)
    run.ended_at = log.last_step
    last = run.evals[max(run.evals)] if run.evals else None
    return run.end(metric, log.finals.get(metric, last))


def check_reported(metric: str, source: str, reported: Iterable[str]) -> None:
    """Raise a Problem, with the names there are, if no run has a number of this name."""
    names = list(dict.fromkeys(reported))
    if metric not in names:
        hint = nearest(metric, names)[:300] if names else PRINTED
        raise Problem(f"{source}: no run reports {printable(metric)}", next=hint)


def _metric(name: str, by_arm: Mapping[str, Sequence[RunLog]]) -> str:
    """The metric by its usual name, or the only number that some run of each arm reports."""
    of_arms = [dict.fromkeys(key for log in logs for key in log.names) for logs in by_arm.values()]
    every = list(dict.fromkeys(key for names in of_arms for key in names))
    names = [key for key in every if all(key in names for names in of_arms)]
    for usual in (*FINAL, *VAL):
        for key in names:
            if key.lower().replace(" ", "_") == usual:
                return key
    for log in chain.from_iterable(by_arm.values()):
        for key, text in log.unread.items():
            if key not in log.names and metric_names.measures(key):
                raise Problem(
                    f"{name}: {printable(key)} {no_number(text)}",
                    next="or name another number with --metric NAME",
                )
    others = [key for key in names if key.lower() not in NO_METRIC]
    if len(others) == 1:
        return others[0]
    if names and not others:
        raise Problem(
            f"{name}: no number that all arms report is known as a metric "
            f"({first_names(names, 12)})",
            next="say --metric NAME",
        )
    if not others:
        listed = f" ({first_names(every, 12)})" if every else ""
        raise Problem(f"{name}: no number is in all arms{listed}", next="" if every else PRINTED)
    log = next(chain.from_iterable(by_arm.values()))
    raise OpenMetric(
        f"{name}: which number is the metric?", {key: log.latest(key) for key in others}
    )

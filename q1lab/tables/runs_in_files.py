"""The runs in files: each file is a table of runs or the log of one, and all of them together are
one set of runs, by arm and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import repeat

from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import os_reason, printable
from q1lab.ground.text_formats import first_names, plural
from q1lab.study.run_states import RunState
from q1lab.tables import number_table, run_names
from q1lab.tables.found_runs import Found, TableOptions, named_metric
from q1lab.tables.outside_run import FINAL, STEP, TRAIN, VAL, OutsideRun, RunFiles
from q1lab.tables.run_log import RunLog
from q1lab.tables.run_names import Named
from q1lab.tables.table_rows import OF_FILE, Rows

MOST_NUMBERS = 20_000_000
"""Numbers that are kept of all logs."""
PRINTED = r"say how it is printed: --metric-pattern 'val loss (?P<value>\S+)'"
RUNS = "these runs"
"""The name of the one arm that is judged, where nobody named it."""
NO_METRIC = frozenset({"lr", "learning_rate", "epoch", "grad_norm", "eval_runtime", *STEP, *TRAIN})
"""Names of numbers that are not the metric."""


def found_in_files(
    name: str, pieces: list[RunFiles], options: TableOptions, *, one_arm: bool
) -> Found:
    """The runs in files, which are all tables or all logs."""
    is_named = options.arms or options.arm_key or options.modified or options.baseline
    read, count = [], 0
    for piece in pieces:
        read.append(_read(piece, options))
        count += 0 if isinstance(read[-1], Rows) else read[-1].kept
        if count > MOST_NUMBERS:
            raise Problem(
                f"{name}: more than {MOST_NUMBERS:,} numbers", next="name one with --metric NAME"
            )
    tables = [
        (piece, each) for piece, each in zip(pieces, read, strict=True) if isinstance(each, Rows)
    ]
    logs = [
        (piece, each) for piece, each in zip(pieces, read, strict=True) if isinstance(each, RunLog)
    ]
    if runs := _runs_of_rows(tables, options):
        tables, logs = [], [*logs, *runs]
    if one_arm and not is_named:
        logs = [(replace(piece, label=RUNS), log) for piece, log in logs]
    if tables and logs:
        raise Problem(
            f"{tables[0][0].where} is a table of runs, and {logs[0][0].where} is the log of one",
            next="judge them one after the other",
        )
    other = RUNS if one_arm else ""
    return _of_tables(name, tables, options, other) if tables else _of_logs(name, logs, options)


def _runs_of_rows(
    tables: Sequence[tuple[RunFiles, Rows]], options: TableOptions
) -> list[tuple[RunFiles, RunLog]]:
    """Tables as logs of one run each, a row a step; none where the tables say their runs, or are an
    arm each."""
    if len(tables) < 3 or any(
        number_table.has_seeds(rows, options) or len(number_table.arms_named(rows, options)) > 1
        for _, rows in tables
    ):
        return []
    identities = [Named(piece.files[0], piece.label, rows.constants()) for piece, rows in tables]
    return [
        (piece, _log_of(piece, rows)) for piece, rows in tables if run_names.are_runs(identities)
    ]


def _log_of(piece: RunFiles, rows: Rows) -> RunLog:
    from q1lab.tables.readers import text_files

    log = RunLog()
    with _place_named(piece):
        text_files.fill_by_rows(log, rows)
    return log


def _read(piece: RunFiles, options: TableOptions) -> Rows | RunLog:
    """The rows of a table, or the log of a run. Problem, with the file, for a damaged one."""
    only = None if options.metric is None else {options.metric, *TRAIN}
    log = RunLog(only)
    with _place_named(piece):
        if piece.form is None:
            from q1lab.tables.readers import text_files

            return text_files.read(piece.files[0], log, piece.label, options)
        from q1lab.ground import plugin_finder

        plugin_finder.load(piece.form.read)(piece.files, log)
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


def _of_tables(
    name: str, tables: Sequence[tuple[RunFiles, Rows]], options: TableOptions, otherwise: str
) -> Found:
    """The runs of several tables, each with a column of arms or of one arm, which is called
    ``otherwise``, else as its file."""
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
            of_arm = rows.of_arm(piece.label or otherwise or name_of_file)
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
    identities = [Named(piece.files[0], piece.label, log.facts) for piece, log in logs]
    arms, arms_from = run_names.arms_of(identities, options.arm_key)
    seeds, seeds_from = run_names.seeds_of(identities, options.seed_key)
    by_arm: dict[str, list[RunLog]] = {}
    for arm, (_, log) in zip(arms, logs, strict=True):
        by_arm.setdefault(arm, []).append(log)
    metric = options.metric or _of_pattern(options.pattern) or _metric(name, by_arm)
    guesses = [plural(len(logs), "run"), *filter(None, (arms_from, seeds_from))]
    if options.metric is None:
        guesses.append(f"metric {metric}")
    found = Found(name, named_metric(metric, options.better), tuple(guesses))
    _check_reported(metric, name, [log for _, log in logs])
    for arm, seed, (piece, log) in zip(arms, seeds or repeat(None), logs, strict=False):
        with _place_named(piece):
            found.add(_run(OutsideRun(piece.where, arm, found.place(arm, seed)), log, metric))
    found.align_ends()
    return found


def _run(run: OutsideRun, log: RunLog, metric: str) -> OutsideRun:
    """A run by its log: it counts by its final number, else by the last of its curve."""
    run.state, run.message = RunState.FAILED, log.unfinished or None
    run.evals = log.points(metric)
    trains = [log.points(name) for name in TRAIN if name != metric and name in log.curves]
    run.train = max(trains, key=len, default={})
    run.conditions = number_table.conditions_of(log.facts)
    run.config = {key: value for key, value in log.facts.items() if key in run.conditions}
    run.ended_at = log.last_step
    last = run.evals[max(run.evals)] if run.evals else None
    return run.end(metric, log.finals.get(metric, last))


def _check_reported(metric: str, name: str, logs: Sequence[RunLog]) -> None:
    """Raise a Problem, with the names there are, if no log has a number of this name."""
    names = list(dict.fromkeys(key for log in logs for key in log.names))
    if metric not in names:
        hint = nearest(metric, names)[:300] if names else PRINTED
        raise Problem(f"{name}: no run reports {printable(metric)}", next=hint)


def _of_pattern(typed: str | None) -> str:
    """The metric that a pattern reads; empty without a pattern."""
    if typed is None:
        return ""
    from q1lab.tables.readers import printed_log

    return printed_log.metric_of(typed)


def _metric(name: str, by_arm: Mapping[str, Sequence[RunLog]]) -> str:
    """The metric by its usual name, or the only number that some run of each arm reports."""
    of_arms = [dict.fromkeys(key for log in logs for key in log.names) for logs in by_arm.values()]
    every = list(dict.fromkeys(key for names in of_arms for key in names))
    names = [key for key in every if all(key in names for names in of_arms)]
    for usual in (*FINAL, *VAL):
        for key in names:
            if key.lower().replace(" ", "_") == usual:
                return key
    others = [key for key in names if key.lower() not in NO_METRIC]
    if len(others) == 1:
        return others[0]
    if not others:
        listed = f" ({first_names(every, 12)})" if every else ""
        raise Problem(f"{name}: no number is in all arms{listed}", next="" if every else PRINTED)
    raise Problem(
        f"{name}: which number is the metric? ({first_names(others, 12)})", next="say --metric NAME"
    )

"""One picture of a study: the same state and the same time left wherever it is shown."""

from __future__ import annotations

import ast
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from q1lab.app.snapshot_taker import SnapshotReader
from q1lab.commands import cli, live_grid
from q1lab.ground.files import write_atomic
from q1lab.ground.text_formats import IN_PANE
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.journal.study_view import RunView, seconds_left
from q1lab.judgment.run_states import RunState
from q1lab.study import studies
from q1lab.study.command_arms import CommandSpec
from q1lab.study.studies import Study
from tests.kit import lab_home
from tests.kit.commands import q1lab
from tests.kit.places import ROOT
from tests.kit.plans import changed


def run(arm: str, seed: int, state: RunState, iter_: int = 0, **changes: Any) -> RunView:
    values: dict[str, Any] = {
        "name": f"{arm}-seed{seed}",
        "arm": arm,
        "variant": arm,
        "seed": seed,
        "state": state,
        "attempt": 1,
        "iter": iter_,
        "max_iters": 100,
        "train_loss": None,
        "eval_loss": None,
        "val_loss": None,
        "tokens_per_s": None,
        "seconds": 0.0,
        "message": None,
    }
    return RunView(**{**values, **changes})


def test_a_run_that_is_about_to_start_has_a_place_of_its_own() -> None:
    """Two at once, one under way and one not begun, 50 s each: 50 s, not one after the other."""
    runs = [
        run("baseline", 0, RunState.RUNNING, 0, pace=0.5),
        run("modified", 0, RunState.QUEUED),
    ]
    assert seconds_left(runs, 2, frozenset({"modified-seed0"})) == 50
    assert seconds_left(runs, 1, frozenset({"modified-seed0"})) == 100


def test_a_slow_arm_is_not_timed_by_a_fast_one() -> None:
    """A baseline of 12 s is done; the modification needs 120 s: the mean of both is nobody's."""
    runs = [
        run("baseline", 0, RunState.FINISHED, 100, pace=0.12),
        run("modified", 0, RunState.RUNNING, 0, pace=1.2),
    ]
    assert seconds_left(runs, 2, frozenset()) == 120


def test_runs_are_taken_up_in_order_as_soon_as_there_is_room() -> None:
    runs = [
        run("baseline", 0, RunState.RUNNING, 90, pace=1.0),
        run("modified", 0, RunState.RUNNING, 50, pace=2.0),
        run("baseline", 1, RunState.QUEUED),
        run("modified", 1, RunState.QUEUED),
    ]
    waits = frozenset({"baseline-seed1", "modified-seed1"})
    # the first place is free after 10 s and works until 110, the second from 100 until 300
    assert seconds_left(runs, 2, waits) == 300
    # a run that this launch leaves out takes no time
    assert seconds_left(runs, 2, frozenset()) == 100


def test_runs_that_have_not_ended_are_not_done_where_the_plan_can_t_be_read() -> None:
    study = lab_home.make_study("rope-1")
    lab_home.train(study, "baseline", 0)
    with Store() as store:
        ingest_events.ingest_study(store, study)
        store.db.execute("UPDATE studies SET plan = '{cut'")
        (row,) = study_view.read_study_rows(store)
    assert (row.done, row.total) == (1, 6), "a stopped study is shown as trained to its end"


def test_no_pace_is_no_number() -> None:
    assert seconds_left([run("baseline", 0, RunState.RUNNING)], 1, frozenset()) is None


def test_a_later_attempt_does_not_count_the_time_that_was_lost() -> None:
    """200 s went into an attempt that was lost; the second does 10 iters per second."""
    study = lab_home.make_study(seeds=(0,))
    folder = study.files.run("baseline-seed0").root
    folder.mkdir(parents=True)
    lines: list[dict[str, Any]] = [
        {"type": "start", "attempt": 2, "resumed_from": 0},
        {"type": "iter", "iter": 50, "train_loss": 3.0, "tok_per_s": 7680, "t": 5, "total": 205},
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    lock = lab_home.hold(study.files.run("baseline-seed0").lock)
    with Store() as store:
        run_view = study_view.read_view(store, study).run("baseline-seed0")
    assert lock
    assert run_view.seconds_left == pytest.approx((1950 + study.iters_after_last) / 10)


def command_study() -> Study:
    """Two arms of a command, one seed each, that report nothing but their metric."""
    loop = CommandSpec(
        "train {args}", {"baseline": "", "rope": "--fast"}, "/", "acc", better="higher"
    )
    study = changed(
        lab_home.make_study(seeds=(0,)),
        loop=loop,
        jobs=1,
        kind="command",
        preset="",
        config={},
        dtype="",
    )
    studies.save(study)
    return study


def write_events(study: Study, run_name: str, *events: dict[str, Any]) -> None:
    folder = study.files.run(run_name).root
    folder.mkdir(parents=True)
    lines: tuple[dict[str, Any], ...] = ({"type": "start", "attempt": 1}, *events)
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_run_that_reports_nothing_but_its_metric_is_where_that_was_measured() -> None:
    study = command_study()
    write_events(study, "baseline-seed0", {"type": "eval", "iter": 150, "val_loss": 0.5, "t": 15})
    locks = [lab_home.hold(study.files.lock)]
    locks.append(lab_home.hold(study.files.run("baseline-seed0").lock))
    assert "running at iter 150, acc 0.5" in q1lab("status").stdout
    (status,) = json.loads(q1lab("status", study.id, "--json").stdout)["studies"]
    assert [(run["iter"], run["eval_loss"]) for run in status["runs"]] == [(150, 0.5), (0, None)]
    for lock in locks:
        os.close(lock)
    with study.files.run("baseline-seed0").events.open("a") as events:
        events.write('{"type": "exit", "state": "stopped", "message": "stopped; it goes on"}\n')
    shown = q1lab("status").stdout
    assert "baseline seed 0: stopped at iter 150\n" in shown, "the line next: says how it goes on"


def test_how_long_a_command_trains_is_learned_from_its_first_run() -> None:
    """200 iters took 20 s, 50 of the other arm's took 10 s: 150 more at its own pace."""
    study = command_study()
    measured = {"type": "eval", "iter": 200, "val_loss": 0.5, "t": 20}
    exit_ = {"type": "exit", "state": "finished", "iter": 200, "val_loss": 0.5, "t": 20}
    write_events(study, "baseline-seed0", measured, exit_)
    write_events(study, "modified-seed0", {"type": "eval", "iter": 50, "val_loss": 0.4, "t": 10})
    locks = [lab_home.hold(study.files.lock)]
    locks.append(lab_home.hold(study.files.run("modified-seed0").lock))
    with Store() as store:
        seen = study_view.read_view(store, study)
        snapshot = SnapshotReader("week").read_snapshot(store)
    assert locks
    assert seen.run("modified-seed0").iter_text == "50 of 200"
    assert seen.row.seconds_left == pytest.approx(30)
    assert snapshot.focus is not None
    assert (snapshot.studies, snapshot.focus.row) == ((seen.row,), seen.row)
    assert snapshot.focus.runs[1].seconds_left == pytest.approx(30)


def test_the_evaluation_at_the_end_takes_time_too() -> None:
    """ "99%, 0 s left" stood for half a minute a run: 111,540 tokens were still evaluated, at a
    third of the work of training: 48.4 iters' worth, which a finished run has behind it."""
    study = lab_home.make_study(seeds=(0,))
    iters = 111_540 / 3 / 768
    last = {"type": "iter", "iter": 2000, "train_loss": 1.9, "tok_per_s": 768, "t": 2000}
    end = {"type": "exit", "state": "finished", "iter": 2000, "val_loss": 1.9, "t": 2000 + iters}
    write_events(study, "baseline-seed0", last, end)
    write_events(study, "modified-seed0", last)
    locks = [lab_home.hold(study.files.lock)]
    locks.append(lab_home.hold(study.files.run("modified-seed0").lock))
    with Store() as store:
        seen = study_view.read_view(store, study)
        (row,) = SnapshotReader("week").read_snapshot(store).studies
    assert locks
    assert seen.run("baseline-seed0").pace == pytest.approx(1)
    assert seen.run("modified-seed0").seconds_left == pytest.approx(iters)
    assert seen.row.seconds_left == row.seconds_left
    assert row.seconds_left == pytest.approx(iters)


def test_a_run_at_its_end_has_no_known_time_left_rather_than_none_left() -> None:
    """How long a command takes after its last report is not known."""
    at_its_end = run("modified", 0, RunState.RUNNING, 100, pace=1.0)
    assert at_its_end.seconds_left is None
    assert seconds_left([at_its_end], 1, frozenset()) is None
    others = [at_its_end, run("baseline", 0, RunState.RUNNING, 90, pace=1.0)]
    assert seconds_left(others, 2, frozenset()) == 10


def test_a_run_that_trains_on_beyond_the_others_has_no_known_end() -> None:
    runs = [
        run("baseline", 0, RunState.FINISHED, 100, pace=1.0, max_iters=0),
        run("modified", 0, RunState.RUNNING, 130, pace=1.0, max_iters=0),
    ]
    assert [view.max_iters for view in study_view.with_max_iters(runs)] == [100, 0]
    assert seconds_left(study_view.with_max_iters(runs), 1, frozenset()) is None


def test_every_place_shows_the_same_picture(capsys: pytest.CaptureFixture[str]) -> None:
    study = lab_home.make_study()
    locks = lab_home.training(study)
    with Store() as store:
        seen = study_view.read_view(store, study)
        snapshot = SnapshotReader("week").read_snapshot(store)
    assert len(locks) == 3
    assert snapshot.studies == (seen.row,)
    assert snapshot.focus is not None
    assert snapshot.focus.row == seen.row
    bare = [
        study_view.replace(focus_run, metrics=(), curves={}) for focus_run in snapshot.focus.runs
    ]
    assert tuple(bare) == seen.runs
    assert cli.run_command_line(["status", "--json"]) == 0
    (status,) = json.loads(capsys.readouterr().out)["studies"]
    assert (status["state"], status["done"]) == ("running", 3)
    assert status["seconds_left"] == pytest.approx(seen.row.seconds_left)
    assert seen.row.time_left


def test_a_run_that_failed_in_this_launch_is_not_waited_for() -> None:
    study = lab_home.make_study(seeds=(0, 1))
    lab_home.train(study, "baseline", 0, 1000, state="failed", message="no")
    lab_home.train(study, "modified", 0, 1000, state=None)
    locks = [lab_home.hold(study.files.lock), lab_home.hold(study.files.run("modified-seed0").lock)]
    write_atomic(study.files.launch, json.dumps({"launch": 3}))
    study.files.claims.mkdir()
    for name in ("3-baseline-seed0", "3-modified-seed0", "1-baseline-seed1"):
        (study.files.claims / name).touch()
    with Store() as store:
        runs = study_view.read_view(store, study).runs
        assert locks
        assert study_view.waiting_runs(study.files, runs) == {"baseline-seed1", "modified-seed1"}
        # claimed, and its trainer is still loading
        (study.files.claims / "3-baseline-seed1").touch()
        locks.append(lab_home.hold(study.files.run("baseline-seed1").lock))
        assert study_view.waiting_runs(study.files, runs) == {"baseline-seed1", "modified-seed1"}


# ── who may ask


def asks_tables(file: Path) -> list[int]:
    """Lines of a module that send SQL, or reach for a store's connection."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and (
            node.attr in ("executemany", "executescript")
            or (node.attr == "execute" and getattr(node.value, "id", "") != "repo_git")
            or (node.attr == "db" and getattr(node.value, "id", "") == "store")
        )
    ]


OWN_TABLES = ("commands/doctor.py", "journal/", "week/lists/")
"""Where tables are read: the journal, and the learner's lists."""


def test_sql_stays_where_tables_are_read() -> None:
    elsewhere = {
        name: lines
        for file in sorted((ROOT / "q1lab").rglob("*.py"))
        if not (name := file.relative_to(ROOT / "q1lab").as_posix()).startswith(OWN_TABLES)
        and (lines := asks_tables(file))
    }
    assert elsewhere == {}
    assert asks_tables(ROOT / "q1lab/journal/study_view.py"), "the search finds what it looks for"


def test_only_one_place_says_what_is_alive() -> None:
    """A lock on a study or a run means that it works: that is asked through ``alive``."""
    calls = {
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sorted((ROOT / "q1lab").rglob("*.py"))
        if file.name != "liveness.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "is_locked"
        and ast.unparse(node.args[0]).endswith(".lock")
    }
    assert calls == set()


def test_the_live_view_of_many_runs_shows_what_moves() -> None:
    runs = [run("baseline", seed, RunState.FINISHED, 100) for seed in range(40)]
    runs += [run("baseline", 40, RunState.FAILED, 10), run("baseline", 41, RunState.RUNNING, 10)]
    runs += [run("baseline", seed, RunState.QUEUED) for seed in range(42, 90)]
    shown = [view.seed for view in live_grid.runs_that_fit(runs, 10)]
    assert shown == [*range(32, 40), 40, 41], "the latest, in the order of the plan"
    assert live_grid.runs_that_fit(runs[:3], 10) == runs[:3]
    study = lab_home.make_study()
    picture = study_view.StudyView(study, study_view.study_row(study, runs), tuple(runs))
    console = Console(width=100, height=14, record=True, file=io.StringIO())
    console.print(
        live_grid.runs_grid(
            picture, {view.name: () for view in live_grid.runs_that_fit(runs, 10)}, "", 100
        )
    )
    text = console.export_text()
    assert len(text.splitlines()) == 12
    assert "80 more runs" in text


def test_the_list_of_studies_fits_where_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    study = lab_home.make_study("a_study_whose_name_is_as_long_as_names_get-12")
    lab_home.finish(study)
    lab_home.compared(study)
    lab_home.past()
    monkeypatch.setenv(IN_PANE, "1")
    for columns in (72, 80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = q1lab("status").stdout.splitlines()
        (line,) = (line for line in lines if re.match(r"a_study\S*-12 +[A-Z]", line))
        assert len(line) <= columns

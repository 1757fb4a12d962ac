"""The lab through the keyboard, with real studies on disk; and pictures of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList

from q1lab.app.app import Q1Lab
from q1lab.app.screens import step_actions
from q1lab.app.screens.lab import LabScreen
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.screens.run_log import RunLogScreen
from q1lab.app.screens.verdict import VerdictScreen
from q1lab.app.screens.welcome import WelcomeScreen
from q1lab.app.snapshot import studies_ended_between
from q1lab.app.snapshot_taker import SnapshotReader
from q1lab.app.week_app import STUDY_ENDED
from q1lab.app.widgets.lines_view import LinesView
from q1lab.app.widgets.loss_chart import LossChart
from q1lab.app.widgets.run_grid import RunGrid
from q1lab.app.widgets.study_text import final_comparison
from q1lab.commands.app import prepare_app
from q1lab.ground import config, paths
from q1lab.ground.paths import content_dir
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.run_states import RunState
from q1lab.study import seed_range, studies, variants
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.series import Series
from q1lab.train import launch
from q1lab.week import progress
from q1lab.week.content import load_week
from tests.kit.commands import q1lab
from tests.kit.lab_home import (
    app,
    compared,
    finish,
    hold,
    make_study,
    notices,
    open_lab,
    past,
    train,
    training,
    until,
    words,
)
from tests.kit.plans import begin_one, changed

pytestmark = pytest.mark.sample


async def test_a_study_that_is_damaged_while_it_is_shown_makes_room_and_alone_says_why() -> None:
    finish(make_study("rope-1"))
    finish(make_study("rope-2", created="2026-03-08T09:30:00+00:00"))
    async with app().run_test(size=(80, 24)) as pilot:
        screen = await open_lab(pilot)
        for name in ("rope-2", "rope-1"):
            screen.q1.store_thread.watch_study(name)
            await until(pilot, lambda: screen.view and screen.view.row.id == name)  # noqa: B023
            (paths.study_dir(name) / "study.json").write_text("{")
            if name == "rope-2":
                await until(pilot, lambda: screen.view and screen.view.row.id == "rope-1")
        await until(pilot, lambda: "is damaged" in " ".join(words(pilot.app).split()))
        assert "No study yet" not in words(pilot.app)


def test_the_runs_are_listed_as_wandb_lists_them() -> None:
    assert "no study yet" in q1lab("sync", "--show").stdout
    study = make_study(wandb="offline")
    finish(study)
    for asked in (("rope",), ("rope-1",), ()):
        said = q1lab("sync", *asked, "--show").stdout
        assert "project q1-capstone, group rope-1" in said
        listed = [line.split() for line in said.splitlines() if "-seed" in line]
        assert [row[:3] for row in listed] == [
            [run.name, run.arm, str(run.seed)] for run in study.runs
        ]
        assert all(re.fullmatch(r"\d\.\d{4}", row[3]) for row in listed)
    many = make_study("rope-2", seeds=tuple(range(40)), wandb="disabled")
    said = q1lab("sync", "rope-2", "--show").stdout
    assert f"… and {len(many.runs) - wandb_state.MOST_LISTED} more" in said
    assert "trained with W&B off" in said
    assert "–" in said  # no run has a value yet


async def test_the_news_of_an_end_goes_where_it_is_seen() -> None:
    studies_made = [make_study("rope-1"), make_study("rope-2", created="2026-03-08T09:30:00+00:00")]
    for study in studies_made:
        finish(study)
    async with app().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(pilot.app.snapshot.studies) == 2)  # type: ignore[attr-defined]
        pilot.app.announce(f"rope-1: 6 of 6 runs done. {STUDY_ENDED}")  # type: ignore[attr-defined]
        screen = await open_lab(pilot)
        await until(pilot, lambda: screen.view and screen.view.row.id == "rope-2")
        assert "rope-1: 6 of 6" in notices(pilot.app), "another study is shown"
        screen.q1.store_thread.watch_study("rope-1")
        await until(pilot, lambda: screen.view.row.id == "rope-1")
        await until(pilot, lambda: pilot.app.notice == ("", ""))  # type: ignore[attr-defined]


async def test_the_time_left_goes_at_the_end() -> None:
    past()
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        shown = words(pilot.app)
        assert "left" in [column.key for column in screen.query_one(RunGrid).ordered_columns]
        assert "v verdict" not in shown.splitlines()[-1]
        await pilot.press("n")
        await until(pilot, lambda: screen.view.row.id == "llama-1")
        await until(pilot, lambda: "v verdict" in words(pilot.app).splitlines()[-1])
        assert "left" not in [column.key for column in screen.query_one(RunGrid).ordered_columns]


async def test_an_empty_lab_says_what_to_do() -> None:
    async with app().run_test(size=(80, 24)) as pilot:
        await open_lab(pilot)
        assert "─ No study yet ─" in words(pilot.app)
        assert "Press r to run one" in words(pilot.app), "the foot's word"
        text, room = (
            pilot.app.screen.query_one(f"#{name}").region for name in ("lab-empty", "lab")
        )
        assert abs(text.y - room.y - (room.bottom - text.bottom)) <= 1, "in the middle"
        # nothing to act on: nothing happens
        for key in ("s", "g", "v", "a", "enter", "o", "m", "n"):
            await pilot.press(key)
        assert isinstance(pilot.app.screen, LabScreen)


async def test_the_grid_follows_the_files_and_keeps_the_cursor() -> None:
    study = make_study()
    locks = training(study)
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        grid = screen.query_one(RunGrid)
        await pilot.press("down", "down", "down")
        assert grid.selected is not None
        assert grid.selected.name == "modified-seed1"
        assert "▶ 62%" in words(pilot.app)
        with study.files.run("modified-seed1").events.open("a") as events:
            events.write(
                json.dumps(
                    {"type": "iter", "iter": 1500, "train_loss": 1.9, "tok_per_s": 2e4, "t": 60}
                )
                + "\n"
            )
        await until(pilot, lambda: "▶ 75%" in words(pilot.app))
        assert grid.selected.name == "modified-seed1"
        events = study.files.run("baseline-seed2").events
        os.close(locks[-1])  # its process is gone, and left no exit record
        await until(pilot, lambda: "! crashed" in words(pilot.app))
        assert events.exists()
        assert grid.selected.name == "modified-seed1"


async def test_no_verdict_before_every_planned_run_has_ended() -> None:
    study = make_study()
    training(study)
    compared(study)  # somebody asked for a comparison half-way: it is in the database
    async with app().run_test(size=(70, 30)) as pilot:
        screen = await open_lab(pilot)
        assert screen.view is not None
        assert screen.view.comparison is not None
        text = "\n".join(plain_lines(screen.query_one(LinesView).lay(60)))
        assert text.startswith("rope − baseline (lower is better; 1 of 3 pairs)")
        assert "1 pair " in text
        assert "mean" not in text
        await pilot.press("v")
        assert isinstance(pilot.app.screen, VerdictScreen)
        shown = words(pilot.app)
        assert "all 3 planned" in shown
        assert not any(word in shown for word in ("HELPS", "HURTS", "CANNOT TELL"))
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LabScreen)


async def test_an_open_verdict_of_a_planned_range_keeps_to_its_plan() -> None:
    planned = seed_range.SeedRange(3, 12, 0.02, (4.0,) * 10)
    study = make_study(seeds=tuple(range(12)), range=planned)
    training(study)
    async with app().run_test(size=(70, 30)) as pilot:
        await open_lab(pilot)
        await pilot.press("v")
        screen = pilot.app.screen
        assert isinstance(screen, VerdictScreen)
        opened, text = screen.told, words(pilot.app)
        assert "Planned: 3 to 12 pairs" in text
        with study.files.run("modified-seed1").events.open("a") as events:
            events.write('{"type": "iter", "iter": 1500, "train_loss": 1.9, "t": 60}\n')
        await until(pilot, lambda: screen.told is not opened)
        await pilot.pause()
        assert words(pilot.app) == text, "the verdict changes while a planned range trains"


async def test_the_comparison_comes_when_the_last_run_ends() -> None:
    study = make_study(seeds=(0, 1, 2))
    finish(study, effect=-0.05, noise=0.002)
    last = study.files.run("modified-seed2").events
    whole = last.read_text()
    last.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    locks = [hold(study.files.lock), hold(study.files.run("modified-seed2").lock)]
    async with app().run_test(size=(120, 40)) as pilot:
        await open_lab(pilot)
        assert "5 of 6 done" in words(pilot.app)
        last.write_text(whole)
        for fd in locks:
            os.close(fd)
        await until(
            pilot,
            lambda: "95% interval (paired t)" in words(pilot.app),
            "no comparison came",
        )
        assert words(pilot.app).count("HELPS") == 1, "the verdict is told once"
        await pilot.press("v")
        assert isinstance(pilot.app.screen, VerdictScreen)
        assert "95% interval (paired t)" in words(pilot.app)


async def test_a_diverged_run_is_shown_and_stays() -> None:
    study = make_study(seeds=(0,))
    train(study, "baseline", 0)
    train(study, "modified", 0, 400, state="diverged", message="the loss is not a number")
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        await pilot.press("down", "R")
        await until(pilot, lambda: "is a result" in notices(pilot.app))
        assert not launch.is_alive(study.files)
        assert screen.chosen_run is not None
        assert screen.chosen_run.state is RunState.DIVERGED


async def test_stop_and_go_on(fake_trainer: Callable[..., None]) -> None:
    fake_trainer(pause=0.4)
    _launched()
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        await until(pilot, lambda: screen.view is not None and screen.view.alive)
        await pilot.press("s")
        await until(
            pilot,
            lambda: not screen.view.alive and screen.view.row.state == "stopped",
            "it did not stop",
        )
        fake_trainer(pause=0)
        await until(pilot, lambda: screen.check_action("go_on", ()))
        await pilot.press("g")
        await until(
            pilot, lambda: screen.view.row.state == "finished", "it did not go on to its end"
        )
        await until(pilot, lambda: final_comparison(screen.view) is not None)


async def test_a_failed_cell_heals_alone(fake_trainer: Callable[..., None]) -> None:
    fake_trainer(fail=["modified-seed1", "baseline-seed2"])
    study = _launched()

    def attempts() -> dict[str, tuple[str, int]]:
        with Store() as store:
            return {
                f"{row['arm']}-seed{row['seed']}": (row["state"], row["attempt"])
                for row in store.runs(study.id)
            }

    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        await until(
            pilot, lambda: words(pilot.app).count("✗ failed") == 2 and not screen.view.alive
        )
        before = attempts()
        grid = screen.query_one(RunGrid)
        names = [run.name for run in screen.view.runs]
        grid.move_cursor(row=names.index("modified-seed1"))
        fake_trainer()
        await pilot.press("R")
        await until(
            pilot, lambda: attempts()["modified-seed1"][0] == "finished", "the cell did not heal"
        )
        await until(pilot, lambda: not screen.view.alive)
        assert attempts() == {**before, "modified-seed1": ("finished", 2)}
        await until(pilot, lambda: screen.check_action("go_on", ()))
        await pilot.press("g")
        await until(
            pilot, lambda: screen.view.row.state == "finished", "the other one did not heal"
        )


async def test_the_lab_says_how_the_study_stands_with_wandb() -> None:
    study = make_study(wandb="offline")
    finish(study)
    compared(study)
    async with app().run_test(size=(120, 40)) as pilot:
        await open_lab(pilot)
        await until(pilot, lambda: "W&B offline" in words(pilot.app))
        await pilot.press("W")
        await until(pilot, lambda: "project q1-capstone, group rope-1" in words(pilot.app))
        for run in study.runs:  # as the page at W&B lists them
            assert re.search(rf"{run.name} +{run.arm} +{run.seed} +\d\.\d{{4}}", words(pilot.app))
        await until(pilot, lambda: "y does it" in words(pilot.app))
        await pilot.press("escape")
        step_actions.run_command(pilot.app, ["q1lab", "sync", "rope", "--show"])  # a step's row
        await until(pilot, lambda: "modified-seed2" in words(pilot.app))


async def test_leaving_the_app_stops_nothing(fake_trainer: Callable[..., None]) -> None:
    fake_trainer(pause=0.4)
    study = _launched()
    async with app().run_test(size=(80, 24)) as pilot:
        await open_lab(pilot)
        await pilot.press("1")
        assert launch.is_alive(study.files)
    assert launch.is_alive(study.files)
    assert launch.stop_study(study)


async def test_the_log_is_followed_as_plain_text() -> None:
    study = make_study()
    training(study)
    log = study.files.run("modified-seed1").log
    async with app().run_test(size=(100, 30)) as pilot:
        await open_lab(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, RunLogScreen)
        assert "val loss 1.9090" in words(pilot.app)
        assert "no log of" in words(pilot.app)
        await pilot.press("escape", "down", "down", "down", "enter")
        assert isinstance(pilot.app.screen, RunLogScreen)
        assert "Nothing printed yet." in words(pilot.app)
        log.write_text("\x1b[31m[bold]a warning[/bold]\x1b[0m \x1b]0;title\x07\n")
        await until(pilot, lambda: "[bold]a warning[/bold]" in words(pilot.app))
        assert "\x1b" not in words(pilot.app)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LabScreen)


async def test_several_studies_are_listed_and_filtered() -> None:
    for number, variant in enumerate(("swiglu", "rmsnorm", "rope")):
        study = make_study(f"{variant}-1", variant, created=f"2026-03-0{number + 1}T09:00:00+00:00")
        finish(study)
        compared(study)  # the app leaves a comparison to a process of its own, which loads scipy
    async with app().run_test(size=(80, 24)) as pilot:
        screen = await open_lab(pilot)
        for size in ((80, 24), (120, 40), (60, 20)):
            await pilot.resize_terminal(*size)
            screen._watch("rope-1")
            await until(pilot, lambda: screen.view.row.id == "rope-1")
            await until(pilot, lambda: "study 1 of 3" in words(pilot.app))
            screen.query_one(RunGrid).focus()
            await pilot.press("n")
            await until(pilot, lambda: screen.view.row.id == "rmsnorm-1")
            await pilot.press("slash", *"swi")
            await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
            await until(pilot, lambda: pilot.app.screen.query_one(OptionList).option_count == 1)
            await pilot.press("enter")
            await until(pilot, lambda: screen.view.row.id == "swiglu-1")
            assert screen.query_one(RunGrid).has_focus
            await pilot.press("slash", "escape")
            assert screen.query_one(RunGrid).has_focus
            assert screen.view.row.id == "swiglu-1"


async def test_who_came_for_the_studies_begins_in_the_lab_and_finds_the_week(
    tmp_path: Path,
) -> None:
    assert not prepare_app(None, None).starts_in_lab  # no study yet: the week's welcome
    created = "2026-03-01T09:00:00+00:00"
    compared(make_study("relu_squared-1", "relu_squared", created=created))  # as `make run` does
    assert not prepare_app(None, None).starts_in_lab
    file = tmp_path / "rope.py"
    file.write_bytes(variants.find_variant("rope").path.read_bytes())
    study = make_study(variant=str(file))
    finish(study)
    compared(study)
    setup = prepare_app(None, None)
    assert setup.starts_in_lab
    q1 = Q1Lab(setup)
    async with q1.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(q1.screen, LabScreen))
        await until(pilot, lambda: "rope against baseline" in words(q1))
        assert "left of" not in words(q1).splitlines()[0], "the week's clock"
        await pilot.press("1")
        await until(pilot, lambda: isinstance(q1.screen, WelcomeScreen))
    config.save_setting("week", "off")
    with Store() as store:
        week = load_week(content_dir())
        progress.tick_step(store, week.label, "a1-trains", True)
    assert prepare_app(None, None).starts_in_lab
    page = q1lab("--help").stdout
    assert "Studies:" in page
    assert "The week:" not in page


async def test_it_opens_on_what_trains_and_stays_there_when_that_ends() -> None:
    trains = make_study("swiglu-1", "swiglu", created="2026-03-01T09:00:00+00:00")
    make_study("rope-1", created="2026-03-02T09:00:00+00:00")  # newer, and only planned
    locks = training(trains)
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_lab(pilot)
        await until(pilot, lambda: screen.view.row.id == "swiglu-1")
        finish(trains)
        compared(trains)
        for lock in locks:
            os.close(lock)
        await until(pilot, lambda: screen.view.row.state == "finished")
        assert screen.view.row.id == "swiglu-1"


async def test_the_chart_names_the_study_that_one_looks_at_also_before_its_first_loss() -> None:
    for variant in ("swiglu", "rmsnorm"):
        make_study(f"{variant}-1", variant)
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_lab(pilot)
        chart = screen.query_one(LossChart)
        for name in ("swiglu-1", "rmsnorm-1"):
            screen.q1.store_thread.watch_study(name)
            variant = name.partition("-")[0]
            await until(pilot, lambda variant=variant: chart.data.arms[1].variant == variant)


async def test_m_charts_the_next_number() -> None:
    finish(make_study())
    async with app().run_test(size=(120, 40)) as pilot:
        await _to_lab(pilot)
        assert "second half" in words(pilot.app)
        await pilot.press("m")
        await until(pilot, lambda: " train loss " in words(pilot.app))


def _launched() -> studies.Study:
    """A real study of six runs, planned and started as `q1lab run` does."""
    from q1lab.study.command_line import Request

    request = Request("rope", preset="quick", overrides={"max_iters": "40"})
    with Store() as store:
        return begin_one(request, store)


async def _to_lab(pilot: Any) -> None:
    screen = await open_lab(pilot)
    if screen.view is not None:
        await until(pilot, lambda: screen.query_one(LossChart).data.last > 0)
    await pilot.pause()


async def _to_verdict(pilot: Any) -> None:
    await _to_lab(pilot)
    await pilot.press("v")


async def test_the_verdict_is_copied_and_counts_as_read() -> None:
    study = make_study()
    finish(study)
    compared(study)
    async with app().run_test(size=(100, 30), notifications=True) as pilot:
        await _to_verdict(pilot)
        await until(pilot, lambda: isinstance(pilot.app.screen, VerdictScreen))
        seen = words(pilot.app).splitlines()
        await pilot.press("c")
        await until(pilot, lambda: "comparison as text" in words(pilot.app))
        now = words(pilot.app).splitlines()
        assert "comparison as text" in now[-2]
        assert now[-1] == seen[-1], "it covers no keys"
        read = [line.rstrip(" ▁▂▃▄▅▆▇█") for line in seen]  # without the scrollbar
        assert [line.rstrip(" ▁▂▃▄▅▆▇█") for line in now[:-2]] == read[:-2], "it moves nothing"
    with Store() as store:  # it was looked at: a step of the week waits for that
        seen = learner_tables.evidence_rows(store, "M03-W04")
        assert [(row["act"], row["subject"]) for row in seen] == [("compare", study.id)]


async def test_a_study_that_cannot_be_read_is_a_marked_line_and_stops_no_other() -> None:
    finish(make_study("good-1", seeds=(0,)))
    bad = make_study("bad-1", seeds=(0,))
    plan = json.loads(bad.files.plan.read_text())
    bad.files.plan.write_text(json.dumps({**plan, "created": None}))
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        await until(pilot, lambda: len(pilot.app.snapshot.studies) == 2)
        await pilot.press("slash")
        line = r"bad-1 +unreadable"
        await until(pilot, lambda: re.search(line, words(pilot.app)), "no marked line")
        await pilot.press("escape")
        assert screen.view is not None
        assert screen.view.row.id == "good-1"
        screen._watch("bad-1")
        await until(pilot, lambda: "created" in notices(pilot.app), "no reason")
        assert screen.view.row.id == "good-1"


def test_the_end_of_a_planned_range_is_seen_as_one() -> None:
    """Its plan is cut to the pairs that it took when it is over: it never looks stopped."""
    study = make_study(seeds=tuple(range(5)))
    locked = hold(study.files.lock)
    for seed in range(3):
        train(study, "baseline", seed)
        train(study, "modified", seed)
    reader = SnapshotReader("week")
    with Store() as store:
        before = reader.read_snapshot(store)
        assert [(line.state, line.total) for line in before.studies] == [("running", 10)]
        studies.save(changed(study, looks=((0, 1, 2),)))
        os.close(locked)
        after = reader.read_snapshot(store)
    assert [(line.state, line.done, line.total) for line in after.studies] == [("finished", 6, 6)]
    assert [line.id for line in studies_ended_between(before, after)] == [study.id]


async def test_the_comparison_of_a_sweep_shows_the_sweeps_table() -> None:
    members = ("rope", "swiglu")
    for at, variant in enumerate(members):
        declared = Series("sweep-1", members, at, 0.025)
        study = make_study(f"{variant}-1", variant, series=declared)
        finish(study)
        compared(study)
    async with app().run_test(size=(100, 40)) as pilot:
        await open_lab(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, VerdictScreen))
        screen = pilot.app.screen
        assert isinstance(screen, VerdictScreen)
        await until(pilot, lambda: screen.sweep)
        text = "\n".join(plain_lines(screen.query_one(LinesView).lay(90)))
        assert "sweep-1" in text
        assert all(name in text for name in members)


async def test_a_run_that_ended_badly_says_why_in_the_lab_and_in_its_log() -> None:
    study = make_study(seeds=(0,))
    for run in study.runs:
        file = train(study, run.arm, run.seed)
        said = file.read_text().replace('"train_loss": ', '"train_loss": 4.4, "was": ')
        file.write_text(said.replace('"val_loss": ', '"val_loss": 4.4, "was_val": '))
    async with app().run_test(size=(80, 24)) as pilot:
        await open_lab(pilot)
        await until(pilot, lambda: "never below the loss of guessing" in words(pilot.app))
        assert "! baseline seed 0, rope seed 0: never below" in words(pilot.app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunLogScreen))
        await until(pilot, lambda: "! never below the loss of guessing, 4.174" in words(pilot.app))

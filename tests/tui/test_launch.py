"""Planning and starting a study from the screen."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.widgets import Button, Input, OptionList, Select, Static

from q1lab.ground.paths import content_dir
from q1lab.index.store import Store
from q1lab.planning import study_plan
from q1lab.runner import launch
from q1lab.study import kept_folder, studies
from q1lab.study.command_arms import CommandSpec
from q1lab.study.command_line import Request
from q1lab.trainers.command import EMPTY_SETTINGS
from q1lab.tui.screens import launch_opener
from q1lab.tui.screens.lab import LabScreen
from q1lab.tui.screens.launch import LaunchScreen
from q1lab.tui.screens.week_page import WeekScreen
from q1lab.tui.widgets.launch_form import LaunchForm
from q1lab.tui.widgets.launch_text import prediction_words
from q1lab.week import content, progress
from q1lab.week.lists import predictions
from tests.kit.lab_home import app, finish, make_study, notices, open_lab, until, words
from tests.kit.places import MODELS
from tests.kit.plans import changed
from tests.kit.tui_home import settled
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample


def estimate(screen: LaunchScreen) -> str:
    return str(screen.query_one("#estimate", Static).content)


async def open_launch(pilot: Any) -> LaunchScreen:
    await open_lab(pilot)
    await pilot.press("r")
    await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen))
    screen = pilot.app.screen
    assert isinstance(screen, LaunchScreen)
    return screen


async def test_choose_estimate_start_and_watch(fake_trainer: Callable[..., None]) -> None:
    fake_trainer(pause=0.05)
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        assert screen.query_one(LaunchForm)._picked() == "rope"  # which the week recommends
        await until(pilot, lambda: "Its diff gives" in words(pilot.app))
        assert "def apply_rotary_emb" not in words(pilot.app)
        await pilot.press("ctrl+o")
        await until(
            pilot, lambda: "def apply_rotary_emb" in words(pilot.app), "the diff is not shown"
        )
        screen.query_one("#seeds", Input).value = "1"
        await until(pilot, lambda: "Fewer than 3" in words(pilot.app))
        screen.query_one("#seeds", Input).value = "3"
        screen.query_one("#max_iters", Input).value = "40"
        await until(pilot, lambda: screen.draft is not None, "no estimate came")
        assert estimate(screen).startswith("6 runs, about ")
        assert "No prediction for" in words(pilot.app)
        assert "`q1lab predict rope`" in prediction_words(None, "rope")
        assert "`q1lab predict bilinear`" in prediction_words(None, "bilinear", chosen=False)
        assert studies.ids() == []
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen), "it did not start")
        lab = pilot.app.screen
        await until(pilot, lambda: lab.view is not None and lab.view.row.id == "rope-1")
        await until(pilot, lambda: lab.view.row.state == "finished", "it did not end")
        assert studies.load("rope-1").max_iters == 40


async def test_an_open_list_has_a_border_and_no_placeholder_is_cut() -> None:
    async with app().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, WeekScreen))
        launch_opener.open_launch_form(pilot.app, Request("rope", seeds="1", data="shakespeare"))
        await until(pilot, lambda: pilot.app.screen.query("#preset"))
        pilot.app.screen.query_one("#preset").focus()
        await pilot.press("enter")
        await until(pilot, lambda: "│quick" in words(pilot.app))
        assert "╭──" in words(pilot.app)
        await pilot.press("escape", "ctrl+n")
        await until(pilot, lambda: "shakespeare" in words(pilot.app))
        field = pilot.app.screen.query_one("#data", Input)
        field.value = ""
        await until(pilot, lambda: re.search("data .* or file ", words(pilot.app)))


async def test_start_is_taken_before_the_estimate_and_one_lands_in_the_lab(
    fake_trainer: Callable[..., None],
) -> None:
    fake_trainer(pause=0.05)  # it is seen to train
    async with app().run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, WeekScreen))
        launch_opener.open_launch_form(
            pilot.app, Request("rope", seeds="1", overrides={"max_iters": "40"})
        )
        await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen))
        screen = pilot.app.screen
        await until(pilot, lambda: not screen.query_one("#start", Button).disabled)
        screen.changed()
        assert screen.draft is None
        screen.action_start()
        assert "as soon as" in estimate(screen)
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen), "it did not start")
        await until(pilot, lambda: "rope-1: 2 of 2 runs done" in notices(pilot.app))
    assert studies.load("rope-1").max_iters == 40


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
async def test_steps_that_are_tried_for_another_choice_end_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A large preset that one passes over would slow down the next estimate, and the runs."""
    begun = tmp_path / "pids"
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import os, time\n"
        f"print(os.getpid(), file=open({str(begun)!r}, 'a'), flush=True)\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setenv("Q1LAB_PROBE", f"{sys.executable} {probe}")

    def pids() -> list[str]:
        return begun.read_text().split() if begun.exists() else []

    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        await until(pilot, lambda: len(pids()) == 1)
        screen.query_one("#max_iters", Input).value = "40"
        await until(pilot, lambda: len(pids()) == 2)
        await until(pilot, lambda: not Path(f"/proc/{pids()[0]}").exists())
        screen.action_back()
        await until(pilot, lambda: not Path(f"/proc/{pids()[1]}").exists())


@pytest.mark.parametrize(
    ("seeds", "named", "planned"),
    [
        ((0, 1, 2), 9, "9"),
        ((0, 1, 2), None, "6"),
        pytest.param((0,), None, "3", id="two would give no verdict"),
    ],
)
async def test_the_seeds_that_a_verdict_names_or_needs_are_planned(
    fake_trainer: Callable[..., None], seeds: tuple[int, ...], named: int | None, planned: str
) -> None:
    study = make_study(seeds=seeds)
    finish(study)
    async with app().run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, WeekScreen))
        launch_opener.open_form_with_more_seeds(pilot.app, study, named)
        await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen))
        await until(pilot, lambda: pilot.app.screen.query("#seeds"))
        request = pilot.app.screen.request()
        assert (request.variant, request.seeds) == ("rope", planned)


async def test_more_seeds_of_a_command_are_said_in_words() -> None:
    """The form is for model files."""
    loop = CommandSpec("train {seed}", {"baseline": "", "fast": "x"}, "/", "val/loss")
    study = changed(make_study(), loop=loop, **EMPTY_SETTINGS)
    studies.save(study)
    async with app().run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, WeekScreen))
        launch_opener.open_form_with_more_seeds(pilot.app, study, 9)
        await until(pilot, lambda: "q1lab run rope-1 --seeds 9" in notices(pilot.app))
        assert isinstance(pilot.app.screen, WeekScreen)


async def test_a_running_study_is_offered_to_watch(fake_trainer: Callable[..., None]) -> None:
    fake_trainer(pause=2)
    async with app().run_test(size=(100, 30)) as pilot:
        for expected in ("Start", "Watch it"):
            screen = await open_launch(pilot)
            screen.query_one("#max_iters", Input).value = "40"
            start = screen.query_one("#start", Button)
            await until(pilot, lambda screen=screen: screen.draft is not None, "no estimate came")
            assert str(start.label) == expected
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        (only,) = studies.ids()
        assert launch.is_alive(studies.load(only).files)
        launch.stop_study(studies.load(only))


async def test_the_prediction_is_shown_and_locks_with_the_start(
    fake_trainer: Callable[..., None],
) -> None:
    with Store() as store:
        predictions.record_prediction(
            store, "M03-W04", "rope", "higher", size=0.02, matters=0.005, confidence=0.6
        )
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        await until(pilot, lambda: "You predict: higher by 0.02 nats" in words(pilot.app))
        assert "Starting locks it." in words(pilot.app)
        screen.query_one("#max_iters", Input).value = "40"
        await until(pilot, lambda: not screen.query_one("#start", Button).disabled)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        prediction = studies.load("rope-1").prediction
        assert prediction is not None
        assert prediction["locked"]
        screen = await open_launch(pilot)
        await until(pilot, lambda: "Locked since" in words(pilot.app))


async def test_what_is_wrong_is_said_under_the_form(fake_trainer: Callable[..., None]) -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        for name, text, why in (
            ("seeds", "1,1", "seed 1 is listed twice"),
            ("seeds", "", "give how many"),
            ("max_iters", "-4", "give a whole number from 1 up"),
            ("overrides", "droput=1", "did you mean 'dropout'?"),
            ("baseline", "basline", "did you mean 'baseline'?"),
            ("data", "no/such/file.txt", "no such file"),
        ):
            field = screen.query_one(f"#{name}", Input)
            right, field.value = field.value, text
            await until(pilot, lambda: why in estimate(screen), f"not said: {why}")  # noqa: B023
            assert not estimate(screen).startswith("-")
            assert screen.query_one("#start", Button).disabled
            await pilot.press("ctrl+s")
            assert isinstance(pilot.app.screen, LaunchScreen)
            field.value = right
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LabScreen)
        assert studies.ids() == []


async def test_a_file_of_ones_own(fake_trainer: Callable[..., None], tmp_path: Path) -> None:
    bad = tmp_path / "mine.py"
    bad.write_text("class GPT:\n    def broken(\n")
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        form = screen.query_one(LaunchForm)
        assert not screen.query_one("#file").display
        screen.query_one("#variant", OptionList).highlighted = len(form.names)
        await until(pilot, lambda: screen.query_one("#file").display)
        await until(pilot, lambda: "Give the path" in estimate(screen))
        screen.query_one("#file", Input).value = str(bad)
        await until(pilot, lambda: "mine.py:2: SyntaxError" in estimate(screen))
        bad.write_text(
            (Path(__file__).parents[2] / "labs/models/rope.py").read_text() + "\n# mine\n"
        )
        screen.query_one("#file", Input).value = f"{bad} "
        await until(pilot, lambda: "mine against baseline" in words(pilot.app))


async def test_a_kept_study_is_chosen_and_trained_as_it_was(
    fake_trainer: Callable[..., None], tmp_path: Path
) -> None:
    with Store() as store:
        first = study_plan.begin_study(Request("rope", seeds="2", preset="quick"), store).study
    wait_for(lambda: not launch.is_alive(first.files), "the study's end")
    for path, data in kept_folder.files_to_keep(first, tmp_path).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    app_ = app(cwd=tmp_path)
    async with app_.run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        form = screen.query_one(LaunchForm)
        assert "studies/rope-1  once more" in words(app_)
        form.query_one("#variant", OptionList).highlighted = len(form.names) + 1
        await until(pilot, lambda: form.has_class("-kept"))
        await until(pilot, lambda: screen.draft is not None, estimate(screen))
        assert "nothing is missing" in estimate(screen)
        assert not form.query_one("#seeds").is_on_screen
        assert screen.request() == Request(str(tmp_path / "studies" / "rope-1"))
        form.query_one("#variant", OptionList).highlighted = len(form.names)
        form.query_one("#file", Input).value = "studies/rope-1"  # of the learner's folder
        await until(pilot, lambda: form.has_class("-kept") and screen.draft is not None)
        assert screen.request().variant == str(tmp_path / "studies" / "rope-1")


async def test_in_the_smallest_terminal_no_line_of_a_new_study_is_cut(
    fake_trainer: Callable[..., None], tmp_path: Path
) -> None:
    with Store() as store:
        progress.choose_modification(store, content.load_week(content_dir()), "rope")
    (tmp_path / "rope.py").write_text((MODELS / "rope.py").read_text())
    async with app(cwd=tmp_path).run_test(size=(60, 20)) as pilot:
        screen = await open_launch(pilot)
        assert screen.query_one("#file", Input).value == "./rope.py"
        for field in screen.query(Input):
            assert len(field.placeholder) <= max(field.size.width, 19), field.placeholder
        screen.query_one("#variant", OptionList).highlighted = 0
        await until(pilot, lambda: "Its diff gives" in words(pilot.app))
        shown = " ".join(line.rpartition("│")[2].strip() for line in words(pilot.app).split("\n"))
        assert "passes its checks" in shown


async def test_the_form_begins_with_the_file_that_the_learner_wrote(
    fake_trainer: Callable[..., None], tmp_path: Path
) -> None:
    with Store() as store:
        progress.choose_modification(store, content.load_week(content_dir()), "rope")
    (tmp_path / "rope.py").write_text((MODELS / "rope.py").read_text())
    async with app(cwd=tmp_path).run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        assert screen.request().variant == str(tmp_path / "rope.py")
        await until(pilot, lambda: "rope against baseline" in words(pilot.app))
        screen.query_one("#file", Input).value = ""
        await until(pilot, lambda: "Give the path" in estimate(screen))
        assert "against baseline" not in words(pilot.app)
        assert "def apply_rotary_emb" not in words(pilot.app)


async def test_a_planned_range_tells_its_plan_before_it_starts(
    fake_trainer: Callable[..., None],
) -> None:
    async with app().run_test(size=(100, 40)) as pilot:
        screen = await open_launch(pilot)
        screen.query_one("#seeds", Input).value = "3..12"
        await until(pilot, lambda: screen.draft is not None, "no estimate came")
        assert "3 to 12 pairs" in estimate(screen)
        assert "four studies out of five" in " ".join(estimate(screen).split())


async def test_data_that_were_chosen_are_what_the_form_names(
    fake_trainer: Callable[..., None], tmp_path: Path
) -> None:
    data_file = tmp_path / "own.txt"
    data_file.write_text("abcdefghij " * 200)
    with Store() as store:
        progress.choose_data(store, str(data_file), "own.txt", 11)
    async with app().run_test(size=(100, 40)) as pilot:
        screen = await open_launch(pilot)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "own.txt or file" in words(pilot.app))
        await until(pilot, lambda: screen.draft is not None, "no estimate came")
        assert screen.draft.study.data.name == "own.txt"


async def test_keys_that_are_typed_ahead_of_a_form_or_beside_its_fields_do_no_harm() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await open_launch(pilot)
        await pilot.press("1", "5", "0")  # beside a field: they leave no form
        assert pilot.app.screen is screen
        await pilot.press("escape")
        pilot.app.push_screen(LaunchScreen())
        await pilot.app.run_action("app.pop_screen")  # before it is complete
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        await settled(pilot)
        free = Event()
        pilot.app.store_thread.submit(lambda _: free.wait(60))
        await pilot.app.push_screen(LaunchScreen())
        await pilot.press("escape")  # before its answer came
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        free.set()
        await settled(pilot)
        assert isinstance(pilot.app.screen, LabScreen)
        await pilot.press("1")
        await until(pilot, lambda: isinstance(pilot.app.screen, WeekScreen))


async def test_what_then_how_with_the_values_that_fields_come_to(
    fake_trainer: Callable[..., None],
) -> None:
    async with app().run_test(size=(80, 24)) as pilot:
        screen = await open_launch(pilot)
        await until(pilot, lambda: screen.draft is not None, "no estimate came")
        assert "1 of 2: what" in words(pilot.app)
        assert screen.query_one("#seeds").is_on_screen
        assert not screen.query_one("#max_iters").is_on_screen
        await pilot.press("enter")
        await until(pilot, lambda: "2 of 2: how" in words(pilot.app))
        await until(pilot, lambda: screen.query_one("#max_iters").is_on_screen)
        assert not screen.query_one("#seeds").is_on_screen
        assert screen.draft is not None
        study = screen.draft.study
        for value in (
            f"{study.max_iters:,}",
            study.trainer.device,
            study.trainer.number_format,
        ):
            assert value in words(pilot.app)
        screen.query_one("#max_iters", Input).value = "4x"
        await until(pilot, lambda: "iters '4x'" in estimate(screen))
        await pilot.press("escape")
        await until(pilot, lambda: "1 of 2: what" in words(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        assert pilot.app.drafts["A new study"]["max_iters"] == "4x"
        screen = await open_launch(pilot)
        await until(pilot, lambda: screen.query_one("#max_iters", Input).value == "4x")


async def test_a_baseline_against_itself_is_what_the_cursor_stands_on(
    fake_trainer: Callable[..., None],
) -> None:
    async with app().run_test(size=(80, 24)) as pilot:
        await open_lab(pilot)
        launch_opener.open_launch_form(pilot.app, Request("baseline", preset="quick", seeds="1"))
        await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen))
        screen = pilot.app.screen
        await until(pilot, lambda: screen.draft is not None, "no estimate came")
        assert re.search(r"▸ baseline +Baseline", words(pilot.app))
        assert screen.request().variant == "baseline"
        await pilot.press("up", "down")
        assert screen.request().variant == "baseline"


async def test_no_list_of_the_form_has_a_choice_twice(fake_trainer: Callable[..., None]) -> None:
    """The first line of a list is what stands in the field: the value that it comes to."""
    async with app().run_test(size=(80, 24)) as pilot:
        screen = await open_launch(pilot)
        await until(pilot, lambda: screen.draft is not None, "no estimate came")
        for field in screen.query(Select):
            shown = [str(option.prompt) for option in field.query_one(OptionList).options]
            assert len(shown) == len(set(shown)) > 1, shown
        preset = screen.query_one("#preset", Select)
        assert preset.prompt == "cpu"
        preset.value = "quick"
        await until(pilot, lambda: screen.draft is None)
        await until(pilot, lambda: screen.draft is not None, "no second estimate came")
        shown = [str(option.prompt) for option in preset.query_one(OptionList).options]
        assert (preset.value, shown) == ("quick", ["cpu", "quick", "gpu"])
        preset.clear()
        await until(pilot, lambda: screen.draft is None)
        await until(pilot, lambda: screen.draft is not None, "no third estimate came")
        assert preset.prompt == "cpu"
        assert screen.request().preset is None

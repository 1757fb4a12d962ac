"""Two presses in one burst: on every screen, every key, Enter, a double click. What they are for is
done once, and the app lives. Screens are found by looking, so a new one must be opened here, too."""

from __future__ import annotations

import importlib
import pkgutil
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, DataTable, OptionList

import q1lab.tui
from q1lab.ground import paths, plugin_finder
from q1lab.ground.config import Config
from q1lab.index.store import Store
from q1lab.runner import launch
from q1lab.study import studies
from q1lab.study.command_line import Request
from q1lab.tui import command_palette
from q1lab.tui.app import Q1Lab
from q1lab.tui.key_bursts import CHOICES, MOVES
from q1lab.tui.screens import forms, launch_opener, step_actions
from q1lab.tui.screens.base import Dialog
from q1lab.tui.screens.check import CheckScreen
from q1lab.tui.screens.confirm import ConfirmScreen
from q1lab.tui.screens.document import DocumentScreen
from q1lab.tui.screens.launch import LaunchScreen
from q1lab.tui.screens.pick_one import PickScreen
from q1lab.tui.screens.week_page import WeekScreen
from q1lab.tui.widgets.page_blocks import Piece
from q1lab.week import progress
from q1lab.week.lists import artifacts, predictions
from q1lab.week.own_model.run_checks import CheckReport
from q1lab.week.syllabus import Week
from tests.kit.lab_home import compared, finish, make_study, train
from tests.kit.repos import begun, git, of_its_own
from tests.kit.tui_home import pane_of, prepared, settled, until

pytestmark = pytest.mark.sample

LONG = pytest.mark.long, pytest.mark.timeout(1200)
STEPS = {"write": "a1-why", "choose": "a1-choose", "predict": "a3-predict", "recall": "a2-rope-s1"}


def a_week(store: Store, week: Week) -> None:
    progress.choose_modification(store, week, "rope")
    progress.save_answer(store, week.label, "a1-why", "Because.")
    artifacts.add_artifact(store, "repo", "mine", location="https://example.org/t", week=week.label)
    predictions.record_prediction(
        store, week.label, "rope", "lower", size=0.03, matters=0.01, confidence=0.7
    )
    predictions.lock_prediction(store, "rope", "a commit", week.label)


def an_app(repo: Path) -> Q1Lab:
    """A week under way: one study is done, one was stopped."""
    done, stopped = make_study("rope-1"), make_study("swiglu-1", "swiglu")
    finish(done)
    compared(done)
    train(stopped, "baseline", 0, 250, state="stopped")
    return prepared(a_week, config=Config(repo=repo))


# ── how each screen is opened

Opener = Callable[[Pilot[Any], Path], Awaitable[object]]


def by(*keys: str) -> Opener:
    async def press(pilot: Pilot[Any], _: Path) -> None:
        for key in keys:
            await pilot.press(key)
            await settled(pilot)

    return press


def doing(act: Callable[[Q1Lab, Path], object]) -> Opener:
    async def do(pilot: Pilot[Any], repo: Path) -> None:
        act(pilot.app, repo)  # type: ignore[arg-type]

    return do


def form(kind: str) -> Opener:
    def opened(app: Q1Lab, _: Path) -> object:
        step = next(candidate for candidate in app.week.steps() if candidate.id == STEPS[kind])
        return step_actions.open_step_form(app, step)

    return doing(opened)


def checks(file: Path, target: str | None, **_: Any) -> CheckReport:
    return CheckReport(str(file), target or "", True, ())


async def away(pilot: Pilot[Any], _: Path) -> None:
    app, clocks = pilot.app, pilot.app.setup.clocks  # type: ignore[attr-defined]
    assert isinstance(app, Q1Lab)
    app.time.press("a1")
    clocks.forward(7200)
    app.tick_clock()


async def too_small(pilot: Pilot[Any], _: Path) -> None:
    await pilot.resize_terminal(50, 15)


async def in_the_lab(pilot: Pilot[Any], repo: Path, *keys: str) -> None:
    pilot.app.store_thread.watch_study("rope-1")  # type: ignore[attr-defined]
    await by("2", *keys)(pilot, repo)


def lab(*keys: str) -> Opener:
    return lambda pilot, repo: in_the_lab(pilot, repo, *keys)


async def stopped_study(pilot: Pilot[Any], repo: Path) -> None:
    pilot.app.store_thread.watch_study("swiglu-1")  # type: ignore[attr-defined]
    await by("2")(pilot, repo)


def demo(app: Q1Lab, _: Path) -> object:
    (place,) = plugin_finder.welcome_screens().values()
    return app.push_screen(plugin_finder.load(place)())


OPEN: dict[str, Opener] = {
    "AnswerScreen": form("write"),
    "ConfirmScreen": doing(
        lambda app, _: app.push_screen(ConfirmScreen("Change?", "", "Keep", "Do"))
    ),
    "TimerQuestionScreen": away,
    "CheckScreen": doing(
        lambda app, _: app.push_screen(CheckScreen("model.py", "rope", None, checks))
    ),
    "CommitScreen": doing(lambda app, _: step_actions.run_command(app, ["q1lab", "modification"])),
    "DocumentScreen": doing(lambda app, repo: app.push_screen(DocumentScreen(repo / "notes.md"))),
    "ErrorScreen": doing(lambda app, _: app.show_error("It did not work.")),
    "FormScreen": doing(lambda app, _: forms.open_form(app, "paper add")),
    "GlossaryScreen": by("w"),
    "HelpScreen": by("question_mark"),
    "HintScreen": by("h", "enter"),
    "LabScreen": lab(),
    "LaunchScreen": doing(
        lambda app, _: launch_opener.open_launch_form(
            app, Request("gqa", seeds="1", overrides={"max_iters": "40"})
        )
    ),
    "CommandOutputScreen": lambda pilot, repo: pane_of(pilot, "print('said')", repo),
    "AppCommandPalette": by("ctrl+p"),
    "PickScreen": by("h"),
    "ProgressScreen": by("4"),
    "RecallScreen": form("recall"),
    "ResultsScreen": by("3"),
    "RunLogScreen": lab("enter"),
    "WeekScreen": by(),
    **({} if "sample" in plugin_finder.away() else {"SampleScreen": lab("H")}),
    **({} if "demo" in plugin_finder.away() else {"DemoScreen": doing(demo)}),
    "TooSmallScreen": too_small,
    "VerdictScreen": lab("v"),
    "WandbScreen": lab("W"),
    "WelcomeScreen": doing(lambda app, _: command_palette.welcome(app)),
}
MORE: dict[str, Opener] = {
    "a stopped study": stopped_study,
    "a prediction": form("predict"),
    "the finder": by("slash"),
}
"""Other states of a screen."""


def every_screen() -> Iterator[str]:
    for module in pkgutil.walk_packages(q1lab.tui.__path__, "q1lab.tui."):
        importlib.import_module(module.name)
    for screen in plugin_finder.study_screens().values():
        plugin_finder.load(screen.screen)
    for place in plugin_finder.welcome_screens().values():
        plugin_finder.load(place)
    classes = [Screen]
    for cls in classes:
        classes += cls.__subclasses__()
        is_of_the_app = cls.__module__.startswith("q1lab.")
        if is_of_the_app and not any(
            subclass.__module__.startswith("q1lab.") for subclass in cls.__subclasses__()
        ):
            yield cls.__name__


def test_every_screen_is_tried() -> None:
    assert set(every_screen()) == set(OPEN)


async def opened(pilot: Pilot[Any], name: str, repo: Path) -> None:
    """The screen of this name, over the page that the app begins with, with nothing at work."""
    app = pilot.app
    assert isinstance(app, Q1Lab)
    await pilot.resize_terminal(100, 30)
    app.action_go("study")
    if app.time.clock.question is not None:
        app.time.answer(0.0, False)
    page = app.screen
    assert isinstance(page, WeekScreen)
    page.remove_class("-zen", "-tree", "-untree")
    page.open_page("a1", "a1-trains")
    app.run_job(lambda store: progress.choose_modification(store, app.setup.week, "rope"))
    await settled(pilot)
    await (OPEN | MORE)[name](pilot, repo)
    if name in OPEN:
        await until(pilot, lambda: type(app.screen).__name__ == name and app.screen.is_mounted)
    await at_rest(pilot)
    if isinstance(app.screen, LaunchScreen):
        await until(pilot, lambda: app.screen.draft is not None)  # type: ignore[attr-defined]


async def at_rest(pilot: Pilot[Any]) -> None:
    """Wait for what works beside the app: plans, proposals, commands, the store thread."""
    await settled(pilot)
    await until(pilot, lambda: all(worker.name == "store" for worker in pilot.app.workers))
    await settled(pilot)


# ── bursts, and what they leave behind


def burst(pilot: Pilot[Any], *queued: events.Event) -> None:
    """Have the app get all events before it handles the first."""
    driver = pilot.app._driver
    assert driver is not None
    for event in queued:
        event.set_sender(pilot.app)
        driver.send_message(event)


def keys(*names: str) -> list[events.Event]:
    return [events.Key(name, name if len(name) == 1 else None) for name in names]


def clicks(x: int, y: int, times: int = 2) -> list[events.Event]:
    kinds = (events.MouseDown, events.MouseUp) * times
    return [kind(None, x, y, 0, 0, 1, False, False, False) for kind in kinds]


TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:\+00:00|Z)?|\b[0-9a-f]{7,64}\b")
LEARNER_TABLES = (
    "step_records", "predictions", "kpis", "papers", "artifacts", "posts", "shares", "modifications",
    "hints", "evidence WHERE act IN ('check', 'merge', 'modification', 'retro', 'course roadmap', 'reference')",
    "settings WHERE key NOT LIKE 'evidence:%' AND key NOT LIKE 'offered:%' AND key != 'journal'",
)  # fmt: skip
"""What a person typed; what a study leaves comes when that has ended, and what was shown with time."""


def left(app: Q1Lab, repo: Path) -> dict[str, Any]:
    """What is open, and what is kept: rows, studies, commits, files."""
    with Store() as store:
        tables = {
            name: store.db.execute(f"SELECT * FROM {name}").fetchall() for name in LEARNER_TABLES
        }
    # sorted: a setting that the index writes for itself may go in before or after the app's
    rows = {name: repr(sorted(map(tuple, table), key=repr)) for name, table in tables.items()}
    return {
        **{name: TIMES.sub("T", row).replace(str(repo), "REPO") for name, row in rows.items()},
        "open": [type(screen).__name__ for screen in app.screen_stack],
        "page": app.current_mode,
        "studies": studies.ids(),
        "commits": git(repo, "log", "--format=%s"),
        "files": sorted(path.name for path in repo.glob("*")),
    }


def bound(app: Q1Lab) -> list[str]:
    """The keys that do something here, one for each action; not those that leave the app."""
    key_by_action: dict[tuple[object, str], str] = {}
    for key, active in app.screen.active_bindings.items():
        action = active.binding.action
        leaves = action in ("app.leave", "quit", "end")
        leaves = leaves or key == "ctrl+c"  # with nothing selected that it could copy
        if active.enabled and not leaves:
            key_by_action.setdefault((active.node, action), key)
    return list(key_by_action.values())


def moves(app: Q1Lab, key: str) -> bool:
    """Whether two presses are two: in lists, in fields, and where a page moves."""
    active = app.screen.active_bindings[key]
    name = active.binding.action.partition("(")[0].rpartition(".")[2]
    return name in MOVES or not (name in CHOICES or isinstance(active.node, Screen | App))


async def walk(repo: Path, which: Mapping[str, Sequence[str]], times: int) -> dict[str, Any]:
    """What keys leave behind that are pressed so many times in one burst: those named of a screen,
    or all of them."""
    app, outcomes = an_app(repo), {}
    async with app.run_test(size=(100, 30)) as pilot:
        for name, only in which.items():
            if not only:
                await opened(pilot, name, repo)
            for key in only or bound(app):
                await opened(pilot, name, repo)
                if key not in app.screen.active_bindings:
                    continue  # what it works on is gone by an earlier key
                alike = not moves(app, key)
                burst(pilot, *keys(*[key] * times))
                await at_rest(pilot)
                assert app.is_running, (name, key)
                assert not (paths.home() / "app.log").exists(), (name, key)
                if alike:
                    outcomes[f"{name} {key}"] = left(app, repo)
    return outcomes


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_trainer: Callable[..., None]
) -> Iterator[Callable[[], Path]]:
    """Makes a home and a repository of the learner's, as often as it is called."""
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.setattr("webbrowser.open", lambda *_, **__: True)
    model = (paths.models_dir() / "baseline.py").read_text()
    count = 0

    def make() -> Path:
        nonlocal count
        count += 1
        monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / f"home{count}"))
        monkeypatch.chdir(tmp_path)
        return begun(tmp_path / f"{count}" / "mine", {"model.py": model, "notes.md": "# Notes\n"})

    yield make
    for number in range(1, count + 1):
        monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / f"home{number}"))
        for study in studies.load_readable():
            launch.stop_study(study)


SAMPLE = {
    "PickScreen": ("enter",),
    "CommitScreen": ("enter",),
    "LaunchScreen": ("ctrl+s",),
    "WeekScreen": ("space",),
    "a prediction": ("ctrl+s",),
}


@pytest.mark.parametrize(
    "which",
    [
        pytest.param(SAMPLE, id="some"),
        *(pytest.param({name: ()}, id=name, marks=LONG) for name in OPEN | MORE),
    ],
)
async def test_a_key_that_is_pressed_twice_acts_once(
    which: Mapping[str, Sequence[str]], world: Callable[[], Path]
) -> None:
    once = await walk(world(), which, 1)
    twice = await walk(world(), which, 2)
    for key, outcome in once.items():
        assert twice[key] == outcome, key


PAGES = ("WeekScreen", "LabScreen", "ResultsScreen", "ProgressScreen", "VerdictScreen")
"""Where dialogs are opened from."""


@pytest.mark.parametrize(
    ("page", "only", "most"),
    [("WeekScreen", ("w",), 4), *(pytest.param(page, (), 1000, marks=LONG) for page in PAGES)],
)
async def test_a_key_and_one_more_where_it_opens_a_dialog(
    page: str, only: Sequence[str], most: int, world: Callable[[], Path]
) -> None:
    """The second key comes before the dialog is there: each that is bound in it."""
    repo = world()
    app = an_app(repo)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, page, repo)
        pairs = []
        for key in only or bound(app):
            await opened(pilot, page, repo)
            before = app.screen
            if key in before.active_bindings:
                burst(pilot, *keys(key))
                await at_rest(pilot)
            if isinstance(app.screen, Dialog) and app.screen is not before:
                pairs += [(key, other) for other in ("enter", "escape", *bound(app))]
        assert pairs
        for first, second in pairs[:most]:
            await opened(pilot, page, repo)
            burst(pilot, *keys(first, second))
            await at_rest(pilot)
            assert app.is_running, (first, second)
            assert not (paths.home() / "app.log").exists(), (first, second)


async def test_enter_twice_ends_nothing(world: Callable[[], Path]) -> None:
    repo = world()
    app = an_app(repo)
    async with app.run_test(size=(100, 30)) as pilot:
        for name in OPEN | MORE:
            await opened(pilot, name, repo)
            before = len(app.screen_stack)
            burst(pilot, *keys("enter", "enter"))
            await at_rest(pilot)
            assert app.is_running, name
            assert abs(len(app.screen_stack) - before) <= 1, name


@pytest.mark.parametrize(
    ("most", "where"),
    [(1, ("PickScreen", "WeekScreen", "LabScreen")), pytest.param(100, (), marks=LONG)],
)
async def test_a_double_click_is_one_click_and_may_enter(
    most: int, where: Sequence[str], world: Callable[[], Path]
) -> None:
    """On the first rows of every list and table, on every button, on what stands on the page."""
    repo = world()
    app = an_app(repo)
    async with app.run_test(size=(100, 30)) as pilot:
        for name in where or OPEN | MORE:
            await opened(pilot, name, repo)
            before = len(app.screen_stack)
            for x, y in targets(app.screen)[:most]:
                await opened(pilot, name, repo)
                burst(pilot, *clicks(x, y))
                await at_rest(pilot)
                assert app.is_running, (name, x, y)
                assert abs(len(app.screen_stack) - before) <= 1, (name, x, y)


def targets(screen: Screen[Any]) -> list[tuple[int, int]]:
    """Where to click: cells that are in sight."""
    lists: list[Widget] = [*screen.query(OptionList), *screen.query(DataTable)]
    regions = [widget.content_region.translate((3, row)) for widget in lists for row in range(3)]
    regions += [button.region.translate((1, 0)) for button in screen.query(Button)]
    regions += [piece.region.translate((6, 0)) for piece in screen.query(Piece)]
    return [spot.offset for spot in regions if screen.region.contains_point(spot.offset)]


async def test_the_second_click_of_a_double_click_does_not_fall_through(
    world: Callable[[], Path],
) -> None:
    """The first one closes the dialog; the second comes when the page is open again."""
    repo = world()
    app = an_app(repo)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, "WeekScreen", repo)
        app.push_screen(
            PickScreen("Which?", [("one", "one"), ("two", "two")]),
            lambda name: app.store_thread.submit(
                lambda store: artifacts.add_artifact(store, "repo", str(name))
            ),
        )
        await at_rest(pilot)
        x, y = app.screen.query_one(OptionList).content_region.translate((3, 0)).offset
        before = left(app, repo)
        for _ in range(2):
            burst(pilot, *clicks(x, y, times=1))
            await at_rest(pilot)
        after = left(app, repo)
        assert after["open"] == ["WeekScreen"]
        assert after["artifacts"] != before["artifacts"]
        burst(pilot, *clicks(x, y, times=1))
        await at_rest(pilot)
        assert left(app, repo) == after


async def test_a_dialog_under_another_closes_when_that_is_gone(world: Callable[[], Path]) -> None:
    repo = world()
    app = an_app(repo)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, "PickScreen", repo)
        below = app.screen
        app.show_error("It did not work.")
        await pilot.pause()
        below.dismiss(None)
        await at_rest(pilot)
        assert [type(screen).__name__ for screen in app.screen_stack][1:] == [
            "PickScreen",
            "ErrorScreen",
        ]
        await pilot.press("escape")
        await at_rest(pilot)
        assert [type(screen).__name__ for screen in app.screen_stack] == ["WeekScreen"]


@pytest.mark.parametrize("seed", [pytest.param(n, marks=LONG) for n in range(20)])
async def test_any_keys_in_a_burst(seed: int, world: Callable[[], Path]) -> None:
    """Two to five of the keys that a screen has, at random, one screen after the other."""
    repo, dice = world(), random.Random(seed)
    app = an_app(repo)
    async with app.run_test(size=(100, 30)) as pilot:
        for name in OPEN | MORE:
            await opened(pilot, name, repo)
            chosen = dice.choices(bound(app), k=dice.randint(2, 5))
            burst(pilot, *keys(*chosen))
            await at_rest(pilot)
            assert app.is_running, (name, chosen)
            assert not (paths.home() / "app.log").exists(), (name, chosen)

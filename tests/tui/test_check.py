"""The Check pane: it looks at the file, runs the checks at each save, and waits when they pass."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from q1lab.ground.config import Config
from q1lab.index import learner_tables
from q1lab.index.store import Store
from q1lab.tui.app import Q1Lab
from q1lab.tui.screens import step_actions
from q1lab.tui.screens.check import CheckScreen
from q1lab.tui.screens.hint import HintScreen
from q1lab.tui.screens.launch import LaunchScreen
from q1lab.tui.screens.pick_one import PickScreen
from q1lab.tui.widgets.page_reader import PageReader
from q1lab.week.own_model import model_file
from q1lab.week.own_model.run_checks import CheckReport, CheckResult, run_checks
from q1lab.week.syllabus import Action
from tests.kit.lab_home import words
from tests.kit.tui_home import prepared, settled, until

pytestmark = pytest.mark.sample

REFERENCE = model_file.paths.models_dir() / "rope.py"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A learner's folder: model.py, and rope.py made from it."""
    model_file.new_baseline(tmp_path)
    model_file.new_model_file("rope", tmp_path)
    return tmp_path


BLUR = "positions blur when all pairs of a head turn by the same angle"


def fails(name: str, expected: str = "", saw: str = "", why: str = "", **more: Any) -> CheckResult:
    return CheckResult(name, False, expected, saw, why, 0.1, **more)


def round_of(*results: CheckResult, model: str = "rope") -> Callable[..., CheckReport]:
    """A runner whose every round has these results, with one that fails among them."""

    def run(file: Path, for_: str | None, **options: Any) -> CheckReport:
        for result in results:
            options["on_result"](result)
        return CheckReport(str(file), model, False, results)

    return run


class Runner:
    """Judges a file by its text, and can be held in the middle of a round."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.cancelled = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(
        self,
        file: Path,
        for_: str | None,
        *,
        on_result: Callable[[CheckResult], None],
        cancel: threading.Event,
    ) -> CheckReport:
        text = file.read_text()
        self.texts.append(text)
        results = []
        for name, good in (("causality", True), ("the angles differ", "FIXED" in text)):
            results.append(CheckResult(name, good, "[b]many[/b] angles", "one angle", BLUR, 0.1))
            on_result(results[-1])
            while not self.go_on.wait(0.01):
                if cancel.is_set():
                    self.cancelled += 1
                    return CheckReport(str(file), "rope", False, tuple(results), "cancelled")
        return CheckReport(
            str(file), "rope", all(result.passed for result in results), tuple(results)
        )


def save(file: Path, added: str) -> None:
    """Save a file as an editor does that writes a new one and moves it there."""
    written = file.with_suffix(".tmp")
    written.write_text(file.read_text() + added)
    written.replace(file)


def app(repo: Path) -> Q1Lab:
    return prepared(config=Config(repo=repo))


async def opened(
    pilot: Any, run: Callable[..., CheckReport], step: str | None = None
) -> CheckScreen:
    screen = CheckScreen("rope.py", "rope", step, run)
    await pilot.app.push_screen(screen)
    return screen


async def test_red_then_saved_then_green_and_it_waits(repo: Path) -> None:
    runner, app_ = Runner(), app(repo)
    step = next(iter(app_.week.steps())).id
    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, runner, step)
        await until(pilot, lambda: screen.report is not None)
        await until(pilot, lambda: "1 of 2 checks failed" in words(app_))
        seen = words(app_)
        assert "✓ 1 pass: causality" in seen
        assert "✗ the angles differ" in seen
        for part in (
            "expected",
            "[b]many[/b] angles",
            "seen",
            "one angle",
            "why",
            "positions blur",
        ):
            assert part in seen
        await until(
            pilot, lambda: screen.query_one("#reader").display
        )  # there is nothing to compare
        await until(pilot, lambda: screen.query("#reader Prose"))
        assert not screen.query(".-here"), "no row of the text says what Enter does not do here"
        await settled(pilot)
        assert not app_.snapshot.progress.of(step).done
        save(repo / "rope.py", "FIXED = 1  # [red]mine[/red]\n")
        await until(pilot, lambda: "All 2 checks passed." in words(app_))
        seen = words(app_)
        assert "✓ the angles differ" in seen
        assert "✗" not in seen
        assert "q1lab run ./rope.py" in seen
        assert "against model.py  +1 −0 lines" in seen
        assert "[red]mine[/red]" in seen
        await settled(pilot)
        assert app_.snapshot.progress.of(step).done
        assert app_.screen is screen  # it never goes on by itself
        assert len(runner.texts) == 2
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app_.screen, HintScreen))
        assert "the reference rope.py" in str(app_.screen.query_one(".dialog").border_title)
        assert app_.screen.query("Prose")
        await pilot.press("escape")
        await until(pilot, lambda: app_.screen is screen)
        await pilot.press("t")  # the part's text, in the diff's place
        await until(
            pilot,
            lambda: screen.query("#reader Prose") and screen.query_one("#reader").display,
        )
        assert not screen.query_one("#check-diff").display
        await pilot.press("t")
        assert screen.query_one("#check-diff").display
        await pilot.press("r")
        await until(pilot, lambda: len(runner.texts) == 3)
        await pilot.press("escape")
        await until(pilot, lambda: app_.screen is not screen)


async def test_a_save_ends_the_round_under_way_and_old_results_stay_dimmed(repo: Path) -> None:
    runner, app_ = Runner(), app(repo)
    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, runner)
        await until(pilot, lambda: screen.report is not None)
        runner.go_on.clear()
        save(repo / "rope.py", "FIXED = 1\n")
        await until(pilot, lambda: screen.results.fresh == {"causality"})
        assert screen.report is None
        assert "✗ the angles differ" in words(app_)  # of the round before, until it is replaced
        save(repo / "rope.py", "FIXED = 2\n")
        await until(pilot, lambda: runner.cancelled == 1 and len(runner.texts) == 3)
        runner.go_on.set()
        await until(pilot, lambda: "All 2 checks passed." in words(app_))
        assert "cancelled" not in words(app_)


async def test_a_file_that_vanishes_and_comes_back(repo: Path) -> None:
    runner, app_ = Runner(), app(repo)
    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, runner)
        await until(pilot, lambda: screen.report is not None)
        text = (repo / "rope.py").read_text()
        (repo / "rope.py").unlink()
        await until(pilot, lambda: "There is no" in words(app_))
        assert "✗ the angles differ" in words(app_)
        await pilot.press("r", "ctrl+o", "d")
        (repo / "rope.py").write_text(text)
        await until(pilot, lambda: screen.report is not None)
        assert "There is no" not in words(app_)
        assert len(runner.texts) == 2


async def test_hints_come_in_order_and_are_recorded(repo: Path) -> None:
    app_ = app(repo)
    async with app_.run_test(size=(100, 30)) as pilot:
        await opened(pilot, Runner())
        for stage in (1, 2):
            await pilot.press("h")
            await until(pilot, lambda: isinstance(app_.screen, PickScreen))
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app_.screen, HintScreen))
            await until(pilot, lambda stage=stage: f"rope, hint {stage} of 5" in words(app_))
            await pilot.press("escape")
    with Store() as store:
        assert learner_tables.used_hints(store, app_.week.label, "rope") == [1, 2]


async def test_the_check_that_fails_chooses_the_hint(repo: Path) -> None:
    run = round_of(fails("rope: angles", "many speeds", "one speed", "they blur"))

    app_ = app(repo)
    async with app_.run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, run)
        await until(pilot, lambda: screen.report is not None)
        assert "gives the hint" in words(app_)
        for stage in (3, 1, 2):  # the idea, then what leads there
            await pilot.press("h")
            await until(pilot, lambda: isinstance(app_.screen, PickScreen))
            await pilot.press("enter")
            await until(pilot, lambda stage=stage: f"rope, hint {stage} of 5" in words(app_))
            assert "what fails: rope: angles" in words(app_)
            assert "checks:" not in words(app_)
            await pilot.press("escape")


async def test_the_third_red_in_a_row_offers_a_hint_and_green_leads_back(repo: Path) -> None:
    app_ = app(repo)
    async with app_.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, Runner())
        for reds in (1, 2, 3):
            await until(pilot, lambda reds=reds: screen.reds == reds)
            await pilot.press("r")  # the same text, checked again, is the same red
            await until(pilot, lambda: screen.report is not None)
            assert screen.reds == reds
            assert screen.stuck == (reds == 3)
            if reds < 3:
                save(repo / "rope.py", f"# try {reds}\n")
        await until(pilot, lambda: "red 3 times in a row" in words(app_))
        await until(pilot, lambda: "a hint" in words(app_).splitlines()[-1])
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_.screen, PickScreen))
        await pilot.press("escape")
        save(repo / "rope.py", "FIXED = 1\n")
        await until(pilot, lambda: "back to the week" in words(app_).splitlines()[-1])
        assert "2 of 2" in words(app_)
        assert screen.reds == 0
        await pilot.press("enter")
        await until(pilot, lambda: app_.screen is not screen)


async def test_whatever_becomes_of_the_file_the_screen_says_so_and_goes_on(repo: Path) -> None:
    """Saved half-written, far too large, replaced by a folder, and back again."""
    app_, file = app(repo), repo / "rope.py"
    text = file.read_text()

    def said() -> str:
        """The left column in one line."""
        lines = words(app_).splitlines()
        return " ".join(line.partition("│")[0].strip() for line in lines)

    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, run_checks)
        file.write_text(text[: len(text) // 2] + "\n  def (\n")
        await until(pilot, lambda: "SyntaxError" in said())
        file.write_text("x = 1\n" * 2_000_000)
        await until(pilot, lambda: "larger than 1 MB" in said())
        await until(pilot, lambda: "larger than 256 KB" in words(app_))
        file.unlink()
        file.mkdir()
        await until(pilot, lambda: "not a model file" in said())
        file.rmdir()
        await until(pilot, lambda: "There is no" in said())
        file.write_text(text)
        await until(pilot, lambda: screen.report is not None and "12 of 14" in words(app_))


async def test_no_hints_are_offered_for_the_baseline(repo: Path) -> None:
    run = round_of(fails("gradients", "each has one", "row 3 has none"), model="baseline")

    app_ = app(repo)
    async with app_.run_test(size=(100, 30)) as pilot:
        screen = CheckScreen("model.py", "baseline", None, run)
        await app_.push_screen(screen)
        await until(pilot, lambda: screen.report is not None)
        assert "1 of 1 checks failed" in words(app_)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "The reference comes" in words(app_))
        assert "hint" not in words(app_)
        await pilot.press("h")
        assert isinstance(app_.screen, CheckScreen)


async def test_of_several_checks_that_fail_the_lowest_hint_helps_first(repo: Path) -> None:
    run = round_of(fails("rope: angles"), fails("rope: no position table"))

    app_ = app(repo)
    async with app_.run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, run)
        await until(pilot, lambda: screen.report is not None)
        for stage, about in ((2, "no position table"), (3, "angles")):  # the place, then the idea
            await pilot.press("h")
            await until(pilot, lambda: isinstance(app_.screen, PickScreen))
            await pilot.press("enter")
            await until(pilot, lambda stage=stage: f"rope, hint {stage} of 5" in words(app_))
            assert f"what fails: rope: {about}" in words(app_)
            await pilot.press("escape")


async def test_a_narrow_screen_has_the_diff_on_a_key(repo: Path) -> None:
    save(repo / "rope.py", "FIXED = 1\n")
    app_ = app(repo)
    async with app_.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, Runner())
        await until(pilot, lambda: screen.report is not None)
        await until(pilot, lambda: "✓ causality" in words(app_))
        assert "against model.py" not in words(app_)
        await pilot.press("d")
        await until(pilot, lambda: "against model.py" in words(app_))
        assert "FIXED = 1" in words(app_)
        await pilot.press("d")
        await until(pilot, lambda: "✓ causality" in words(app_))


@pytest.mark.cold
async def test_the_real_checks_turn_green(repo: Path) -> None:
    app_ = app(repo)
    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, run_checks)
        await until(pilot, lambda: screen.report is not None)
        assert "✗" in words(app_)
        (repo / "rope.py").write_bytes(REFERENCE.read_bytes())
        await until(pilot, lambda: screen.report is not None and screen.report.passed)
        await until(pilot, lambda: "checks passed" in words(app_))
        assert "✗" not in words(app_)
        (repo / "rope.py").write_text("import nothing_of_this_name\n")
        await until(pilot, lambda: "can't be used" in words(app_))
        await until(pilot, lambda: "nothing_of_this_name" in words(app_))


async def test_a_run_action_fills_the_form(repo: Path) -> None:
    app_ = app(repo)
    options = {
        "variant": "./rope.py",
        "baseline": "./model.py",
        "data": "shakespeare",
        "max_iters": 40,
        "seeds": 2,
    }
    async with app_.run_test(size=(100, 30)) as pilot:
        step_actions.start_action(app_, Action("run", "Train it", options), None)
        await until(pilot, lambda: isinstance(app_.screen, LaunchScreen) and app_.screen.is_mounted)
        values = {
            name: app_.screen.query_one(f"#{name}", Input).value for name in ("file", "baseline")
        }
        assert values == {"file": "./rope.py", "baseline": str(repo / "model.py")}
        assert [
            app_.screen.query_one(f"#{name}", Input).value
            for name in ("data", "seeds", "max_iters")
        ] == [
            "shakespeare",
            "2",
            "40",
        ]


async def test_a_command_that_trains_opens_the_form_too(repo: Path) -> None:
    """In a pane, Esc would leave it to guess whether the training goes on."""
    app_ = app(repo)
    async with app_.run_test(size=(100, 40)) as pilot:
        line = "q1lab run gqa --set n_kv_head=1 --preset quick --seeds 1"
        step_actions.run_command(app_, line.split())
        await until(pilot, lambda: isinstance(app_.screen, LaunchScreen) and app_.screen.is_mounted)
        assert app_.screen.query_one("#overrides", Input).value == "n_kv_head=1"
        assert app_.screen.query_one("#seeds", Input).value == "1"
        assert app_.screen.request().preset == "quick"  # type: ignore[attr-defined]


async def test_results_use_the_width_they_have(repo: Path) -> None:
    runner, app_ = Runner(), app(repo)
    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, runner)
        await until(pilot, lambda: screen.report is not None)
        wide = screen.query_one("#checks").size.width
        await pilot.press("d")  # the diff goes, the results get its place
        await until(pilot, lambda: screen.query_one("#checks").size.width > wide + 40)
        tall = screen.query_one("#checks").size.height
        await pilot.resize_terminal(80, 24)
        await pilot.press("d")  # narrow, the diff had taken their place
        await until(pilot, lambda: 70 < screen.query_one("#checks").size.width < 80)
        await until(pilot, lambda: screen.query_one("#checks").size.height <= tall + 3)
        before = screen.query_one("#checks").size.height
        await pilot.press("d", "r")  # a round that ends while the diff has their place
        await until(pilot, lambda: screen.report is not None)
        await pilot.press("d")
        await until(pilot, lambda: screen.query_one("#checks").size.width > 70)
        assert screen.query_one("#checks").size.height == before


async def test_the_check_of_the_baseline_makes_no_choice(repo: Path) -> None:
    """The week shows its default before one has chosen; the check's advice must not."""

    def sound(file: Path, for_: str | None, **options: Any) -> CheckReport:
        return CheckReport(str(file), "baseline", True, ())

    async with app(repo).run_test(size=(80, 24)) as pilot:
        await pilot.app.push_screen(CheckScreen("model.py", "baseline", None, sound))
        await until(pilot, lambda: "Next: commit it" in words(pilot.app))
        assert "choose a modification" in words(pilot.app)
        assert "q1lab new" not in words(pilot.app)


async def test_a_missing_file_is_offered_with_the_ways_to_make_it(tmp_path: Path) -> None:
    (tmp_path / "gpt.py").write_text("class GPTLanguageModel: ...\n")
    app = prepared(config=Config(repo=tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(CheckScreen("model.py", "baseline", None))
        await until(pilot, lambda: "q1lab new --baseline" in words(app))
        shown = " ".join(words(app).replace("│", " ").split())
        assert "gpt.py, which lies beside it" in shown
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickScreen))
        await pilot.press("escape")
        (tmp_path / "model.py").write_text("class GPTConfig: ...\n")
        await until(pilot, lambda: "do it" not in words(app).splitlines()[-1])


async def test_a_file_made_in_a_new_repository_is_checked_there(tmp_path: Path) -> None:
    """The first check of the week may come before the repository: the app names the one that the
    learner named, which `q1lab new` makes."""

    def sound(file: Path, for_: str | None, **options: Any) -> CheckReport:
        return CheckReport(str(file), "baseline", True, ())

    new = tmp_path / "transformer-from-scratch"
    app = prepared(config=Config(repo=new))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = CheckScreen("model.py", "baseline", None, sound)
        await app.push_screen(screen)
        await until(
            pilot, lambda: "`q1lab new --baseline` writes it" in " ".join(words(app).split())
        )
        assert str(new / "model.py") in words(app).replace("\n", "").replace(" ", "")
        new.mkdir()
        model_file.new_baseline(new)
        await until(pilot, lambda: screen.report is not None, words(app))
        assert screen.report is not None
        assert screen.report.file == str(new / "model.py")


async def test_failures_that_follow_from_another_are_one_line_on_the_screen(repo: Path) -> None:
    run = round_of(
        fails("causality", "no leak", "logits moved", "it cheats"),
        fails("context", saw="an echo", follows="causality"),
        fails("attention", saw="an echo", follows="causality"),
    )

    app_ = app(repo)
    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, run)
        await until(pilot, lambda: screen.report is not None)
        seen = words(app_)
        assert "✗ causality" in seen
        assert "✗ 2 more checks fail, usually for the" in seen
        assert "context, attention" in seen
        assert "an echo" not in seen
        assert "0 of 3" in seen
        left = " ".join(line.partition("│")[0].strip() for line in seen.splitlines())
        assert "1 of 3 checks failed, and 2 more for the same reason" in left


async def test_what_passes_is_one_line_below_what_fails_and_lower_hints_stay_open(
    repo: Path,
) -> None:
    passes = [CheckResult(name, True, "", "", "", 0.1) for name in ("syntax", "causality")]
    run = round_of(*passes, fails("rope: angles", "many speeds", "one speed"))

    app_ = app(repo)
    async with app_.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, run)
        await until(pilot, lambda: screen.report is not None)
        lines = [line.strip() for line in words(app_).splitlines()]
        assert lines.index("✗ rope: angles") < lines.index("✓ 2 pass: syntax, causality")
        assert "2 of 3" in lines[0]
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app_.screen, PickScreen))
        shown = [line for line in words(app_).splitlines() if re.search(r"[123]  \w+", line)]
        assert ["▸" in line for line in shown] == [False, False, True], (
            "the idea helps; less is open"
        )
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: "rope, hint 1 of 5" in words(app_))


async def test_the_text_beside_the_checks_is_at_the_step_that_opened_them(repo: Path) -> None:
    app_ = app(repo)
    async with app_.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        app_.part_id = "b1"
        match = app_.week.find_part("b1")
        assert match is not None
        step = match[1].steps[-1]
        screen = await opened(pilot, Runner(), step.id)
        reader = screen.query_one(PageReader)
        await until(pilot, lambda: reader.display and reader.max_scroll_y)

        def seen() -> bool:
            piece = next(p for p in reader.pieces if getattr(p, "step", None) is step)
            return bool(piece.region.overlaps(reader.region))

        await until(pilot, seen)
        await settled(pilot)  # the reader follows its cursor once more when it has its size
        reader.scroll_home(animate=False, immediate=True)
        await pilot.press("t", "t")
        await pilot.pause()
        assert reader.scroll_y == 0, "the learner's place is kept"

"""Textual still has the names without a promise that the app relies on, and they still mean it."""

from __future__ import annotations

import inspect

import pytest
from textual.app import App, ComposeResult
from textual.css.stylesheet import Stylesheet
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.widgets import Static
from textual.widgets._toast import Toast

from q1lab.tui.textual_private import AppHooks, CachedStylesheet, ScreenHooks


@pytest.mark.parametrize("name", ["_batch_count", "_driver"])
async def test_an_app_has(name: str) -> None:
    app: App[None] = App()
    async with app.run_test():
        assert hasattr(app, name)


@pytest.mark.parametrize(
    "name", ["_fatal_error", "_close_messages_no_wait", "_refresh_notifications"]
)
def test_an_app_does(name: str) -> None:
    assert list(inspect.signature(getattr(App, name)).parameters) == ["self"]


def test_a_screen_is_laid_out_for_a_size() -> None:
    parameters = inspect.signature(Screen._refresh_layout).parameters
    assert list(parameters) == ["self", "size", "scroll"]
    assert list(inspect.signature(Screen._compositor_refresh).parameters) == ["self"]
    parameters = inspect.signature(Screen._get_breakpoint_classes).parameters
    assert list(parameters) == ["self", "dimension", "breakpoints"]
    assert list(inspect.signature(Screen._on_screen_resume).parameters) == ["self", "event"]


async def test_a_screen_is_styled_once_when_it_opens() -> None:
    """Its widgets are made with the classes of its size, and Textual styles them no second time."""
    app, seen = AppHooks(), []
    app.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    class Sized(ScreenHooks, Screen[None]):
        least = Size(1, 1)

        def compose(self) -> ComposeResult:
            seen.append(sorted(self.classes))
            yield Static("text")

        def update_node_styles(self, animate: bool = True) -> None:
            seen.append(len(self.children))
            super().update_node_styles(animate)

    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Sized())
        await pilot.pause()
        assert seen == [0, ["-narrow"]]


def test_a_stylesheet_is_told_its_variables_and_parses_again() -> None:
    assert list(inspect.signature(Stylesheet.set_variables).parameters) == ["self", "variables"]
    assert list(inspect.signature(Stylesheet.reparse).parameters) == ["self"]


async def test_a_batch_holds_paints_back() -> None:
    app = AppHooks()
    async with app.run_test():
        assert isinstance(app.stylesheet, CachedStylesheet)
        assert app.paints
        with app.batch_update():
            assert not app.paints
        assert app.paints


async def test_what_is_said_makes_no_toast() -> None:
    """Textual never comes back from a toast whose time runs out while it is made: a dialog that
    opened in that moment, on a busy machine, took the app with it."""
    app = AppHooks()
    async with app.run_test(notifications=True) as pilot:
        app.notify("Kept as your answer.", timeout=60)
        await pilot.pause()
        app.push_screen(ModalScreen())
        await pilot.pause()
        assert [note.message for note in app._notifications] == ["Kept as your answer."]
        for screen in app.screen_stack:
            assert not screen.query(Toast)


async def test_an_error_that_nothing_caught_ends_in_our_hook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = []

    class Failing(AppHooks):
        def log_fatal_error(self) -> None:
            ended.append(True)

        def on_mount(self) -> None:
            raise RuntimeError("not caught")

    with pytest.raises(RuntimeError, match="not caught"):
        async with Failing().run_test():
            pass
    assert ended
    assert "locals" not in capsys.readouterr().err

"""Textual still has the names without a promise that the app relies on, and they still mean it."""

from __future__ import annotations

import pytest
from textual.screen import ModalScreen
from textual.widgets._toast import Toast

from q1lab.app.textual_private import AppHooks


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

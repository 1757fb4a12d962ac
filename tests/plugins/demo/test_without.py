"""With this plug-in's folder taken away the welcome has no button for it, and nothing else is
missing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.kit.without import Without

WELCOME = """
import asyncio
from textual.widgets import Button
from q1lab.tui.screens.welcome import WelcomeScreen
from tests.kit.tui_home import prepared, until

async def main():
    app = prepared(lambda store, week: store.set_setting(f"welcomed:{week.label}", None))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await until(pilot, lambda: app.screen.query(Button))
        assert [str(button.label) for button in app.screen.query(Button)] == ["Begin"]

asyncio.run(main())
"""


def test_the_commands_and_the_welcome_work(tmp_path: Path) -> None:
    away = Without("demo", tmp_path)
    assert "demo" not in away.q1lab("--help").stdout
    assert "no command called 'demo'" in away.q1lab("demo", code=2).stderr
    assert json.loads(away.q1lab("doctor", "--json").stdout)["plug-ins_away"] == "demo"
    away.python(WELCOME)

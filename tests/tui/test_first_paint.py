"""What must not be loaded before something is on screen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "torch",
    "scipy",
    "wandb",
    "git",
    "importlib.metadata",
    "matplotlib",
    "numpy",
    "sqlite_utils",
    "jinja2",
    "tomlkit",
    "textual.widgets._markdown",
    "textual.widgets._text_area",
    "watchfiles",
    "pynvml",
)

LOOK = """
import asyncio, json, sys
from q1lab.index.store import Store
from q1lab.commands.app import prepare

async def main():
    setup = prepare(None, None)
    from q1lab.tui.app import Q1Lab
    app = Q1Lab(setup)
    seen = []
    waiting = app.after_first_paint
    app.after_first_paint = lambda work: (seen or waiting(work))
    app._waiting = [lambda: None]
    hook = app.post_display_hook
    def painted():
        if not seen and not app._batch_count:
            seen.extend(sys.modules)
            app.exit()
        hook()
    app.post_display_hook = painted
    async with app.run_test(size=(100, 30)) as pilot:
        while not seen:
            await pilot.pause()
    print(json.dumps(seen))

asyncio.run(main())
"""


def test_nothing_heavy_is_loaded_before_the_first_paint(home: Path) -> None:
    from q1lab import paths
    from q1lab.index.store import Store
    from q1lab.week import content, progress

    week = content.load(paths.content_dir())
    with Store() as store:
        progress.keep(store, week.label, "welcomed", True)
    found = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    loaded = set(json.loads(found.stdout.splitlines()[-1]))
    assert "q1lab.tui.screens.study" in loaded
    assert not loaded & set(HEAVY)

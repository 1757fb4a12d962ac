"""The contents of the first frame, and the modules that must not be loaded before it."""

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
    "resvg_py",
    "numpy",
    "sqlite_utils",
    "tomlkit",
    "textual.widgets._markdown",
    "textual.widgets._text_area",
    "pynvml",
    "q1lab.study.studies",
    "q1lab.app.snapshot_taker",
    "q1lab.app.study_in_focus",
)

LOOK = """
import asyncio, json, sys
from q1lab.journal.store import Store
from q1lab.commands.app import prepare_app

async def main():
    setup = prepare_app(None, None)
    from q1lab.app.app import Q1Lab
    app = Q1Lab(setup)
    app._begin = lambda: None
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        seen = list(sys.modules)
        screen = app.screen
        filled = {
            "keys": [key.description for key in screen.query("FooterKey")],
            "pages": screen.query_one("WeekTree").option_count,
            "words": sum(piece.size.height for piece in screen.query("Piece")),
        }
    print(json.dumps([seen, filled]))

asyncio.run(main())
"""


def test_the_first_frame_is_whole_and_nothing_heavy_is_loaded_before_it(home: Path) -> None:
    from q1lab.ground import paths
    from q1lab.journal.store import Store
    from q1lab.week import content, progress

    week = content.load_week(paths.content_dir())
    with Store() as store:
        progress.save_week_setting(store, week.label, "welcomed", True)
    child = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    modules, filled = json.loads(child.stdout.splitlines()[-1])
    loaded = set(modules)
    assert "q1lab.app.screens.week_page" in loaded
    assert sorted(loaded & set(HEAVY)) == []
    assert "help" in filled["keys"]
    assert filled["pages"] > 10
    assert filled["words"] > 20

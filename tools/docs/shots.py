"""Pictures of the app as SVG, from a store that is really there: Q1LAB_HOME as it is.

Used by tools/docs/make.py. The only thing changed in the store is that the welcome counts as seen,
since it would cover the screens (and show the folder one stands in).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from q1lab.commands.app import prepare_app
from q1lab.ground.files import write_atomic
from q1lab.index.store import Store
from q1lab.study import studies
from q1lab.tui.app import Q1Lab
from q1lab.tui.screens.verdict import VerdictScreen
from q1lab.verdict import comparison_cache
from q1lab.week import progress

PAGES = ("study", "verdict")
SIZE = (120, 36)


def shoot(folder: Path, pages: tuple[str, ...] = PAGES, size: tuple[int, int] = SIZE) -> list[Path]:
    """Open the app without a terminal, go to each page, and write ``<page>.svg``; returns the
    files."""
    return asyncio.run(_shoot(folder, pages, size))


async def _shoot(folder: Path, pages: tuple[str, ...], size: tuple[int, int]) -> list[Path]:
    with Store() as store:
        progress.save_week_setting(store, prepare_app(None, None).week.label, "welcomed", True)
        for study in studies.load_readable():  # else the verdict would show how it is computed
            comparison_cache.compare(store, study)
    app = Q1Lab(prepare_app(None, None))
    files = []
    async with app.run_test(size=size) as pilot:
        for page in pages:
            app.action_go("lab" if page == "verdict" else page)
            for _ in range(2):  # the second look has what the page asked for
                is_drawn = asyncio.Event()
                app.run_job(lambda _: None, lambda _, seen=is_drawn: app.call_later(seen.set))
                await is_drawn.wait()
            await pilot.pause(0.5)
            await pilot.pause(0.3)
            if page == "verdict":
                await pilot.press("v")
                # the comparison is computed in a process of its own
                async with asyncio.timeout(30):
                    while not isinstance(app.screen, VerdictScreen):
                        await pilot.pause(0.1)
                await pilot.pause(0.3)
            file = folder / f"{page}.svg"
            write_atomic(file, app.export_screenshot(title="q1lab"), mode=0o644)
            files.append(file)
            if page == "verdict":
                await pilot.press("escape")
    return files

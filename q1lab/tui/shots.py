"""Pictures of the app as SVG, from a store that is really there: `python -m q1lab.tui.shots FOLDER [PAGE …]`.

Reads Q1LAB_HOME as it is and changes nothing but what opening the app changes. Pages are ``study``, ``lab``,
``results`` and ``progress``; all of them without an argument.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from q1lab.commands.app import prepare
from q1lab.files import write_atomic

PAGES = ("study", "lab", "results", "progress")
SIZE = (120, 36)


async def shoot(folder: Path, pages: tuple[str, ...] = PAGES, size: tuple[int, int] = SIZE) -> list[Path]:
    """Open the app without a terminal, go to each page, and write ``<page>.svg``; returns the files."""
    from q1lab.tui.app import Q1Lab

    app = Q1Lab(prepare(None, None))
    files = []
    async with app.run_test(size=size) as pilot:
        for page in pages:
            app.action_go(page)
            for _ in range(2):  # the second look has what the page asked for
                looked = asyncio.Event()
                app.desk.ask(lambda _: None, lambda _, seen=looked: app.call_later(seen.set))  # type: ignore[misc]
                await looked.wait()
            await pilot.pause(0.5)
            file = folder / f"{page}.svg"
            write_atomic(file, app.export_screenshot(title="q1lab"), mode=0o644)
            files.append(file)
    return files


def main(folder: Path, pages: tuple[str, ...] = PAGES) -> list[Path]:
    """``shoot``, for callers without a loop of their own."""
    return asyncio.run(shoot(folder, pages))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m q1lab.tui.shots FOLDER [PAGE …]")
    for written in main(Path(sys.argv[1]), tuple(sys.argv[2:]) or PAGES):
        sys.stdout.write(f"{written}\n")

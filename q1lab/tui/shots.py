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
            looked: list[bool] = []
            for _ in range(2):  # the second look has what the page asked for
                app.desk.ask(lambda _: None, lambda _: app.call_later(looked.append, True))
                wanted = len(looked) + 1
                while len(looked) < wanted:
                    await pilot.pause(0.05)
            await pilot.pause(0.5)
            file = folder / f"{page}.svg"
            write_atomic(file, app.export_screenshot(title="q1lab"), mode=0o644)
            files.append(file)
    return files


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: python -m q1lab.tui.shots FOLDER [PAGE …]")
    for file in asyncio.run(shoot(Path(sys.argv[1]), tuple(sys.argv[2:]) or PAGES)):
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()

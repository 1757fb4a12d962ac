"""What the Check pane does beside drawing: look at the file, run a round of checks in a thread,
take a hint."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.screen import Screen

from q1lab.files import os_reason
from q1lab.model.checks import CheckReport, CheckResult

Stamp = tuple[int, int]
"""When a file was changed last (nanoseconds), and its size in bytes: another pair means that it was
saved."""


def stamp(path: Path) -> tuple[Stamp | None, str]:
    """(the file's stamp, ""), or (None, a sentence that says why there is none)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None, f"There is no {path}. It is checked as soon as it is there."
    except OSError as error:
        return None, f"Cannot read {path}: {os_reason(error)}."
    return (found.st_mtime_ns, found.st_size), ""


class Round:
    """One run of the checks. ``came`` and ``ended`` are called in the app's thread.

    After ``cancel``, and when the screen is gone, they are not called any more.
    """

    def __init__(
        self,
        screen: Screen[Any],
        run: Callable[..., CheckReport],
        path: Path,
        target: str | None,
        came: Callable[[CheckResult], None],
        ended: Callable[[CheckReport], None],
    ) -> None:
        self._screen, self._app = screen, screen.app
        self._run, self._path, self._target = run, path, target
        self._came, self._ended = came, ended
        self._cancelled = threading.Event()
        self._app.run_worker(self._work, thread=True, exit_on_error=False, group="checks")

    def cancel(self) -> None:
        """End it soon; nothing more is heard of it."""
        self._cancelled.set()

    def _work(self) -> None:
        try:
            report = self._run(
                self._path,
                self._target,
                on_result=lambda result: self._tell(self._came, result),
                cancel=self._cancelled,
            )
        except OSError as error:
            why = f"the checks could not start: {os_reason(error)}"
            report = CheckReport(str(self._path), self._target or "", False, (), why)
        self._tell(self._ended, report)

    def _tell(self, call: Callable[[Any], None], value: Any) -> None:
        def unless_cancelled() -> None:
            if not self._cancelled.is_set() and self._screen.is_attached:
                call(value)

        if not self._cancelled.is_set() and self._app.is_running:
            self._app.call_later(unless_cancelled)

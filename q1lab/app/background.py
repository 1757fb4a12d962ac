"""Slow work in a thread; its result, or its Problem, comes back in the app's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from textual.widget import Widget

from q1lab.app.snapshot import log_error
from q1lab.ground.errors import Problem

T = TypeVar("T")


def run_in_background(
    widget: Widget,
    act: Callable[[], T],
    done: Callable[[T], object],
    failed: Callable[[Problem], object],
) -> None:
    """Run ``act`` in a thread; then call ``done(result)`` or ``failed(problem)`` in the app's,
    unless the widget has been removed by then. An error of q1lab's own is a problem, too: the
    screen waits for an answer."""
    app = widget.app

    def tell(call: Callable[[Any], object], value: Any) -> None:
        if widget.is_attached:
            call(value)

    def job() -> None:
        result: Any
        call: Callable[[Any], object] = done
        try:
            result = act()
        except Problem as problem:
            call, result = failed, problem
        except Exception:
            call, result = failed, Problem(log_error())
        if app.is_running:
            app.call_from_thread(tell, call, result)

    app.run_worker(job, thread=True, exit_on_error=False, group="beside")

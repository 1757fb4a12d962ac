"""Slow work beside a screen: done in a thread, and what it gives (or its Problem) handed back in
the app's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from textual.widget import Widget

from q1lab.ground.errors import Problem

T = TypeVar("T")


def beside(
    widget: Widget,
    act: Callable[[], T],
    done: Callable[[T], object],
    failed: Callable[[Problem], object],
) -> None:
    """Run ``act`` in a thread; then ``done(value)`` or ``failed(problem)``, unless the widget is
    gone by then."""
    app = widget.app

    def tell(call: Callable[[Any], object], value: Any) -> None:
        if widget.is_attached:
            call(value)

    def job() -> None:
        given: Any
        call: Callable[[Any], object] = done
        try:
            given = act()
        except Problem as problem:
            call, given = failed, problem
        if app.is_running:
            app.call_from_thread(tell, call, given)

    app.run_worker(job, thread=True, exit_on_error=False, group="beside")

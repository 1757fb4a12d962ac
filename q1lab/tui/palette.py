"""The command palette (Ctrl+P): the app's own commands, those of the open screen first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from q1lab.tui.keys import KEYS

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab

Command = tuple[str, str, Callable[[], Any]]


class Commands(Provider):
    """Every key's action as a sentence, and what has no key: themes, the welcome."""

    def _all(self) -> Iterator[Command]:
        app = cast("Q1Lab", self.app)
        screen = self.screen
        active = {one.binding.id: one for one in screen.active_bindings.values() if one.binding.id}
        for name, key in KEYS.items():
            found = active.get(name)
            if found is not None:
                run = partial(app.run_action, key.action, found.node)
                yield (
                    key.more or key.words,
                    f"key {key.shown or key.keys.split(',')[0]} · {name}",
                    run,
                )
        for theme in sorted(
            app.available_themes, key=lambda one: (not one.startswith("q1lab"), one)
        ):
            yield f"Theme: {theme}", "kept in config.toml", partial(set_theme, app, theme)
        yield (
            "Show the welcome again",
            "the week at a glance, your repository",
            partial(welcome, app),
        )

    async def discover(self) -> Hits:
        for title, text, run in self._all():
            if not title.startswith("Theme: ") or "q1lab" in title:
                yield DiscoveryHit(title, run, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, text, run in self._all():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=text)


def set_theme(app: Q1Lab, name: str) -> None:
    """Change the theme, and keep it."""
    from q1lab import config

    app.theme = name
    with app.careful():
        config.put("theme", name)


def welcome(app: Q1Lab) -> None:
    """The first start's screen."""
    from q1lab.tui.screens.welcome import WelcomeScreen

    app.push_screen(WelcomeScreen())

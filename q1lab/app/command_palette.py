"""The command palette (Ctrl+P): the app's own commands, those of the open screen first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from q1lab.app.commands import FORMS, palette_titles
from q1lab.app.keys import all_keys, key_names
from q1lab.app.screens import step_actions
from q1lab.app.screens.base import AppScreen
from q1lab.app.theme import NAMES

if TYPE_CHECKING:
    from q1lab.app.app import Q1Lab

PaletteCommand = tuple[str, str, Callable[[], Any]]


class AppCommandPalette(AppScreen, CommandPalette):
    """Textual's palette with a hint in its field how to close it, and without Textual's fixed id: a
    second palette may open while the first one still closes."""

    def __init__(self) -> None:
        super().__init__(placeholder="What to do, in words … · Esc closes")


class CommandProvider(Provider):
    """Finds commands, forms, the action of every key, and a few actions without a key by their
    titles."""

    def _all(self) -> Iterator[PaletteCommand]:
        app = cast("Q1Lab", self.app)
        screen = self.screen
        active = {
            binding.binding.id: binding
            for binding in screen.active_bindings.values()
            if binding.binding.id
        }
        week, course = app.config.week, app.week.course
        for name, title in palette_titles(week=week, course=course):
            do = partial(step_actions.run_command, app, ["q1lab", *name.split()])
            yield title, "a form" if name in FORMS else f"q1lab {name}", do
        if week and course:
            yield (
                "Tick boxes of the roadmap, by their lines",
                "a form",
                partial(choose_boxes_to_tick, app),
            )
        for name, key in all_keys().items():
            active_key = active.get(name)
            if active_key is not None:
                run = partial(app.run_action, key.action, active_key.node)
                yield key.more or key.words, f"key {key_names(active_key.binding.key)}", run
        for name in NAMES:
            yield f"Theme: {name}", "kept in config.toml", partial(set_theme, app, name)
        yield (
            "Show the welcome again",
            "the week at a glance, your repository",
            partial(welcome, app),
        )

    async def discover(self) -> Hits:
        for title, text, run in self._all():
            yield DiscoveryHit(title, run, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, text, run in self._all():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=text)


def choose_boxes_to_tick(app: Q1Lab) -> None:
    """Ask which of the roadmap's boxes to tick; the app shows the commit before it is made."""
    from q1lab.app.screens.form import Field, FormScreen

    def tick(values: dict[str, str]) -> None:
        ticks = [word for line in values["boxes"].split() for word in ("--tick", line)]
        step_actions.run_command(app, ["q1lab", "course", "roadmap", *ticks])

    boxes = Field("boxes", "lines", hint="14 16: `q1lab course roadmap` lists them", needed=True)
    app.push_screen(FormScreen("Boxes of the roadmap to tick", [boxes]), tick)


def set_theme(app: Q1Lab, name: str) -> None:
    from q1lab.ground import config

    app.theme = name
    with app.errors_as_dialogs():
        config.save_setting("theme", name)


def welcome(app: Q1Lab) -> None:
    from q1lab.app.screens.welcome import WelcomeScreen

    app.push_screen(WelcomeScreen())

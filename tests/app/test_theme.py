"""Colors: what is said quietly can still be read."""

from __future__ import annotations

from typing import Any

from textual.color import Color
from textual.screen import Screen

from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.screens.run_log import RunLogScreen
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.widgets.theme_colors import Palette, palette
from q1lab.ground.config import Config
from tests.kit.lab_home import app, past, until, words
from tests.kit.tui_home import running, settled

LEAST = 4.5
"""Contrast that WCAG asks for between text and its ground."""


def luminance(color: Color) -> float:
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(color: Color, other: Color) -> float:
    low, high = sorted((luminance(color), luminance(other)))
    return (high + 0.05) / (low + 0.05)


async def test_quiet_words_can_be_read_on_every_ground() -> None:
    async with running() as (app, pilot):
        for app.theme in ("q1lab-dark", "q1lab-light"):
            await pilot.pause()  # until then its variables are those of the theme before
            quiet = Color.parse(palette(app).muted)
            assert quiet == Color.parse(app.theme_variables["muted"])
            for ground in ("background", "surface", "panel", "block-cursor-background"):
                ratio = contrast(quiet, Color.parse(app.theme_variables[ground]))
                assert ratio >= LEAST, f"{app.theme}, {ground}: {ratio:.2f}"


async def test_a_chosen_theme_colors_all_that_is_open() -> None:
    def said_in(colors: Palette) -> list[tuple[str, str]]:
        named = (colors.muted, colors.success, colors.warning, colors.error, colors.foreground)
        return [
            (key, segment.text)
            for line in pilot.app.screen._compositor.render_strips()
            for segment in line
            if segment.style and segment.style.color
            if segment.style.color.get_truecolor().hex.upper() in named
        ]

    async def choose(theme: str) -> None:
        pilot.app.theme = theme
        await pilot.pause()
        await pilot.pause()

    async def opens(keys: str, screen: type[Screen[Any]]) -> None:
        await pilot.press(*keys.split())
        await until(pilot, lambda: isinstance(pilot.app.screen, screen))
        await pilot.pause()

    past()
    async with app().run_test(size=(160, 40)) as pilot:
        dark = palette(pilot.app)
        for key in "1234":
            pilot.app.theme = "q1lab-dark"
            await pilot.press(key)
            await settled(pilot)
            assert said_in(dark)
            await choose("q1lab-light")
            assert not said_in(dark)
        light = palette(pilot.app)
        pilot.app.theme = "q1lab-dark"
        for key in "123":
            await pilot.press(key)
            await pilot.pause()
            assert not said_in(light)
        await opens("2 enter", RunLogScreen)
        await choose("q1lab-light")
        assert not said_in(dark)
        await choose("q1lab-dark")
        await opens("escape slash", PickScreen)
        assert said_in(dark)
        await choose("q1lab-light")
        assert not said_in(dark)


async def test_a_theme_that_is_not_q1labs_own_falls_back_in_one_line() -> None:
    async with running(config=Config(theme="textual-light"), size=(120, 40)) as (app, pilot):
        assert app.theme == "q1lab-dark"
        await until(pilot, lambda: "no theme is called 'textual-light'" in words(app))
        assert "q1lab-light" in app.notice[0]
        assert isinstance(app.screen, WeekScreen)

"""Colors: what is said quietly can still be read."""

from __future__ import annotations

from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import pytest
from textual.color import Color
from textual.screen import Screen
from textual.theme import Theme

from q1lab.app import theme
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.screens.run_log import RunLogScreen
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.widgets.theme_colors import Palette, palette
from q1lab.ground.config import Config
from tests.kit.lab_home import app, notices, past, until, words
from tests.kit.tui_home import running, settled

LEAST = 4.5
"""Contrast that WCAG asks for between text and its ground."""
GROUNDS = (
    *("background", "surface", "panel"),
    *("block-cursor-background", "block-cursor-blurred-background"),
)
ANSWERS, ARMS = ("success", "warning", "error"), ("arm-baseline", "arm-modified")
WORDS = ("foreground", "muted", "primary", "accent", *ANSWERS, *ARMS)
APART = 18
"""Colors this far apart in CIE L*a*b* are seen as two at a glance; 2.3 is a just noticeable step."""
EYES = {
    "trichromat": np.eye(3),
    # Machado, Oliveira and Fernandes (2009), severity 1, linear RGB
    "protanope": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranope": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
TWINS = (theme.DARK, theme.LIGHT)


def linear(color: Color) -> Any:
    parts = np.array(color.normalized)
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(color: Color, other: Color) -> float:
    low, high = sorted(float(TO_XYZ[1] @ linear(each)) for each in (color, other))
    return (high + 0.05) / (low + 0.05)


def lab(color: Color, eye: str) -> Any:
    """A color in CIE L*a*b*, as an eye sees it."""
    x, y, z = TO_XYZ @ np.clip(EYES[eye] @ linear(color), 0, 1) / (0.9505, 1, 1.089)
    f, g, h = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * g - 16, 500 * (f - g), 200 * (g - h)])


def colors_of(own: Theme) -> dict[str, Color]:
    variables = {**own.to_color_system().generate(), **own.variables}
    return {role: Color.parse(variables[role]) for role in (*GROUNDS, *WORDS)}


@pytest.mark.parametrize("own", TWINS, ids=lambda own: own.name)
def test_every_color_of_words_can_be_read_on_every_ground(own: Theme) -> None:
    colors = colors_of(own)
    for word, ground in product(WORDS, GROUNDS):
        ratio = contrast(colors[word], colors[ground])
        assert ratio >= LEAST, f"{own.name}: {word} on {ground} has a contrast of {ratio:.2f}"


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("own", TWINS, ids=lambda own: own.name)
def test_answers_and_arms_are_told_apart_by_every_eye(own: Theme, eye: str) -> None:
    colors = colors_of(own)
    for one, other in [*combinations(ANSWERS, 2), ARMS, ("primary", "accent")]:
        gap = float(np.linalg.norm(lab(colors[one], eye) - lab(colors[other], eye)))
        assert gap >= APART, f"{own.name}: to a {eye}, {one} and {other} are {gap:.0f} apart"


def test_the_light_theme_is_the_dark_ones_twin() -> None:
    """Each role has its hue in both, and its step from the page to a pane to a bar."""
    dark, light = map(colors_of, TWINS)
    for role in (*ANSWERS, *ARMS, "primary", "accent"):
        hues = [colors[role].hsl.h for colors in (dark, light)]
        turn = abs((hues[0] - hues[1] + 0.5) % 1 - 0.5) * 360
        assert turn <= 30, f"{role} turns by {turn:.0f}° from the dark theme to the light one"
    for colors in (dark, light):
        steps = [lab(colors[ground], "trichromat")[0] for ground in GROUNDS[:3]]
        assert all(3 <= abs(a - b) <= 8 for a, b in pairwise(steps)), f"surfaces at {steps}"


@pytest.mark.parametrize("name", theme.NAMES)
async def test_every_theme_draws_every_screen(name: str) -> None:
    """The terminal's theme has colors that are no #rrggbb: what is drawn from them, too."""
    past()
    async with app(config=Config(theme=name)).run_test(size=(120, 40)) as pilot:
        for key in ("1", "2", "v", "escape", "3", "4", "question_mark", "ctrl+p"):
            await pilot.press(key)
            await settled(pilot)
        assert not notices(pilot.app)  # type: ignore[arg-type]
        grounds = {
            segment.style.bgcolor.name
            for strip in pilot.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style and segment.style.bgcolor
        }
        own = name == theme.TERMINAL.name
        assert ("default" in grounds) == own, f"{name} is drawn on {sorted(grounds)}"


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

"""Colors: what is said quietly can still be read."""

from __future__ import annotations

import pytest
from textual.color import Color

from q1lab.ground.config import Config
from q1lab.tui.widgets.theme_colors import palette
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
    async with running() as (app, _):
        for app.theme in ("q1lab-dark", "q1lab-light"):
            quiet = Color.parse(palette(app).muted)
            assert quiet == Color.parse(app.theme_variables["muted"])
            for ground in ("background", "surface", "panel", "block-cursor-background"):
                ratio = contrast(quiet, Color.parse(app.theme_variables[ground]))
                assert ratio >= LEAST, f"{app.theme}, {ground}: {ratio:.2f}"


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_every_screen_can_be_drawn_in_the_terminals_own_colors(theme: str) -> None:
    async with running(config=Config(theme=theme)) as (app, pilot):
        for key in "1234?":
            await pilot.press("question_mark" if key == "?" else key)
            await settled(pilot)
            lines = app.screen._compositor.render_strips()
            assert any(segment.text.strip() for line in lines for segment in line)

"""Pictures of screens, for the tests of the app."""

from __future__ import annotations

import difflib
import functools
import string
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot

from q1lab.app.app import Q1Lab
from tests.kit.places import ROOT

PICTURES = ROOT / "tests" / "app" / "pictures"
Go = Callable[[Pilot[Any]], Awaitable[None]]
"""Brings the app to the screen that is meant."""
LETTERS = string.ascii_letters + string.digits + string.punctuation


def look(style: Style | None, character: str) -> str:
    """The visible parts of a style: a space has a ground only, and links have nothing of their
    own."""
    if style is None:
        return "plain"
    kinds = [kind for kind in ("underline", "strike", "reverse") if getattr(style, kind)]
    ground = f"on {style.bgcolor.get_truecolor().hex}" if style.bgcolor else ""
    if character == " " and not kinds:
        return ground
    color = style.color.get_truecolor().hex if style.color else ""
    kinds += [kind for kind in ("bold", "dim", "italic") if getattr(style, kind)]
    return " ".join(part for part in (color, ground, *kinds) if part)


def picture_of(app: Q1Lab) -> str:
    """The screen's lines, a rule, a letter for each cell's look, a rule, what each letter means.

    The look that most cells have is a space."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    lines: list[str] = []
    looks: list[list[str]] = []
    for strips in update.strips:
        segments = [segment for strip in strips for segment in strip]
        lines.append("".join(segment.text for segment in segments).rstrip())
        looks.append(
            [
                look(segment.style, character)
                for segment in segments
                for character in segment.text
                for _ in range(cell_len(character))
            ]
        )
    counted = Counter(style for line in looks for style in line)
    usual = counted.most_common(1)[0][0]
    letters_by_style = dict(
        zip([usual, *(style for style in counted if style != usual)], " " + LETTERS, strict=False)
    )
    letters = ["".join(letters_by_style[style] for style in line).rstrip() for line in looks]
    legend = [f"{letter} {style}" for style, letter in letters_by_style.items()]
    rule = "─" * app.size.width
    return "\n".join([*lines, rule, *letters, rule, *legend, ""])


async def compare(
    name: str,
    app: Q1Lab,
    size: tuple[int, int],
    go: Go,
    accept: bool,
    folder: Path,
) -> None:
    """Let ``go`` bring the app to a screen of ``size`` cells, and compare that to the kept picture
    ``name``; with ``accept``, keep it. A new one goes into ``folder``."""
    file = PICTURES / f"{name}-{size[0]}x{size[1]}.txt"
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    async with app.run_test(size=size) as pilot:
        await go(pilot)
        await pilot.wait_for_scheduled_animations()
        late = time.monotonic() + (1 if accept else 10)
        while (new := picture_of(app)) != old and time.monotonic() < late:
            await pilot.pause(0.05)  # what is painted a moment later, such as the foot
        svg = app.export_screenshot()
    if accept:
        file.write_text(new, encoding="utf-8")
    if accept or new == old:
        return
    shown = folder / f"{file.stem}.svg"
    shown.write_text(svg, encoding="utf-8")
    diff = difflib.unified_diff(old.splitlines(), new.splitlines(), "kept", "now", n=0, lineterm="")
    raise AssertionError(
        "\n".join([f"{file.name} is not what is on screen now: see {shown}", *diff])
    )


@pytest.fixture(autouse=True, scope="session")
def a_style_sheet_is_parsed_once() -> Iterator[None]:
    """The same text with the same variables gives the same rules, which nothing changes; each app
    would parse them again."""
    parse, rules_by_source = Stylesheet._parse_rules, dict[object, list[RuleSet]]()

    def parsed_once(self: Stylesheet, *source: Any, **options: Any) -> list[RuleSet]:
        key = (*source, *options.values(), *self._variables.items())
        if key not in rules_by_source:
            rules_by_source[key] = parse(self, *source, **options)
        return rules_by_source[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parsed_once)
        yield


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Awaitable[None]]:
    """``await picture(name, app, size, go)``: see `compare`."""

    accept = bool(request.config.getoption("--accept"))
    return functools.partial(compare, accept=accept, folder=tmp_path)

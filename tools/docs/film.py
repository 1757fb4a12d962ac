"""README's moving picture: the lab while a range of pairs trains, and the verdict that comes.

The app is the real one, over a real training in a home of its own. Frames are kept as they change;
the film shows them faster than they came. It is one SVG with CSS alone: where motion is off, it is
still and shows the last frame.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Sequence
from dataclasses import dataclass

from rich.color import Color
from rich.style import Style
from textual.pilot import Pilot
from textual.strip import Strip

from q1lab.app.app import Q1Lab
from q1lab.app.screens.verdict import VerdictScreen
from q1lab.commands.app import prepare_app
from q1lab.journal.store import Store
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.week import progress

SIZE = (80, 30)
TRAINING_SECONDS, VERDICT_SECONDS, MOST_FRAMES = 11.0, 5.0, 36
CELL_WIDTH, CELL_HEIGHT, FONT, MARGIN = 10.0, 21.0, 16.6, 14.0
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

Row = str
"""A row of cells as SVG."""


@dataclass(frozen=True)
class Frame:
    """Everything that the screen shows at a moment, and for how long the film shows it."""

    rows: tuple[Row, ...]
    seconds: float


# ── filming


def film_study(study: Study) -> str:
    """The film of a study that has just begun, until its verdict, as SVG."""
    return asyncio.run(_film(study))


async def _film(study: Study) -> str:
    with Store() as store:
        progress.save_week_setting(store, prepare_app(None, None).week.label, "welcomed", True)
    app = Q1Lab(prepare_app(None, None))
    shown: list[tuple[Row, ...]] = []
    async with app.run_test(size=SIZE) as pilot:
        app.action_go("lab")
        await pilot.pause(1.0)
        while is_alive(study.files):
            _keep_new(app, shown)
            await pilot.pause(0.5)
        await pilot.pause(2.0)  # until the last runs are shown as done
        _keep_new(app, shown)
        verdict = await _verdict(app, pilot)
    training = _spread(shown, MOST_FRAMES)
    each = TRAINING_SECONDS / len(training)
    return draw([*(Frame(rows, each) for rows in training), Frame(verdict, VERDICT_SECONDS)])


async def _verdict(app: Q1Lab, pilot: Pilot[None]) -> tuple[Row, ...]:
    """The comparison's screen, once the comparison is made (in a process of its own)."""
    async with asyncio.timeout(240):
        while not (isinstance(app.screen, VerdictScreen) and "bootstrap" in _text(app)):
            if isinstance(app.screen, VerdictScreen):
                await pilot.press("escape")
            await pilot.press("v")
            await pilot.pause(3.0)
    return _rows(app)


def _text(app: Q1Lab) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def _keep_new(app: Q1Lab, shown: list[tuple[Row, ...]]) -> None:
    rows = _rows(app)
    if not shown or rows != shown[-1]:
        shown.append(rows)


def _spread(shown: Sequence[tuple[Row, ...]], most: int) -> list[tuple[Row, ...]]:
    """At most so many frames, evenly spread, the first and the last among them."""
    count = min(most, len(shown))
    return [shown[round(place * (len(shown) - 1) / max(1, count - 1))] for place in range(count)]


# ── drawing


def _rows(app: Q1Lab) -> tuple[Row, ...]:
    return tuple(_row(strip) for strip in app.screen._compositor.render_strips())


def _row(strip: Strip) -> Row:
    """A row as SVG, at y = 0: first the backgrounds, then the text."""
    backgrounds, texts, column = [], [], 0
    for segment in strip:
        style, cells = segment.style or Style.null(), segment.cell_length
        front, back = _colors(style)
        left, width = MARGIN + column * CELL_WIDTH, cells * CELL_WIDTH
        if back != BACKGROUND:
            backgrounds.append(
                f'<rect x="{left:g}" width="{width:g}" height="{CELL_HEIGHT:g}" fill="{back}"/>'
            )
        words = segment.text.strip(" ")
        if words:
            begin = len(segment.text) - len(segment.text.lstrip(" "))
            bold = ' font-weight="bold"' if style.bold else ""
            texts.append(
                f'<text x="{left + begin * CELL_WIDTH:g}" y="16" fill="{front}"{bold} '
                f'textLength="{_cells(words) * CELL_WIDTH:g}">{html.escape(words, quote=False)}'
                "</text>"
            )
        column += cells
    return "".join((*backgrounds, *texts))


def _cells(words: str) -> int:
    from rich.cells import cell_len

    return cell_len(words)


BACKGROUND, TEXT = "#111418", "#d8dee9"


def _colors(style: Style) -> tuple[str, str]:
    """The colors of text and background."""
    front, back = _hex(style.color, TEXT), _hex(style.bgcolor, BACKGROUND)
    if style.reverse:
        front, back = back, front
    return front, back


def _hex(color: Color | None, default: str) -> str:
    return default if color is None or color.is_default else color.get_truecolor().hex


def draw(frames: Sequence[Frame]) -> str:
    """The frames as one SVG that repeats; each distinct row stands in it once."""
    total = sum(frame.seconds for frame in frames)
    begins = [sum(frame.seconds for frame in frames[:place]) for place in range(len(frames) + 1)]
    places: dict[tuple[int, Row], list[int]] = {}
    for place, frame in enumerate(frames):
        for line, row in enumerate(frame.rows):
            if row:
                places.setdefault((line, row), []).append(place)
    classes: dict[tuple[int, ...], str] = {}
    row_elements = []
    for (line, row), visible in places.items():
        kind = ""
        if len(visible) < len(frames):
            kind = classes.setdefault(tuple(visible), f"f{len(classes)}")
            kind = f' class="{kind}{" last" if visible[-1] == len(frames) - 1 else " f"}"'
        row_elements.append(
            f'<g{kind} transform="translate(0 {MARGIN + line * CELL_HEIGHT:g})">{row}</g>'
        )
    rules = [
        f".{name}{{animation-name:{name}}}@keyframes {name}{{{_key_frames(visible, begins)}}}"
        for visible, name in classes.items()
    ]
    width = 2 * MARGIN + SIZE[0] * CELL_WIDTH
    height = 2 * MARGIN + SIZE[1] * CELL_HEIGHT
    style = (
        f"text{{font:{FONT}px {FONTS};white-space:pre}}rect{{shape-rendering:crispEdges}}"
        ".f{visibility:hidden}"
        "@media (prefers-reduced-motion:no-preference){"
        f".f,.last{{animation:{total:g}s step-end infinite}}{''.join(rules)}}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        'role="img" aria-label="A range of 3 to 8 pairs trains, its interval narrows, and the '
        f'verdict comes"><style>{style}</style>'
        f'<rect width="100%" height="100%" rx="10" fill="{BACKGROUND}"/>{"".join(row_elements)}</svg>\n'
    )


def _key_frames(visible: Sequence[int], begins: Sequence[float]) -> str:
    """The moments at which a row appears and goes, in percent of the film."""
    total, steps, was_visible = begins[-1], [], None
    for place in range(len(begins) - 1):
        is_visible = place in visible
        if is_visible != was_visible:
            word = "visible" if is_visible else "hidden"
            steps.append(f"{100 * begins[place] / total:.2f}%{{visibility:{word}}}")
            was_visible = is_visible
    return "".join(steps)

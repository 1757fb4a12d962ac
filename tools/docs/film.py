"""README's pictures: the lab while a range of pairs trains and the verdict that comes, as a film;
and the lab at its end.

The app is the real one, over a real training in a home of its own. Frames are kept as they change;
the film shows them faster than they came. It is one SVG with CSS alone: where motion is off, it is
still and shows the last frame.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from textual.pilot import Pilot
from textual.strip import Strip

from q1lab.app.app import Q1Lab
from q1lab.app.screens.verdict import VerdictScreen
from q1lab.app.theme import COLORS
from q1lab.commands.app import prepare_app
from q1lab.journal.store import Store
from q1lab.journal.study_view import read_view
from q1lab.study.liveness import is_alive
from q1lab.study.studies import ARMS, Study
from q1lab.week import progress

SIZE, LAB_SIZE = (80, 24), (120, 34)
THEMES = ("dark", "light")
FILM_WORDS = "A range of 3 to 8 pairs trains, and the verdict comes"
LAB_WORDS = "The lab: each run's loss, both arms' curves, and the difference with its interval"
TRAINING_SECONDS, VERDICT_SECONDS, MOST_FRAMES = 11.0, 5.0, 20
CELL_WIDTH, CELL_HEIGHT, FONT, MARGIN = 10.0, 21.0, 16.6, 14.0
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

Row = str
"""A row of cells as SVG."""
Rows = tuple[Row, ...]


@dataclass(frozen=True)
class Frame:
    """Everything that the screen shows at a moment, and for how long the film shows it."""

    rows: Rows
    seconds: float


# ── filming


def film_study(study: Study) -> dict[str, str]:
    """The film of a study that has just begun, until its verdict, and the lab at its end: SVGs by
    their names, in either theme."""
    return asyncio.run(_film(study))


async def _film(study: Study) -> dict[str, str]:
    with Store() as store:
        progress.save_week_setting(store, prepare_app(None, None).week.label, "welcomed", True)
    app = Q1Lab(prepare_app(None, None))
    training: list[dict[str, Rows]] = []
    async with app.run_test(size=SIZE) as pilot:
        app.action_go("lab")
        await pilot.pause(1.0)
        while is_alive(study.files):
            await _keep_new(pilot, training)
            await pilot.pause(0.5)
        await pilot.pause(2.0)  # until the last runs are shown as done
        await _keep_new(pilot, training)
        await _open_verdict(app, pilot)
        verdict = await _in_both(pilot)
        await pilot.press("escape")
        await pilot.resize_terminal(*LAB_SIZE)
        await pilot.pause(1.0)
        lab = await _in_both(pilot)
    frames = _spread(training, MOST_FRAMES)
    each, pictures = TRAINING_SECONDS / len(frames), {}
    for theme in THEMES:
        end = Frame(_ending(verdict[theme]), VERDICT_SECONDS)
        film = [*(Frame(frame[theme], each) for frame in frames), end]
        pictures[f"film-{theme}"] = draw(film, SIZE, theme, FILM_WORDS, _losses(study))
        pictures[f"lab-{theme}"] = draw([Frame(lab[theme], 1)], LAB_SIZE, theme, LAB_WORDS)
    return pictures


async def _open_verdict(app: Q1Lab, pilot: Pilot[None]) -> None:
    """The comparison's screen, once the comparison is made (in a process of its own)."""
    async with asyncio.timeout(240):
        while not (isinstance(app.screen, VerdictScreen) and "bootstrap" in _text(app)):
            if isinstance(app.screen, VerdictScreen):
                await pilot.press("escape")
            await pilot.press("v")
            await pilot.pause(3.0)


def _losses(study: Study) -> str:
    """The final losses of both arms by seed, from which a test makes the verdict again."""
    with Store() as store:
        runs = read_view(store, study).runs
    ends = {(run.arm, run.seed): run.val_loss for run in runs if run.val_loss is not None}
    pairs = {seed: [ends[arm, seed] for arm in ARMS] for arm, seed in ends if arm == ARMS[1]}
    return json.dumps(pairs)


def ending(lines: Sequence[str]) -> list[int]:
    """The lines of the verdict's screen that the film ends on: its title, the figure, the sentences
    that end within three lines, and the keys."""
    blank = next(at for at, line in enumerate(lines) if at > 2 and not line.strip(" │▁▂▃▄▅▆▇█"))
    words = range(blank + 1, blank + 4)
    last = max(at for at in words if lines[at].strip().rstrip("▁▂▃▄▅▆▇█").strip().endswith("."))
    return [*range(last + 1), len(lines) - 1]


def _ending(rows: Rows) -> Rows:
    kept = ending([re.sub("<[^>]*>", "", row) for row in rows])
    return tuple(row if at in kept else "" for at, row in enumerate(rows))


def _text(app: Q1Lab) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def _in_both(pilot: Pilot[None]) -> dict[str, Rows]:
    """The screen at this moment in either theme."""
    shown = {}
    for theme in THEMES:
        pilot.app.theme = f"q1lab-{theme}"
        await pilot.pause(0.1)
        shown[theme] = tuple(
            _row(strip, theme) for strip in pilot.app.screen._compositor.render_strips()
        )
    return shown


async def _keep_new(pilot: Pilot[None], shown: list[dict[str, Rows]]) -> None:
    rows = await _in_both(pilot)
    if not shown or rows != shown[-1]:
        shown.append(rows)


def _spread(shown: Sequence[dict[str, Rows]], most: int) -> list[dict[str, Rows]]:
    """At most so many frames, evenly spread, the first and the last among them."""
    count = min(most, len(shown))
    return [shown[round(place * (len(shown) - 1) / max(1, count - 1))] for place in range(count)]


# ── drawing


def _row(strip: Strip, theme: str) -> Row:
    """A row as SVG, at y = 0: first the backgrounds, then the text."""
    backgrounds, texts, column = [], [], 0
    for segment in strip:
        style, cells = segment.style or Style.null(), segment.cell_length
        front, back = _colors(style, theme)
        left, width = MARGIN + column * CELL_WIDTH, cells * CELL_WIDTH
        if back != GROUND[theme]:
            backgrounds.append(
                f'<rect x="{left:g}" width="{width:g}" height="{CELL_HEIGHT:g}" fill="{back}"/>'
            )
        words = segment.text.strip(" ")
        if words:
            begin = len(segment.text) - len(segment.text.lstrip(" "))
            bold = ' font-weight="bold"' if style.bold else ""
            texts.append(
                f'<text x="{left + begin * CELL_WIDTH:g}" y="16" fill="{front}"{bold} '
                f'textLength="{cell_len(words) * CELL_WIDTH:g}">{html.escape(words, quote=False)}'
                "</text>"
            )
        column += cells
    return "".join((*backgrounds, *texts))


GROUND, TEXT = (
    dict(zip(THEMES, COLORS[role], strict=True)) for role in ("background", "foreground")
)


def _colors(style: Style, theme: str) -> tuple[str, str]:
    """The colors of text and background."""
    front, back = _hex(style.color, TEXT[theme]), _hex(style.bgcolor, GROUND[theme])
    if style.reverse:
        front, back = back, front
    return front, back


def _hex(color: Color | None, default: str) -> str:
    return default if color is None or color.is_default else color.get_truecolor().hex


def draw(
    frames: Sequence[Frame], size: tuple[int, int], theme: str, words: str, facts: str = ""
) -> str:
    """The frames as one SVG that repeats; each distinct row stands in it once. ``words`` are read
    out, ``facts`` are for programs."""
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
    width = 2 * MARGIN + size[0] * CELL_WIDTH
    height = 2 * MARGIN + size[1] * CELL_HEIGHT
    style = (
        f"text{{font:{FONT}px {FONTS};white-space:pre}}rect{{shape-rendering:crispEdges}}"
        ".f{visibility:hidden}"
        "@media (prefers-reduced-motion:no-preference){"
        f".f,.last{{animation:{total:g}s step-end infinite}}{''.join(rules)}}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:g} {height:g}" '
        f'role="img" aria-label="{words}"><metadata>{facts}</metadata><style>{style}</style>'
        f'<rect width="100%" height="100%" rx="10" fill="{GROUND[theme]}"/>'
        f"{''.join(row_elements)}</svg>\n"
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

"""Charts as SVG: lines, marks and text on axes; and a PNG made from one.

Text stays text, colors are classes that a dark page changes, and plain floats are rounded to a
tenth of a pixel: the same numbers give the same bytes on every machine.
"""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.text_formats import ELLIPSIS, MINUS, printable
from q1lab.judgment.layout import ARM_COLORS

Point = tuple[float, float]

COLORS = {
    "paper": ("#ffffff", "#17191d"),
    "ink": ("#1d2026", "#e4e2dc"),
    "soft": ("#5a6170", "#a3a8b4"),
    "grid": ("#dddddd", "#383c44"),
    "baseline": (ARM_COLORS["baseline"], "#5aaee8"),
    "modified": (ARM_COLORS["modified"], "#ff8f45"),
    "prediction": ("#aa3377", "#e583bb"),
}
"""The color of each role on a light page and on a dark one."""
FONTS = (
    "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', 'Liberation Sans', "
    "'Noto Sans', Ubuntu, FreeSans, sans-serif"
)
MARKS = {
    "circle": "M{w} {y}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0Z",
    "square": "M{w} {n}h{d}v{d}h-{d}Z",
    "diamond": "M{x} {n}L{e} {y}L{x} {s}L{w} {y}Z",
    "cross": "M{w} {n}L{e} {s}M{w} {s}L{e} {n}",
}
SCALE = 2
"""Dots of a PNG for each pixel of the SVG."""


def text_width(words: str, size: float) -> float:
    """About the width of a text, in a wide sans-serif font."""
    return size * sum(map(_letter_width, words))


def _letter_width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in "ijlftrI.,:;'|!()[]/- ":
        return 0.38
    return 0.92 if letter in "mwMW@%−+±=…" else 0.71 if letter.isupper() else 0.62


def fit(words: str, size: float, width: float) -> str:
    """The text, cut with … where it is wider than ``width``."""
    if text_width(words, size) <= width:
        return words
    while words and text_width(words + ELLIPSIS, size) > width:
        words = words[:-1]
    return words.rstrip() + ELLIPSIS


def wrapped(words: str, size: float, width: float, most: int) -> list[str]:
    """The text in ``most`` lines at most; the last one, and a word of over half a line, is cut."""
    lines: list[str] = []
    for word in (fit(word, size, width / 2) for word in words.split()):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (len(lines) == most or text_width(longer, size) <= width):
            lines[-1] = longer
        else:
            lines.append(word)
    return [fit(line, size, width) for line in lines]


def text(
    x: float, y: float, words: str, size: float = 12, role: str = "ink", more: str = ""
) -> str:
    """A text that begins at a point; ``more`` are attributes."""
    shown = escape(printable(words), quote=False)
    more = f'font-size="{size:g}"{more}'
    return f'<text class="q1-{role}" x="{x:.1f}" y="{y:.1f}" {more}>{shown}</text>'


END, MIDDLE, BOLD = ' text-anchor="end"', ' text-anchor="middle"', ' font-weight="bold"'


def stroke(path: str, role: str, width: float = 1, dashes: str = "", opacity: float = 1) -> str:
    """A line of SVG's path commands."""
    more = f' stroke-dasharray="{dashes}"' if dashes else ""
    more += f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    shape = f'<path class="q1-{role}" d="{path}" fill="none" stroke="currentColor"'
    return f'{shape} stroke-width="{width:g}"{more}/>'


def mark(x: float, y: float, shape: str, role: str, r: float = 3.5, *, hollow: bool = False) -> str:
    """A mark at a point; a hollow one has the paper's color in it."""
    names = {"x": x, "y": y, "r": r, "d": 2 * r, "w": x - r, "e": x + r, "n": y - r, "s": y + r}
    path = MARKS[shape].format(**{name: f"{value:.1f}" for name, value in names.items()})
    if shape == "cross":
        return stroke(path, role, 2)
    filled = f'<path class="q1-{"paper" if hollow else role}" d="{path}"/>'
    return filled + (stroke(path, role, 1.2) if hollow else "")


def reach(values: Iterable[float]) -> tuple[float, float]:
    """The ends of an axis that shows all finite ``values`` with a margin."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high, most = min(finite), max(finite), sys.float_info.max
    margin = max(0.1 * (high / 2 - low / 2), 1e-9 * max(abs(low), abs(high))) or 1.0
    return max(low - margin, -most), min(high + margin, most)


def ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """The round numbers between two ends, ``most`` at most, as they are written."""
    rough, largest = high / most - low / most, max(abs(low), abs(high))
    power = 10.0 ** _exponent(rough)
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= 0.999 * rough)
    digits = len(f"{step:.2g}".partition(".")[2])
    significant = min(9, _exponent(largest) - _exponent(step) + 2)
    is_plain = largest < 1e6 and step >= 1e-4

    def written(number: float) -> str:
        sign, size = MINUS if number < 0 else "", abs(number)
        if is_plain:
            return f"{sign}{size:.{digits}f}"
        parts = f"{size:.{significant}g}".partition("e")
        return (
            f"{sign}{parts[0]}e{int(parts[2])}".replace("-", MINUS) if parts[1] else sign + parts[0]
        )

    steps = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [(n * step, written(n * step)) for n in steps]


def _exponent(number: float) -> int:
    """The power of ten of a number's first digit, the same on every machine."""
    return int(f"{number:e}".split("e")[1])


@dataclass(frozen=True)
class Plot:
    """A rectangle of pixels with an axis each way."""

    left: float
    top: float
    width: float
    height: float
    across: tuple[float, float]
    up: tuple[float, float]

    def x(self, value: float) -> float:
        return self.left + self.width * _share(value, *self.across)

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - _share(value, *self.up))

    def line(
        self,
        points: Iterable[Point],
        role: str,
        width: float = 1,
        dashes: str = "",
        opacity: float = 1,
    ) -> str:
        """A line through the points, with a gap where a value is not finite."""
        path, pen = "", "M"
        for at, value in points:
            if math.isfinite(value):
                path += f"{pen}{self.x(at):.1f} {self.y(value):.1f}"
            pen = "L" if math.isfinite(value) else "M"
        return stroke(path, role, width, dashes, opacity)

    def band(self, edge: Sequence[Point], other: Sequence[Point], role: str) -> str:
        """The area between two lines."""
        around = [*edge, *reversed(other)]
        shape = "L".join(f"{self.x(at):.1f} {self.y(value):.1f}" for at, value in around)
        return f'<path class="q1-{role}" d="M{shape}Z" fill-opacity="0.18"/>' if around else ""

    def grid(self, size: float = 11, across: int = 6, up: int = 6) -> list[str]:
        """About ``across`` and ``up`` lines with their numbers; none of an axis of 0 lines."""
        out = []
        bottom, right = self.top + self.height, self.left + self.width
        for value, words in ticks(*self.across, across) if across else ():
            x = self.x(value)
            out.append(stroke(f"M{x:.1f} {self.top:.1f}V{bottom:.1f}", "grid"))
            out.append(text(x, bottom + size + 3, words, size, "soft", MIDDLE))
        for value, words in ticks(*self.up, up) if up else ():
            y = self.y(value)
            out.append(stroke(f"M{self.left:.1f} {y:.1f}H{right:.1f}", "grid"))
            out.append(text(self.left - 5, y + size / 3, words, size, "soft", END))
        return out


def _share(value: float, low: float, high: float) -> float:
    """The place of a value along an axis, 0 to 1; from halves, as a difference may overflow."""
    return min(1.0, max(0.0, (value / 2 - low / 2) / (high / 2 - low / 2)))


def document(
    width: float, height: float, title: str, elements: Iterable[str], note: str = ""
) -> str:
    """The whole SVG; ``title`` is read out, ``note`` is for programs."""
    light, dark = (
        "".join(f".q1-{role}{{color:{pair[at]}}}" for role, pair in COLORS.items()) for at in (0, 1)
    )
    label = escape(printable(title))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{label}" '
        f'fill="currentColor" font-family="{FONTS}">'
    )
    style = f"<style>{light}\n@media (prefers-color-scheme: dark){{{dark}}}</style>"
    paper = '<rect class="q1-paper" width="100%" height="100%"/>'
    return "\n".join([head, f"<metadata>{note}</metadata>", style, paper, *elements, "</svg>\n"])


def png(svg: str) -> bytes:
    """A PNG of an SVG on light paper, in this machine's fonts. Problem where it can't be drawn, or
    would be without letters."""
    other = "or give a name that ends in .svg"
    try:
        import resvg_py
    except ImportError as error:
        raise Problem(
            f"a PNG is drawn by resvg-py, which can't be loaded: {error}",
            FAILED,
            next=f"install it (`pip install resvg-py`), {other}",
        ) from None
    blank, letter = (document(20, 20, "", [text(2, 16, words)]) for words in ("", "a"))
    if resvg_py.svg_to_bytes(svg_string=blank) == resvg_py.svg_to_bytes(svg_string=letter):
        raise Problem(
            "a PNG would have no letters: this machine has no sans-serif font",
            FAILED,
            next=f"install one (DejaVu Sans, Noto Sans, Arial), {other}",
        )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=SCALE))

"""Charts of docs/card.md as SVG: small, without scripts, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

LIGHT = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#57606a")
DARK = ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#f778ba", "#9198a1")


def _colors(ink: str, soft: str, rule: str, colors: Sequence[str]) -> str:
    series = "\n".join(
        f".stroke{n} {{ stroke: {color}; fill: none }} .fill{n} {{ fill: {color} }}"
        for n, color in enumerate(colors)
    )
    return (
        f"text {{ fill: {ink} }} .soft {{ fill: {soft} }}\n"
        f".line {{ stroke: {rule}; fill: none }} .zero {{ stroke: {soft}; fill: none }}\n{series}"
    )


STYLE = (
    "text { font: 13px system-ui, sans-serif } .faint { opacity: .5 }\n"
    + _colors("#24292f", "#57606a", "#d0d7de", LIGHT)
    + "\n@media (prefers-color-scheme: dark) {\n"
    + _colors("#e6edf3", "#9198a1", "#3d444d", DARK)
    + "\n}"
)

Scale = Callable[[float], float]


def scale(values: tuple[float, float], places: tuple[float, float]) -> Scale:
    (low, high), (first, last) = values, places
    return lambda value: first + (value - low) / (high - low) * (last - first)


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """A whole picture; ``title`` is what a screen reader says."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(title)}">\n<style>\n{STYLE}\n</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, *, kind: str = "", anchor: str = "start") -> str:
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{css} text-anchor="{anchor}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "line", width: float = 1) -> str:
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" class="{kind}" stroke-width="{width:g}"/>'
    )


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    way = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{way}" class="{kind}" stroke-width="2" stroke-linejoin="round"/>'


def dot(x: float, y: float, kind: str, radius: float = 4) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{kind}"/>'


def apart(wanted: Mapping[str, float], room: float) -> dict[str, float]:
    """Heights for labels, near the wanted ones and at least ``room`` apart."""
    placed: dict[str, float] = {}
    for name in sorted(wanted, key=wanted.__getitem__):
        least = max(placed.values()) + room if placed else wanted[name]
        placed[name] = max(wanted[name], least)
    return placed


def number(value: float) -> str:
    """A tick's value with its sign."""
    return f"{value:+g}".replace("-", "−") if value else "0"


def ticks(low: float, high: float, many: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``."""
    import math

    step = (high - low) / many
    unit = 10 ** math.floor(math.log10(step))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= step)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(step * k, 10) for k in range(first, last + 1)]

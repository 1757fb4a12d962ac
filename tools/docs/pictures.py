"""Draw the week's pictures as SVG: the block with its four places, rotation, sharing heads, the
gate, an interval.

    python tools/docs/pictures.py

Writes content/files/*.svg, which a learner takes into a post with `q1lab take`. They follow the
reader's color scheme, so that they can be read on white and on black. Numbers in them are computed
here.
"""

from __future__ import annotations

import math
from pathlib import Path

FILES = Path(__file__).parents[2] / "content" / "files"
STYLE = """<style>
  svg { font: 14px system-ui, sans-serif; --ink: #1f2328; --soft: #6a737d; --a: #0969da; --b: #bc4c00;
        --fill: #f6f8fa }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --soft: #8b949e; --a: #58a6ff; --b: #f0883e; --fill: #21262d } }
  text { fill: var(--ink) } .soft { fill: var(--soft) } .a { fill: var(--a) } .b { fill: var(--b) }
  .middle { text-anchor: middle } .mono { font-family: ui-monospace, monospace }
  rect { fill: var(--fill); stroke: var(--soft) } .line { stroke: var(--soft); fill: none }
  .al { stroke: var(--a); stroke-width: 2.5; fill: none } .bl { stroke: var(--b); stroke-width: 2.5; fill: none }
  rect.af { fill: var(--a); stroke: none; opacity: .85 } rect.bf { fill: var(--b); stroke: none; opacity: .85 }
  text.on { fill: #fff } .dash { stroke-dasharray: 4 4 }
</style>
<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 10 5 0 10z" style="fill: var(--soft)"/></marker></defs>"""


class Picture:
    """An SVG that grows by what is put into it. Lengths are pixels, y goes down."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            STYLE,
        ]

    def text(self, x: float, y: float, words: str, kind: str = "") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{words}</text>')

    def box(self, x: float, y: float, w: float, h: float, words: str = "", kind: str = "") -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="6" class="{kind}"/>'
        )
        if words:
            self.text(x + w / 2, y + h / 2 + 5, words, "middle" + (" on" if kind else ""))

    def line(self, *points: tuple[float, float], kind: str = "line", arrow: bool = False) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        end = ' marker-end="url(#arrow)"' if arrow else ""
        self.parts.append(f'<polyline points="{path}" class="{kind}"{end}/>')

    def circle(self, x: float, y: float, r: float, kind: str = "line") -> None:
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" class="{kind}"/>')

    def save(self, name: str) -> None:
        (FILES / name).write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8")


def block() -> None:
    """The transformer block and where each of the four changes goes."""
    p = Picture(700, 440, "A transformer block with the places of RMSNorm, RoPE, SwiGLU and GQA")
    p.box(150, 16, 220, 34, "token table + position table")
    p.line((180, 50), (180, 424), arrow=True)
    for y, boxes in ((76, ("norm", "q, k, v", "attention")), (276, ("norm", "MLP"))):
        p.line((180, y), (310, y), (310, y + 12), arrow=True)
        for number, words in enumerate(boxes):
            top = y + 14 + 46 * number
            p.box(250, top, 120, 30, words)
            if number + 1 < len(boxes):
                p.line((310, top + 30), (310, top + 45), arrow=True)
        low = y + 14 + 46 * len(boxes)
        p.line((310, low - 16), (310, low + 4), (191, low + 4), arrow=True)
        p.circle(180, low + 4, 9)
        p.line((174, low + 4), (186, low + 4))
        p.line((180, low - 2), (180, low + 10))
    p.text(20, 200, "the stream", "soft")
    p.text(20, 218, "(B, T, C)", "soft mono")
    for y, name, words in (
        (38, "RoPE", "the table goes"),
        (110, "RMSNorm", "no mean is subtracted"),
        (156, "GQA", "fewer heads for k and v"),
        (202, "RoPE", "q and k are rotated first"),
        (310, "RMSNorm", "here, too"),
        (356, "SwiGLU", "two projections, multiplied"),
    ):
        p.line((378, y - 5), (398, y - 5), kind="bl")
        p.text(406, y, name, "b")
        p.text(486, y, words)
    p.text(196, 424, "four such blocks, then one more norm and the scores", "soft")
    p.save("block.svg")


def rotations() -> None:
    """One fast and one slow pair of RoPE at positions 0, 1 and 2."""
    p = Picture(
        620, 300, "Two pairs of a head at positions 0, 1 and 2: one rotates fast, one slowly"
    )
    for row, (theta, words) in enumerate(
        ((1.0, "a fast pair: 1 radian per position"), (0.01, "a slow pair: 0.01 radians"))
    ):
        y = 80 + 140 * row
        p.text(16, y - 54, words, "soft")
        for m in range(3):
            x, angle = 130 + 170 * m, m * theta
            p.circle(x, y, 40)
            p.line((x, y), (x + 40, y), kind="line dash")
            p.line(
                (x, y),
                (x + 40 * math.cos(angle), y - 40 * math.sin(angle)),
                kind="bl" if row else "al",
            )
            p.text(x + 50, y + 5, f"{angle:.2f}", "b mono" if row else "a mono")
            if row == 0:
                p.text(x, y + 62, f"m = {m}", "middle mono")
    p.text(
        16,
        290,
        "Comparing two readings tells the distance: only the difference of the angles counts.",
    )
    p.save("rotations.svg")


def heads() -> None:
    """Multi-head, grouped and multi-query attention."""
    p = Picture(640, 250, "Query heads and the key and value heads they share")
    for column, (name, groups) in enumerate(
        (("multi-head", 4), ("grouped", 2), ("multi-query", 1))
    ):
        left = 20 + 210 * column
        p.text(left + 88, 26, name, "middle")
        share = 4 // groups
        for j in range(4):
            x = left + 46 * j
            p.box(x, 44, 38, 30, f"q{j}", "af")
            center = left + 19 + 46 * ((j // share) * share + (share - 1) / 2)
            p.line((x + 19, 74), (center, 124))
        for g in range(groups):
            center = left + 19 + 46 * (g * share + (share - 1) / 2)
            p.box(center - 19, 126, 38, 30, f"k{g}", "bf")
            p.box(center - 19, 160, 38, 30, f"v{g}", "bf")
        p.text(left + 88, 216, f"{2 * groups * 32} numbers", "middle mono")
    p.text(20, 242, "kept per token and layer, for heads of 32 features", "soft")
    p.save("heads.svg")


def gate() -> None:
    """SwiGLU's data path, with the worked example's numbers."""
    p = Picture(640, 220, "SwiGLU: one projection through SiLU, multiplied with another")
    silu = [z / (1 + math.exp(-z)) for z in (1.0, -2.0)]
    value = (-1.0, 2.0)
    hidden = [g * v for g, v in zip(silu, value, strict=True)]

    def pair(numbers: tuple[float, ...] | list[float]) -> str:
        shown = ", ".join(f"{n:.4g}" if n == round(n) else f"{n:.4f}" for n in numbers)
        return f"({shown})".replace("-", "\N{MINUS SIGN}")

    p.box(16, 90, 60, 34, "x")
    p.text(46, 144, pair((1, -2)), "middle mono")
    for y, first, then in ((36, "W", "SiLU"), (144, "V", "")):
        p.line((76, 107), (106, y + 17), (128, y + 17), arrow=True)
        p.box(130, y, 60, 34, first, "af")
        if then:
            p.line((190, y + 17), (218, y + 17), arrow=True)
            p.box(220, y, 70, 34, then, "bf")
        p.line(
            (290 if then else 190, y + 17), (372, y + 17), (392, 99 if then else 115), arrow=True
        )
    p.circle(402, 107, 14)
    p.text(402, 112, "×", "middle")
    p.text(300, 30, pair(silu), "middle mono")
    p.text(300, 196, pair(value), "middle mono")
    p.line((416, 107), (458, 107), arrow=True)
    p.box(460, 90, 60, 34, "W2", "af")
    p.line((520, 107), (556, 107), arrow=True)
    p.text(596, 112, "output", "middle")
    p.text(470, 148, pair(hidden), "middle mono")
    p.text(
        16, 214, "The worked example's numbers. The plain layer has one branch and GELU.", "soft"
    )
    p.save("gate.svg")


def interval() -> None:
    """One comparison, annotated: three differences, the t interval, the bootstrap range, δ."""
    d = (-0.020, -0.004, -0.012)
    mean = sum(d) / 3
    sd = math.sqrt(sum((x - mean) ** 2 for x in d) / 2)
    half = 4.3027 * sd / math.sqrt(3)
    p = Picture(700, 270, "An interval read part by part; the verdict is CANNOT TELL")

    def at(value: float) -> float:
        return 540 + value * 9000

    p.box(at(-0.01), 34, at(0.01) - at(-0.01), 176)
    p.line((at(0), 34), (at(0), 210), kind="line dash")
    for tick in (-0.03, -0.02, -0.01, 0.0, 0.01):
        p.text(
            at(tick),
            230,
            f"{tick:+.2f}".replace("-", "\N{MINUS SIGN}") if tick else "0",
            "middle mono",
        )
    p.text(at(0), 26, "±δ: too small to matter", "middle soft")
    for y, low, high, kind in ((76, mean - half, mean + half, "al"), (126, min(d), max(d), "bl")):
        p.line((at(low), y), (at(high), y), kind=kind)
        for end in (low, high):
            p.line((at(end), y - 8), (at(end), y + 8), kind=kind)
        p.circle(at(mean), y, 5, kind)
    for value in d:
        p.circle(at(value), 176, 5)
    p.text(16, 70, "95% paired t: it decides", "a")
    p.text(16, 120, "bootstrap: covers 75%", "b")
    p.text(16, 180, "the three pairs", "soft")
    p.text(
        16,
        260,
        "The t interval holds a gain, nothing, and a small loss: CANNOT TELL. "
        "(An invented example.)",
    )
    p.save("interval.svg")


if __name__ == "__main__":
    for draw in (block, rotations, heads, gate, interval):
        draw()

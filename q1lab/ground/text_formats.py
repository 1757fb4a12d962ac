"""Format numbers, times and long texts, the same way on every surface. Pure functions.

A missing value becomes an empty text or a dash; each function's docstring says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

MINUS, DASH, ELLIPSIS = "−", "–", "…"
BARS = "▁▂▃▄▅▆▇█"
IN_PANE = "Q1LAB_IN_PANE"
"""The environment variable of a command whose output is shown in a pane of the app: it breaks its
lines as at a terminal."""

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\x1b\[[0-?]*[ -/]*[@-~]"
)


def printable(text: str) -> str:
    """``text`` without escape sequences, control and bidi-override characters; tabs and newlines
    stay."""
    if text.isprintable():
        return text
    return _CONTROL.sub(
        "", re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)", "", text)
    )


def storable_text(text: str) -> str:
    """``text`` without escape sequences and lone surrogates (UTF-8 can't encode them)."""
    clean = printable(text)
    return clean if clean.isascii() else clean.encode(errors="replace").decode()


# ── numbers


def signed(value: float | None, digits: int = 4) -> str:
    """A difference with its sign and a real minus, ``−0.0123``; 0 has no sign; – without one."""
    if value is None:
        return DASH
    text = unsigned(value, digits)
    return text if not float(text) else (MINUS if value < 0 else "+") + text


def unsigned(value: float, digits: int) -> str:
    """The size of a number; from a million up with six digits in all."""
    size = abs(value)
    return f"{size:.{digits}f}" if size < 1e6 else f"{size:.6g}"


def as_typed(value: float | None, sign: bool = False) -> str:
    """A number as a person typed it, with no digits added: ``−0.03``; 0 has no sign; – without
    one."""
    if value is None:
        return DASH
    return (MINUS if value < 0 else "+" if sign and value else "") + f"{abs(value):g}"


def loss(value: float | None, digits: int = 4) -> str:
    """A loss in nats, ``1.9090``; – without one."""
    return DASH if value is None else f"{value:.{digits}f}"


def decimals_of(values: Iterable[float], most: int) -> int:
    """The number of decimals, ``most`` at most, that shows all of these numbers in full."""
    each = list(values)
    return next((n for n in range(most) if all(round(value, n) == value for value in each)), most)


def percent(value: float | None, digits: int = 0) -> str:
    """A share as percent: 0.7 → ``70%``; – without one."""
    return DASH if value is None else f"{value:.{digits}%}".replace("-", MINUS)


def grouped_number(value: float | None) -> str:
    """A whole number with grouping, ``10,745,088``; others with one digit; – without one."""
    if value is None:
        return DASH
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def three_digits(value: float) -> str:
    """Three digits and a unit: ``801k``, ``10.7M``."""
    for factor, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor * 0.9995:
            scaled = value / factor
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{unit}"
    return f"{value:.0f}"


def token_rate(tokens_per_s: float | None) -> str:
    """Tokens per second for a table's cell: ``850``, ``22.1k``, ``1.4M``; empty without one."""
    if not tokens_per_s:
        return ""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if tokens_per_s >= size:
            return f"{tokens_per_s / size:.1f}{letter}"
    return f"{tokens_per_s:.0f}"


def byte_size(size: float) -> str:
    """Bytes: ``12 kB``, ``3.4 MB``, ``64 GB``."""
    for power, unit in ((9, "GB"), (6, "MB")):
        if size >= 10**power:
            return f"{_short(size / 10**power)} {unit}"
    return f"{_short(size / 1000)} kB"


def _short(value: float) -> str:
    """A number with one decimal below 10, and none that is 0."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:,.0f}"


def plural(number: int, thing: str) -> str:
    """``1 run``, ``1,200 runs``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def first_names(names: Sequence[str], most: int = 3) -> str:
    """The first of some names, and how many more there are: ``rope, gqa, swiglu and 2 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def in_list(name: str) -> str:
    """A name as it stands among others: in quotes where it holds a comma itself."""
    return f'"{printable(name)}"' if "," in name else printable(name)


def bar_characters(values: tuple[float, ...], low: float, high: float) -> str:
    """Values as bars between ``low`` and ``high``, one character each."""
    if high <= low:
        return BARS[0] * len(values)
    return "".join(BARS[min(7, max(0, int((v - low) / (high - low) * 8)))] for v in values)


# ── times


def duration(seconds: float | None) -> str:
    """A length of time: ``69 s``, ``2.4 min``, ``41 min``, ``2 h 05 min``; empty without one."""
    if seconds is None:
        return ""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 59.5:
        return f"{_short(minutes)} min"
    return hours_minutes(minutes)


def hours_minutes(minutes: float) -> str:
    """A length of time that is planned, or counted, in minutes: ``0 min``, ``1 min``,
    ``2 h 05 min``."""
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def minutes_seconds(seconds: float) -> str:
    """``37:12``, minutes and seconds: a plan is in minutes, too (``130:00 of 130``)."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def day(stamp: str | None) -> str:
    """The date of an ISO time stamp; – without one."""
    return (stamp or DASH)[:10]


def age(created: str) -> str:
    """The time since a stamp, to a unit: ``5 min``, ``3 h``, ``12 d``, ``now``; empty without a
    stamp."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    except (TypeError, ValueError):
        return ""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "now"


# ── long texts


def cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` characters, the end left out."""
    return text if len(text) <= most else text[: most - 1] + ELLIPSIS


def cut_at_word(text: str, most: int) -> str:
    """``text`` on one line in at most ``most`` characters, cut at a word where one ends in its
    second half."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    head = text[: most - 1]
    if " " in head[most // 2 :]:
        head = head[: head.rindex(" ")]
    return head.rstrip(" ,;:.–-") + ELLIPSIS


def passes_text(passes: float | None) -> str:
    """Passes of a run over its training text: ``1.5 passes``; empty without a value."""
    if passes is None:
        return ""
    if passes < 0.1:
        return f"{passes:.1g} passes"
    return f"{passes:.1f} passes" if passes < 10 else f"{round(passes):,} passes"

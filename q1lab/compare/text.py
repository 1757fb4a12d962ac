"""The verdict of a comparison as text: what a person reads when a study is done. Pure: a comparison
in, lines out.

Only the layout is here: what is said, and how numbers are written, is told by telling.py.

Every line is first a list of (text, role) pieces, so that plain text and Rich text cannot drift
apart. Roles name what a piece is ("baseline", "modified", a verdict, "dim", "warn", …); color
repeats what a word or a mark already says. All of the text counts as text: nothing in a comparison
is read as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from q1lab.compare import telling
from q1lab.compare.axis import Axis
from q1lab.compare.scoring import predicted_difference
from q1lab.study.studies import ARMS

if TYPE_CHECKING:
    from rich.text import Text

    from q1lab.compare.record import Comparison

Piece = tuple[str, str]
Line = list[Piece]

ARM_COLORS = {"baseline": "#2b87c8", "modified": "#d55e00"}  # apart for color-blind eyes too
STYLES = {
    **ARM_COLORS,
    "helps": "bold green",
    "hurts": "bold red",
    "too small to matter": "bold cyan",
    "cannot tell": "bold yellow",
    "no verdict": "bold",
    "dim": "dim",
    "bold": "bold",
    "warn": "yellow",
    "prediction": "magenta",
}
LABEL = 27  # columns of the labels beside the axis
NAME = 18  # columns of an arm's name
NARROW = 72  # below this the label gets a line of its own
WIDEST_AXIS = 60
ASCII = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "─": "-",
        "├": "|",
        "┤": "|",
        "│": "|",
        "┼": "+",
        "●": "o",
        "○": "o",
        "◆": "*",
        "╌": ":",
        "◂": "<",
        "▸": ">",
        "┄": ".",
        "±": "~",
        "×": "x",
        "…": "~",
        "α": "a",
        "⚠": "!",
    }
)


def lines(c: Comparison, width: int = 80, *, ascii_only: bool = False) -> list[str]:
    """The comparison as plain text, no line wider than ``width`` columns (60 to 120 are meant).

    ``ascii_only`` draws the bars with ASCII characters, for a terminal that has no others.
    """
    text = ["".join(piece for piece, _ in line).rstrip() for line in _block(c, width)]
    return [line.translate(ASCII) for line in text] if ascii_only else text


def rich_lines(
    c: Comparison, width: int = 80, styles: Mapping[str, str] | None = None
) -> list[Text]:
    """The same lines as Rich text: one color per arm, everywhere, and no meaning in color alone.

    ``styles`` replaces STYLES, where a theme has colors of its own.
    """
    from rich.text import Text

    result = []
    for line in _block(c, width):
        text = Text(no_wrap=True, overflow="crop")
        for piece, role in line:
            text.append(piece, style=(styles or STYLES).get(role, ""))
        text.rstrip()
        result.append(text)
    return result


# ── the block


def _block(c: Comparison, width: int) -> list[Line]:
    width = max(width, 40)
    parts = [
        _headline(c, width),
        _axis_rows(c, width),
        _prose(telling.power(c), width) + _floor(c, width),
        _values(c, width),
        _costs(c, width),
        _notes(c, width),
        _prose(telling.prediction(c), width) + _prose(telling.scope(c), width, role="dim"),
    ]
    block: list[Line] = []
    for part in parts:
        if part and block:
            block.append([])
        block += part
    return block


def _headline(c: Comparison, width: int) -> list[Line]:
    base, modified = _names(c)
    first: Line = [(telling.word(c), c.verdict), ("   ", ""), (modified, "modified")]
    rest = ""
    if c.mean is None:
        first += [(" against ", ""), (base, "baseline")]
    else:
        first += [(f" {telling.MINUS} ", ""), (base, "baseline")]
        first.append((f" = {telling.mean(c)} nats", "bold"))
        rest = f"(lower is better; {telling.seeds(c)})"
    used = sum(_cells(piece) for piece, _ in first)
    result = [first]
    if rest and used + 1 + len(rest) <= width:
        first.append((" " + rest, ""))
    elif rest:
        result.append([("  " + rest, "")])
    return result + _prose(telling.verdict(c), width)


def _values(c: Comparison, width: int) -> list[Line]:
    """Every seed's final val loss, and the means: a table with one column per arm."""
    seeds = sorted({seed for arm in c.arms.values() for seed in arm.values})
    if not seeds:
        return []
    number = telling.numbers(c)
    rows = []
    shown = telling.seeds_shown(c, seeds)
    for seed in shown:
        base, modified = (telling.loss_of(c, arm, seed) for arm in ARMS)
        rows.append((f"seed {seed}", base, modified, telling.pair_of(c, seed)))
    arms = [c.arms[arm] for arm in ARMS]
    if len(seeds) > 1 and any(arm.mean is not None for arm in arms):
        base, modified = (number.loss(arm.mean) for arm in arms)
        rows.append(("mean", base, modified, telling.mean(c)))
        base, modified = (number.loss(arm.std) for arm in arms)
        rows.append(("sd", base, modified, ""))
    table = _table(c, "val loss", "difference", rows, width)
    if len(shown) < len(seeds):
        table += _prose(telling.folded(len(shown), len(seeds)), width, indent="  ", role="dim")
    return table


def _costs(c: Comparison, width: int) -> list[Line]:
    """What each arm cost: the same columns as the losses."""
    rows = []
    for label, key, show in telling.COSTS:
        values = [getattr(c.arms[arm], key) for arm in ARMS]
        if any(values):
            base, modified = (telling.DASH if value is None else show(value) for value in values)
            rows.append((label, base, modified, telling.change(c, key)))
    if not rows:
        return []
    table = _table(c, "cost", "change", rows, width)
    return table + _prose(telling.timing(c), width, indent="  ", role="dim")


def _floor(c: Comparison, width: int) -> list[Line]:
    """Why the row of the baseline against itself may be wider than all pairs."""
    if c.floor is None or c.headline != "paired" or len(c.pairs) < 2:
        return []
    apart = max(c.pairs.values()) - min(c.pairs.values())
    wider = c.floor.high - c.floor.low > apart
    return _prose(telling.floor_why(c), width, role="dim") if wider else []


def _notes(c: Comparison, width: int) -> list[Line]:
    result: list[Line] = []
    for note in telling.notes(c):
        result += _prose(note, width, indent="  ", first="⚠ ", role="warn")
    return result


def _axis_rows(c: Comparison, width: int) -> list[Line]:
    """The intervals and every pair as bars on one axis in which 0 is marked."""
    number = telling.numbers(c)
    changes = list(c.pairs.values())
    boot, floor, delta = c.bootstrap, c.floor, c.delta
    predicted = predicted_difference(c.prediction) if c.prediction else None
    if not changes and c.ends is None:
        return []

    solid = [0.0, *changes]
    for interval in (c.ends, boot):
        solid += [interval.low, interval.high] if interval else []
    left, right = min(solid), max(solid)
    span = (right - left) or abs(left) or 1e-3
    guests = [predicted] if predicted is not None else []
    guests += [floor.low, floor.high] if floor else []
    guests += [delta, -delta] if delta else []
    # a guest may stretch the axis by half; beyond that it is an arrow at the edge
    for value in guests:
        if left - span / 2 <= value <= right + span / 2:
            left, right = min(left, value), max(right, value)
    pad = (right - left or span) * 0.04
    narrow = width < NARROW

    # label, its second line, bar, numbers, role
    rows: list[tuple[str, str, Callable[[Axis], str], str, str]] = []

    def interval_row(
        label: str, note: str, low: float, high: float, point: float | None, fill: str, role: str
    ) -> None:
        ends = "├┤" if fill != "╌" else "╌╌"
        text = f"[{number.end(low)}, {number.end(high)}]"
        if fill == "┄":
            text = f"±{high:g}"
        draw = lambda axis: axis.bar(low, high, point, fill, ends, "●")  # noqa: E731
        rows.append((label, note, draw, text, role))

    if c.ends is not None:
        label, note = telling.interval_label(c), telling.interval_note(c)
        interval_row(label, note, c.ends.low, c.ends.high, c.mean, "─", "bold")
    if boot is not None:
        label, note = telling.BOOTSTRAP_LABEL, telling.bootstrap_note(c)
        interval_row(label, note, boot.low, boot.high, c.mean, "─", "")
    if changes:
        label = f"each of {len(changes)} pairs" if len(changes) > 1 else "1 pair"
        rows.append((label, "", lambda axis: axis.points(changes, "○"), "", "modified"))
    if floor is not None:
        label, note = telling.FLOOR_LABEL, telling.floor_note(c)
        interval_row(label, note, floor.low, floor.high, None, "╌", "baseline")
    if delta:
        interval_row(telling.DELTA_LABEL, "", -delta, delta, None, "┄", "dim")
    if predicted is not None:
        point, text = predicted, telling.given(predicted)
        label = telling.prediction_label(c)
        rows.append((label, "", lambda axis: axis.points([point], "◆"), text, "prediction"))

    ends_width = max(_cells(text) for _, _, _, text, _ in rows)
    columns = min(width - 2 if narrow else width - LABEL - ends_width - 2, WIDEST_AXIS)
    axis = Axis(left - pad, right + pad, columns)
    if narrow:
        result: list[Line] = [[("  " + axis.ticks(), "dim")]]
        for label, note, draw, text, role in rows:
            result.append([(_fit(f"{label}{' · ' + note if note else ''}", width), "")])
            if text:
                result.append([("  " + text, "bold" if role == "bold" else "")])
            result.append([("  " + draw(axis), role)])
        return result
    result = [[(_fit("difference in nats", LABEL) + axis.ticks(), "dim")]]
    for label, note, draw, text, role in rows:
        bold = "bold" if role == "bold" else ""
        result.append([(_fit(label, LABEL), bold), (draw(axis), role), ("  " + text, "")])
        if note:
            empty = axis.row(lambda cells: None)
            result.append([(_fit("  " + note, LABEL), "dim"), (empty, "dim")])
    return result


# ── small pieces


def _names(c: Comparison) -> tuple[str, str]:
    """The arms' names, short enough for a column, still told apart."""
    base, modified = telling.names(c)
    if _short(base, NAME) == _short(modified, NAME):
        return f"{_short(base, NAME - 2)} A", f"{_short(modified, NAME - 2)} B"
    return _short(base, NAME), _short(modified, NAME)


def _table(
    c: Comparison,
    title: str,
    last: str,
    rows: Sequence[tuple[str, str, str, str]],
    width: int,
) -> list[Line]:
    """Four columns, numbers to the right; the arms' columns carry their names and colors."""
    names = _names(c)
    label = len("wall clock per run")
    column = max(12 if width >= NARROW else 10, *(_cells(name) + 2 for name in names))
    end = 14 if width >= NARROW else 12
    column = min(column, (width - label - end) // 2)
    head: Line = [(_fit(title, label), "dim")]
    head += [(_right(name, column), arm) for name, arm in zip(names, ARMS, strict=True)]
    head.append((_right(last, end), "dim"))
    result = [head]
    for name, base, mod, change in rows:
        result.append(
            [
                (_fit(name, label), ""),
                (_right(base, column), "baseline"),
                (_right(mod, column), "modified"),
                (_right(change, end), ""),
            ]
        )
    return result


def _prose(
    text: str, width: int, *, indent: str = "", first: str = "", role: str = ""
) -> list[Line]:
    result: list[Line] = []
    line = first or indent
    room = min(width, 100)
    for word in text.split():
        blank = "" if line in (first, indent) else " "
        if blank and _cells(line) + 1 + _cells(word) > room:
            result.append([(line, role)])
            line, blank = indent, ""
        line += blank + _short(word, room - _cells(line) - len(blank))
    return [*result, [(line, role)]] if text else []


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _short(text: str, cells: int) -> str:
    from rich.cells import set_cell_size

    return text if _cells(text) <= cells else set_cell_size(text, cells - 1) + "…"


def _fit(text: str, cells: int) -> str:
    text = _short(text, cells)
    return text + " " * (cells - _cells(text))


def _right(text: str, cells: int) -> str:
    text = _short(text, cells - 1)
    return " " * (cells - _cells(text)) + text

"""The verdict of a comparison as text: what a person reads when a study is done. Pure: a record in,
lines out.

The record is that of ``compare --json``. Keys that it may carry beyond the ones named there, each
left out of the text when absent: ``arms.*.wall_s`` (mean seconds a run), ``config`` (the
hyperparameters, by nanoGPT's names), ``floor`` ({low, high} of baseline against itself).

Every line is first a list of (text, role) pieces, so that plain text and Rich text cannot drift
apart. Roles name what a piece is ("baseline", "modified", a verdict, "dim", "warn", …); colour
repeats what a word or a mark already says. All of the text counts as text: nothing in a record is
read as markup.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from q1lab.compare.stats import SAID_BY_THE_VERDICT
from q1lab.files import plain

if TYPE_CHECKING:
    from rich.text import Text

Piece = tuple[str, str]
Line = list[Piece]

ARM_COLOURS = {"baseline": "#2b87c8", "modified": "#d55e00"}  # apart for colour-blind eyes too
STYLES = {
    **ARM_COLOURS,
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
PARAMETERS_MATTER_FROM = 0.01  # a difference in size from which size may be the reason
LABEL = 27  # columns of the labels beside the axis
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
        "░": ":",
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


def lines(record: Mapping[str, Any], width: int = 80, *, ascii_only: bool = False) -> list[str]:
    """The comparison as plain text, no line wider than ``width`` columns (60 to 120 are meant).

    ``ascii_only`` draws the bars with ASCII characters, for a terminal that has no others.
    """
    text = ["".join(piece for piece, _ in line).rstrip() for line in _block(record, width)]
    return [line.translate(ASCII) for line in text] if ascii_only else text


def rich_lines(
    record: Mapping[str, Any], width: int = 80, styles: Mapping[str, str] | None = None
) -> list[Text]:
    """The same lines as Rich text: one colour an arm, everywhere, and no meaning in colour alone.

    ``styles`` replaces STYLES, where a theme has colours of its own.
    """
    from rich.text import Text

    result = []
    for line in _block(record, width):
        text = Text(no_wrap=True, overflow="crop")
        for piece, role in line:
            text.append(piece, style=(styles or STYLES).get(role, ""))
        text.rstrip()
        result.append(text)
    return result


def fairness_warning(record: Mapping[str, Any]) -> str | None:
    """The warning due when the arms' parameters differ by 1% or more, else None."""
    base, mod = (_arm(record, arm).get("n_params") for arm in ("baseline", "modified"))
    if not base or not mod or abs(mod / base - 1) < PARAMETERS_MATTER_FROM:
        return None
    return (
        f"the arms differ by {_percent(base, mod)} in parameters: part of the difference may come from size, "
        "not from the idea; a baseline of the same size would tell"
    )


def scope(record: Mapping[str, Any]) -> str:
    """What the verdict is about, in one sentence: data, size, budget, hyperparameters."""
    data, config = record.get("data") or {}, record.get("config") or {}
    parts = []
    if data.get("name"):
        sha = f" (sha256 {str(data['sha256'])[:8]})" if data.get("sha256") else ""
        parts.append(f"{plain(str(data['name']))}{sha}")
    sizes = [_arm(record, arm).get("n_params") for arm in ("baseline", "modified")]
    if all(sizes):
        shown = list(dict.fromkeys(_count(size) for size in sizes if size))
        parts.append(f"{' and '.join(shown)} parameters")
    if config.get("max_iters"):
        budget = f"{config['max_iters']:,} iters"
        if config.get("batch_size") and config.get("block_size"):
            budget += f" of {config['batch_size']} × {config['block_size']} tokens"
        parts.append(budget)
    if config.get("learning_rate"):
        parts.append(f"learning rate {config['learning_rate']:g}")
    if config.get("dropout") is not None:
        parts.append(f"dropout {config['dropout']:g}")
    parts += [f"preset {record['preset']}"] if record.get("preset") else []
    parts += [str(record["dtype"])] if record.get("dtype") else []
    what = ", ".join(parts) or "the data, size, budget and hyperparameters of these runs"
    return (
        f"Scope: {what}. Other data, sizes, budgets or hyperparameters may say otherwise; at a short budget "
        "a lead may only be a faster start, so look at the curves."
    )


def prediction_text(record: Mapping[str, Any]) -> str:
    """The recorded prediction against the outcome, or that there was none."""
    prediction = record.get("prediction")
    if not prediction:
        return "no prediction was recorded before these runs"
    direction = _direction(prediction)
    size = _signed_size(prediction)
    said = {"helps": "helps", "hurts": "hurts", "none": "no difference that matters"}.get(
        direction, plain(str(prediction.get("direction") or "no direction"))
    )
    text = f"Predicted: {said}"
    if size is not None and direction != "none":
        text += f", {_given(size)} nats"
    if prediction.get("matters"):
        text += f", mattering from {abs(prediction['matters']):g} up"
    if prediction.get("confidence") is not None:
        sure = prediction["confidence"]
        text += f", {sure * 100 if sure <= 1 else sure:.0f}% sure"
    verdict = record.get("verdict", "no verdict")
    outcome = f"Outcome: {verdict.upper()}"
    if verdict in ("helps", "hurts", "too small to matter") and direction in (
        "helps",
        "hurts",
        "none",
    ):
        hit = verdict == direction or (verdict == "too small to matter" and direction == "none")
        outcome += ", a hit" if hit else ", a miss"
    else:
        outcome += ", neither a hit nor a miss"
    low, high = _headline_ends(record)
    if size is not None and low is not None and high is not None and direction != "none":
        inside = "contains" if low <= size <= high else "does not contain"
        outcome += f"; the interval {inside} the predicted size"
    return f"{text}. {outcome}."


# -- the block ---------------------------------------------------------------------------------------------


def _block(record: Mapping[str, Any], width: int) -> list[Line]:
    width = max(width, 40)
    parts = [
        _headline(record, width),
        _axis_rows(record, width),
        _power(record, width),
        _values(record, width),
        _fairness(record, width),
        _notes(record, width),
        _closing(record, width),
    ]
    block: list[Line] = []
    for part in parts:
        if part and block:
            block.append([])
        block += part
    return block


def _headline(record: Mapping[str, Any], width: int) -> list[Line]:
    verdict = record.get("verdict", "no verdict")
    base, mod = arm_names(record)
    mean = _difference(record).get("mean")
    word: Piece = (verdict.upper(), verdict)
    if mean is None:
        first: Line = [word, ("   ", ""), (mod, "modified"), (" against ", ""), (base, "baseline")]
        rest = ""
    else:
        first = [word, ("   ", ""), (mod, "modified"), (" − ", ""), (base, "baseline")]
        first.append((f" = {_numbers(record)(mean)} nats", "bold"))
        rest = f"(lower is better; {_count_of_seeds(record)})"
    used = sum(_cells(piece) for piece, _ in first)
    result = [first]
    if rest and used + 1 + len(rest) <= width:
        first.append((" " + rest, ""))
    elif rest:
        result.append([("  " + rest, "")])
    return result + _prose(_sentence(record), width, indent="")


def _sentence(record: Mapping[str, Any]) -> str:
    verdict = record.get("verdict", "no verdict")
    number = _numbers(record)
    low, high = _headline_ends(record)
    base, mod = arm_names(record)
    if verdict in ("helps", "hurts") and low is not None and high is not None:
        small, large = sorted((abs(low), abs(high)))
        lower = "lower" if verdict == "helps" else "higher"
        return (
            f"{mod} ends with a {lower} val loss than {base}, by {number(small, sign=False)} to "
            f"{number(large, sign=False)} nats."
        )
    if verdict == "too small to matter":
        delta = record.get("delta")
        what = f"the {delta:g} nats" if delta else "the smallest difference"
        return f"The whole interval is smaller than {what} said to matter before the runs."
    if verdict == "cannot tell":
        return (
            "The interval contains 0: these runs fit a lower, an equal and a higher val loss. That is a "
            "result, and an honest one to publish."
        )
    diverged = _diverged(record)
    if diverged:
        total = sum(len(_arm(record, arm).get("values") or {}) for arm in ("baseline", "modified"))
        which = "; ".join(f"{name}, {_seed_list(seeds)}" for name, seeds in diverged)
        count = sum(len(seeds) for _, seeds in diverged)
        return (
            f"{count} of {max(total, count)} runs diverged ({which}). A mean over the others would be "
            "choosing the data, so there is none. Divergence is itself a result: report it."
        )
    if record.get("complete") is False:
        return (
            "Planned runs have not ended. There is no verdict before they have: looking early and stopping when "
            "it looks good lets noise win."
        )
    n = record.get("n") or 0
    if n < 3:
        seeds = "1 seed an arm says" if n == 1 else f"{n} seeds an arm say"
        return f"{seeds} too little about the spread between seeds; a verdict needs at least 3."
    return "The runs do not vary between seeds, and without a spread there is no interval."


def _power(record: Mapping[str, Any], width: int) -> list[Line]:
    """What these seeds could have seen, and what would settle it."""
    detectable, needed = record.get("detectable"), record.get("seeds_needed") or {}
    verdict = record.get("verdict", "no verdict")
    if detectable is None:
        return []
    number = _numbers(record)
    n = record.get("n") or 0
    smallest = number(detectable, sign=False)
    can = f"{n} seeds an arm see a true difference reliably (80% of the time) from {smallest} nats up."
    if (
        verdict not in ("cannot tell", "no verdict")
        or not needed
        or record.get("complete") is False
    ):
        return _prose(can, width, indent="")
    low, mid, high = needed.get("low"), needed.get("mid"), needed.get("high")
    effect = needed.get("effect") or abs(_difference(record).get("mean") or 0)
    if mid is None or low is None or high is None or not effect:
        return _prose(can, width, indent="")
    aim = number(effect, sign=False)
    if needed.get("capped") and mid == high:
        return _prose(
            f"{can} To settle {aim} would take {mid:,} seeds an arm or more.", width, indent=""
        )
    most = f"{high:,} or more" if needed.get("capped") else f"{high:,}"
    settle = (
        f"To settle a difference of {aim}: about {mid:,} seeds an arm ({low:,} to {most}, because {n} seeds "
        "know their own spread only roughly)"
    )
    extra = mid - n
    seconds = [_arm(record, arm).get("wall_s") for arm in ("baseline", "modified")]
    if extra > 0:
        settle += f", which is {extra:,} more"
        if all(seconds):
            settle += f", about {_duration(extra * sum(s for s in seconds if s))} of training"
    settle += "."
    if verdict == "cannot tell":
        settle += " Seeds added now are judged by a 97.5% interval, since the result has been seen."
    return _prose(can + " " + settle, width, indent="")


def _values(record: Mapping[str, Any], width: int) -> list[Line]:
    """Every seed's final val loss, and the means: a table with one column an arm."""
    arms = [_arm(record, arm) for arm in ("baseline", "modified")]
    values = [
        {str(seed): value for seed, value in (arm.get("values") or {}).items()} for arm in arms
    ]
    seeds = sorted(
        {*values[0], *values[1]}, key=lambda s: (not s.isdigit(), int(s) if s.isdigit() else 0, s)
    )
    if not seeds:
        return []
    number = _numbers(record)
    diverged = record.get("diverged") or {}
    rows: list[tuple[str, str, str, str]] = []

    def cell(arm: int, seed: str) -> str:
        named = (
            diverged.get(("baseline", "modified")[arm], []) if isinstance(diverged, Mapping) else []
        )
        if seed in map(str, named):
            return "diverged"
        if seed not in values[arm]:
            return "no run"
        value = values[arm][seed]
        return "diverged" if not _finite(value) else number.loss(value)

    for seed in seeds:
        a, b = values[0].get(seed), values[1].get(seed)
        change = number(b - a) if _finite(a) and _finite(b) else ""
        rows.append((f"seed {seed}", cell(0, seed), cell(1, seed), change))
    means = [arm.get("mean") for arm in arms]
    mean = _difference(record).get("mean")
    if any(_finite(m) for m in means) and len(seeds) > 1:
        base, mod = (_or_dash(m, number.loss) for m in means)
        rows.append(("mean", base, mod, _or_dash(mean, number)))
        base, mod = (_or_dash(arm.get("std"), number.loss) for arm in arms)
        rows.append(("sd", base, mod, ""))
    return _table(record, "val loss", "difference", rows, width)


def _fairness(record: Mapping[str, Any], width: int) -> list[Line]:
    """What each arm cost: the same columns as the losses."""
    rows = []
    for label, key, show in (
        ("parameters", "n_params", _count),
        ("FLOPs a token", "flops_per_token", _count),
        ("tokens/s", "tokens_per_s", _count),
        ("wall clock a run", "wall_s", _duration),
    ):
        base, mod = (_arm(record, arm).get(key) for arm in ("baseline", "modified"))
        if base or mod:
            change = _percent(base, mod) if base and mod else ""
            rows.append((label, _or_dash(base, show), _or_dash(mod, show), change))
    return _table(record, "cost", "change", rows, width) if rows else []


def _notes(record: Mapping[str, Any], width: int) -> list[Line]:
    notes = [plain(str(note)) for note in record.get("warnings") or []]
    notes = [note for note in notes if not any(said in note for said in SAID_BY_THE_VERDICT)]
    fair = fairness_warning(record)
    if fair and fair not in notes:
        notes.append(fair)
    result: list[Line] = []
    for note in notes:
        result += _prose(note, width, indent="  ", first="⚠ ", role="warn")
    return result


def _closing(record: Mapping[str, Any], width: int) -> list[Line]:
    return _prose(prediction_text(record), width, indent="") + _prose(
        scope(record), width, indent="", role="dim"
    )


# -- bars on one axis --------------------------------------------------------------------------------------


class _Axis:
    """Columns for numbers: ``columns`` characters from ``low`` to ``high``, with 0 on a whole
    column."""

    def __init__(self, low: float, high: float, columns: int) -> None:
        self.low, self.high, self.columns = low, high, columns

    def at(self, value: float) -> int:
        """The column of a value; beyond an end, the column just outside (−1 or ``columns``)."""
        place, zero = self._column(value), self._column(0.0)
        if place == zero and value:
            # what is not 0 keeps its side of the 0 line, however close it is
            place += 1 if value > 0 else -1
        return min(max(place, -1), self.columns)

    def _column(self, value: float) -> int:
        return round((value - self.low) / (self.high - self.low) * (self.columns - 1))

    def row(self, draw: Callable[[list[str]], None]) -> str:
        """One row: the 0 line, then whatever ``draw`` puts over it."""
        cells = [" "] * self.columns
        cells[self.at(0.0)] = "│"
        draw(cells)
        return "".join(cells)

    def bar(
        self, low: float, high: float, point: float | None, fill: str, ends: str, mark: str
    ) -> str:
        def draw(cells: list[str]) -> None:
            zero = self.at(0.0)
            first, last = max(self.at(low), 0), min(self.at(high), self.columns - 1)
            for column in range(first, last + 1):
                cells[column] = "┼" if column == zero else fill
            if first != zero:
                cells[first] = "◂" if self.at(low) < 0 else ends[0]
            if last != zero:
                cells[last] = "▸" if self.at(high) >= self.columns else ends[1]
            if point is not None:
                cells[min(max(self.at(point), 0), self.columns - 1)] = mark

        return self.row(draw)

    def points(self, values: Sequence[float], mark: str) -> str:
        def draw(cells: list[str]) -> None:
            for value in values:
                column = self.at(value)
                if column < 0:
                    cells[0] = "◂"
                elif column >= self.columns:
                    cells[-1] = "▸"
                else:
                    cells[column] = mark

        return self.row(draw)

    def ticks(self) -> str:
        """Round numbers over their columns; 0 always, the others where there is room."""
        step = _round_step((self.high - self.low) / max(self.columns / 9, 1.5))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        cells = [" "] * self.columns
        for index in sorted(range(first, last + 1), key=abs):
            value = index * step
            text = "0" if index == 0 else f"{'−' if value < 0 else '+'}{abs(value):.{decimals}f}"
            start = self.at(value) - len(text) // 2
            start = min(max(start, 0), self.columns - len(text))
            around = cells[max(start - 1, 0) : start + len(text) + 1]
            if index == 0 or all(cell == " " for cell in around):
                cells[start : start + len(text)] = list(text)
        return "".join(cells)


def _axis_rows(record: Mapping[str, Any], width: int) -> list[Line]:
    """The intervals and every pair as bars on one axis in which 0 is marked."""
    difference = _difference(record)
    number = _numbers(record)
    mean = difference.get("mean")
    welch = difference.get("headline") != "paired"
    low, high = _headline_ends(record)
    boot = difference.get("bootstrap") or {}
    changes = [value for _, value in pairs(record)]
    floor, delta = record.get("floor") or {}, record.get("delta")
    predicted = _signed_size(record.get("prediction") or {})
    if not changes and low is None:
        return []

    ends = [low, high, boot.get("low"), boot.get("high")]
    solid = [0.0, *changes, *(end for end in ends if _finite(end))]
    left, right = min(solid), max(solid)
    span = (right - left) or abs(left) or 1e-3
    guests = [predicted, floor.get("low"), floor.get("high")] + ([delta, -delta] if delta else [])
    # a guest may stretch the axis by half; beyond that it is an arrow at the edge
    for value in guests:
        if _finite(value) and left - span / 2 <= value <= right + span / 2:
            left, right = min(left, value), max(right, value)
    pad = (right - left or span) * 0.04
    narrow = width < NARROW
    widest = max(abs(value) for value in [*solid, *guests] if _finite(value))
    ends_width = len(_ends_text(number, -widest, widest)) + 1
    columns = min(width - 2 if narrow else width - LABEL - ends_width - 2, WIDEST_AXIS)
    axis = _Axis(left - pad, right + pad, columns)

    rows: list[tuple[str, str, str, str, str]] = []  # label, its second line, bar, numbers, role
    if low is not None and high is not None:
        level = _level(record)
        label = f"{level} interval ({'Welch' if welch else 'paired'} t)"
        note = f"covers {level}" + ("" if record.get("verdict") == "no verdict" else "; it decides")
        bar = axis.bar(low, high, mean, "─", "├┤", "●")
        rows.append((label, note, bar, _ends_text(number, low, high), "bold"))
    if _finite(boot.get("low")) and _finite(boot.get("high")):
        covers = boot.get("true_coverage")
        note = (
            f"covers about {covers:.0f}%, not 95%"
            if covers is not None and covers < 94.5
            else "covers about 95%"
        )
        bar = axis.bar(boot["low"], boot["high"], mean, "─", "├┤", "●")
        rows.append(
            ("95% bootstrap CI", note, bar, _ends_text(number, boot["low"], boot["high"]), "")
        )
    if changes:
        many = f"{len(changes)} pairs" if len(changes) > 1 else "1 pair"
        rows.append(
            (
                f"each of {many}" if len(changes) > 1 else many,
                "",
                axis.points(changes, "○"),
                "",
                "modified",
            )
        )
    if _finite(floor.get("low")) and _finite(floor.get("high")):
        bar = axis.bar(floor["low"], floor["high"], None, "░", "░░", "")
        rows.append(
            (
                "baseline against itself",
                "",
                bar,
                _ends_text(number, floor["low"], floor["high"]),
                "baseline",
            )
        )
    if delta:
        bar = axis.bar(-delta, delta, None, "┄", "├┤", "")
        rows.append(("too small to matter", "", bar, f"±{delta:g}", "dim"))
    if predicted is not None:
        rows.append(
            ("your prediction", "", axis.points([predicted], "◆"), _given(predicted), "prediction")
        )

    if narrow:
        result: list[Line] = [[("  " + axis.ticks(), "dim")]]
        for label, note, bar, text, role in rows:
            result.append([(_fit(f"{label}{' · ' + note if note else ''}", width), "")])
            if text:
                result.append([("  " + text, "bold" if role == "bold" else "")])
            result.append([("  " + bar, role)])
        return result
    result = [[(_fit("difference in nats", LABEL) + axis.ticks(), "dim")]]
    for label, note, bar, text, role in rows:
        result.append(
            [(_fit(label, LABEL), "bold" if role == "bold" else ""), (bar, role), ("  " + text, "")]
        )
        if note:
            empty = axis.row(lambda cells: None)
            result.append([(_fit("  " + note, LABEL), "dim"), (empty, "dim")])
    return result


# -- small pieces ------------------------------------------------------------------------------------------


class _Numbers:
    """Writes differences with so many decimals that the interval's half width keeps two digits."""

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals

    def __call__(self, value: float, *, sign: bool = True) -> str:
        text = f"{abs(value):.{self.decimals}f}"
        if not sign:
            return text
        return ("−" if value < 0 else "+") + text if float(text) else text

    def loss(self, value: float) -> str:
        return f"{value:.{max(4, self.decimals)}f}".replace("-", "−")


def _numbers(record: Mapping[str, Any]) -> _Numbers:
    low, high = _headline_ends(record)
    changes = [abs(value) for _, value in pairs(record)]
    if low is None or high is None:
        size = max(changes, default=0.0)
        return _Numbers(_decimals(size / 2) if size else 4)
    decimals = _decimals((high - low) / 2)
    # An end that is not 0 must not be printed as 0: the reader would see another verdict.
    while decimals < 6 and any(end and not float(f"{end:.{decimals}f}") for end in (low, high)):
        decimals += 1
    return _Numbers(decimals)


def _decimals(size: float) -> int:
    return min(max(1 - math.floor(math.log10(size)), 3), 6) if size > 0 else 4


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _arm(record: Mapping[str, Any], arm: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (record.get("arms") or {}).get(arm) or {}
    return found


def _difference(record: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = record.get("difference") or {}
    return found


def _headline_ends(record: Mapping[str, Any]) -> tuple[float | None, float | None]:
    difference = _difference(record)
    ends = difference.get(difference.get("headline") or "welch") or {}
    low, high = ends.get("low"), ends.get("high")
    return (low, high) if _finite(low) and _finite(high) else (None, None)


def pairs(record: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Modified − baseline for each seed that both arms finished, as (seed, nats)."""
    base, mod = (
        {str(s): v for s, v in (_arm(record, arm).get("values") or {}).items()}
        for arm in ("baseline", "modified")
    )
    return [
        (seed, mod[seed] - base[seed])
        for seed in base
        if _finite(base[seed]) and _finite(mod.get(seed))
    ]


def _diverged(record: Mapping[str, Any]) -> list[tuple[str, list[int]]]:
    found = record.get("diverged")
    names = dict(zip(("baseline", "modified"), arm_names(record), strict=True))
    if not isinstance(found, Mapping):
        return []
    return [(names.get(arm, str(arm)), list(seeds)) for arm, seeds in found.items() if seeds]


def arm_names(record: Mapping[str, Any]) -> tuple[str, str]:
    """The arms' names: their variants, a path by its last part, told apart when they are the
    same."""
    names = []
    for key, default in (("baseline", "baseline"), ("variant", "modified")):
        name = plain(str(record.get(key) or default)).replace("\n", " ").replace("\t", " ")
        name = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].removesuffix(".py")
        names.append(_short(name or default, 18))
    if names[0] == names[1]:
        names = [f"{_short(names[0], 16)} A", f"{_short(names[1], 16)} B"]
    return names[0], names[1]


def _count_of_seeds(record: Mapping[str, Any]) -> str:
    n = record.get("n") or 0
    if _difference(record).get("headline") == "paired":
        return f"{n} {'pair' if n == 1 else 'pairs'}"
    return f"{n} {'seed' if n == 1 else 'seeds'} an arm"


def _level(record: Mapping[str, Any]) -> str:
    return f"{100 * (1 - (record.get('alpha') or 0.05)):g}%"


def _given(value: float) -> str:
    """A difference as a person gave it: signed, with no digits added."""
    return f"{'−' if value < 0 else '+'}{abs(value):g}"


def _direction(prediction: Mapping[str, Any]) -> str:
    word = str(prediction.get("direction") or "").strip().lower()
    if word in ("helps", "help", "lower", "better", "down", "improves"):
        return "helps"
    if word in ("hurts", "hurt", "higher", "worse", "up"):
        return "hurts"
    return (
        "none" if word in ("none", "no difference", "neither", "nothing", "same", "neutral") else ""
    )


def _signed_size(prediction: Mapping[str, Any]) -> float | None:
    """The predicted difference, modified − baseline: the direction gives the sign of a plain
    size."""
    size = prediction.get("size")
    if size is None or not _finite(size):
        return None
    direction = _direction(prediction)
    return {"helps": -abs(size), "hurts": abs(size)}.get(direction, float(size))


def _finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _or_dash(value: Any, show: Callable[[float], str]) -> str:
    return show(value) if _finite(value) else "–"


def _ends_text(number: _Numbers, low: float, high: float) -> str:
    return f"[{number(low)}, {number(high)}]"


def _percent(base: float, mod: float) -> str:
    change = 100 * (mod / base - 1)
    text = f"{abs(change):.1f}%"
    return text if not float(text[:-1]) else ("−" if change < 0 else "+") + text


def _count(value: float) -> str:
    """Three digits and a unit: 801 k, 10.7 M."""
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor * 0.9995:
            scaled = value / factor
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{unit}"
    return f"{value:.0f}"


def _duration(seconds: float) -> str:
    """Short enough for a table's cell: 69 s, 2.4 min, 41 min, 2 h 05 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 99.5:
        return f"{minutes:.{1 if minutes < 9.95 else 0}f} min"
    return f"{round(minutes) // 60} h {round(minutes) % 60:02d} min"


def _seed_list(seeds: Sequence[int]) -> str:
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds))


def _table(
    record: Mapping[str, Any],
    title: str,
    last: str,
    rows: Sequence[tuple[str, str, str, str]],
    width: int,
) -> list[Line]:
    """Four columns, numbers to the right; the arms' columns carry their names and colours."""
    names = arm_names(record)
    label = 18 if width >= NARROW else 17
    column = max(12 if width >= NARROW else 10, *(_cells(name) + 2 for name in names))
    end = 14 if width >= NARROW else 12
    column = min(column, (width - label - end) // 2)
    head: Line = [(_fit(title, label), "dim")]
    head += [
        (_right(name, column), arm)
        for name, arm in zip(names, ("baseline", "modified"), strict=True)
    ]
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


def _prose(text: str, width: int, *, indent: str, first: str = "", role: str = "") -> list[Line]:
    wrapped = textwrap.wrap(
        text,
        min(width, 100),
        initial_indent=first or indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return [[(line, role)] for line in wrapped]


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

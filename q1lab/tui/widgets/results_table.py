"""Past studies as a table, grouped by what may be compared: the same data, the same number
format."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual import events

from q1lab.ground.text_formats import day
from q1lab.tui.widgets.run_grid import Column, RowTable
from q1lab.tui.widgets.study_text import TONES
from q1lab.tui.widgets.theme_colors import Palette, palette
from q1lab.verdict import difference_text
from q1lab.verdict.character_axis import CharacterAxis
from q1lab.verdict.result_rows import ResultRow, group_by_data

COLUMNS: tuple[Column, ...] = (
    # key, title, width, to the right, and the widget width from which it is shown
    ("mark", "", 1, False, 0),
    ("study", "study", 14, False, 0),
    ("variant", "variant", 10, False, 135),
    ("preset", "preset", 6, False, 96),
    ("n", "n", 3, True, 0),
    ("plot", "", 0, False, 0),
    ("mean", "difference", 10, True, 72),
    ("interval", "interval", 26, False, 150),
    ("verdict", "verdict", 19, False, 0),
    ("date", "date", 10, False, 120),
)
PLOT_LEAST, PLOT_MOST = 10, 60
"""Width of the forest plot in cells; with less than the least it is left out."""
STUDY_LEAST, STUDY_MOST, STUDY_WIDE = 14, 16, 24
"""Width of the study's column in cells: as wide as the longest name, between least and most; up to
``STUDY_WIDE`` on a wide table."""
TAGGED = 8
"""Cells added to the study's column if a study has tags."""
FAR = 3.0
GROUP = "group:"
MORE = "more:"
MOST = 150
"""At most this many rows, newest first; the filter finds the others."""


def matches_words(line: ResultRow, words: str) -> bool:
    parts = (
        line.id,
        line.variant,
        line.baseline,
        line.preset,
        line.data,
        line.dtype,
        line.verdict or "",
        line.created,
        *(f"#{tag}" for tag in line.tags),
        line.note,
        "damaged" if line.problem else "",
    )
    text = " ".join(parts).casefold()
    return all(word in text for word in words.casefold().split())


def group_axis(lines: Sequence[ResultRow], columns: int) -> CharacterAxis:
    """One axis for the studies of a group, including 0. An interval much wider than the others may
    extend beyond it (shown by an arrow): else one study of two seeds would squeeze the rest."""
    means = [line.mean for line in lines if line.mean is not None]
    if not means:
        return CharacterAxis(-0.01, 0.01, columns)
    low = min(0.0, *means, -_reach([-line.ends.low for line in lines if line.ends]))
    high = max(0.0, *means, _reach([line.ends.high for line in lines if line.ends]))
    pad = (high - low) * 0.05 or 0.005
    return CharacterAxis(low - pad, high + pad, columns)


def _reach(ends: Sequence[float]) -> float:
    """The axis's extent: the farthest of the ends, leaving out the farthest tenth, and one more end
    if it is more than `FAR` times as far as the next."""
    beyond = len(ends) // 10
    far, *others = sorted(ends, reverse=True)[beyond:] or [0.0]
    return others[0] if others and 0 < FAR * others[0] < far else far


def _plotted(line: ResultRow, axis: CharacterAxis) -> str:
    if line.problem:
        return ""
    if line.ends is None:
        return axis.points([] if line.mean is None else [line.mean], "●")
    return axis.bar(line.ends.low, line.ends.high, line.mean, "─", "├┤", "●")


class ResultsTable(RowTable):
    """Shows ``lines`` in groups; ``selected`` is the study under the cursor, ``marked`` are those
    chosen for comparison."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id)
        self.lines: tuple[ResultRow, ...] = ()
        self.marks: list[str] = []
        self._shown: tuple[object, ...] = ()
        self._by_id: dict[str, ResultRow] = {}
        self._order: list[str] = []

    @property
    def selected(self) -> ResultRow | None:
        if not 0 <= self.cursor_row < len(self._order):
            return None
        return self._by_id.get(self._order[self.cursor_row])

    @property
    def marked(self) -> list[ResultRow]:
        return [self._by_id[one] for one in self.marks if one in self._by_id]

    def show(self, lines: Sequence[ResultRow], words: str = "") -> None:
        """Fill the table with the lines that match; does nothing if nothing has changed."""
        hits = tuple(line for line in lines if matches_words(line, words))
        state = (hits, self.size.width, palette(self.app))
        if state != self._shown:
            self.lines = hits
            self._by_id = {line.id: line for line in lines}
            self._shown = state
            self._rebuild()

    def on_resize(self, event: events.Resize) -> None:
        if self._shown and self._shown[1] != event.size.width:
            self._shown = (self.lines, event.size.width, palette(self.app))
            self._rebuild()

    def toggle(self, study_id: str) -> None:
        if study_id in self.marks:
            self.marks.remove(study_id)
        else:
            self.marks.append(study_id)
        self._remark([study_id])

    def clear_selection(self) -> None:
        gone, self.marks = self.marks, []
        self._remark(gone)

    def _remark(self, ids: Sequence[str]) -> None:
        colors = palette(self.app)
        for study_id in ids:
            if study_id in self._order:
                self.update_cell(study_id, "mark", self._mark(study_id, colors))

    def _mark(self, study_id: str, colors: Palette) -> Text:
        return Text("●" if study_id in self.marks else " ", style=colors.modified)

    def _rebuild(self) -> None:
        current = self.selected.id if self.selected else None
        colors = palette(self.app)
        sound = [line for line in self.lines if not line.problem]
        broken = [line for line in self.lines if line.problem]
        study = self._study_width([*sound[:MOST], *broken[:MOST]])
        visible = [
            (key, title, study if key == "study" else width, right, least)
            for key, title, width, right, least in COLUMNS
            if self.size.width >= least
        ]
        room = self.rest(visible)
        room = min(PLOT_MOST, room) if room >= PLOT_LEAST else 0
        visible = [
            (key, title, width or room, right, least)
            for key, title, width, right, least in visible
            if key != "plot" or room
        ]
        self.head(visible)
        self._order = []
        for name, group in group_by_data([*sound[:MOST], *broken[:MOST]]):
            axis = group_axis(group, room) if room else None
            self._order.append(GROUP + name)
            heading = self._heading(name, axis, [column[0] for column in visible], colors)
            self.add_row(*heading, key=GROUP + name)
            for line in group:
                cells = self._cells(line, colors, axis)
                self._order.append(line.id)
                self.add_row(*(cells[column[0]] for column in visible), key=line.id)
        if len(sound) > MOST:
            text = Text(f"{len(sound) - MOST:,} older", style=colors.muted)
            words = {"study": text, "verdict": Text("/ finds them", style=colors.muted)}
            self._order.append(MORE)
            self.add_row(*(words.get(column[0], Text("")) for column in visible), key=MORE)
        if self._order:
            first = next(k for k, name in enumerate(self._order) if not name.startswith(GROUP))
            self.move_cursor(row=self._order.index(current) if current in self._order else first)

    def _study_width(self, lines: Sequence[ResultRow]) -> int:
        names = [cell_len(name) for line in lines for name in (line.id, line.data)]
        most = STUDY_WIDE if self.size.width >= 96 else STUDY_MOST
        tags = TAGGED if any(line.tags for line in lines) else 0
        return min(most, max([STUDY_LEAST, *names])) + tags

    def _heading(
        self, name: str, axis: CharacterAxis | None, keys: Sequence[str], colors: Palette
    ) -> list[Text]:
        data, _, rest = name.partition(" (")
        words = {
            "study": data,
            "variant": "",
            "plot": axis.ticks() if axis else "",
            "mean": "",
            "verdict": rest.strip("(), ").replace(")", ""),
        }
        tone = f"italic {colors.muted}"
        return [
            Text(words.get(key, ""), style=tone, no_wrap=True, overflow="ellipsis") for key in keys
        ]

    def _cells(
        self, line: ResultRow, colors: Palette, axis: CharacterAxis | None
    ) -> dict[str, Text]:
        verdict = line.verdict or (
            "comparing …" if line.complete else f"{line.done} of {line.total} done"
        )
        tone = getattr(colors, TONES.get(line.verdict or "", "muted"))
        study = Text(line.id, no_wrap=True, overflow="ellipsis")
        study.append("".join(f" #{tag}" for tag in line.tags), style=colors.muted)
        if line.problem:
            verdict, tone = "✗ damaged", colors.error
        return {
            "mark": self._mark(line.id, colors),
            "study": study,
            "variant": Text(line.variant[:10], style=colors.modified),
            "preset": Text(line.preset, style=colors.muted),
            "plot": Text(_plotted(line, axis) if axis else "", style=tone),
            "n": Text("" if line.n is None else str(line.n), justify="right"),
            "mean": Text(
                "" if line.mean is None else difference_text.mean_text(line), justify="right"
            ),
            "interval": Text(
                f"{difference_text.level_text(line)} {difference_text.interval_text(line)}"
                if line.ends
                else "",
                style=colors.muted,
            ),
            "verdict": Text(verdict, style=f"bold {tone}" if line.verdict else tone),
            "date": Text(day(line.created), style=colors.muted),
        }

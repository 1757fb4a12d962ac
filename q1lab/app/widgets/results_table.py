"""Past studies as a table; studies in one group are comparable: same data, same number format."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from q1lab.app.widgets.run_grid import Column, RowTable
from q1lab.app.widgets.study_text import answer_role
from q1lab.app.widgets.theme_colors import Palette, palette
from q1lab.compare.result_rows import CANNOT_BE_READ, ResultRow, group_by_data
from q1lab.ground.terminal_cells import cut_cells, cut_name
from q1lab.ground.text_formats import day
from q1lab.judgment import difference_text
from q1lab.judgment.character_axis import CharacterAxis

COLUMNS: tuple[Column, ...] = (
    # key, title, width, to the right, and the widget width from which it is shown
    ("study", "study", 14, False, 0),
    ("preset", "preset", 6, False, 96),
    ("n", "n", 3, True, 0),
    ("plot", "", 0, False, 0),
    ("mean", "difference", 10, True, 72),
    ("interval", "interval", 26, False, 150),
    ("verdict", "verdict", 19, False, 0),
    ("date", "date", 10, False, 120),
)
PLOT_LEAST, PLOT_CLEAR, PLOT_MOST = 10, 24, 60
"""Width of the forest plot in cells; with less than the least it is left out. Long names are cut
until it has ``PLOT_CLEAR`` cells."""
STUDY_LEAST, STUDY_MOST, STUDY_WIDE = 14, 16, 24
"""Width of the study's column in cells: as wide as the longest name, between least and most; up to
``STUDY_WIDE`` on a wide table."""
GROUP = "group:"
MORE = "more:"
MOST = 150
"""At most this many rows, newest first; the filter finds the others."""


def matches_words(row: ResultRow, words: str) -> bool:
    """True if each of the words occurs in the study's columns or its name."""
    parts = (
        row.id,
        row.variant,
        row.baseline,
        row.preset,
        row.data,
        row.dtype,
        row.verdict or "",
        row.created,
        row.name,
        "unreadable" if row.problem else "",
    )
    text = " ".join(parts).casefold()
    return all(word in text for word in words.casefold().split())


def group_title(row: ResultRow, rows: Sequence[ResultRow]) -> str:
    """The data of a row, with what tells its group from the others of this name."""
    if row.problem:
        return CANNOT_BE_READ
    same = [other for other in rows if other.data == row.data and not other.problem]
    dtype = row.dtype if len({other.dtype for other in same}) > 1 else ""
    sha = row.data_sha256[:4] if len({other.data_sha256 for other in same}) > 1 else ""
    return " ".join(filter(None, (row.data, dtype, sha)))


def axes_by_metric(rows: Sequence[ResultRow], columns: int) -> dict[str, CharacterAxis]:
    """One axis for all studies that measure the same, on which every interval is whole."""
    values: dict[str, list[float]] = {}
    for row in rows:
        ends = (row.ends.low, row.ends.high) if row.ends is not None else ()
        means = () if row.mean is None else (row.mean,)
        values.setdefault(row.metric.axis, []).extend((*means, *ends))
    return {name: CharacterAxis.around(each, columns) for name, each in values.items()}


def _interval_bar(row: ResultRow, axis: CharacterAxis) -> str:
    if row.problem:
        return ""
    if row.ends is None:
        return axis.points([] if row.mean is None else [row.mean], "●")
    return axis.bar(row.ends.low, row.ends.high, row.mean, "─", "├┤", "●")


class ResultsTable(RowTable):
    """Shows ``studies`` in groups; ``current`` is the study under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id)
        self.studies: tuple[ResultRow, ...] = ()
        self._by_id: dict[str, ResultRow] = {}
        self._order: list[str] = []

    @property
    def current(self) -> ResultRow | None:
        if not 0 <= self.cursor_row < len(self._order):
            return None
        return self._by_id.get(self._order[self.cursor_row])

    def show(self, rows: Sequence[ResultRow], words: str = "") -> None:
        """Fill the table with the rows that match; does nothing if nothing has changed."""
        hits = tuple(row for row in rows if matches_words(row, words))
        self._by_id = {row.id: row for row in rows}
        if hits != self.studies:
            self.studies = hits
            self.draw()

    def draw(self) -> None:
        current_id = self.current.id if self.current else None
        colors = palette(self.app)
        sound = [row for row in self.studies if not row.problem]
        broken = [row for row in self.studies if row.problem]
        groups = group_by_data([*sound[:MOST], *broken[:MOST]])
        titles = [group_title(group[0], self.studies) for _, group in groups]
        study = self._study_width([*sound[:MOST], *broken[:MOST]], titles)
        widths = {"study": study, "n": max([3, *(len(row.sample) for row in sound[:MOST])])}
        visible = [
            (key, title, widths.get(key, width), right, least)
            for key, title, width, right, least in COLUMNS
            if self.size.width >= least
        ]
        room = self.rest(visible)
        cut = min(max(0, study - STUDY_MOST), max(0, PLOT_CLEAR - room))
        visible[0] = ("study", "study", study - cut, False, 0)
        room += cut
        room = min(PLOT_MOST, room) if room >= PLOT_LEAST else 0
        visible = [
            (key, title, width or room, right, least)
            for key, title, width, right, least in visible
            if key != "plot" or room
        ]
        self.head(visible)
        self._order = []
        axes = axes_by_metric(sound[:MOST], room) if room else {}
        for title, (name, group) in zip(titles, groups, strict=True):
            axis = None if group[0].problem else axes.get(group[0].metric.axis)
            self._order.append(GROUP + name)
            unit = group[0].metric.unit or group[0].metric.name if axis else ""
            heading = self._heading(title, unit, axis, [column[0] for column in visible], colors)
            self.add_row(*heading, key=GROUP + name)
            for row in group:
                cells = self._cells(row, colors, axis, study - cut)
                self._order.append(row.id)
                self.add_row(*(cells[column[0]] for column in visible), key=row.id)
        if len(sound) > MOST:
            text = Text(f"{len(sound) - MOST:,} older", style=colors.muted)
            words = {"study": text, "verdict": Text("/ finds them", style=colors.muted)}
            self._order.append(MORE)
            self.add_row(*(words.get(column[0], Text("")) for column in visible), key=MORE)
        if self._order:
            first = next(k for k, name in enumerate(self._order) if not name.startswith(GROUP))
            self.move_cursor(
                row=self._order.index(current_id) if current_id in self._order else first
            )

    def _study_width(self, rows: Sequence[ResultRow], titles: Sequence[str]) -> int:
        names = [cell_len(name) for name in (*(row.id for row in rows), *titles)]
        most = STUDY_WIDE if self.size.width >= 96 else STUDY_MOST
        return min(most, max([STUDY_LEAST, *names]))

    def _heading(
        self, name: str, unit: str, axis: CharacterAxis | None, keys: Sequence[str], colors: Palette
    ) -> list[Text]:
        words = {
            "study": name,
            "plot": axis.ticks() if axis else "",
            "mean": cut_cells(unit, 10).rjust(10),
        }
        tone = f"italic {colors.muted}"
        return [
            Text(words.get(key, ""), style=tone, no_wrap=True, overflow="ellipsis") for key in keys
        ]

    def _cells(
        self, row: ResultRow, colors: Palette, axis: CharacterAxis | None, name_cells: int
    ) -> dict[str, Text]:
        verdict = row.answer or row.progress_text
        tone = getattr(colors, answer_role(row))
        study = Text(cut_name(row.id, name_cells), no_wrap=True, overflow="ellipsis")
        if row.problem:
            verdict, tone = "✗ unreadable", colors.error
        plot = Text()
        if axis is not None:
            before, zero, after = axis.around_zero(_interval_bar(row, axis))
            plot.append(before, tone).append(zero, colors.muted).append(after, tone)
        return {
            "study": study,
            "preset": Text(row.preset, style=colors.muted),
            "plot": plot,
            "n": Text(row.sample, justify="right"),
            "mean": Text(
                "" if row.mean is None else difference_text.mean_text(row), justify="right"
            ),
            "interval": Text(
                f"{difference_text.level_text(row)} {difference_text.interval_text(row)}"
                if row.ends
                else "",
                style=colors.muted,
            ),
            "verdict": Text(verdict, style=f"bold {tone}" if row.answer else tone),
            "date": Text(day(row.created), style=colors.muted),
        }

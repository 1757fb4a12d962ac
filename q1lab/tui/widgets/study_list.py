"""All studies with their verdicts, newest first: beside the lab on a wide screen, else in a dialog
with a search field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from q1lab.ground.text_formats import MINUS, age, cut_name, pad_cells
from q1lab.index.study_view import StudyRow
from q1lab.judgment import difference_text
from q1lab.study.run_states import STATE_SYMBOLS, RunState
from q1lab.tui.widgets.choice_list import WALK, RefilledList
from q1lab.tui.widgets.study_text import answer_role
from q1lab.tui.widgets.theme_colors import STATE_ROLES
from q1lab.verdict.result_rows import FoldedRows, ResultRow, fold_groups

AS_RUNS = {"planned": RunState.QUEUED, "unreadable": RunState.FAILED}
"""States of a study that share the sign of a run state of another name."""

MOST = 150
"""At most this many lines are listed: laying out a long list takes longer than reading it."""

GROUP = "group:"
"""Before a group's name, the id of the line that its studies are folded into."""

ANSWER, AGE, SIGN = 11, 6, 1
"""Widths in cells of the verdict, the age, and the sign alone of a difference."""
DIFFERENCE = 8
WITH_NUMBER = 46
"""From this width in cells, a line shows the difference, and not its sign alone."""


def search_text(row: StudyRow) -> str:
    """The text that a search for a study looks in."""
    return " ".join(
        (
            row.id,
            row.variant,
            row.baseline,
            row.preset,
            row.data,
            row.state,
            row.created[:10],
        )
    )


@dataclass(frozen=True)
class StudyLines:
    """Lays out lines of ``width`` cells: sign, name, verdict, difference and age, each in its
    column. ``▸`` marks the study ``current``. Colors are the theme's variables, so that a line
    follows a change of theme."""

    width: int
    current: str | None

    def study(self, row: StudyRow, result: ResultRow | None, indent: str = "") -> Content:
        state = AS_RUNS.get(row.state) or RunState(row.state)
        symbol = "●" if state is RunState.RUNNING else STATE_SYMBOLS[state]  # ▶ is too like ▸
        sign = symbol, f"${STATE_ROLES[state]}"
        if row.problem is not None:
            return self._line(sign, indent + row.id, ("unreadable", "$error"), "", "")
        word = result.answer if result is not None else ""
        role = answer_role(result) if result is not None else "muted"
        answer = (word.removesuffix(" to matter"), f"${role}")
        difference = ""
        if not word:
            done = f"{row.done}/{row.total}"
            words = done if row.state in ("running", "finished") else f"{row.state} {done}"
            answer = (words, "$muted")
        elif result is not None and result.mean is not None:
            difference = difference_text.mean_text(result)
        is_current = row.id == self.current
        return self._line(sign, indent + row.id, answer, difference, row.created, is_current)

    def group(self, group: FoldedRows, is_open: bool) -> Content:
        has_current = any(row.id == self.current for row in group.rows)
        return self._line(
            ("▾" if is_open else "▹", "$muted"),
            group.name,
            (group.summary, "$success" if group.any_good else "$muted"),
            "",
            group.created,
            has_current and not is_open,
        )

    def _line(
        self,
        sign: tuple[str, str],
        name: str,
        answer: tuple[str, str],
        difference: str,
        created: str,
        is_current: bool = False,
    ) -> Content:
        room = DIFFERENCE if self.width >= WITH_NUMBER else SIGN
        if room == SIGN:
            difference = difference[:1] if difference[:1] in (MINUS, "+") else ""
        names = max(4, self.width - 3 - ANSWER - room - AGE - 3)
        bold = "bold" if is_current else ""
        parts = (
            ("▸" if is_current else " ", "bold"),
            (f"{sign[0]} ", sign[1]),
            (f"{pad_cells(cut_name(name, names), names)} ", bold),
            (f"{pad_cells(answer[0], ANSWER)} ", answer[1]),
            f"{difference:>{room}} ",
            (f"{age(created):>{AGE}}", "$muted"),
        )
        return Content.assemble(*parts).truncate(self.width)


class StudyList(RefilledList):
    """The list of studies; an option's id is the study's id, or ``GROUP`` and a group's name."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id, markup=False, compact=True)
        self._opened: set[str] = set()
        """The names of the groups that are open."""
        self._shown: tuple[Sequence[StudyRow], Mapping[str, ResultRow], str | None] = ((), {}, None)
        self.refill = self._fill

    def show(
        self, studies: Sequence[StudyRow], results: Mapping[str, ResultRow], current: str | None
    ) -> None:
        """Show these studies; moves the cursor to the current one unless the list has the focus."""
        self._shown = studies, results, current
        self._fill()

    def toggle_group(self, option_id: str) -> bool:
        """Open or close the group that a line stands for; False for a study's line."""
        if not option_id.startswith(GROUP):
            return False
        self._opened ^= {option_id.removeprefix(GROUP)}
        self._fill()
        return True

    def _fill(self) -> None:
        studies, results, current = self._shown
        if self.room <= 0:
            return
        layout = StudyLines(self.room, current)
        by_id = {row.id: row for row in studies}
        options: list[Option] = []
        line_of_current = None
        for entry in _entries(studies, results):
            if isinstance(entry, StudyRow):
                line = layout.study(entry, results.get(entry.id))
                options.append(Option(line, id=entry.id))
                continue
            is_open = entry.name in self._opened
            options.append(Option(layout.group(entry, is_open), id=GROUP + entry.name))
            if any(row.id == current for row in entry.rows):
                line_of_current = len(options) - 1
            options += [
                Option(layout.study(by_id[row.id], row, "  "), id=row.id)
                for row in entry.rows
                if is_open and row.id in by_id
            ]
        more = len(options) - MOST
        if more > 0:
            words = Content.styled(f"  {more:,} older: / finds them", "$muted")
            options = [*options[:MOST], Option(words, disabled=True)]
        at = self.highlighted_option.id if self.highlighted_option is not None else None
        self.put(options)
        ids = [option.id for option in options]
        if not self.has_focus:
            at = current if current in ids else None
        self.highlighted = ids.index(at) if at in ids else line_of_current


def _entries(
    studies: Sequence[StudyRow], results: Mapping[str, ResultRow]
) -> list[StudyRow | FoldedRows]:
    """The studies in their order, with groups folded."""
    folded = fold_groups([results[row.id] for row in studies if row.id in results])
    groups = [entry for entry in folded if isinstance(entry, FoldedRows)]
    group_by_newest = {group.rows[0].id: group for group in groups}
    in_a_group = {row.id for group in groups for row in group.rows}
    return [
        group_by_newest.get(row.id, row)
        for row in studies
        if row.id in group_by_newest or row.id not in in_a_group
    ]

"""A study in a line: its name, and its progress or verdict. Shared by several screens."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.content import Content

from q1lab.app.study_in_focus import StudyInFocus
from q1lab.app.widgets.theme_colors import Palette
from q1lab.app.widgets.week_tree import left_right_line
from q1lab.compare.comparison import Comparison
from q1lab.compare.result_rows import ResultRow
from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import MINUS, age
from q1lab.journal.study_view import StudyRow
from q1lab.judgment import arrange, names
from q1lab.judgment.run_states import ENDED, RunState

ARM_CELLS = 24
"""Columns of an arm's name above runs and curves."""

LEAST_REASON = 16
"""A reason that has fewer columns than these says nothing, and is left out."""

TONES = {
    "helps": "success",
    "hurts": "error",
    "cannot tell": "warning",
    "too small to matter": "foreground",
    "no verdict": "muted",
}
"""The role of a verdict's color, by the verdict."""


def answer_role(row: ResultRow) -> str:
    """The role of the color of a study's answer."""
    return TONES.get(row.answer, "muted")


def search_text(row: StudyRow) -> str:
    """The text that a search for a study looks in."""
    words = row.id, row.variant, row.baseline, row.preset, row.data, row.state, row.created[:10]
    return " ".join(words)


def study_line(row: StudyRow, result: ResultRow | None, room: int) -> Content:
    """A study in ``room`` cells: its verdict or how far it has got, and its age."""
    answer = f"{row.state} {row.done}/{row.total}", "$muted"
    if row.problem is not None:
        answer = "unreadable", "$error"
    elif result is not None and result.answer:
        answer = result.answer, f"${answer_role(result)}"
    return left_right_line(row.id, f"{answer[0]}  {age(row.created):>6}", room, "", answer[1])


def final_comparison(view: StudyInFocus) -> Comparison | None:
    """The comparison, if every planned run has ended and it covers exactly these runs; else None.

    Until then no verdict is shown, even if the database holds one.
    """
    record = view.comparison
    if record is None or not view.runs or not all(run.state in ENDED for run in view.runs):
        return None
    return record if record.analysis.complete and record.study.seeds == view.study.seeds else None


def verdict_chip(c: Comparison, colors: Palette) -> Text:
    """`` CANNOT TELL −0.0123 ``: the verdict and the mean difference on the answer's color."""
    tone = getattr(colors, TONES.get(c.analysis.verdict, "foreground"))
    return Text(f" {arrange.answer_text(c)} ", style=f"bold reverse {tone}")


def comparison_heading(c: Comparison, colors: Palette) -> Text:
    """The answer as a chip, the arms, what is better, the sample, and the study."""
    base, modified = c.names
    return Text.assemble(
        *(verdict_chip(c, colors), "  ", (modified, colors.modified), f" {MINUS} "),
        *((base, colors.baseline), f"  {c.metric.direction}; {names.sample(c)} · {c.id}"),
    )


def study_heading(view: StudyInFocus, width: int, colors: Palette, place: str = "") -> Text:
    """The lab's first line: arms in their colors and the study's ``place`` among all to the left,
    progress or verdict to the right."""
    left = Text(" ")
    left.append(cut_cells(view.study.variant, ARM_CELLS), style=f"bold {colors.modified}")
    left.append(" against ", style=colors.muted)
    left.append(cut_cells(view.study.baseline, ARM_CELLS), style=f"bold {colors.baseline}")
    record = final_comparison(view)
    right = (
        verdict_chip(record, colors)
        if record is not None
        else _progress(view, width - left.cell_len - 4, colors)
    )
    details = [
        place,
        f" · {view.study.trainer.preset} preset" if view.study.trainer.preset else "",
        f" · {cut_cells(view.study.data.name, 20)}",
        f" · {view.row.id}",
    ]
    if view.study.trainer.device not in ("", "cpu"):
        details.append(f" · {view.study.trainer.device}")
    if view.wandb is not None and view.wandb.state != "off":
        details.insert(3, f" · W&B {view.wandb.state}")
    for detail in details:
        if left.cell_len + cell_len(detail) + right.cell_len + 3 <= width:
            left.append(detail, style=colors.muted)
    gap = max(1, width - left.cell_len - right.cell_len - 2)
    line = Text.assemble(left, " " * gap, right)
    line.truncate(max(1, width), overflow="ellipsis")
    return line


def _progress(view: StudyInFocus, room: int, colors: Palette) -> Text:
    """The progress in at most ``room`` cells, with the reason why the study no longer trains if its
    runs share one."""
    done = f"{view.row.done} of {view.row.total} done"
    if view.alive:
        left = view.row.time_left
        return Text.assemble(("● ", colors.success), done + (f" · {left}" if left else ""))
    if view.row.done == view.row.total:
        return Text("comparing …", style=colors.muted)
    tone = {"stopped": colors.warning, "planned": colors.muted}.get(view.row.state, colors.error)
    end = f" · {done}"
    reason = _shared_reason(view)
    reason_room = room - cell_len(view.row.state) - 2 - cell_len(end)
    if reason and reason_room >= LEAST_REASON:
        end = f": {cut_cells(reason, reason_room)}{end}"
    return Text.assemble((view.row.state, tone), (end, colors.muted))


def _shared_reason(view: StudyInFocus) -> str:
    """The one message of all runs that ended before their time, such as a cluster's time limit;
    empty if they differ, or if a person stopped them."""
    broken = (RunState.STOPPED, RunState.FAILED, RunState.CRASHED)
    messages = {run.message or "" for run in view.runs if run.state in broken}
    reason = messages.pop() if len(messages) == 1 else ""
    return "" if reason.startswith("stopped") else reason

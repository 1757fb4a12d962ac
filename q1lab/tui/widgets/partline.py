"""The line above a part's text: which part this is, how much of it is done, minutes spent of
minutes planned."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.tui.widgets.week_tree import cut, part_name
from q1lab.week.model import Part, Session, Week
from q1lab.week.progress import Progress


class PartLine(Widget):
    """``A2 · Read the paper          3 of 5 done · 41 of 90 min``; on a narrow screen also where in the week."""

    values: reactive[tuple[str, str, str, bool]] = reactive(("", "", "", False))
    """Name with title, counts, place in the week, and whether the part is done."""

    def fill(self, week: Week, session: Session, part: Part, progress: Progress) -> None:
        count = progress.count([part])
        ids = [one.id for one in session.parts]
        counts = f"{count.done} of {count.total} done · {round(count.seconds / 60)} of {part.minutes} min"
        place = f"session {session.id.upper()}, part {ids.index(part.id) + 1} of {len(ids)}"
        self.values = (f"{part_name(part)} · {part.title}", counts, place, count.finished)

    def render(self) -> Content:
        title, counts, place, done = self.values
        width = self.content_size.width
        narrow = self.screen.has_class("-narrow")
        right = f"{place} · {counts}" if narrow and width >= 76 + len(title) - 20 else counts
        if done:
            right = "✓ " + right
        title = cut(title, width - cell_len(right) - 2)
        gap = " " * max(1, width - cell_len(title) - cell_len(right))
        return Content.assemble(
            (title, "bold $primary"), gap, (right, "$success" if done else "$muted")
        )

"""The line above a part's text: its title whole, then as much as there is room for of its place in
the session, steps done, and minutes spent of those to allow."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.app.pages import WeekPage
from q1lab.app.widgets.week_tree import left_right_line
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Week


class PartLine(Widget):
    """``A2 · Read the paper    part 2 of 3 · 3 of 5 done · 41 of 90 min``."""

    values: reactive[tuple[str, tuple[str, ...], bool]] = reactive(("", ("",), False))
    """(name with title, what stands at its right in several lengths, True if the part is done)."""

    def fill(self, week: Week, page: WeekPage, progress: Progress) -> None:
        title = f"{page.name} · {page.title}" if page.name else page.title
        if page.part is None or page.session is None:
            parts = page.session.parts if page.session else tuple(week.parts())
            planned = page.session.hours if page.session else week.hours
            counts = f"{len(parts)} parts"
            hours = f" · plan on {planned} hours" if planned else ""
            self.values = (title, (counts + hours, counts, ""), False)
            return
        count = progress.count([page.part])
        ids = [part.id for part in page.session.parts]
        done = f"{count.done} of {count.total} done"
        of = f" of {page.part.allowance}" if page.part.allowance else ""
        spent = f"{done} · {round(count.seconds / 60)}{of} min"
        place = f"part {ids.index(page.part.id) + 1} of {len(ids)}"
        self.values = (title, (f"{place} · {spent}", spent, done, ""), count.finished)

    def render(self) -> Content:
        title, lengths, done = self.values
        room = self.content_size.width - cell_len(title) - 3
        sign = "✓ " if done else ""
        right = next(text for text in lengths if not text or cell_len(sign + text) <= room)
        tone = "$success" if done else "$muted"
        width = self.content_size.width
        return left_right_line(title, right and sign + right, width, "bold $primary", tone)

"""The line above a part's text: its title, steps done, minutes spent of minutes planned."""

from __future__ import annotations

from operator import attrgetter

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.app.pages import WeekPage
from q1lab.app.widgets.week_tree import left_right_line
from q1lab.ground.text_formats import hours_minutes
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Week


class PartLine(Widget):
    """``A2 · Read the paper    3 of 5 done · 41 of 90 min``; on a narrow screen, which hides the
    tree, also the position in the week."""

    values: reactive[tuple[str, str, str, bool]] = reactive(("", "", "", False))
    """(name with title, counts, position in the week, True if the part is done)."""

    def fill(self, week: Week, page: WeekPage, progress: Progress) -> None:
        title = f"{page.name} · {page.title}" if page.name else page.title
        if page.part is None or page.session is None:
            parts = page.session.parts if page.session else tuple(week.parts())
            planned, needed = (sum(map(attrgetter(n), parts)) for n in ("minutes", "estimate"))
            counts = f"{len(parts)} parts · {hours_minutes(planned)} planned"
            if needed > planned > 0:
                counts += f", allow {hours_minutes(needed)}"
            self.values = (title, counts, "", False)
            return
        count = progress.count([page.part])
        ids = [part.id for part in page.session.parts]
        planned = f" of {page.part.minutes}" if page.part.minutes else ""
        spent = f"{round(count.seconds / 60)}{planned} min"
        if page.part.estimate > page.part.minutes > 0:
            spent += f", allow {page.part.estimate}"
        place = (
            f"session {page.session.id.upper()}, part {ids.index(page.part.id) + 1} of {len(ids)}"
        )
        counts = f"{count.done} of {count.total} done · {spent}"
        self.values = (title, counts, place, count.finished)

    def render(self) -> Content:
        title, counts, place, done = self.values
        width = self.content_size.width
        narrow = self.screen.has_class("-narrow")
        right = f"✓ {counts}" if done else counts
        if narrow and cell_len(f"{title} {place} · {right}") <= width:
            right = f"{place} · {right}"
        tone = "$success" if done else "$muted"
        return left_right_line(title, right, width, "bold $primary", tone)

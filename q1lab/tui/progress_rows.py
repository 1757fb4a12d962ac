"""The rows of the progress screen, and the reader that collects their data from the store and the
learner's repository."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.tui.pages import part_name
from q1lab.tui.widgets.titled_rows import ListRow
from q1lab.week.lists import artifacts, kpis, papers, posts
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Week

if TYPE_CHECKING:  # both cost the app more than its first paint may
    from q1lab.documents.kpi_sources import KpiSources
    from q1lab.ground.git_repository import Repository

REPOSITORY_EVERY = 20.0
"""Seconds between two readings of the learner's repository: git is too slow for every poll."""


class ProgressReader:
    """A job for the store thread. It counts KPIs as `q1lab course kpi` does, from the roadmap and
    the repository too."""

    def __init__(self, week: Week, repo: Path | None) -> None:
        self.week, self.repo = week, repo
        self._around: KpiSources | None = None
        self._when = 0.0

    def __call__(self, store: Store) -> dict[str, Any]:
        from q1lab.documents import kpi_sources

        if self._around is None or time.monotonic() - self._when > REPOSITORY_EVERY:
            self._around = kpi_sources.read_kpi_sources(store, self.week, self._repository())
            self._when = time.monotonic()
        return {
            "kpis": kpi_sources.kpis_from(store, self.week, self._around),
            "papers": papers.all_papers(store),
            "artifacts": artifacts.all_artifacts(store),
            "post": posts.post_of_week(store, self.week.label),
        }

    def _repository(self) -> Repository | None:
        from q1lab.ground.git_repository import Repository

        try:
            return Repository.discover(self.repo) if self.repo is not None else None
        except Problem:  # it may not exist yet
            return None


def kpi_row(kpi: kpis.KpiRow) -> ListRow:
    sign = {True: "✓ ", False: "· ", None: "  "}[kpi.met]
    target = f" of {kpi.target:g}" if kpi.target is not None else ""
    actual = "–" if kpi.actual is None else f"{kpi.actual:g}"
    tone = "$success" if kpi.met else ""
    bar = (kpi.actual or 0.0, kpi.target, kpi.target) if kpi.target else None
    source = "" if kpi.source == "counted" else f"{kpi.source}   "
    return ListRow(sign + kpi.title, f"{source}{actual}{target}", tone, tone or "$muted", kpi, bar)


def part_rows(week: Week, progress: Progress) -> list[ListRow]:
    """A row for each part: the steps done, as a bar, and the minutes spent on them."""
    rows = []
    for part in week.parts():
        count = progress.count([part])
        sign = "✓" if count.finished else "·" if not count.done else "◦"
        tone = "$success" if count.finished else ""
        spent = round(count.seconds / 60)
        minutes = f"{spent} of {part.minutes} min" if spent else f"{part.minutes} min"
        over = "$warning" if spent > part.minutes else "$muted"
        words = f"{count.done} of {count.total} steps · {minutes}"
        bar = (float(count.done), float(count.total), float(count.total))
        title = f"{sign} {part_name(part)} {part.title}"
        rows.append(ListRow(title, words, tone, over, part.id, bar))
    return rows


def paper_row(paper: dict[str, Any]) -> ListRow:
    sign, tone = ("✓ ", "$success") if paper["done"] else ("☐ ", "")
    return ListRow(sign + paper["title"], paper["depth"] or "", tone, key=paper)


def artifact_row(artifact: dict[str, Any]) -> ListRow:
    place = (artifact["location"] or "").removeprefix("https://")
    return ListRow(f"{artifact['kind']:<9}{artifact['title']}", place, key=artifact["id"])


def post_rows(post: dict[str, Any] | None) -> list[ListRow]:
    if post is None or not post["published"]:
        return []
    shares = len(post["shares"])
    tone = "$success" if shares >= posts.ENOUGH_CHANNELS else "$warning"
    return [
        ListRow(
            f"{'post':<9}{post['title']}",
            posts.shared_words(post),
            "",
            tone,
        )
    ]

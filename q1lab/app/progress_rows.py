"""The rows of the progress screen, and the reader that collects their data from the store and the
learner's repository."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from q1lab.app.widgets.study_text import answer_role
from q1lab.app.widgets.titled_rows import ListRow
from q1lab.app.widgets.week_tree import part_columns
from q1lab.compare.result_rows import ResultRow, ResultRowReader
from q1lab.ground.errors import Problem
from q1lab.ground.git_repository import Repository
from q1lab.journal.store import Store
from q1lab.judgment import difference_text
from q1lab.week.lists import artifacts, kpis, papers, posts
from q1lab.week.progress import Progress, first_open
from q1lab.week.syllabus import Part, Week

REPOSITORY_EVERY = 20.0
"""Seconds between two readings of the learner's repository: git is too slow for every poll."""

SAYS = ("assessment", "confidence")
"""Steps whose ``into`` is one of these are self-assessments."""


class ProgressReader:
    """A job for the store thread. It counts KPIs as `q1lab course kpi` does, from the
    repository too."""

    def __init__(self, week: Week, repo: Path | None) -> None:
        self.week, self.repo = week, repo
        self._results = ResultRowReader()
        self._repos: kpis.CountedKpi | None = None
        self._when = 0.0

    def __call__(self, store: Store) -> dict[str, Any]:
        from q1lab.documents import kpi_sources, post

        if self._repos is None or time.monotonic() - self._when > REPOSITORY_EVERY:
            post.count_empty_sections(store, self.week.label)
            self._repos = kpi_sources.count_repositories(store, self._repository())
            self._when = time.monotonic()
        return {
            "kpis": kpis.kpi_rows(store, self.week.kpis, repos=self._repos),
            "papers": papers.all_papers(store),
            "artifacts": artifacts.all_artifacts(store),
            "post": posts.post_of_week(store, self.week.label),
            "results": self._results(store),
        }

    def _repository(self) -> Repository | None:
        try:
            return Repository.discover(self.repo) if self.repo is not None else None
        except Problem:  # it may not exist yet
            return None


def kpi_row(kpi: kpis.KpiRow) -> ListRow:
    sign = {True: "✓ ", False: "· ", None: "  "}[kpi.met]
    target = f" of {kpi.target:g}" if kpi.target is not None else ""
    actual = "–" if kpi.actual is None else f"{kpi.actual:g}"
    tone = "$success" if kpi.met else ""
    bar = ((kpi.actual or 0.0) / kpi.target, 1.0) if kpi.target else None
    source = "" if kpi.source == "counted" else f"{kpi.source}   "
    return ListRow(sign + kpi.title, f"{source}{actual}{target}", tone, tone or "$muted", kpi, bar)


def part_rows(week: Week, progress: Progress, training: bool) -> list[ListRow]:
    """The next step, then a row for each part: its bar is as long as the minutes planned for it,
    and full as far as its steps are done."""
    longest = max((part.allowance for part in week.parts()), default=0)
    rows = [_part_row(part, progress, longest) for part in week.parts()]
    part, step = first_open(week, progress, training=training) if rows else (None, None)
    if part is not None and step is not None:
        title = f"→ Next: {part.name} · {step.title}"
        rows.insert(0, ListRow(title, f"{step.minutes} min", "$primary", key=(part.id, step.id)))
    return rows


def _part_row(part: Part, progress: Progress, longest: int) -> ListRow:
    count = progress.count([part])
    sign, share, spent, over = part_columns(part, progress)
    minutes = f"{spent} of {part.allowance}" if spent else str(part.allowance)
    return ListRow(
        f"{sign} {part.name} {part.title}",
        f"{count.done} of {count.total} · {minutes} min",
        "$success" if count.finished else "",
        over,
        (part.id, None),
        (share, (part.allowance or longest) / longest if longest else 1.0),
    )


def recall_rows(week: Week, progress: Progress) -> list[ListRow]:
    """The questions that the learner marked wrong, each with the part in which it comes back."""
    titles = {step.id: step.title for step in week.steps()}
    return [
        ListRow(f"☐ {titles[step.repeat_of]}", part.name, key=(part.id, step.id))
        for part in week.parts()
        for step in part.steps
        if step.repeat_of in titles and not progress.of(step.id).done
    ]


def statement_rows(week: Week, progress: Progress) -> list[ListRow]:
    """The statements of the learner's self-assessment."""
    steps = [step for step in week.steps() if step.into in SAYS]
    return [_tickable(step.title, progress.of(step.id).done, key=step.id) for step in steps]


def _tickable(title: str, done: bool, right: str = "", key: Any = None) -> ListRow:
    sign, tone = ("✓", "$success") if done else ("☐", "")
    return ListRow(f"{sign} {title}", right, tone, key=key)


def result_row(row: ResultRow) -> ListRow:
    """A study with its difference and verdict, or how far it has got."""
    mean = "" if row.mean is None or row.problem else difference_text.mean_text(row)
    answer = row.problem or row.answer or row.progress_text
    return ListRow(row.shown_name, f"{mean}  {answer:<11}", "", f"${answer_role(row)}", key=row.id)


def paper_row(paper: dict[str, Any]) -> ListRow:
    return _tickable(paper["title"], bool(paper["done"]), paper["depth"] or "", key=paper)


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

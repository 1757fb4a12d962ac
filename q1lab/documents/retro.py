"""Q1_RETRO.md: the results of the quarter.

``gather`` puts the record together from the store, the week and the studies; rendering is a pure
function of the record.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.documents import comparison_tables, document_data, kpi_sources
from q1lab.documents.document_data import Answer, next_quarter_of, quarter_of
from q1lab.documents.kpi_sources import Repo
from q1lab.documents.markdown_escape import Md, inline
from q1lab.documents.post import count_empty_sections
from q1lab.documents.templates import Rendered, render_template
from q1lab.ground.command_table import ACTS
from q1lab.ground.git_repository import Repository
from q1lab.ground.text_formats import DASH, grouped_number, hours_minutes
from q1lab.index.store import Store
from q1lab.statistics.intervals import MIN_FOR_VERDICT
from q1lab.statistics.prediction_score import Score, calibrate, small_predictions
from q1lab.verdict import prediction_text
from q1lab.week import evidence, progress, study_timer
from q1lab.week.lists import artifacts, papers, posts
from q1lab.week.lists.kpis import KpiRow
from q1lab.week.syllabus import Week

TEMPLATE = "retro.md.j2"
OVER = 1.25
"""A part slipped when it took more than this many times its planned minutes."""
ACCELERATED, SUSTAINABLE = 0.85, 1.25
"""Actual over planned minutes: below the first the pace was accelerated, up to the second
sustainable."""


@dataclass(frozen=True)
class OpenPart:
    """A part with required steps that could be done and are not: their titles, and how many it has
    that could be. What comes after this document could not, and its own commit may tick it."""

    part: str
    steps: tuple[str, ...]
    of: int

    @property
    def done(self) -> int:
        return self.of - len(self.steps)


@dataclass(frozen=True)
class PartTime:
    """Planned and actual minutes of a part. ``finished``: its required steps are done."""

    title: str
    planned: float
    actual: float
    finished: bool

    @property
    def timed(self) -> bool:
        """True if the timer ran for it. A few seconds are a key pressed by mistake."""
        return self.actual >= 0.5

    @property
    def overran(self) -> bool:
        """True if it took longer than planned by more than a quarter."""
        return bool(self.planned) and self.actual > OVER * self.planned

    @property
    def ratio(self) -> str:
        """Actual over planned."""
        return f"{self.actual / self.planned:.2f}" if self.planned else DASH


@dataclass(frozen=True)
class TickBox:
    """A box; ``done_step`` is the title of the step that it rests on, where that is done."""

    title: str
    ticked: bool
    done_step: str = ""


@dataclass(frozen=True)
class Retro:
    """The record of the retrospective. Posts, other artifacts and papers are rows as the
    journal lists them."""

    week: str
    quarter: str
    next_quarter: str
    next_week: str
    repositories: tuple[Repo, ...] = ()
    posts: tuple[Mapping[str, Any], ...] = ()
    studies: Md | None = None
    others: tuple[Mapping[str, Any], ...] = ()
    kpis: tuple[KpiRow, ...] = ()
    papers: tuple[Mapping[str, Any], ...] = ()
    insights: tuple[Answer, ...] = ()
    slipped_words: tuple[Answer, ...] = ()
    unfinished: tuple[OpenPart, ...] = ()
    required: int = 0
    """Steps before this document that are not optional."""
    parts: tuple[PartTime, ...] = ()
    pace_words: str = ""
    not_counted: str = ""
    """The timer's open question, in a sentence."""
    pace_answer: tuple[Answer, ...] = ()
    plan: tuple[Answer, ...] = ()
    confidence: tuple[TickBox, ...] = ()
    assessment: tuple[TickBox, ...] = ()
    small: tuple[Answer, ...] = ()
    """The week's small predictions, as the learner scored them."""
    predictions: Md | None = None
    calibration: str = ""
    course: bool = True
    """True if the week belongs to a course, False for a week on its own."""

    @property
    def timed(self) -> tuple[PartTime, ...]:
        """The parts that were worked on."""
        return tuple(part for part in self.parts if part.timed)

    @property
    def together(self) -> PartTime:
        """The sum of those."""
        return together(self.timed)

    @property
    def left(self) -> int:
        """The number of open steps."""
        return sum(len(item.steps) for item in self.unfinished)


def together(parts: Sequence[PartTime]) -> PartTime:
    """Several parts as one."""
    planned, actual = sum(part.planned for part in parts), sum(part.actual for part in parts)
    return PartTime("together", planned, actual, all(part.finished for part in parts))


def retro_document(record: Retro, root: Path | None = None) -> Rendered:
    """The document and its regions."""
    return render_template(TEMPLATE, {**vars(record), "retro": record}, root)


def renew_retro_head(record: Retro, root: Path, data: bytes) -> bytes:
    """A document with the head of the course, or of a week alone, where the head is still as q1lab
    wrote it for the other one."""

    def head(course: bool) -> bytes:
        text = retro_document(replace(record, course=course), root).text
        return text[: text.index("<!-- q1lab:begin")].encode()

    other = head(not record.course)
    return head(record.course) + data[len(other) :] if data.startswith(other) else data


def file_name(quarter: str) -> str:
    """``Q1_RETRO.md``."""
    return f"{quarter}_RETRO.md"


def proposed_pace(parts: Sequence[PartTime]) -> str:
    """``sustainable``, ``accelerated`` or ``behind``: a proposal from the minutes, or ``""``
    without any."""
    worked = [part for part in parts if part.timed and part.planned > 0]
    if not worked:
        return ""
    total = together(worked)
    ratio = total.actual / total.planned
    done = sum(part.finished for part in parts)
    if ratio > SUSTAINABLE or done < len(parts) / 2:
        return "behind"
    return "accelerated" if ratio < ACCELERATED and done == len(parts) else "sustainable"


def pace_words(parts: Sequence[PartTime]) -> str:
    """The proposal as a sentence with its reasons."""
    word = proposed_pace(parts)
    if not word:
        return ""
    total = together([part for part in parts if part.timed])
    done = sum(part.finished for part in parts)
    pace = "I was behind" if word == "behind" else f"the pace was {word}"
    return (
        f"The timer counted {hours_minutes(total.actual)} for parts planned for "
        f"{hours_minutes(total.planned)}, and I finished {done} of {len(parts)} parts: by that, "
        f"{pace}."
    )


def not_counted(week: Week, done: progress.Progress) -> str:
    """The timer's open question about uncounted time, in a sentence; "" without one."""
    question = study_timer.open_question(done.settings.get("clock"))
    place = week.find_part(question.part) if question else None
    if question is None or place is None:
        return ""
    return (
        f"{hours_minutes(question.seconds / 60)} of “{place[1].title}” are not counted: the timer "
        "saw nobody at work and still asks about them."
    )


def claims(record: Retro) -> tuple[str, ...]:
    """The document's claims about the learner's work, a sentence each, to read before it is
    committed."""
    sentences = []
    for line in record.kpis:
        target = "" if line.target is None else f" of {grouped_number(line.target)}"
        sentences.append(f"{line.title}: {grouped_number(line.actual)}{target} ({line.origin})")
    for post in record.posts:
        where = f"published at {post['url']}" if post["published"] else "not published"
        on = f", shared on {', '.join(post['channels'])}" if post["channels"] else ""
        empty = f", {post['empty']}" if post["empty"] else ""
        sentences.append(f"“{post['title']}”: {where}{empty}{on}")
    sentences += [
        f"{repo.title}: no line says what it is; write one into the file, or add the repository as "
        f'"{repo.title}: what it is"'
        for repo in record.repositories
        if not repo.about
    ]
    parts = ", ".join(item.part for item in record.unfinished)
    if record.left:
        are = "step is" if record.left == 1 else "steps are"
        sentences.append(f"{record.left} {are} open, in: {parts}")
    else:
        sentences.append("Every step of the week is done.")
    sentences.append(record.pace_words or "I did not time the week.")
    return tuple(filter(None, (*sentences, record.not_counted)))


def calibration_words(scores: Sequence[Score], small: int = 0) -> str:
    """The learner's confidence against the outcomes; ``small`` of the scores are the learner's own.
    A share of one prediction says nothing."""
    record = calibrate(scores)
    if record.settled != 1:
        hand_scored = f" I scored {small} of them, the small ones, by hand." if small else ""
        return prediction_text.calibration_sentence(record, "I was") + hand_scored
    outcome = "right" if record.hits else "wrong"
    tail = f" {record.still_open} still open." if record.still_open else ""
    return (
        f"One prediction is settled: I was {record.sure:.0%} sure, and {outcome}. How well I judge "
        f"takes more of them to say.{tail}"
    )


def ticked_in(body: bytes) -> frozenset[str]:
    """Titles of the boxes that are ticked in a document's region: a tick made in the file
    counts."""
    titles = re.findall(r"^[ \t]*[-*+] \[[xX]\] (.+)$", body.decode(errors="replace"), re.MULTILINE)
    return frozenset(_without_proof(title.rstrip()) for title in titles)


OWN_JUDGMENT = "my own judgment"
_EARLIER_PROOFS = (" (shown: ", " (self-declared")
"""The same notes in files that q1lab 0.1 wrote."""


def _without_proof(box: str) -> str:
    """A box's title without the note that says who vouches for it."""
    for opening in (" (done: ", f" ({OWN_JUDGMENT}", *_EARLIER_PROOFS):
        if box.endswith(")") and opening in box:
            return box.rpartition(opening)[0]
    return box


def gather_retro(
    store: Store, week: Week, repo: Repository | None = None, *, ticked: Iterable[str] = ()
) -> Retro:
    """The record of the retrospective as of now. ``ticked`` are titles that are ticked in the file
    itself."""
    count_empty_sections(store, week.label)
    done = evidence.read_progress(store, week)
    week = progress.learner_week(week, done)
    quarter, following = quarter_of(week.label), next_quarter_of(week.label)
    comparisons = document_data.ended_comparisons(store)
    parts = part_times(week, done)
    already = frozenset(ticked)
    # a prediction is of the modification, not of experiments of one seed beside its study
    predicted = [record for study, record in comparisons if len(study.seeds) >= MIN_FOR_VERDICT]
    scores = [record.score for record in predicted if record.score is not None]
    small = document_data.answers(store, week, "small")
    small_scores = [score for answer in small for score in small_predictions(answer.text)]
    return Retro(
        week=week.label,
        quarter=quarter,
        next_quarter=following,
        next_week=week.next or following,
        repositories=tuple(kpi_sources.repositories(store, repo)),
        posts=tuple(map(_post, posts.all_posts(store))),
        studies=comparison_tables.studies_table([record for _, record in comparisons])
        if comparisons
        else None,
        others=tuple(item for item in artifacts.all_artifacts(store) if item["kind"] != "repo"),
        kpis=tuple(kpi_sources.kpis_of_week(store, week, repo)),
        papers=tuple(
            item for item in papers.all_papers(store) if item["done"] and item["depth"] == "deep"
        ),
        insights=document_data.answers(store, week, "insights"),
        slipped_words=document_data.answers(store, week, "slipped"),
        unfinished=tuple(_unfinished(week, done)),
        required=len(_required(week)),
        parts=tuple(parts),
        pace_words=pace_words(parts),
        not_counted=not_counted(week, done),
        pace_answer=document_data.answers(store, week, "pace"),
        plan=document_data.answers(store, week, "plan"),
        confidence=_ticks(week, done, "confidence", already),
        assessment=_ticks(week, done, "assessment", already),
        predictions=comparison_tables.predictions_table(predicted),
        small=small,
        calibration=calibration_words([*scores, *small_scores], len(small_scores)),
        course=week.course,
    )


def _post(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A post of the journal, its channels and how much of it is empty in words."""
    channels = [posts.channel_title(share["channel"]) for share in row["shares"]]
    return {**row, "channels": channels, "empty": posts.empty_words(row["empty"])}


def part_times(week: Week, done: progress.Progress) -> list[PartTime]:
    """Planned and actual minutes of every part. The part that this document is written in is
    finished when all before it is done: it would never be else."""
    times = []
    required_ids = _required(week)
    for part in week.parts():
        counted = done.count([part])
        steps = [step for step in part.steps if step.id in required_ids]
        finished = bool(steps) and all(done.of(step.id).done for step in steps)
        times.append(PartTime(part.title, counted.minutes, counted.seconds / 60, finished))
    return times


def _unfinished(week: Week, done: progress.Progress) -> list[OpenPart]:
    open_parts = []
    titles = {step.id: step.title for step in week.steps()}
    required_ids = _required(week)
    for part in week.parts():
        open_titles = tuple(
            f"answer again: {titles[step.again]}" if step.again in titles else step.title
            for step in part.steps
            if step.id in required_ids and not done.of(step.id).done
        )
        if open_titles:
            open_parts.append(
                OpenPart(
                    part.title, open_titles, sum(step.id in required_ids for step in part.steps)
                )
            )
    return open_parts


def _required(week: Week) -> set[str]:
    """The steps that can be done before this document is written; what comes after it was not left
    undone."""
    before = itertools.takewhile(
        lambda step: step.done_when not in ACTS["retro"].done_when, week.steps()
    )
    return {step.id for step in before if not step.optional}


def _ticks(
    week: Week, done: progress.Progress, into: str, already: frozenset[str]
) -> tuple[TickBox, ...]:
    titles = {step.id: step.title for step in week.steps()}
    return tuple(
        TickBox(
            step.title,
            done.of(step.id).done or inline(step.title) in already or step.title in already,
            titles[step.needs] if step.needs and done.of(step.needs).done else "",
        )
        for step in week.steps()
        if step.into == into
    )

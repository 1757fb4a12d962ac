"""Q1_RETRO.md: the results of the quarter.

``gather_retro`` puts the record together from the store, the week and the studies; rendering is a
pure function of the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.compare.comparison import Comparison
from q1lab.documents import (
    comparison_tables,
    document_data,
    kpi_sources,
    modification,
    retro_parts,
)
from q1lab.documents.document_data import (
    Answer,
    ChosenModification,
    next_quarter_of,
    quarter_of,
)
from q1lab.documents.kpi_sources import Repo
from q1lab.documents.markdown_escape import Md, inline
from q1lab.documents.post import count_empty_sections
from q1lab.documents.retro_parts import parts_of_week
from q1lab.documents.templates import Rendered, render_template
from q1lab.ground.git_repository import Repository
from q1lab.ground.text_formats import plural
from q1lab.journal.predictions import broken_scores
from q1lab.journal.store import Store
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.judgment.prediction_score import Calibration, Score, calibrate, small_predictions
from q1lab.study.studies import Study
from q1lab.week import evidence, progress
from q1lab.week.lists import artifacts, papers, posts
from q1lab.week.lists.kpis import KpiRow
from q1lab.week.syllabus import Week

TEMPLATE = "retro.md.j2"


@dataclass(frozen=True)
class TickBox:
    """A box."""

    title: str
    ticked: bool


@dataclass(frozen=True)
class Retro:
    """The record of the retrospective. Posts, other artifacts and papers are rows as the
    journal lists them."""

    week: str
    quarter: str
    next_quarter: str
    next_week: str
    lead: tuple[str, ...] = ()
    """The sentences of the summary: the change and its result."""
    pace: str = ""
    """Three sentences, empty where there is nothing to tell."""
    undone: str = ""
    overrun: str = ""
    repositories: tuple[Repo, ...] = ()
    posts: tuple[Mapping[str, Any], ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()
    kpis: tuple[KpiRow, ...] = ()
    papers: tuple[Mapping[str, Any], ...] = ()
    insights: tuple[Answer, ...] = ()
    slipped_words: tuple[Answer, ...] = ()
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


def retro_document(record: Retro, root: Path | None = None) -> Rendered:
    """The document and its regions."""
    return render_template(TEMPLATE, {**vars(record), "retro": record}, root)


def other_heads(record: Retro, root: Path) -> Iterator[bytes]:
    """The head of the document of a week alone, or in a course for one of a week alone."""
    yield retro_document(replace(record, course=not record.course), root).head


def file_name(quarter: str) -> str:
    """``Q1_RETRO.md``."""
    return f"{quarter}_RETRO.md"


def calibration_words(scores: Sequence[Score]) -> str:
    """The learner's confidence against the outcomes. A share of one prediction says nothing."""
    record = calibrate(scores)
    text = _calibration_sentence(record)
    if record.settled == 1:
        text = "It takes more than one settled prediction to say how well I judge."
    if many := record.still_open:
        verb = "is open: its runs can't" if many == 1 else "are open: their runs can't"
        text += f" {plural(many, 'prediction')} {verb} tell."
    return text


def _calibration_sentence(all_of_them: Calibration) -> str:
    """The learner's confidence over all predictions, and the share that was right."""
    many = all_of_them.settled
    if not many:
        return "No prediction has been scored by a comparison yet."
    judgment = f", so {all_of_them.judgment}" if all_of_them.judgment else ""
    return (
        f"Of {plural(many, 'prediction')} I was {all_of_them.sure:.0%} sure on average, and "
        f"{all_of_them.hits} came true{judgment} (Brier score {all_of_them.brier:.2f}; a coin has "
        "0.25)."
    )


def ticked_in(body: bytes) -> frozenset[str]:
    """Titles of the boxes that are ticked in a document's region: a tick made in the file
    counts."""
    titles = re.findall(r"^[ \t]*[-*+] \[[xX]\] (.+)$", body.decode(errors="replace"), re.MULTILINE)
    return frozenset(title.rstrip() for title in titles)


def gather_retro(
    store: Store, week: Week, repo: Repository | None = None, *, ticked: Iterable[str] = ()
) -> Retro:
    """The record of the retrospective as of now. ``ticked`` are titles that are ticked in the file
    itself."""
    count_empty_sections(store, week.label)
    done = evidence.read_progress(store, week)
    week = progress.learner_week(week, done)
    quarter, following = quarter_of(week.label), next_quarter_of(week.label)
    compared = document_data.all_comparisons(store)
    comparisons = list(filter(document_data.has_ended, compared))
    picked = document_data.chosen_modification(store, week)
    main = document_data.main_comparison([one for one in compared if picked.trained_by(one[0])])
    parts = parts_of_week(week, done)
    already = frozenset(ticked)
    # a prediction is of the modification, not of experiments of one seed beside its study
    predicted = [record for study, record in comparisons if len(study.seeds) >= MIN_FOR_VERDICT]
    scores = [record.score for record in predicted if record.score is not None]
    small = document_data.answers(store, week, "small")
    pace_answer = document_data.answers(store, week, "pace")
    small_scores = [score for answer in small for score in small_predictions(answer.text)]
    return Retro(
        week=week.label,
        quarter=quarter,
        next_quarter=following,
        next_week=week.next or following,
        # what has no public address is shipped to nobody
        repositories=tuple(item for item in kpi_sources.repositories(store, repo) if item.location),
        posts=tuple(map(_post, posts.all_posts(store))),
        others=tuple(item for item in artifacts.all_artifacts(store) if item["kind"] != "repo"),
        kpis=tuple(kpi_sources.kpis_of_week(store, week, repo)),
        papers=tuple(
            item for item in papers.all_papers(store) if item["done"] and item["depth"] == "deep"
        ),
        insights=document_data.answers(store, week, "insights"),
        slipped_words=document_data.answers(store, week, "slipped"),
        lead=_lead(picked, main, week),
        pace=retro_parts.pace_sentence(parts, is_judged=bool(pace_answer)),
        undone=retro_parts.undone_sentence(parts),
        overrun=retro_parts.overrun_sentence(parts),
        pace_answer=pace_answer,
        plan=document_data.answers(store, week, "plan"),
        confidence=_ticks(week, done, "confidence", already),
        assessment=_ticks(week, done, "assessment", already),
        predictions=comparison_tables.predictions_table(predicted),
        small=small,
        calibration=calibration_words([*scores, *broken_scores(store), *small_scores]),
        course=week.course,
    )


def _lead(
    picked: ChosenModification,
    main: tuple[Study, Comparison] | None,
    week: Week,
) -> tuple[str, ...]:
    """The summary: the change and its result."""
    title = modification.modification_title(week, picked.name).replace(": ", ", ", 1)
    change: tuple[str, ...]
    if main is None and not picked.really:
        change = ("I have not chosen a modification yet.",)
    elif main is None:
        change = (f"I chose {title}, and have no finished comparison of it yet.",)
    else:
        told = comparison_tables.study_facts(main[1]).told["answer"]
        change = (f"The change: {title} ({main[0].id}).", *told)
    return tuple(filter(None, change))


def _post(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A post of the journal, its channels and how much of it is empty in words."""
    channels = [posts.channel_title(share["channel"]) for share in row["shares"]]
    return {**row, "channels": channels, "empty": posts.empty_words(row["empty"])}


def _ticks(
    week: Week, done: progress.Progress, into: str, already: frozenset[str]
) -> tuple[TickBox, ...]:
    return tuple(
        TickBox(
            step.title,
            done.of(step.id).done or inline(step.title) in already or step.title in already,
        )
        for step in week.steps()
        if step.into == into
    )

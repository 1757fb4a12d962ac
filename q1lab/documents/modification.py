"""MODIFICATION.md: one experiment from the choice to the verdict.

``gather_modification`` puts the record together from the store, the week and the studies; rendering
is a pure function of the record.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.documents import comparison_tables, document_data, reproduce, study_picture
from q1lab.documents.comparison_tables import StudyFacts
from q1lab.documents.document_data import Answer, ChosenModification
from q1lab.documents.markdown_escape import Md, link
from q1lab.documents.reproduce import Reproduction
from q1lab.documents.templates import Rendered, render_template
from q1lab.ground.errors import Problem
from q1lab.ground.files import read_text
from q1lab.journal import predictions
from q1lab.journal.store import Store
from q1lab.judgment.facts import direction_text
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.study import studies
from q1lab.study.own_model import parents
from q1lab.study.studies import Study
from q1lab.study.trainer import COMMAND
from q1lab.week import evidence
from q1lab.week.content import week_for
from q1lab.week.own_model import diffs
from q1lab.week.syllabus import Week, WeekVariant

FILE = "MODIFICATION.md"
TEMPLATE = "modification.md.j2"
UNCHOSEN = "Modification"
"""The title before anything is chosen."""
LOCKED_BY_COMMIT = "the commit of MODIFICATION.md"


@dataclass(frozen=True)
class Prediction:
    """A prediction as the document shows it; ``amended`` are the earlier ones, newest first."""

    direction_words: str
    size: str
    """With its unit; empty where no difference is expected."""
    matters: str
    confidence: float | None
    reasoning: str
    created: str
    locked_words: str
    amended: tuple[Prediction, ...] = ()
    number: int | None = None
    """Its row in the journal."""


@dataclass(frozen=True)
class Modification:
    """The record of MODIFICATION.md. ``study`` is the newest finished study of the
    modification, or None."""

    week: str
    """Its label in the course; empty without one."""
    title: str
    variant: str
    variant_title: str
    paper: str
    base: str
    chosen: bool
    chosen_on: str | None = None
    reasoning: tuple[Answer, ...] = ()
    notes: tuple[Answer, ...] = ()
    sketch: tuple[Answer, ...] = ()
    prediction: Prediction | None = None
    predicted: tuple[Answer, ...] = ()
    analysis: tuple[Answer, ...] = ()
    diff: str = ""
    by_commands: bool = False
    """A study's arms are commands, of which q1lab has no model files."""
    withheld: bool = False
    """A study ran q1lab's own implementation, and the learner has not solved it yet."""
    diff_lines: Mapping[str, int] | None = None
    study: StudyFacts | None = None
    picture: str | None = None
    """The path of the study's picture, from the document's folder."""
    other_studies: Md | None = None
    reproduce: Reproduction | None = None
    command: str = ""


def modification_document(record: Modification, root: Path | None = None) -> Rendered:
    """The document and its regions."""
    return render_template(TEMPLATE, record, root)


def other_heads(record: Modification, week: Week) -> Iterator[bytes]:
    """The heads of the document for another choice, before any, and in or out of a course."""
    others: list[dict[str, Any]] = [{}, {"title": UNCHOSEN, "chosen": False}]
    for variant in week.variants:
        title = _title(variant)
        others.append({"title": _heading(title), "variant_title": title, "chosen": True})
    for of, label in itertools.product(others, (week.label, "")):
        yield modification_document(replace(record, **of, week=label), week.root).head


def _title(variant: WeekVariant) -> str:
    return variant.title.split(" (recommended)")[0]


def _listed(week: Week, name: str) -> WeekVariant | None:
    return next((item for item in week.variants if item.name == name), None)


def modification_title(week: Week, name: str) -> str:
    """The title of a modification: ``RoPE: rotary position embeddings``; its name, where the week
    has none."""
    listed = _listed(week, name)
    return _title(listed) if listed else name


def _heading(title: str) -> str:
    return f"Modification: {title.split(':')[0]}"


def shown_prediction(
    prediction: Mapping[str, Any], metric: Metric = VAL_LOSS, *, to_the_minute: bool = False
) -> Prediction:
    """A prediction of the journal as the document shows it, with the days of its times or with the
    minutes."""
    locked, zone = prediction.get("locked"), " UTC" * to_the_minute
    end = 16 if to_the_minute else 10
    return Prediction(
        direction_words=direction_text(prediction["direction"], metric),
        size=f"{prediction['size']}{metric.suffix}" if prediction.get("size") else "",
        matters=f"{prediction.get('matters') or 0.0}{metric.suffix}",
        confidence=prediction.get("confidence"),
        reasoning=str(prediction.get("reasoning") or ""),
        created=f"{prediction['created'][:end].replace('T', ' ')}{zone}",
        locked_words=f"{locked[:end].replace('T', ' ')}{zone}, by "
        f"{prediction.get('locked_by') or 'hand'}"
        if locked
        else "not yet",
        amended=tuple(
            shown_prediction(old, metric, to_the_minute=to_the_minute)
            for old in prediction.get("amended") or ()
        ),
        number=prediction.get("id"),
    )


def gather_modification(
    store: Store,
    week: Week,
    variant: str | None = None,
    *,
    root: Path | None = None,
) -> Modification:
    """The record of MODIFICATION.md as of now. ``root`` is the folder that the document is
    in."""
    picked = document_data.chosen_modification(store, week, variant)
    week = week_for(week, picked.name)
    listed = _listed(week, picked.name)
    title = modification_title(week, picked.name)
    compared = document_data.all_comparisons(store, picked)
    comparisons = list(filter(document_data.has_ended, compared))
    study, record = document_data.main_comparison(compared) or (None, None)
    reference = evidence.may_show_reference(store, week.label, picked.name)
    diff, withheld = trained_diff(study, picked, reference=reference)
    added, removed = diffs.count_changed_lines(diff)
    return Modification(
        week=week.label if week.course else "",
        title=_heading(title) if picked.really else UNCHOSEN,
        variant=picked.name,
        variant_title=title,
        paper=link(*listed.source) if listed else "",
        base=Path(study.arms["baseline"].origin if study else picked.base or "baseline").name,
        chosen=picked.really,
        chosen_on=picked.on,
        reasoning=document_data.answers(store, week, "reasoning", picked.name),
        notes=document_data.answers(store, week, "notes", picked.name),
        sketch=document_data.answers(store, week, "sketch", picked.name),
        prediction=_prediction(
            store, week.label, picked, study, record.metric if record else VAL_LOSS
        ),
        predicted=document_data.answers(store, week, "prediction", picked.name),
        analysis=document_data.answers(store, week, "analysis", picked.name),
        diff=diff,
        by_commands=study is not None and study.trainer.kind == COMMAND,
        withheld=withheld,
        diff_lines={"added": added, "removed": removed},
        study=comparison_tables.study_facts(record) if record else None,
        picture=study_picture.picture_path(study.id) if study else None,
        reproduce=reproduce.reproduction_of(
            study, root, keeps=root is not None and reproduce.keeps_bundle(study, root)
        )
        if study
        else None,
        other_studies=comparison_tables.studies_table([item for _, item in comparisons])
        if len(comparisons) > 1
        else None,
        command=f"q1lab run {picked.name} --seeds 3",
    )


def _prediction(
    store: Store, label: str, picked: ChosenModification, study: Study | None, metric: Metric
) -> Prediction | None:
    """The newest prediction of a modification, by its name or its file's."""
    names = (picked.name, *sorted(picked.names - {picked.name}))
    found = (predictions.newest_prediction(store, name, label) for name in names)
    prediction = next(filter(None, found), None)
    if prediction is None:
        return None
    # a lock before the runs says its minute, as they may have begun on the same day
    before_runs = study is not None and (prediction["locked"] or "~") <= study.created
    return shown_prediction(prediction, metric, to_the_minute=before_runs)


def trained_diff(
    study: Study | None, picked: ChosenModification, *, reference: bool
) -> tuple[str, bool]:
    """(the diff, True if one is withheld). It is the diff that ran; before a study, the diff of the
    learner's own file as it is now, "" without one.

    q1lab's own implementation is withheld unless ``reference`` says that it gives nothing away.
    """
    if study is not None:
        arms = study.arms
        if not reference and reproduce.trained_reference(study):
            return "", True
        try:
            old, new = (read_text(study.files.root / arms[arm].source) for arm in studies.ARMS)
        except OSError:
            return "", False
        return diffs.unified_diff(old, new, f"{study.baseline}.py", f"{study.variant}.py"), False
    if picked.file is None:
        return "", False
    try:
        pair = parents.find_pair(picked.file, None)
    except Problem:
        return "", False
    old_file, new_file = pair.baseline, pair.modified
    names = (f"{old_file.name}.py", new_file.path.name)
    return diffs.unified_diff(old_file.text, new_file.text, *names), False


def locked_by_commit(record: Modification, today: str) -> Modification:
    """The record as it reads once it is committed: the commit locks a prediction that is still
    open."""
    if record.prediction is None or record.prediction.locked_words != "not yet":
        return record
    words = f"{today[:10]}, by {LOCKED_BY_COMMIT}"
    return replace(record, prediction=replace(record.prediction, locked_words=words))

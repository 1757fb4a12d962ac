"""Data that more than one document shows: the modification of the week, the learner's
answers, the finished studies, and the numbers that a post may state."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path

from q1lab.compare import comparison_cache
from q1lab.compare.comparison import Comparison
from q1lab.compare.comparison_cache import compare
from q1lab.compare.published_names import with_published_names
from q1lab.documents.claim_lint import numbers_in
from q1lab.documents.reproduce import trained_reference
from q1lab.journal import learner_tables, predictions, stored_results
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.study.studies import Study
from q1lab.week import chosen_variant, progress
from q1lab.week.syllabus import Week


@dataclass(frozen=True)
class Answer:
    """A learner's answer to a step, and its heading in a document."""

    heading: str
    text: str


@dataclass(frozen=True)
class ChosenModification:
    """The modification of the week: ``name`` as predicted and documented, ``files`` what trains
    under it."""

    name: str
    really: bool
    on: str | None
    file: str | None
    base: str | None

    @property
    def names(self) -> frozenset[str]:
        """Names under which its studies run: its own, and its model file's."""
        return frozenset({self.name} | ({Path(self.file).stem} if self.file else set()))

    def trained_by(self, study: Study) -> bool:
        """True if a study trained it."""
        return chosen_variant.study_trained(study.id, study.variant, self.names, self.name)


def chosen_modification(store: Store, week: Week, variant: str | None = None) -> ChosenModification:
    """The modification that the learner works on: the given one, else the chosen, the last
    predicted, the last studied, or the week's default."""
    name = variant or learner_tables.chosen_variant(store, week.label)
    if name is not None:
        row = learner_tables.modification_row(
            store, learner_tables.record_key(store, week.label, name)
        )
        if row is not None and row["variant"] == name:
            return ChosenModification(name, True, row["chosen"] or None, row["file"], row["base"])
    if variant is not None:
        return ChosenModification(variant, True, None, None, None)
    predicted = predictions.all_predictions(store, week.label)
    if predicted:
        return ChosenModification(
            predicted[-1]["variant"], True, predicted[-1]["created"], None, None
        )
    studies_on_disk = studies.load_readable()
    if studies_on_disk:
        study = studies_on_disk[-1]
        return ChosenModification(study.variant, True, study.created, None, study.baseline)
    name = week.default or (week.variants[0].name if week.variants else "rope")
    return ChosenModification(name, False, None, None, None)


def answers(store: Store, week: Week, into: str, variant: str = "") -> tuple[Answer, ...]:
    """The learner's answers for a region, in the order of the week: on the chosen modification, or
    on ``variant``."""
    done = progress.progress_of_modification(store, week, variant)
    answers_of_steps = []
    for step in week.steps():
        text = done.of(step.id).answer or ""
        if step.into == into and step.behavior.in_words and text.strip():
            answers_of_steps.append(Answer(step.heading or step.title.rstrip("."), text))
    return tuple(answers_of_steps)


def all_comparisons(
    store: Store, modification: ChosenModification | None = None
) -> list[tuple[Study, Comparison]]:
    """All studies, oldest first, with their comparison under the names that documents call its arms
    by; those that trained one modification, if given."""
    return [
        (study, with_published_names(compare(store, study)))
        for study in studies.load_readable()
        if modification is None or modification.trained_by(study)
    ]


def has_ended(compared: tuple[Study, Comparison]) -> bool:
    """True if all runs of a study have ended, so that documents count it."""
    _, record = compared
    return record.analysis.complete and bool(record.analysis.n or record.diverged)


def main_comparison(compared: list[tuple[Study, Comparison]]) -> tuple[Study, Comparison] | None:
    """The study among those of a modification that answers for it, if its runs have ended: one of
    the learner's own file, where there is one."""
    own = [one for one in compared if not trained_reference(one[0])] or compared
    main = comparison_cache.leading_study(own, lambda one: len(one[0].seeds), has_ended)
    return main if main and has_ended(main) else None


def postable_numbers(store: Store, week: Week) -> list[float]:
    """Every number that a post may state: of the comparisons, predictions, runs, their evaluations,
    and minutes. The small experiments beside the modification are among them: a surprise may come
    from one.

    Training losses are left out: there are so many that nearly any number would be one of them.
    """
    numbers: list[float] = []
    comparisons = list(filter(has_ended, all_comparisons(store)))
    for _, record in comparisons:
        numbers += numbers_in(record)
    for item in predictions.all_predictions(store):
        numbers += numbers_in(item)
        numbers.append(100 * float(item["confidence"] or 0))
    for study, _ in comparisons:
        numbers += stored_results.run_numbers(store, study)
        numbers += _before_training(study)
        numbers.append(math.log(max(1, study.data.vocab_size)))  # the loss of a uniform guess
    done = progress.recorded_progress(store, week.label)
    spent = done.seconds.values()
    numbers += [seconds / scale for seconds in spent for scale in (60, 3600)]
    return numbers


def _before_training(study: Study) -> list[float]:
    """The loss before training of each run that says it in its log."""
    losses = []
    for run in study.runs:
        path = study.files.run(run.name).log
        with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as log:
            lines = (_BEFORE.match(line) for line in itertools.islice(log, 20))
            losses += [float(match[1]) for match in lines if match]
    return losses


_BEFORE = re.compile(r"loss before training (\d+\.\d+) nats")


def quarter_of(label: str) -> str:
    """The quarter of a week's label: ``M03-W04`` is in Q1. Q1 for a label of another form."""
    month = re.match(r"M(\d+)", label)
    return f"Q{(int(month[1]) - 1) // 3 + 1}" if month and int(month[1]) > 0 else "Q1"


def next_quarter_of(label: str) -> str:
    """The quarter after the one of ``label``."""
    return f"Q{int(quarter_of(label)[1:]) + 1}"

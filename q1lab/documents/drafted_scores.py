"""The small predictions of the week beside what the runs say, for the learner to finish."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

from q1lab.compare.comparison import Comparison
from q1lab.documents import document_data
from q1lab.ground.text_formats import signed
from q1lab.journal import stored_results
from q1lab.journal.store import Store
from q1lab.study.studies import Study
from q1lab.week import progress
from q1lab.week.syllabus import Step, Week

_RANGE = re.compile(r"(\d+(?:\.\d+)?) *%? *(?:to|-|–) *(\d+(?:\.\d+)?) *%?")
_SURE = re.compile(r"\d *%")


def drafted_scores(store: Store, week: Week) -> str:
    """A line for each thing that the learner predicted with a percentage: their words, what the
    runs say, then ``right`` or ``wrong``, or a question mark where only they can tell. ``week`` is
    the week as they meet it."""
    picked = document_data.chosen_modification(store, week)
    main = document_data.main_comparison(document_data.all_comparisons(store, picked))
    done = progress.recorded_progress(store, week.label)
    lines = []
    for step in week.steps():
        if step.into != "prediction" or not step.behavior.in_words:
            continue
        said = _verdict_of_run(store, step)
        for clause in _clauses(done.of(step.id).answer or ""):
            span, found = _RANGE.search(clause), _measured(store, main, clause) if main else None
            if span and found is not None:
                low, high = sorted(map(float, span.groups()))
                right = "right" if low <= found <= high else "wrong"
                lines.append(f"{clause}: the runs say {found:.4g}: {right}")
            else:
                lines.append(": ".join(filter(None, (clause, said, "?"))))
    return "\n".join(lines)


def _clauses(answer: str) -> Iterator[str]:
    """What an answer predicts, each with its percentage: one prediction, or one for each range."""
    clauses = re.split(r"[;\n]|\.(?!\d)", answer) if _RANGE.search(answer) else [answer]
    for clause in clauses:
        if _SURE.search(_RANGE.sub("", clause)):
            yield " ".join(clause.split()).rstrip(".")


def _verdict_of_run(store: Store, step: Step) -> str:
    """The verdict on the newest study that a step's rows start; "" if there is none."""
    runs = [action.argv()[2] for action in step.actions if action.argv()[1:2] == ("run",)]
    names = {Path(run).stem for run in runs}
    for row in stored_results.list_results(store):
        if row["variant"] in names and row["verdict"]:
            return f"{row['verdict'].upper()}, {signed(row['mean'] or 0.0, 3)}"
    return ""


def _measured(store: Store, main: tuple[Study, Comparison], clause: str) -> float | None:
    """The number of the baseline's runs that a clause is about; None if it names none."""
    study, c = main
    base = [value for value in c.arms["baseline"].values.values() if value is not None]
    if at := re.search(r"\biter +(\d+)", clause, re.I):
        return stored_results.mean_at_iter(store, study, int(at[1]))
    if re.search(r"\bsd\b|standard deviation", clause, re.I):
        return stdev(base) if len(base) > 1 else None
    if re.search(r"\btokens\b|\bspeed\b", clause, re.I):
        slow, fast = (arm.costs.get("tokens_per_s") for arm in c.arms.values())
        return 100 * fast / slow if slow and fast else None
    return fmean(base) if base and re.search(r"\bfinal\b", clause, re.I) else None

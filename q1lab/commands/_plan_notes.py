"""What a person should know of a planned study before it trains."""

from __future__ import annotations

from collections.abc import Iterator

from q1lab.compare import pairs_needed
from q1lab.journal import home_history, predictions
from q1lab.journal.store import Store
from q1lab.judgment import difference_text
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.study import kept_folder, studies
from q1lab.study.command_arms import token_note
from q1lab.study.plan_notes import (
    SAME_CODE,
    drawn_seeds_note,
    later_look_note,
    many_passes_note,
    range_note,
    sweep_note,
    too_few_note,
)
from q1lab.study.studies import StudiesOnDisk, Study
from q1lab.study.trainer import COMMAND
from q1lab.train import command_draft
from q1lab.train.study_plan import Plan


def plan_notes(plan: Plan, store: Store, on_disk: StudiesOnDisk) -> list[str]:
    """The notes on a study that will train; ``on_disk`` are the studies that were there when it was
    planned."""
    return [note for note in (*_on_arms(plan), *_on_judging(plan, store, on_disk)) if note]


def _on_arms(plan: Plan) -> Iterator[str]:
    study, existing, kept_study = plan.study, plan.existing, plan.draft.kept_study
    yield plan.draft.note
    yield token_note(study.trainer.loop)
    yield _name_note(plan.draft.study.variant, existing)
    if study.is_floor:
        yield SAME_CODE
    if kept_study is not None and (
        other := kept_folder.version_differences(kept_study, study.trainer.versions)
    ):
        yield f"the last digits may differ from then: {other}"
    a, b = study.arms["baseline"].n_params, study.arms["modified"].n_params
    if abs(b - a) >= 0.01 * a > 0:
        yield (
            f"{study.variant} has {difference_text.more_or_fewer(a, b)} parameters than "
            f"{study.baseline}: {b:,} and {a:,}"
        )
    yield many_passes_note(study.passes)


def _on_judging(plan: Plan, store: Store, on_disk: StudiesOnDisk) -> Iterator[str]:
    study, existing = plan.study, plan.existing
    if (series := study.origin.series) is not None:
        yield sweep_note(series.share)
    if study.trainer.kind == COMMAND and existing is not None:
        yield command_draft.changed_code_note(existing)
    elif study.trainer.kind == COMMAND and study.counts_as_asking:
        yield "compared pair by pair: runs of one seed are a pair, even if the seed fixes nothing"
    if study.design.fresh_seeds:
        yield drawn_seeds_note(study.seeds)
    look = home_history.next_look(store, study)
    if study.design.level is not None:
        yield range_note(study.design.pairs, study.design.level)
    elif existing is None or study.design.batches != existing.design.batches:
        yield look_note(study, look)
    if study.design.pairs[1] < MIN_FOR_VERDICT:
        yield too_few_note(study.design.pairs[1])
    spread = pairs_needed.spread_for(store, study, on_disk)
    if spread is None:
        return
    predicted = predictions.prediction_for(store, study.variant)
    little = ""
    if existing is None and predicted is not None and study.counts_as_asking:
        delta = float(predicted["matters"])
        little = pairs_needed.sees_little_sentence(study, spread, delta, look.level)
    yield little or pairs_needed.detectable_sentence(study, spread)


def look_note(study: Study, look: home_history.NextLook) -> str:
    """A notice where a study will not be judged as a first look at its question."""
    if not study.counts_as_asking or not look.before:
        return ""
    return later_look_note(look.before, look.level)


def _name_note(variant: str, existing: Study | None) -> str:
    """A sentence where the study's name is not the one of the file that was typed, since that can't
    be one, or since a file of another name with the same code has a study; else empty."""
    if existing is None:
        return studies.shortened_name_note(variant)
    if variant in (existing.variant, existing.variant.removesuffix("*")):
        return ""
    return (
        f"{variant} has the code of {existing.variant}, which {existing.id} trains: this is that "
        f"study (--fresh trains a new one)"
    )

"""A comparison as tables and sentences for a document: only layout, the words are
verdict/*_text.py's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from q1lab.compare.comparison import Comparison
from q1lab.documents.markdown_escape import Md, code_span, inline, sentence, table
from q1lab.documents.reproduce import trained_reference
from q1lab.ground.text_formats import DASH, MINUS
from q1lab.judgment import (
    difference_text,
    figure,
    first_person_text,
    label_text,
    level_sentences,
    level_text,
    scope_text,
    verdict_text,
)
from q1lab.judgment.blocks import Sentence, Table
from q1lab.judgment.metric import Metric
from q1lab.judgment.notes import OtherInterval
from q1lab.judgment.prediction_score import Score
from q1lab.judgment.report_blocks import report_blocks
from q1lab.judgment.run_notes import OF_THE_LEVEL
from q1lab.study.command_line import fewest_overrides
from q1lab.study.presets import PRESETS

KEEP_TOGETHER = "\u00a0"


@dataclass(frozen=True)
class StudyFacts:
    """A finished study as the documents show it. ``*_table`` and sentences are Markdown
    already; numbers are written as the comparison tells them."""

    id: str
    since: str
    """When it was planned: ``2026-11-30 17:25 UTC``."""
    n: int
    verdict: str
    metric: Metric
    curve_name: str
    arms_table: Md
    intervals_table: Md
    costs_table: Md
    caveats: tuple[str, ...]
    """The notes that may change what the result means."""
    judging_notes: tuple[str, ...]
    """The other notes: on how the result was judged."""
    power: Md
    scope: Md
    scale: str
    """Size, data, budget and hardware, for readers elsewhere."""
    facts_table: Md
    interval: str
    """The ends of the interval that decides, with their unit."""
    needed: str
    """A sentence on the pairs that would settle the question; empty where that is not known."""
    is_close_call: bool
    """True if the interval ends close to 0: there a claim overstates the difference."""
    shared_and_measured: str
    setting: str
    """Size, budget, data and seeds in a few words, for texts with little room."""
    finding: str
    """The mean difference and its interval, likewise; empty where there is no verdict."""
    trained: str
    """In the first person, as are the next: ``I trained RoPE and the baseline on …``"""
    result: str
    result_level: str
    """The result beside δ, and the reason for a level other than 95%."""
    limits: str
    prediction: str


def study_facts(c: Comparison, *, in_repository: bool = True) -> StudyFacts:
    """Everything that the documents say about a finished study; what is not in the learner's
    repository names no commit of it."""
    analysis = c.analysis
    blocks = report_blocks(c, published=True)
    sentences = {
        block.part: sentence(block.text) for block in blocks if isinstance(block, Sentence)
    }
    tables = {block.kind: _table(block) for block in blocks if isinstance(block, Table)}
    caveats, judging_notes = _notes(c)
    return StudyFacts(
        id=c.study.id,
        since=f"{c.study.created[:16].replace('T', ' ')} UTC",
        n=analysis.n,
        verdict=analysis.verdict,
        metric=c.metric,
        curve_name=label_text.curve_name(c),
        arms_table=tables.get("losses", Md("")),
        intervals_table=_intervals(c),
        costs_table=tables.get("costs", Md("")),
        caveats=caveats,
        judging_notes=judging_notes,
        power=Md(
            "\n\n".join(
                sentences[part] for part in ("level", "power", "floor") if part in sentences
            )
        ),
        scope=sentences["scope"],
        scale=scope_text.scale_text(c),
        facts_table=_reproduce(c, in_repository),
        is_close_call=analysis.ends is not None and difference_text.is_near_the_edge(analysis),
        interval=difference_text.interval_text(analysis) + c.metric.suffix,
        needed=verdict_text.settling_sentence(c),
        shared_and_measured=c.subject.description.measured,
        setting=first_person_text.setting_text(c),
        finding=_finding(c),
        trained=first_person_text.trained_sentence(c),
        result=verdict_text.verdict_sentence(c, published=True),
        result_level=_result_level(c),
        limits=scope_text.limits_sentence(c),
        prediction=first_person_text.prediction_sentences(c) if "prediction" in sentences else "",
    )


def _notes(c: Comparison) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The caveats, and the other notes, with the questions on record."""
    caveats: list[str] = []
    others: list[str] = []
    for note in c.notes:
        if not isinstance(note, OF_THE_LEVEL):
            # one about an interval that does not decide belongs to how the result was judged
            is_caveat = note.weight and not isinstance(note, OtherInterval)
            (caveats if is_caveat else others).append(note.sentence(c, published=True))
    return tuple(caveats), tuple(
        filter(None, (*others, level_sentences.record_sentence(c, published=True)))
    )


def _finding(c: Comparison) -> str:
    """The verdict with its numbers, for texts that have little room; empty without one."""
    if c.analysis.reason is not None or c.analysis.ends is None:
        return ""
    base, modified = label_text.brief_names(label_text.arm_names(c))
    return (
        f"{c.analysis.verdict}; {c.metric.name}: {modified} {MINUS} {base} = "
        f"{difference_text.mean_text(c.analysis)}{c.metric.suffix}, "
        f"{difference_text.level_text(c.analysis)} interval "
        f"{difference_text.interval_text(c.analysis)}"
    )


def _result_level(c: Comparison) -> str:
    reason = level_text.level_reason(c) if c.analysis.reason is None else ""
    at_level = f"The interval is at {reason}" if reason and c.analysis.ends is not None else ""
    return f"{first_person_text.matter_sentence(c)} {at_level}".strip()


def _table(block: Table) -> Md:
    """A table of numbers, the means in bold; below it the note on them."""
    rows = []
    for row in block.rows:
        cells: list[object] = [row.label, row.baseline, row.modified, row.change]
        strong = block.kind == "losses" and row.label == "mean"
        rows.append([Md(f"**{cell}**") for cell in cells] if strong else cells)
    markdown = table(block.heads, rows, right=(1, 2, 3))
    return Md(f"{markdown}\n\n{inline(block.foot)}") if block.foot else markdown


def _intervals(c: Comparison) -> Md:
    if c.analysis.mean is None:
        return Md("There is no mean difference, and so no interval.")
    rows = [
        [bar.label, f"{KEEP_TOGETHER}to{KEEP_TOGETHER}".join(bar.ends), bar.note]
        for bar in figure.comparison_figure(c, published=True).bars
        if bar.kind in ("interval", "bootstrap") and bar.ends is not None
    ]
    if not rows:
        return Md(
            f"The mean difference is {difference_text.mean_text(c.analysis)}{c.metric.suffix}. "
            "There is no interval."
        )
    base, variant = label_text.arm_names(c)
    head = f"{variant} {MINUS} {base} = {difference_text.mean_text(c.analysis)}{c.metric.suffix}"
    return table([head, "from, to", ""], rows)


def _reproduce(c: Comparison, in_repository: bool) -> Md:
    trainer, repo = c.study.trainer, c.study.origin.repo or {}
    rows: list[list[object]] = [["study", code_span(c.study.id)]]
    if c.study.data.name:
        rows.append(["data", c.study.data.name])
    if c.study.data.sha256:
        rows.append(["its SHA-256", code_span(c.study.data.sha256)])
    if in_repository and repo.get("commit"):
        state = " with uncommitted changes" if repo.get("dirty") else ""
        rows.append(["commit before the runs", Md(f"{code_span(repo['commit'])}{state}")])
    for title, value in (
        ("preset", trainer.preset),
        ("device", trainer.device),
        ("number format", trainer.dtype),
        ("threads of each run", trainer.threads),
    ):
        if value:
            rows.append([title, value])
    shown = [
        f"{key} {value}"
        for key, value in sorted(trainer.config.items())
        if isinstance(value, int | float | str)
    ]
    if shown:
        rows.append(["hyperparameters", code_span(", ".join(shown))])
    if trainer.versions:
        versions = ", ".join(f"{name} {version}" for name, version in trainer.versions.items())
        rows.append(["versions", versions])
    return table(["", ""], rows)


def studies_table(comparisons: Sequence[Comparison]) -> Md:
    """One row per study: all of a modification that have ended, so that none is left out."""
    rows: list[list[object]] = []
    for c in comparisons:
        base, variant = label_text.arm_names(c)
        whose = " (q1lab's file)" if trained_reference(c.study) else ""
        arms = f"{variant}{whose} against {base}"
        if c.subject.is_floor:
            arms = f"{base} against {'itself' if '*' in variant else f'its copy {variant}'}"
        rows.append(
            [
                code_span(c.study.id),
                arms,
                c.study.data.name,
                _settings(c),
                label_text.sample_text(c),
                f"{difference_text.mean_text(c.analysis)}"
                f"{'' if c.analysis.mean is None else c.metric.suffix}",
                difference_text.interval_text(c.analysis, KEEP_TOGETHER) or DASH,
                difference_text.level_text(c.analysis) if c.analysis.ends else DASH,
                label_text.verdict_word(c).lower(),
            ]
        )
    heads = ["study", "arms", "data", "recipe", "n", "modified − baseline", "interval", "level"]
    return table([*heads, "verdict"], rows, right=(5,))


def _settings(c: Comparison) -> str:
    """The preset, the budget, and what else was set: ``quick, 60 iters, n_kv_head=4``."""
    trainer = c.study.trainer
    overrides = (
        fewest_overrides(trainer.preset, trainer.config) if trainer.preset in PRESETS else {}
    )
    overrides.pop("max_iters", None)  # the budget says it
    words = [
        trainer.preset,
        scope_text.iters_text(c),
        *(f"{key}={value}" for key, value in overrides.items()),
    ]
    return ", ".join(filter(None, words))


def predictions_table(comparisons: Sequence[Comparison]) -> Md | None:
    """One row per study that carries a prediction; None when none does."""
    rows: list[list[object]] = []
    for c in comparisons:
        if c.score is None:
            continue
        number, score = difference_text.number_writer(c.analysis), c.score
        rows.append(
            [
                c.study.id,
                DASH if score.predicted is None else number.end(score.predicted),
                DASH if score.confidence is None else f"{score.confidence:.0%}",
                difference_text.mean_text(c.analysis),
                DASH if score.off is None else number.size(score.off),
                _outcome(score),
            ]
        )
    heads = ["study", "predicted", "sure", "measured", "off by", "outcome"]
    return table(heads, rows, right=(1, 2, 3, 4)) if rows else None


def _outcome(score: Score) -> str:
    """The outcome of a prediction: a hit on the direction says nothing about the size."""
    if score.outcome != "hit":
        return "wrong" if score.outcome == "miss" else "open"
    return "direction right, size not" if score.inside is False else "right"

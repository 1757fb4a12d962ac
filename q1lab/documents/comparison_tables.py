"""A judgment as tables and sentences for a document: only layout, the words are those of facts.py.
Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from q1lab.compare.comparison import Comparison
from q1lab.documents.markdown_escape import Md, code_span, inline, table
from q1lab.documents.reproduce import trained_reference
from q1lab.ground.text_formats import DASH, MINUS
from q1lab.judgment import arrange, difference_text, names
from q1lab.judgment.blocks import Table
from q1lab.judgment.facts import Part, facts_of, sizes_text
from q1lab.judgment.metric import Metric
from q1lab.study.command_line import fewest_overrides
from q1lab.study.presets import PRESETS

KEEP_TOGETHER = "\u00a0"


@dataclass(frozen=True)
class StudyFacts:
    """A finished study as the documents show it; tables are Markdown already."""

    id: str
    since: str
    """When it was planned: ``2026-11-30 17:25 UTC``."""
    n: int
    setting: str
    """``baseline 804k and RoPE 796k parameters, 3 pairs``."""
    mean: str
    """``−0.0291 nats``."""
    verdict: str
    metric: Metric
    curve_name: str
    told: Mapping[str, tuple[str, ...]]
    """The sentences of the judgment by their part (``facts.Part``), none for one that has none."""
    values_table: Md
    intervals_table: Md
    costs_table: Md
    settings_table: Md


def study_facts(c: Comparison, *, in_repository: bool = True) -> StudyFacts:
    """Everything that the documents say about a finished study; what is not in the learner's
    repository names no commit of it."""
    facts, has_values = facts_of(c), any(arm.values for arm in c.arms.values())
    told = {
        part: tuple(fact.text for fact in facts if fact.part == part) for part in get_args(Part)
    }
    return StudyFacts(
        id=c.study.id,
        since=f"{c.study.created[:16].replace('T', ' ')} UTC",
        n=c.analysis.n,
        setting=", ".join(filter(None, (sizes_text(c), names.sample(c)))),
        mean=f"{difference_text.mean_text(c.analysis)}{c.metric.suffix}",
        verdict=c.analysis.verdict,
        metric=c.metric,
        curve_name=arrange.curve_name(c),
        told=told,
        values_table=_table(arrange.values_table(c, every_seed=True)) if has_values else Md(""),
        intervals_table=_intervals(c),
        costs_table=_table(arrange.costs_table(c)),
        settings_table=_settings_table(c, in_repository),
    )


def _table(block: Table) -> Md:
    """A table of numbers, and below it the note on them; empty without rows."""
    if not block.rows:
        return Md("")
    rows = [[row.label, row.baseline, row.modified, row.change] for row in block.rows]
    markdown = table(block.heads, rows, right=(1, 2, 3))
    return Md(f"{markdown}\n\n{inline(block.foot)}") if block.foot else markdown


def _intervals(c: Comparison) -> Md:
    if c.analysis.mean is None:
        return Md("There is no mean difference, and so no interval.")
    base, modified = c.names
    mean = f"{difference_text.mean_text(c.analysis)}{c.metric.suffix}"
    rows = [
        [bar.label, f"{KEEP_TOGETHER}to{KEEP_TOGETHER}".join(bar.ends), bar.note]
        for bar in arrange.figure(c).bars
        if bar.kind in ("interval", "bootstrap") and bar.ends is not None
    ]
    if not rows:
        return Md(f"The mean difference is {mean}. There is no interval.")
    return table([f"{modified} {MINUS} {base} = {mean}", "from, to", ""], rows)


def _settings_table(c: Comparison, in_repository: bool) -> Md:
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
        base, variant = c.names
        whose = " (q1lab's file)" if trained_reference(c.study) else ""
        arms = f"{variant}{whose} against {base}"
        if c.same_code:
            same = c.study.variant.endswith("*")
            arms = f"{base} against {'itself' if same else f'its copy {variant}'}"
        rows.append(
            [
                code_span(c.study.id),
                arms,
                c.study.data.name,
                _settings(c),
                names.sample(c),
                f"{difference_text.mean_text(c.analysis)}"
                f"{'' if c.analysis.mean is None else c.metric.suffix}",
                difference_text.interval_text(c.analysis, KEEP_TOGETHER) or DASH,
                difference_text.level_text(c.analysis) if c.analysis.ends else DASH,
                c.word.lower(),
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
        f"{c.setting.iters:,} iters" if c.setting.iters else "",
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
                difference_text.interval_text(c.analysis, KEEP_TOGETHER) or DASH,
            ]
        )
    heads = ["study", "predicted", "sure", "measured", "interval"]
    return table(heads, rows, right=(1, 2, 3)) if rows else None

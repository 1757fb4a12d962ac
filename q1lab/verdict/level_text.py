"""The level of a verdict in sentences: how often such studies claim a difference where there is
none, and the reason for an interval that is not a 95% interval.

Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from q1lab.ground.files import printable
from q1lab.ground.text_formats import plural
from q1lab.statistics import interim_analyses
from q1lab.statistics.futility import LEAST_CHANCE
from q1lab.statistics.intervals import (
    ALPHA,
    ALPHA_LATER,
    LOGNORMAL_FIXED,
    LOGNORMAL_PAIRS,
    LOGNORMAL_RANGE,
    MIN_FOR_INTERVAL,
    NoteKind,
    Reason,
    power_of,
)
from q1lab.study.series import SWEEP, Series
from q1lab.verdict.difference_text import level_text, number_writer, percent_level, percent_text
from q1lab.verdict.label_text import finished_runs, sample_text

if TYPE_CHECKING:
    from q1lab.study.design import Design
    from q1lab.verdict.comparison import Comparison


# ── one line of the short form


def error_rate_line(c: Comparison) -> str:
    """The error rate of a verdict, with the reason for any level other than 95%; empty without a
    verdict, and for one that claims nothing at 95%."""
    if c.analysis.reason is not None or c.analysis.ends is None:
        return ""
    return level_reason(c) or _rate(c)


def level_reason(c: Comparison) -> str:
    """The reason that an interval is not a 95% interval; empty for one that is."""
    analysis, design = c.analysis, c.study.design
    if abs(analysis.alpha - ALPHA) < 1e-9:
        return ""
    level = level_text(analysis)
    facts = _asked_facts(c)
    if design.is_sequential:
        first, most = design.pairs
        spent = percent_text(_spent(first, most, analysis.alpha))
        return f"{level} at each of {most - first + 1} planned looks: {spent} false claims in all."
    if c.study.origin.series is not None and c.asking.all_looks <= 1:
        many = len(c.study.origin.series.members)
        what = f"{many} studies declared together"
        if not c.study.origin.knows_other_runs:
            what = f"{many} arms from one place"
        return f"{level} instead of 95%: {what} share the 5%."
    if facts.get("could_be") and c.asking.all_looks <= 1:
        return f"{level} instead of 95%: results at other sets of seeds could be known."
    looks = plural(max(c.asking.all_looks, 2), "look")
    return f"{level} instead of 95%: this question was asked before ({looks} in all)."


def _rate(c: Comparison) -> str:
    """The rate of the error that the verdict could be, at 95%."""
    if c.analysis.verdict == "too small to matter" and c.analysis.delta is not None:
        limit = f"{c.analysis.delta:g}{c.metric.suffix}"
        share = percent_text(c.analysis.alpha / 2)
        return f"If it were {limit} or more, at most {share} of such studies would say this."
    if c.analysis.verdict in ("helps", "hurts"):
        share = percent_text(claim_rate(c)).removesuffix("%")
        return f"If nothing had changed, {share} in 100 such studies would claim a difference."
    return ""


def claim_rate(c: Comparison) -> float:
    """The share of such studies that claim a difference where nothing changed: more than the level
    says where two groups of unequal size are compared (Welch), as few runs beside many tell little
    of their own spread."""
    alpha = c.analysis.alpha
    base, modified = finished_runs(c)
    if c.analysis.headline != "welch" or min(base, modified) < MIN_FOR_INTERVAL:
        return alpha
    return max(alpha, power_of(0.0, base, modified, "welch", alpha))


# ── the full form


def level_sentence(c: Comparison) -> str:
    """The error rate of a verdict and what its level rests on, in a few sentences; empty where
    there is nothing to say of it."""
    reason, design, series = c.analysis.reason, c.study.design, c.study.origin.series
    open_range = reason is Reason.INCOMPLETE and design.is_sequential
    if c.study.is_floor or (reason is not None and not open_range):
        return ""
    sentences = []
    if design.is_sequential:
        sentences.append(planned_seeds_sentence(design, c.analysis.alpha))
    if series is not None:
        one_file = not c.study.origin.knows_other_runs
        sentences.append(series_share_sentence(series, one_file=one_file))
    elif not design.is_sequential and abs(c.analysis.alpha - ALPHA) < 1e-9:
        sentences.append(_rate(c))
    sentences.append(asked_sentence(c, _asked_facts(c)) if _asked_facts(c) else "")
    sentences.append(_skew_sentence(c))
    return " ".join(filter(None, sentences))


def asked_sentence(c: Comparison, facts: Mapping[str, Any]) -> str:
    """The number of times that the question was asked, and the effect on this look."""
    many, count = c.asking.studies, c.asking.all_looks
    times = "once" if many == 1 else f"{many} times"
    text = f"This question was asked {times}, with {plural(count, 'look')} in all. "
    if facts.get("could_be"):
        sets = plural(facts["could_be"], "other set") + " of seeds"
        text += (
            f"When these seeds were named, results at {sets} could be known; choosing among them "
            "counts as asking with each. "
        )
    for run, times in facts.get("restarted", ()):
        text += (
            f"{printable(run)} began again {plural(times, 'time')} after it had shown a result, "
            "and its seed gives other numbers each time. "
        )
    if facts.get("unreadable"):
        lines = plural(facts["unreadable"], "line")
        text += f"{lines} of the record can't be read, which may hide other looks. "
    if facts.get("later"):
        text += f"So this look is judged by a {level_text(c.analysis)} interval instead of 95%. "
    return (
        f"{text}If nothing had changed, one of these looks would claim a difference in up to "
        f"{percent_text(c.asking.total)} of cases."
    )


def _asked_facts(c: Comparison) -> Mapping[str, Any]:
    notes = c.analysis.notes
    return next((note.facts for note in notes if note.kind is NoteKind.ASKED), {})


def _skew_sentence(c: Comparison) -> str:
    """The rate where differences are skewed, beside a claim that says 5%."""
    analysis, design = c.analysis, c.study.design
    few = analysis.n <= LOGNORMAL_PAIRS
    at_5_percent = design.is_sequential or abs(analysis.alpha - ALPHA) < 1e-9
    if analysis.verdict not in ("helps", "hurts") or analysis.headline != "paired":
        return ""
    if not at_5_percent or not few or c.asking.total > 1.1 * ALPHA:
        return ""
    rate = round(100 * (LOGNORMAL_RANGE if design.is_sequential else LOGNORMAL_FIXED))
    return (
        "That holds if pairs scatter evenly around their mean. If they are as skewed as lognormal "
        f"numbers, it is {rate} in 100, and {sample_text(c)} are too few to show it."
    )


def planned_seeds_sentence(design: Design, alpha: float) -> str:
    """The meaning of a planned range, before the first run and after the last."""
    first, most = design.pairs
    futile = ""
    if design.futile_from is not None:
        futile = (
            f", or from pair {design.futile_from} on as soon as a claim at a later look has a "
            f"chance below {LEAST_CHANCE:.0%}"
        )
    return (
        f"Planned: {first} to {most} pairs, stopping as soon as the answer is known{futile}. "
        "Each of the "
        f"{most - first + 1} looks uses a {percent_level(alpha)} interval, so together they claim "
        f"a difference in {percent_text(_spent(first, most, alpha))} of studies where nothing "
        "changed."
    )


def _spent(first: int, most: int, alpha: float) -> float:
    """The chance that a planned range claims a difference where there is none."""
    return interim_analyses.chance_of_any_claim([(n, alpha) for n in range(first, most + 1)])


def series_share_sentence(series: Series, *, one_file: bool = False) -> str:
    """The share of 5% that each study of a series may spend; its arms may be those of one file from
    elsewhere."""
    many = len(series.members)
    members_text = (
        f"{many} modifications" if series.kind == SWEEP else f"{many} values of {series.axis}"
    )
    together = f"{members_text} that were declared together ({printable(series.id)})"
    if one_file:
        together = f"{many} arms from one place that are compared with one baseline"
    return (
        f"One of {together}. "
        f"They share 5%: each may claim a difference in {100 * series.alpha:.3g}% of studies "
        f"where nothing changed ({100 * series.alpha * ALPHA_LATER / ALPHA:.3g}% if its "
        "question was asked before)."
    )


SEEN_RULE = (
    "A run is seen from its first number on: it ended with one, was evaluated, or logged 50 "
    "training losses. A study of which no run was seen costs nothing."
)
"""The rule by which a study counts as an asking; the docs say it in the same words."""


def later_look_note() -> str:
    """The notice before another look at a question that was asked without a planned range."""
    return (
        "this question was asked before, so another look is judged by a "
        f"{percent_level(ALPHA_LATER)} interval instead of 95%. {SEEN_RULE}"
    )


# ── the power


def found_in_four_of_five(c: Comparison) -> str:
    """The true difference that is found with a chance of 80%; empty if unknown."""
    if c.analysis.detectable is None:
        return ""
    size = f"{number_writer(c.analysis).size(c.analysis.detectable)}{c.metric.suffix}"
    return f"A true difference of about {size} is found in four studies out of five."

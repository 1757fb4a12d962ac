"""The level of a verdict in sentences: how often such studies claim a difference where there is
none, and the reason for an interval that is not a 95% interval.

Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from q1lab.judgment.difference_text import level_text, number_writer
from q1lab.judgment.intervals import (
    ALPHA,
    MIN_FOR_INTERVAL,
    power_of,
)
from q1lab.judgment.label_text import finished_runs

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


# ── one line of the short form


def error_rate_line(c: Judgment) -> str:
    """The error rate of a verdict, or the reason for a level other than 95%; empty for one that
    claims nothing at 95%."""
    if c.subject.plan.is_sequential or c.analysis.verdict == "too small to matter":
        return rate_sentence(c) or level_reason(c)
    return level_reason(c) or rate_sentence(c)


def level_reason(c: Judgment) -> str:
    """The reason that an interval is not a 95% interval; empty for one that is."""
    analysis, plan = c.analysis, c.subject.plan
    if abs(analysis.alpha - ALPHA) < 1e-9:
        return ""
    level = f"{level_text(analysis)} instead of 95%"
    if plan.is_sequential:
        first, most = plan.pairs
        looks, chance = most - first + 1, f"{100 * claim_rate(c):.3g}%"
        return f"{level}: {looks} planned looks share a {chance} chance of a false claim."
    if c.subject.share is not None and len(c.asking.looks) <= 1:
        many = c.subject.share.many
        reason = f"{many} studies declared together"
        if not c.subject.knows_other_runs:
            reason = f"{many} arms from one place"
        return f"{level}: {reason} share the 5%."
    return f"{level}: each look at a question has half the level of the one before."


def rate_sentence(c: Judgment) -> str:
    """The rate of the error that the verdict could be; empty for one that claims nothing."""
    if c.analysis.verdict == "too small to matter" and c.analysis.delta is not None:
        limit = f"{c.analysis.delta:g}{c.metric.suffix}"
        share = f"{100 * claim_rate(c) / 2:.3g}%"
        return (
            f"If it were {limit} or more, at most {share} of such studies would call it too small."
        )
    if c.analysis.verdict in ("helps", "hurts"):
        many = in_hundred(claim_rate(c))
        return f"If nothing had changed, at most {many} such studies would claim a difference."
    return ""


def false_claim_sentence(c: Judgment) -> str:
    """The claim that a study of a file against itself makes, and how many make one."""
    many = in_hundred(claim_rate(c))
    word = c.analysis.verdict.upper()
    return f"That is a false {word}: at most {many} such studies claim a difference."


def claim_rate(c: Judgment) -> float:
    """The most such studies that claim a difference where nothing changed, a share: of a range at
    any of its looks. It is more than the level says where two groups of unequal size are compared
    (Welch), as few runs beside many tell little of their own spread."""
    alpha = c.analysis.alpha
    if c.subject.plan.is_sequential:
        from q1lab.judgment.interim_analyses import spent_by_looks

        return spent_by_looks(c.subject.plan, alpha)
    base, modified = finished_runs(c)
    if c.analysis.headline != "welch" or min(base, modified) < MIN_FOR_INTERVAL:
        return alpha
    return max(alpha, power_of(0.0, base, modified, "welch", alpha))


LINE = 80
"""Columns of a line of the short form, which a long name or a long list may not break."""


def looks_line(c: Judgment) -> str:
    """Every look at the question in one line; without the verdicts where they are too many."""
    looks = c.asking.looks
    if len(looks) < 2:
        return ""
    rate = f" By luck, {_odds(c.asking.total)}."
    line = f"{len(looks)} looks: {looks_list(c)}.{rate}"
    return line if len(line) <= LINE else f"Looked at {len(looks)} times.{rate}"


def looks_list(c: Judgment) -> str:
    """The verdicts of all looks: ``CANNOT TELL, 2 × HELPS``."""
    verdicts = [(look.verdict or "not known").upper() for look in c.asking.looks]
    shown = []
    for verdict, same in itertools.groupby(verdicts):
        many = len(list(same))
        shown.append(verdict if many == 1 else f"{many} × {verdict}")
    return ", ".join(shown)


def in_hundred(share: float) -> str:
    """``7.5 in 100``."""
    return f"{100 * share:.3g} in 100"


def sum_line(c: Judgment) -> str:
    """The questions on record and what they may claim by luck, in one line."""
    arm, home = c.asking.of_arm, c.asking.of_home
    if not c.subject.is_question or home.questions < 2:
        return ""
    if arm.questions < 2:
        odds = _odds(home.total, "people would claim an effect")
        return f"{home.questions:,} questions in all: by luck, {odds}."
    of_home = f"{100 * home.total:.3g}" if home.total < 1 else _odds(home.total)
    more = "" if home == arm else f"; all {home.questions:,}: {of_home}"
    return f"{arm.questions:,} questions about it: by luck, {_odds(arm.total)}{more}."


def _odds(total: float, claim: str = "claim an effect") -> str:
    """``at most 15 in 100 claim an effect``; of many questions the mean number of claims."""
    if total < 1:
        return f"at most {in_hundred(total)} {claim}"
    return f"at most {total:.3g} {'claim' if total == 1 else 'claims'} on average"


# ── the power


def found_in_four_of_five(c: Judgment) -> str:
    """The true difference that is found with a chance of 80%; empty if unknown."""
    if c.analysis.detectable is None:
        return ""
    size = f"{number_writer(c.analysis).size(c.analysis.detectable)}{c.metric.suffix}"
    return f"A true difference of about {size} is found in four studies out of five."

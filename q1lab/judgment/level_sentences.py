"""The level of a verdict in the full form: how often such studies claim a difference where there is
none, and what the level rests on.

Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.text_formats import printable
from q1lab.judgment.difference_text import level_text, percent_level
from q1lab.judgment.intervals import (
    ALPHA,
    LOGNORMAL_FIXED,
    LOGNORMAL_PAIRS,
    LOGNORMAL_RANGE,
    SKEWED_FIXED,
    SKEWED_RANGE,
    Reason,
)
from q1lab.judgment.label_text import sample_text
from q1lab.judgment.level_text import (
    claim_rate,
    in_hundred,
    looks_list,
    rate_sentence,
)
from q1lab.judgment.subject import PairPlan, Share

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def level_sentence(c: Judgment) -> str:
    """The error rate of a verdict and what its level rests on, in a few sentences; empty where
    there is nothing to say of it."""
    reason, plan, share = c.analysis.reason, c.subject.plan, c.subject.share
    open_range = reason is Reason.INCOMPLETE and plan.is_sequential
    if not c.subject.is_question or (reason is not None and not open_range):
        return ""
    sentences = []
    if plan.is_sequential:
        sentences.append(planned_seeds_sentence(plan, c.analysis.alpha))
    if share is not None:
        one_file = not c.subject.knows_other_runs
        sentences.append(series_share_sentence(share, one_file=one_file))
    at_95_percent = share is None and abs(c.analysis.alpha - ALPHA) < 1e-9
    if at_95_percent or c.analysis.verdict == "too small to matter":
        sentences.append(rate_sentence(c))
    sentences += [looks_sentence(c), _later_look_sentence(c)]
    sentences.append(_skew_sentence(c))
    return " ".join(filter(None, sentences))


def looks_sentence(c: Judgment) -> str:
    """Every look at the question with its verdict, and what all of them together would claim by
    luck; empty for a first one."""
    looks = c.asking.looks
    if len(looks) < 2:
        return ""
    return (
        f"Looked at {len(looks)} times: {looks_list(c)}. If nothing had changed, at most "
        f"{in_hundred(c.asking.total)} people would claim a difference at one of these looks."
    )


def record_sentence(c: Judgment, *, published: bool = False) -> str:
    """The questions on record, and the chance of a false claim among them; empty without a
    verdict's level. ``published``: its author says it, to readers of this study alone."""
    arm, home = c.asking.of_arm, c.asking.of_home
    if not c.subject.is_question or not home.questions:
        return ""
    if home.questions > 1:
        who = "I" if published else "you"
        some = "all" if arm == home else f"{arm.questions:,}"
        claims = f"the chance that {who} claim one at least once is at most {100 * home.total:.3g}%"
        if home.total >= 1:
            claims = f"the mean number of false claims is at most {home.total:.3g}"
        return (
            f"{who.capitalize()} have asked {home.questions:,} questions like this one, {some} of "
            f"them about this change. If no change makes a difference, {claims}."
        )
    if published:  # to a reader of one study there is only this one
        return ""
    return (
        "This is your only question so far. If nothing had changed, at most "
        f"{in_hundred(home.total)} people would claim a difference here."
    )


def _later_look_sentence(c: Judgment) -> str:
    own_looks, looks = c.asking.looks_at(c.subject.id), c.asking.looks
    if c.subject.plan.is_sequential or not own_looks or own_looks[-1].level >= looks[0].level:
        return ""
    return (
        "Each look at a question has half the level of the one before, so this one is judged by a "
        f"{level_text(c.analysis)} interval."
    )


def _skew_sentence(c: Judgment) -> str:
    """The rate of a change that skews the differences and no more, beside a claim that says 5%.

    Where nothing changed at all, the arms are exchangeable and the differences symmetric."""
    analysis = c.analysis
    if analysis.verdict not in ("helps", "hurts") or analysis.headline != "paired":
        return ""
    few, at_5_percent = analysis.n <= LOGNORMAL_PAIRS, abs(claim_rate(c) - ALPHA) < 0.001
    if not at_5_percent or not few or len(c.asking.looks) > 1:
        return ""
    rates = LOGNORMAL_FIXED, SKEWED_FIXED
    if c.subject.plan.is_sequential:
        rates = LOGNORMAL_RANGE, SKEWED_RANGE
    mild, strong = (round(100 * rate) for rate in rates)
    return (
        "That holds if the differences are normally distributed. If the change left their mean at "
        f"0 but made them as skewed as lognormal numbers, about {mild} in 100 studies (σ 0.5) or "
        f"{strong} in 100 (σ 1) would claim one, and {sample_text(c)} are too few to show the skew."
    )


def planned_seeds_sentence(plan: PairPlan, alpha: float) -> str:
    """The meaning of a planned range, before the first run and after the last."""
    from q1lab.judgment.interim_analyses import spent_by_looks

    first, most = plan.pairs
    return (
        f"Planned: {first} to {most} pairs, stopping as soon as the answer is known. "
        "Planned looks share this: if nothing had changed, at most "
        f"{in_hundred(spent_by_looks(plan, alpha))} such studies would claim a difference, "
        f"so each look has a {percent_level(alpha)} interval."
    )


def series_share_sentence(share: Share, *, one_file: bool = False) -> str:
    """The share of 5% that each study of a sweep may spend; its arms may be those of one file from
    elsewhere."""
    many = share.many
    members = f"{many} modifications that were declared together ({printable(share.id)})"
    if one_file:
        members = f"{many} arms from one place that are compared with one baseline"
    return (
        f"One of {members}. "
        f"They share 5%: each may claim a difference in {100 * share.alpha:.3g}% of studies "
        "where nothing changed (half of that if its question was looked at before)."
    )


LOOK_RULE = (
    "A study counts as a look once all of its planned runs have ended; what was refused or "
    "interrupted, and what never trained, costs nothing."
)
"""The rule by which a study counts as a look; the docs say it in the same words."""


def later_look_note(looks: int, level: float) -> str:
    """The notice before another look at a question."""
    return (
        f"this question was looked at {'once' if looks == 1 else f'{looks} times'} before, so this "
        f"look is judged by a {percent_level(level)} interval. {LOOK_RULE}"
    )

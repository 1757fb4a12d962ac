"""A comparison as the person who made it tells it, for their own documents: what they trained, what
came out, what they had predicted.

Plain text; numbers and names are written by the modules that write them everywhere else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.files import printable
from q1lab.ground.text_formats import plural
from q1lab.judgment.difference_text import (
    interval_text,
    level_text,
    mean_text,
    number_writer,
    size_range_text,
)
from q1lab.judgment.label_text import arm_names
from q1lab.judgment.level_text import level_reason
from q1lab.judgment.prediction_score import predicted_difference
from q1lab.judgment.scope_text import iters_text, sizes_text
from q1lab.judgment.verdict_text import validity_text, verdict_sentence

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def trained_sentence(c: Judgment) -> str:
    """The runs: ``I trained RoPE and the baseline on Tiny Shakespeare, 3 seeds each.``"""
    base, modified = arm_names(c)
    base = f"the {base}" if base.startswith("baseline") else f"the baseline {base}"
    made = "trained" if c.subject.is_ours else "compared runs of"
    return f"I {made} {modified} and {base} {_where(c) or 'on the same data'}, {_seeds(c)} each."


def _where(c: Judgment) -> str:
    """The data or the program: ``on Tiny Shakespeare``; empty if unknown."""
    program, data = c.subject.description.trains, c.subject.data_title
    if program:
        return f"with {program}"
    return f"on {printable(data)}" if data else ""


def _seeds(c: Judgment) -> str:
    return plural(len({seed for arm in c.arms.values() for seed in arm.values}), "seed")


def setting_text(c: Judgment) -> str:
    """Size, budget, data and seeds, which belong beside every result: ``804 k and 796 k parameters,
    2,000 iters on Tiny Shakespeare, 3 seeds each``."""
    trained = " ".join(filter(None, (iters_text(c), _where(c))))
    return ", ".join(filter(None, (sizes_text(c), trained, f"{_seeds(c)} each")))


def finding(c: Judgment) -> str:
    """The mean difference and its interval as a clause, for texts that have little room; empty
    where there is no verdict."""
    analysis, unit = c.analysis, c.metric.suffix
    if analysis.reason is not None or analysis.ends is None or analysis.mean is None:
        return ""
    interval = f"{level_text(analysis)} interval"
    if analysis.verdict in ("helps", "hurts"):
        return (
            f"{c.metric.name} {_mean_size(c)} {_side(c)} than the baseline's on average, "
            f"{interval} {size_range_text(analysis)}"
        )
    text = (
        f"{c.metric.name} differs by {mean_text(analysis)}{unit} on average, {interval} "
        f"{interval_text(analysis)}"
    )
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        return f"{text}, all within the ±{analysis.delta:g} that I had called too small to matter"
    return f"{text}: these runs can't tell"


def _mean_size(c: Judgment) -> str:
    """The size of the mean difference, with its unit."""
    return f"{number_writer(c.analysis).size(c.analysis.mean or 0.0)}{c.metric.suffix}"


def _side(c: Judgment) -> str:
    return "lower" if (c.analysis.mean or 0.0) < 0 else "higher"


def brief_sentences(c: Judgment) -> tuple[str, ...]:
    """The runs, the result and its conditions, a sentence each."""
    has_result = c.analysis.reason is None and c.analysis.ends is not None
    return (
        trained_sentence(c),
        result_sentence(c),
        *((f"This holds {_size_and_budget(c)}; beyond it I don't know.",) if has_result else ()),
    )


def result_sentence(c: Judgment) -> str:
    """The difference with its interval in one sentence; the reason, where there is no verdict."""
    analysis = c.analysis
    if analysis.reason is not None or analysis.ends is None or c.subject.is_floor:
        return verdict_sentence(c, published=True)
    modified = arm_names(c)[1]
    unit = c.metric.suffix
    level = f"{level_text(analysis)} interval"
    if analysis.verdict in ("helps", "hurts"):
        return (
            f"On average {modified} ended {_mean_size(c)} {_side(c)} in {c.metric.name} than the "
            f"baseline ({level}: {size_range_text(analysis)})."
        )
    ends, mean = f"{interval_text(analysis)}{unit}", f"{mean_text(analysis)}{unit}"
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        return (
            f"The difference between {modified} and the baseline in {c.metric.name} is {mean} on "
            f"average, and the {level} goes from {ends}: all of that is within the "
            f"±{analysis.delta:g}{unit} (δ) that I had called too small to matter before the runs."
        )
    return (
        f"I can't tell {modified} and the baseline apart by these runs: the difference in "
        f"{c.metric.name} is {mean} on average, and the true one may be anything from {ends} "
        f"({level})."
    )


def scope_sentences(c: Judgment) -> str:
    """The result against δ, its conditions, and the reason for a level other than 95%; empty where
    there is no result."""
    if c.analysis.reason is not None or c.analysis.ends is None:
        return ""
    sentences = [
        "That is not the same as no effect." if c.analysis.verdict == "cannot tell" else "",
        matter_sentence(c),
        f"This holds {_conditions(c)}; other sizes, budgets or data may say otherwise.",
    ]
    if iters_text(c) and c.analysis.verdict in ("helps", "hurts"):
        lead = "slower" if c.analysis.verdict == "hurts" else "faster"
        sentences.append(f"At a short budget part of it may only be a {lead} start.")
    if reason := level_reason(c):
        sentences.append(f"The interval is at {reason}")
    return " ".join(filter(None, sentences))


def _conditions(c: Judgment) -> str:
    """``on Tiny Shakespeare at this size and budget (808 k and 800 k parameters, 1,000 iters)``."""
    data = "" if c.subject.description.trains else _where(c)
    return " ".join(filter(None, (data, _size_and_budget(c))))


def _size_and_budget(c: Judgment) -> str:
    facts = ", ".join(part for part in (sizes_text(c), iters_text(c)) if part)
    return f"{validity_text(c)} ({facts})" if facts else validity_text(c)


def matter_sentence(c: Judgment) -> str:
    """The difference against δ, the smallest one that its author had said would matter; empty where
    none was named, and where the result is told by it."""
    analysis = c.analysis
    delta, ends = analysis.delta, analysis.ends
    if not delta or ends is None or analysis.reason is not None or c.subject.is_floor:
        return ""
    lead = (
        "Before the runs I had said that a difference would matter from "
        f"{delta:g}{c.metric.suffix} on (δ)"
    )
    if analysis.verdict == "cannot tell":
        return f"{lead}; these runs can't rule one out."
    small, large = sorted((abs(ends.low), abs(ends.high)))
    if analysis.verdict not in ("helps", "hurts") or large < delta:
        return ""  # the sentence of the result, or a note, says it
    if small >= delta:
        return f"{lead}; all of this interval lies beyond that."
    return f"{lead}; part of this interval falls short of that."


def predicted_clause(c: Judgment) -> str:
    """The prediction as a clause after ``I predicted``: ``that the val loss would fall by 0.03
    nats``."""
    prediction, unit = c.subject.prediction or {}, c.metric.suffix
    direction = str(prediction.get("direction") or "no direction")
    verb = {"lower": "fall", "higher": "rise"}.get(direction)
    if verb is None:
        limit = f" of {prediction['matters']:g}{unit}" if prediction.get("matters") else ""
        same = f"that the {c.metric.name} would not change by as much as my limit{limit}"
        return same if direction == "same" else printable(direction)
    size = predicted_difference(prediction)
    by = "" if size is None else f" by {abs(size):g}{unit}"
    return f"that the {c.metric.name} would {verb}{by}"


def prediction_sentences(c: Judgment) -> str:
    """The prediction against what was measured, told once; empty for a study of a file against
    itself."""
    prediction = c.subject.prediction
    if c.subject.is_floor:
        return ""
    if not prediction:
        return "I wrote down no prediction before the first of these runs, so nothing is scored."
    if c.score is None:
        return (
            f"I predicted {predicted_clause(c)}, but only when results could be seen "
            f"({printable(str(prediction['after']))}), so it decides nothing and is not scored."
        )
    sure = prediction.get("confidence")
    confidence = "" if sure is None else f" and was {sure:.0%} sure of the direction"
    text = f"I predicted {predicted_clause(c)}{confidence}; {_measured_clause(c)}"
    if prediction.get("later"):
        text += " I changed it when results could be seen; that version is not scored."
    return text


def _measured_clause(c: Judgment) -> str:
    """The measured difference, and what of the prediction it bears out."""
    analysis, score = c.analysis, c.score
    assert score is not None
    if analysis.mean is None or analysis.ends is None:
        return "there is no interval, so that is neither right nor wrong."
    measured = f"I measured {mean_text(analysis)}{c.metric.suffix} ({interval_text(analysis)})"
    if score.outcome == "open":
        return f"{measured}, which leaves open whether that is right."
    if score.outcome == "miss":
        return f"{measured}, so I was wrong."
    if not score.predicted:
        return f"{measured}, so I was right."
    if score.inside:
        return (
            f"{measured}, so the direction was right, and the interval contains the size that I "
            "had said."
        )
    times = f"{abs(analysis.mean / score.predicted):.1f}"
    size = (
        f"off by {number_writer(analysis).size(score.off or 0.0)}{c.metric.suffix}"
        if times == "1.0"
        else f"not: the difference is {times} times what I had said"
    )
    return f"{measured}, so the direction was right and the size was {size}."

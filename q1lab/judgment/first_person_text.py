"""The parts of a document that are a person's own, in the first person: what they trained, what
they had said would matter, what they had predicted. The result is told in the words of everybody.

Plain text; numbers and names are written by the modules that write them everywhere else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.text_formats import plural, printable
from q1lab.judgment.difference_text import (
    interval_text,
    mean_text,
    number_writer,
)
from q1lab.judgment.intervals import UNDECIDED
from q1lab.judgment.label_text import names_in_text
from q1lab.judgment.prediction_score import predicted_difference
from q1lab.judgment.scope_text import (
    iters_text,
    parameter_counts,
    sizes_text,
    where_text,
)

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def trained_sentence(c: Judgment) -> str:
    """The runs: ``I trained RoPE (796k parameters) and the baseline (804k) on Tiny Shakespeare for
    2,000 iters, 3 seeds each.``"""
    base, modified = names_in_text(c)
    match parameter_counts(c):
        case (one,):
            base += f" ({one} parameters each)"
        case (of_base, of_modified):
            base, modified = f"{base} ({of_base})", f"{modified} ({of_modified} parameters)"
    verb = "compared runs of" if c.subject.limit else "trained"
    budget = f" for {iters}" if (iters := iters_text(c)) else ""
    where = where_text(c) or "on the same data"
    return f"I {verb} {modified} and {base} {where}{budget}, {_seeds(c)} each."


def _seeds(c: Judgment) -> str:
    return plural(len({seed for arm in c.arms.values() for seed in arm.values}), "seed")


def setting_text(c: Judgment) -> str:
    """Size, budget, data and seeds, which belong beside every result: ``baseline 804k and RoPE 796k
    parameters, 2,000 iters on Tiny Shakespeare, 3 seeds each``."""
    trained = " ".join(filter(None, (iters_text(c), where_text(c))))
    return ", ".join(filter(None, (sizes_text(c), trained, f"{_seeds(c)} each")))


def matter_sentence(c: Judgment) -> str:
    """The difference against δ, the smallest one that its author had said would matter; empty where
    none was named, and where the result is told by it."""
    analysis = c.analysis
    delta, ends = analysis.delta, analysis.ends
    if not delta or ends is None or c.instead is not None:
        return ""
    lead = (
        f"Before the runs I had set {delta:g}{c.metric.suffix} as the smallest difference "
        "that matters (δ)"
    )
    if analysis.verdict in UNDECIDED and not ends.inside(delta):
        return f"{lead}; these runs can't rule out one of that size."
    small, large = sorted((abs(ends.low), abs(ends.high)))
    if analysis.verdict not in ("helps", "hurts") or large < delta:
        return ""  # the sentence of the result, or a note, says it
    if small >= delta:
        return f"{lead}; the whole interval lies beyond it."
    return f"{lead}; part of the interval falls short of it."


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
    """The prediction against what was measured, told once."""
    prediction = c.subject.prediction
    if not prediction:
        return "I wrote down no prediction before the first of these runs, so nothing is scored."
    if c.score is None:
        return (
            f"I predicted {predicted_clause(c)}, but only when results could be seen "
            f"({printable(str(prediction['after']))}), so it decides nothing and is not scored."
        )
    sure = prediction.get("confidence")
    confidence = "" if sure is None else f" and was {sure:.0%} sure"
    if confidence and prediction.get("direction") != "same":
        confidence += " of the direction"
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
        return f"{measured}, so it stays open whether I was right."
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

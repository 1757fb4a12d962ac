"""What a judgment says: each fact is one function, from the numbers to a sentence or to nothing.

Their order here is the order of their weight: the terminal prints the first ones, ``--full`` all of
them, a document those of some parts. No fact knows who reads it, so none says "you" or "I", and
none says anything that only the learner's own machine knows.

A new fact is a function with ``@fact``, and a study in tests/compare/test_histories.py that it is
told of. A sentence takes two rows of a terminal at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Literal, NamedTuple

from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import first_names, passes_text, plural, printable, three_digits
from q1lab.judgment import names
from q1lab.judgment.difference_text import (
    interval_text,
    is_near_the_edge,
    more_or_fewer,
    number_writer,
    percent_level,
    size_range_text,
)
from q1lab.judgment.intervals import (
    ALPHA,
    LOGNORMAL_PAIRS,
    MAX_SEEDS,
    MIN_FOR_VERDICT,
    SKEWED_FIXED,
    SKEWED_RANGE,
    Reason,
)
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.metric import Metric
from q1lab.judgment.prediction_score import predicted_difference
from q1lab.judgment.subject import ARMS, run_label, run_word

Part = Literal["answer", "caveat", "level", "power", "limits", "prediction", "scope"]


class Fact(NamedTuple):
    """A sentence of a judgment, by its name and by the part of the text that it belongs to."""

    key: str
    part: Part
    text: str


Teller = Callable[[Judgment], str]
FACTS: list[tuple[Part, Teller]] = []
"""Every fact, the heaviest first."""


def fact(part: Part) -> Callable[[Teller], Teller]:
    """Register a fact."""

    def add(function: Teller) -> Teller:
        FACTS.append((part, function))
        return function

    return add


def facts_of(j: Judgment) -> list[Fact]:
    """Everything that there is to say, the heaviest first."""
    told = (Fact(teller.__name__, part, teller(j)) for part, teller in FACTS)
    return [each for each in told if each.text]


# ── what came out


@fact("answer")
def answer(j: Judgment) -> str:
    analysis, metric = j.analysis, _metric(j)
    if analysis.reason is not None or analysis.ends is None:
        return _no_verdict(j)
    measured = f"{interval_text(analysis)}{j.metric.suffix} ({_level(j)} interval)"
    if j.same_code and analysis.ends.excludes_zero():
        return (
            f"Both arms run the same code, so this is a false claim: {measured}; about "
            f"{_in_hundred(j.false_claims)} such studies make one."
        )
    if j.same_code:
        return f"Both arms run the same code, so this is luck alone: {measured}."
    if j.claims:
        side = "below" if analysis.ends.high < 0 else "above"
        return (
            f"{j.names[1]}'s {metric} is {size_range_text(analysis)}{j.metric.suffix} {side} "
            f"{names.the_baseline(j)}'s ({_level(j)} interval)."
        )
    if analysis.verdict == "too small to matter":
        inside = f"{interval_text(analysis)} ({_level(j)} interval)"
        return f"The difference in {metric} lies within {_delta(j, '±')}: {inside}."
    return f"The true difference in {metric} could be {measured}."


@fact("answer")
def beside(j: Judgment) -> str:
    if j.beside is None or j.beside.analysis.ends is None:
        return ""
    analysis, ends = j.beside.analysis, j.beside.analysis.ends
    text = f"{interval_text(analysis)} ({_level(j)} interval)"
    name = printable(j.beside.metric.name)
    if ends.excludes_zero():
        way = "better" if j.beside.metric.favors(ends.low) else "worse"
        return f"The {name} is {way}: {text}."
    most = number_writer(analysis).size(max(-ends.low, ends.high))
    return f"The {name} is unchanged within {most}: {text}."


def _no_verdict(j: Judgment) -> str:
    analysis, found = j.analysis, j.found
    pairs = plural(len(analysis.pairs), "pair")
    match analysis.reason:
        case Reason.CHANGED:
            what = " and ".join(PLAN_PARTS.get(part, part) for part in found.changed_plan)
            return f"study.json differs from the declared plan ({what}), so there is no verdict."
        case Reason.DIVERGED:
            lost = {arm: seeds for arm, seeds in analysis.diverged.items() if seeds}
            which = "; ".join(
                f"{_name(j, arm)}, {_run_label(j, *seeds)}" for arm, seeds in lost.items()
            )
            runs = sum(len(arm.values) for arm in j.arms.values())
            return (
                f"{j.diverged} of {plural(runs, 'run')} diverged ({which}); averaging the rest "
                "would flatter the arm, so there is no verdict."
            )
        case Reason.INCOMPLETE if j.is_range:
            first, most = j.plan.pairs
            return f"After {pairs} of {first} to {most} the answer is still open."
        case Reason.INCOMPLETE:
            left = first_names([printable(run) for run in found.unfinished], 2)
            many = len(found.unfinished)
            runs = sum(len(arm.values) + len(arm.unfinished) for arm in j.arms.values())
            return (
                f"{many} of {plural(runs, 'run')} {'has' if many == 1 else 'have'} no result "
                f"({left}); judging without {'it' if many == 1 else 'them'} would favor luck."
            )
        case Reason.EQUAL if not analysis.pairs:
            return "Both arms have exactly the same numbers."
        case Reason.EQUAL:
            why = "the change does nothing, or the metric can't see it"
            if j.same_code:
                why = "as they should, of the same code"
            return f"All {pairs} ended with the same {_metric(j)} to the last bit: {why}."
        case Reason.TOO_FEW:
            return (
                f"{names.sample(j)} can't show how much {run_word(j.plan.has_seeds)}s "
                f"differ; a verdict takes at least {MIN_FOR_VERDICT}."
            )
    same = "Every pair differs by exactly the same amount"
    if analysis.headline == "welch":
        same = "The runs of each arm are exactly equal"
    return f"{same}, so there is no interval."


PLAN_PARTS = {
    "seeds": "its seeds",
    "source": "its model files",
    "data": "its text",
    "budget": "its settings",
    "judged": "its way to judge",
    "plan": "its names",
}


@fact("caveat")
def not_confirmed(j: Judgment) -> str:
    claims = [each for each in j.asked.earlier if each in ("helps", "hurts")]
    if not claims or not j.has_verdict or j.analysis.verdict == claims[-1]:
        return ""
    return f"An earlier look said {claims[-1].upper()}; this one does not confirm it."


@fact("power")
def one_way(j: Judgment) -> str:
    """Why a better pair can take a verdict away: it widens the spread."""
    differences = list(j.analysis.pairs.values())
    if not j.is_open or j.analysis.headline != "paired" or j.outlier is not None:
        return ""
    if not (max(differences) < 0 or min(differences) > 0):
        return ""
    how = "improved" if j.metric.favors(differences[0]) else "got worse"
    return (
        f"All {len(differences)} pairs {how}, but they differ too much from each other to rule "
        "out luck."
    )


# ── what else may explain it, or may be broken


@fact("caveat")
def conditions(j: Judgment) -> str:
    parts = [
        f"{printable(key).replace('_', ' ')} ({_runs_by_value(runs_by_value)})"
        for key, runs_by_value in j.found.differ.items()
    ]
    return f"The runs differ in {' and '.join(parts)}; that alone may explain it." if parts else ""


def _runs_by_value(runs_by_value: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(
        f"{printable(value)} in "
        f"{plural(len(runs), 'run') if runs[1:] else cut_cells(printable(runs[0]), 24)}"
        for value, runs in runs_by_value.items()
    )


@fact("caveat")
def later_trainer(j: Judgment) -> str:
    if not j.found.later_trainer:
        return ""
    return "q1lab's trainer was upgraded between the runs; that alone may explain it."


@fact("caveat")
def damaged_lines(j: Judgment) -> str:
    many = j.found.damaged_lines
    return f"q1lab skipped {plural(many, 'damaged line')} in the event files." if many else ""


@fact("caveat")
def equal_pairs(j: Judgment) -> str:
    equal, pairs = list(j.analysis.pairs.values()).count(0.0), len(j.analysis.pairs)
    if 2 * equal <= pairs or j.analysis.reason is Reason.EQUAL:
        return ""
    return f"{equal} of {plural(pairs, 'pair')} ended equal to the last bit."


@fact("caveat")
def outlier(j: Judgment) -> str:
    if (found := j.outlier) is None:
        return ""
    label = _run_label(j, found.seed)
    which = f"The pair of {label} ({number_writer(j.analysis)(found.value)})"
    if found.arm:
        which = f"{_name(j, found.arm)}'s {label} ({j.metric.written(found.value)})"
    if found.without in (j.analysis.verdict, "no verdict"):
        return f"{which} is an outlier and widens the interval."
    return (
        f"{which} is an outlier and decides alone: the rest say {found.without.upper()}, but "
        "dropping it is cherry-picking."
    )


@fact("caveat")
def strays(j: Judgment) -> str:
    parts = []
    for arm, runs, diverged, far_off in j.found.strays:
        how = [f"{diverged} diverged"] * bool(diverged)
        how += [f"{far_off} ended far off"] * bool(far_off)
        parts.append(f"of {plural(runs, f'{_name(j, arm)} run')} on record, {' and '.join(how)}")
    if not parts:
        return ""
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}: false claims can be more frequent than the level says."


@fact("caveat")
def unchecked(j: Judgment) -> str:
    return "The model file was trained without its checks." if j.found.unchecked else ""


@fact("caveat")
def rises(j: Judgment) -> str:
    if j.found.rises is None:
        return ""
    at, by = j.found.rises
    return (
        f"The {_metric(j)} was best at iter {at:,} and then got {by:.2f}{j.metric.suffix} worse: "
        "the models overfit, and the faster learner may look worse for it."
    )


@fact("caveat")
def size(j: Judgment) -> str:
    base, modified = (j.arms[arm].costs.get("n_params") or 0 for arm in ARMS)
    if not base or not modified or abs(modified / base - 1) < SIZE_MATTERS_FROM:
        return ""
    mean = j.analysis.mean
    if not j.claims or mean is None or (modified - base) * j.metric.sign * mean >= 0:
        return ""  # an arm that is smaller and wins did not do so by its size
    return f"{j.names[1]} has {more_or_fewer(base, modified)} parameters, which may explain it."


SIZE_MATTERS_FROM = 0.01
"""The relative difference in parameters from which size may be the reason."""


@fact("caveat")
def still_falling(j: Judgment) -> str:
    if j.found.still_falling is None:
        return ""
    fallen, lately = j.found.still_falling
    return (
        f"Of the {fallen:.2f}{j.metric.suffix} by which the {_metric(j)} fell, {lately:.2f} came "
        "in the last quarter: longer runs may say otherwise."
    )


@fact("caveat")
def close_to_0(j: Judgment) -> str:
    if not j.claims or not is_near_the_edge(j.analysis):
        return ""
    return "The interval ends close to 0, and claims that close tend to be exaggerated."


@fact("caveat")
def few_items(j: Judgment) -> str:
    """A share p of n items has the standard error √(p(1 − p)/n), whatever the seeds do."""
    means = [arm.mean for arm in j.arms.values() if arm.mean is not None]
    if j.found.items is None or not means:
        return ""
    many, whole = j.found.items
    half = max(1.96 * math.sqrt(mean * (whole - mean) / many) for mean in means)
    if not half:
        return ""
    return (
        f"The {_metric(j)} is counted on {many:,} items: on as many others each arm's could be "
        f"{half:.2g} more or less (95%), and more seeds can't show that."
    )


@fact("caveat")
def exploratory(j: Judgment) -> str:
    return "" if j.is_ours else "Exploratory: q1lab does not know which other runs there were."


# ── how often such a verdict is wrong


@fact("level")
def chance(j: Judgment) -> str:
    if j.analysis.verdict == "too small to matter" and not j.same_code:
        share = 100 * j.false_claims / 2
        return (
            f"If it were {_delta(j)} or more, at most {share:.3g}% of such studies would say this."
        )
    if not j.claims or j.asked.earlier:
        return ""
    about = "about" if j.analysis.headline == "paired" else "up to"
    return (
        f"With no true difference, {about} {_in_hundred(j.false_claims)} such studies would "
        "claim one."
    )


@fact("level")
def looks(j: Judgment) -> str:
    if not j.asked.earlier or j.same_code:
        return ""
    known = [verdict.upper() or "one whose runs are gone" for verdict in j.asked.earlier[-3:]]
    said = " and ".join(
        f"{many} × {verdict}" if (many := len(list(same))) > 1 else verdict
        for verdict, same in groupby(known)
    )
    return (
        f"This is look {len(j.asked.earlier) + 1} at the question, after {said}: each may err half "
        f"as often as the one before, together {_in_hundred(j.asked.total)}."
    )


@fact("level")
def planned_looks(j: Judgment) -> str:
    if not j.is_range:
        return ""
    many = j.plan.pairs[1] - j.plan.pairs[0] + 1
    return f"The {many} planned looks share one error rate, so each has a {_level(j)} interval."


@fact("level")
def siblings(j: Judgment) -> str:
    """How many arms or studies, this one included, share one error rate."""
    plan = j.plan
    if not plan.siblings:
        return ""
    if not j.is_ours:
        return f"{plan.siblings} arms are compared with one baseline and share one 5% error rate."
    name = printable(plan.sibling_name)
    return f"{plan.siblings} studies were declared together ({name}) and share one 5% error rate."


@fact("level")
def record(j: Judgment) -> str:
    asked = j.asked
    if asked.questions < 2 or not j.has_verdict:
        return ""
    claims = f"{asked.expected:.2g} false claim{'' if asked.expected == 1 else 's'}"
    return (
        f"{asked.questions:,} such questions are on record, {asked.about_it:,} of them about this "
        f"change: if no change did anything, expect up to {claims}."
    )


@fact("power")
def no_proof_of_none(j: Judgment) -> str:
    if not j.is_open or j.analysis.detectable is None:
        return ""
    missed = f"{number_writer(j.analysis).size(j.analysis.detectable)}{j.metric.suffix}"
    return f"CANNOT TELL is not NO EFFECT: one such study in five misses a true {missed}."


@fact("limits")
def limits(j: Judgment) -> str:
    if not j.has_verdict:
        return ""
    if not j.setting.iters:
        return "This holds for these runs; other data, sizes or budgets may differ."
    data = f" on {cut_cells(printable(j.setting.data), 24)}" if j.setting.data else ""
    return f"This holds after {j.setting.iters:,} iters{data}; other settings may differ."


@fact("power")
def against_delta(j: Judgment) -> str:
    ends, delta = j.analysis.ends, j.analysis.delta
    if not delta or ends is None:
        return ""
    least, most = sorted((abs(ends.low), abs(ends.high)))
    if j.is_open:
        return f"A difference of {_delta(j)}, the smallest that matters, is not ruled out."
    if not j.claims:
        return ""
    if most < delta:
        return f"The whole interval is within {_delta(j)}: the difference is too small to matter."
    reach = "The whole interval is beyond" if least >= delta else "Part of the interval is within"
    return f"{reach} {_delta(j)}, the smallest difference that matters."


@fact("power")
def needed(j: Judgment) -> str:
    more, need = pairs_needed(j), j.analysis.seeds_needed
    if more is None or need is None:
        return ""
    finding = f"Finding {_delta(j)} four times in five takes"
    if more >= MAX_SEEDS:
        return f"{finding} {MAX_SEEDS:,} {names.unit_of_sample(j)} or more."
    most = f"{need.high:,}{' or more' if need.capped else ''}"
    return (
        f"{finding} about {more:,} {names.unit_of_sample(j)} at the next look's "
        f"{percent_level(need.alpha)} level ({need.low:,} to {most}, as the spread is uncertain)."
    )


def pairs_needed(j: Judgment) -> int | None:
    """The pairs that would settle it; None where that is not known, or more would not."""
    need = j.analysis.seeds_needed
    is_stuck = not j.is_open or j.is_range or j.outlier is not None
    return None if need is None or is_stuck or need.mid <= j.analysis.n else need.mid


# ── the rest


@fact("level")
def skewed(j: Judgment) -> str:
    """Where nothing changed at all, the arms are exchangeable and the differences symmetric."""
    analysis = j.analysis
    is_5_percent = abs(j.false_claims - ALPHA) < 0.001 and not j.asked.earlier
    if not j.claims or analysis.headline != "paired" or not is_5_percent:
        return ""
    if analysis.n > LOGNORMAL_PAIRS:
        return ""
    share = f"up to {100 * SKEWED_RANGE:.0f}" if j.is_range else f"about {100 * SKEWED_FIXED:.0f}"
    return (
        f"If the change only skewed the differences (lognormal, σ 1), {share} in 100 would claim "
        "an effect, and so few pairs can't show the skew."
    )


@fact("level")
def other_interval(j: Judgment) -> str:
    if not j.other_verdict:
        return ""
    other = "As two groups" if j.analysis.headline == "paired" else "Paired by seed"
    return (
        f"{other}, these runs would say {j.other_verdict.upper()}; choosing that now is "
        "cherry-picking."
    )


@fact("level")
def unpaired(j: Judgment) -> str:
    base, modified = (set(j.arms[arm].values) | set(j.arms[arm].unfinished) for arm in ARMS)
    if not j.plan.has_seeds or not (alone := sorted(base ^ modified)):
        return ""
    counts = ", so nothing is paired"
    if j.analysis.headline == "paired":
        counts = f" and {'count' if alone[1:] else 'counts'} in no pair"
    return f"{run_label(*alone).capitalize()} ran in one arm only{counts}."


@fact("level")
def cautions(j: Judgment) -> str:
    return " ".join(j.found.cautions)


@fact("prediction")
def prediction(j: Judgment) -> str:
    predicted = j.prediction
    if not predicted or j.same_code:
        return ""
    sure = "" if predicted.get("confidence") is None else f", {predicted['confidence']:.0%} sure"
    size = abs(predicted_difference(predicted) or 0.0)
    by = f" by {size:g}{j.metric.suffix}" if size else ""
    same = f"as large as {_delta(j)}" if j.analysis.delta else "that matters"
    what = f"no difference {same}"
    if predicted.get("direction") in ("lower", "higher"):
        what = f"{direction_text(predicted['direction'], j.metric)}{by}"
    return f"Predicted{sure}: {what}. {_outcome(j)}"


def direction_text(direction: object, metric: Metric) -> str:
    """The direction of a prediction: ``the val loss falls``."""
    verb = {"lower": "falls", "higher": "rises"}.get(str(direction))
    if verb is None:
        return "no difference that matters"
    return f"the {cut_cells(printable(metric.name), 24)} {verb}"


def _outcome(j: Judgment) -> str:
    score = j.score
    if score is None:
        return "Not scored: results could be seen by then."
    size = ""
    if score.predicted and score.inside is not None:
        size = f"; the interval {'contains' if score.inside else 'leaves out'} that size"
    if score.outcome == "open":
        return f"Still open{size}."
    if score.outcome == "miss":
        return "Wrong."
    return f"Right about the direction{size}." if score.predicted else "Right."


@fact("scope")
def measured(j: Judgment) -> str:
    return j.setting.measured


@fact("scope")
def same_text(j: Judgment) -> str:
    if j.found.text_error is None:
        return ""
    half, parts = j.found.text_error
    return (
        "All runs are judged on one text, and more seeds can't show what another one would do: by "
        f"the spread over its {parts:,} parts, the difference could be {half:.2g}{j.metric.suffix} "
        "more or less there (95%)."
    )


@fact("scope")
def scope(j: Judgment) -> str:
    setting, known = j.setting, j.setting.values
    tokens = ""
    if {"batch_size", "block_size"} <= known.keys():
        tokens = f" of {known['batch_size']:g} × {known['block_size']:g} tokens"
    rate = known.get("learning_rate")
    parts = (
        setting.command,
        f"{setting.data} (sha256 {setting.sha256[:8]})" if setting.sha256 else "",
        sizes_text(j),
        f"{setting.iters:,} iters{tokens}" if setting.iters else "",
        passes_text(setting.passes) + " over the text" if setting.passes else "",
        f"learning rate {rate:g} (tuned for neither arm)" if rate else "",
        f"dropout {known['dropout']:g}" if "dropout" in known else "",
        f"preset {setting.preset}" if setting.preset else "",
        setting.number_format,
    )
    told = ", ".join(printable(part) for part in parts if part)
    return f"Runs: {told}." if told else ""


def sizes_text(j: Judgment) -> str:
    """The sizes of the models: ``baseline 808k and rope 800k parameters``; empty if unknown."""
    sizes = [j.arms[arm].costs.get("n_params") for arm in ARMS]
    if not all(sizes):
        return ""
    told = [three_digits(each) for each in sizes if each]
    if told[0] != told[1]:
        told = [f"{name} {each}" for name, each in zip(j.names, told, strict=True)]
    return f"{' and '.join(dict.fromkeys(told))} parameters"


# ── where to go from here


def next_step(j: Judgment) -> str:
    """What to do now, for the reader who can run something; empty where there is nothing."""
    analysis, commands = j.analysis, j.commands
    match analysis.reason:
        case Reason.CHANGED:
            return "Put study.json back as it was."
        case Reason.INCOMPLETE if commands.watch:
            return f"To watch it: `{commands.watch}`"
        case Reason.INCOMPLETE if commands.corrected:
            return commands.corrected
        case Reason.INCOMPLETE if commands.go_on:
            return f"To go on: `{commands.go_on}`"
        case Reason.INCOMPLETE:
            return "Rerun what is missing and judge all of it."
        case Reason.EQUAL:
            return "" if j.same_code else "Check that the change reaches the run."
        case Reason.NO_SPREAD if all(len(set(arm.values.values())) > 1 for arm in j.arms.values()):
            return "Check what is reported: the change shifts the metric of every run alike."
        case Reason.NO_SPREAD:
            return "Check that the seed reaches the run."
        case Reason.TOO_FEW if commands.go_on:
            many = max(MIN_FOR_VERDICT, analysis.n)
            return f"To get a verdict: `{commands.go_on} --seeds {many}`"
    if equal_pairs(j):
        return "Check that the change reaches every run."
    if j.outlier is not None:
        return "Look at the outlier's curves: if something broke, the change is not the cause."
    if j.found.rises is not None and commands.shorter:
        return f"To compare at the best iter: `{commands.shorter}`"
    more = pairs_needed(j)
    if more is not None and more < MAX_SEEDS and commands.go_on:
        return f"To find {_delta(j)}: `{commands.go_on} --seeds {more}`"
    if more is None and j.is_open and not j.is_range and commands.smaller:
        return f"To find a smaller difference: `{commands.smaller}`"
    return ""


# ── small pieces


def _metric(j: Judgment) -> str:
    return cut_cells(printable(j.metric.name), 24)


def _name(j: Judgment, arm: str) -> str:
    return dict(zip(ARMS, j.names, strict=True))[arm]


def _run_label(j: Judgment, *seeds: int) -> str:
    return run_label(*seeds, has_seeds=j.plan.has_seeds)


def _delta(j: Judgment, sign: str = "") -> str:
    return f"{sign}{j.analysis.delta or 0.0:g}{j.metric.suffix}"


def _level(j: Judgment) -> str:
    return percent_level(j.analysis.alpha)


def _in_hundred(share: float) -> str:
    return f"{100 * share:.3g} in 100"

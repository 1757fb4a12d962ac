"""Why a run ended badly: five rules, each a sentence with its numbers. Pure."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from q1lab.judgment.metric import TRAIN_LOSS, Metric
from q1lab.study.events import Event

Series = Mapping[int, float | None]
"""iter → value, None for one that is not finite; in the order in which they were reported."""

FEWEST_ITERS = 20
"""Iters after which a run that has learned anything is below the loss of guessing."""

NO_BETTER = 0.05
"""Nats within which a loss is that of guessing."""

BY_HEART = 0.5
"""Share of the val loss below which the train loss says that the text is known by heart."""

LOSS_JUMP, GRADIENT_JUMP = 1.5, 5.0
"""Times the largest loss, and times the median gradient norm, of the reports just before."""

BEFORE = 8
"""Reports just before a jump that it is compared with."""

GRADIENT = re.compile(r"(?:.*[/_. ])?grad(?:ient)?s?[/_. ]?norm", re.IGNORECASE)
RATE = re.compile(r"(?:.*[/_. ])?(?:lr|learning[/_. ]rate)", re.IGNORECASE)
"""Names under which trainers report the gradient's norm and the learning rate."""


@dataclass
class Trace:
    """The numbers that a run reported, by iter."""

    metric: Metric
    guess: float | None = None
    """The loss of a uniform guess, for a run whose train loss and metric are both in nats; None
    where neither is known of them."""
    train: dict[int, float | None] = field(default_factory=dict)
    value: dict[int, float | None] = field(default_factory=dict)
    """The metric, its exact value at the end included."""
    norm: dict[int, float | None] = field(default_factory=dict)
    rate: dict[int, float | None] = field(default_factory=dict)
    no_gradient: tuple[str, ...] = ()
    """Parameters that no gradient reached in the first iters."""


def read_trace(events: Iterable[Event], metric: Metric, guess: float | None = None) -> Trace:
    """The trace of a run's sound events. What a later attempt reports of an iter counts."""
    trace = Trace(metric, guess)
    for event in events:
        if event["type"] not in ("iter", "eval"):
            continue
        at = event["iter"]
        if event["type"] == "eval":
            trace.value[at] = event.get("val_loss")
        elif TRAIN_LOSS in event:
            trace.train[at] = event[TRAIN_LOSS]
        for name, number in event.get("numbers", {}).items():
            if GRADIENT.fullmatch(name):
                trace.norm[at] = number
            elif RATE.fullmatch(name):
                trace.rate[at] = number
        trace.no_gradient = tuple(event.get("no_gradient", trace.no_gradient))
    return trace


def why_it_broke(trace: Trace) -> tuple[str, ...]:
    """The sentences of the rules that hold of a run that has ended."""
    return tuple(filter(None, (rule(trace) for rule in RULES)))


def not_finite(trace: Trace) -> str | None:
    """The loss or the metric was not finite from some iter on."""
    for name, series in (("train loss", trace.train), (trace.metric.name, trace.value)):
        finite = [at for at, number in series.items() if number is not None]
        last = max(finite, default=0)
        first = min((at for at in series if at > last), default=None)
        if first is None:
            continue
        rate = trace.rate.get(first)
        at_rate = "" if rate is None else f", at a learning rate of {rate:.3g}"
        before = f"{_number(series[last])} at iter {last} and " if finite else ""
        return f"the {name} was {before}not finite at iter {first}{at_rate}"
    return None


def never_below_guessing(trace: Trace) -> str | None:
    """No loss was ever below that of guessing."""
    last = max(trace.train, default=0)
    losses = _finite(trace.train) + _finite(trace.value)
    if trace.guess is None or last < FEWEST_ITERS or not losses:
        return None
    lowest = min(losses)
    if lowest < trace.guess - NO_BETTER:
        return None
    return (
        f"never below the loss of guessing, {_number(trace.guess)}: "
        f"the lowest of {last} iters was {_number(lowest)}"
    )


def far_below_val(trace: Trace) -> str | None:
    """At the end the train loss is a small share of the val loss. For a command also: it was not at
    the first evaluation, since the two may be measured differently."""
    train, value = _finite(trace.train), _finite(trace.value)
    if not (train and value and trace.metric.is_loss and value[-1] > 0):
        return None
    began_alike = trace.guess is not None or train[0] > BY_HEART * value[0]
    if train[-1] >= BY_HEART * value[-1] or not began_alike:
        return None
    lowest = min((at for at, number in trace.value.items() if number == min(value)))
    return (
        f"train loss {_number(train[-1])} far below {trace.metric.name} {_number(value[-1])} at "
        f"the end; {trace.metric.name} was lowest, {_number(min(value))}, at iter {lowest}"
    )


def jump_with_gradient(trace: Trace) -> str | None:
    """The loss jumped where the gradient did, and never came back."""
    reports = [(at, loss) for at, loss in trace.train.items() if loss is not None]
    for n, (at, loss) in enumerate(reports[1:], 1):
        before = reports[max(0, n - BEFORE) : n]
        norms = [norm for i, _ in before if (norm := trace.norm.get(i)) is not None]
        norm = trace.norm.get(at)
        if norm is None or not norms:
            continue
        highest, usual = max(each for _, each in before), statistics.median(norms)
        jumped = loss > LOSS_JUMP * highest > 0 and norm > GRADIENT_JUMP * usual
        came_back = min(each for _, each in reports[n:]) < highest
        if jumped and not came_back:
            return (
                f"the train loss jumped from {_number(before[-1][1])} to {_number(loss)} at iter "
                f"{at}, where the gradient's norm was {norm:.3g} ({usual:.3g} before)"
            )
    return None


def no_gradient(trace: Trace) -> str | None:
    """Parameters that no gradient reached."""
    names = trace.no_gradient
    if not names:
        return None
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"no gradient reached {names[0]}{more} in the first iters"


RULES = (not_finite, never_below_guessing, far_below_val, jump_with_gradient, no_gradient)


def _finite(series: Series) -> list[float]:
    return [number for number in series.values() if number is not None]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"

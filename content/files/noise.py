"""What seeds alone do: five small tasks.

Eight runs of one model differ in nothing but the seed. Fill in each
____ and run `python noise.py`: it checks every task, and draws what
three pairs do when nothing has changed. Guess before you run it. The
file holds the answers only as hashes.
"""

import hashlib
import itertools
import math
import random
import traceback
from statistics import mean, stdev

# val losses of q1lab's baseline, seeds 0 to 7 (Tiny Shakespeare, preset cpu)
LOSSES = (
    1.9077,
    1.9036,
    1.9066,
    1.9086,
    1.9141,
    1.89,
    1.9234,
    1.8896,
)
T = 4.303  # Student's t: 95%, three pairs


class NotYetError(Exception):
    """A task met a blank."""


class Blank:
    """Stands where something is to be filled in."""

    def unfilled(self, *_):
        raise NotYetError

    __bool__ = __iter__ = __radd__ = __rsub__ = unfilled


____ = Blank()


def wins(by: float) -> float:
    """Task 1: three runs against three others of the eight. In what
    share of all draws is the second mean lower by `by` or more?"""
    draws = [
        (first, second)
        for first in itertools.combinations(LOSSES, 3)
        for second in itertools.combinations(
            [x for x in LOSSES if x not in first], 3
        )
    ]
    return mean(bool(____) for first, second in draws)


def interval(d: list[float]) -> tuple[float, float]:
    """Task 2: the 95% interval of differences that are pairs."""
    half = ____
    return mean(d) - half, mean(d) + half


def resamples(d: list[float]) -> list[float]:
    """Task 3: the bootstrap. The means of all draws of as many
    differences as there are, with replacement."""
    return sorted(mean(draw) for draw in ____)


def studies(true: float, count: int = 1000) -> list[list[float]]:
    """Invented studies: three differences each, sd 1."""
    rng = random.Random(0)
    return [
        [rng.gauss(true, 1) for _ in range(3)] for _ in range(count)
    ]


def coverage(range_of) -> float:
    """Task 4: how often does the range hold the truth, which is 0?"""
    ranges = [range_of(d) for d in studies(0)]
    return mean(bool(____) for low, high in ranges)


def power(true: float) -> float:
    """Task 5: how often does the interval exclude 0, when the true
    difference is `true` sds?"""
    ranges = [interval(d) for d in studies(true)]
    return mean(bool(____) for low, high in ranges)


def histogram(values: list[float]) -> None:
    """Bars for the values from -7 to 7; a dot where the bell, the
    normal distribution, would end."""
    for low in range(-7, 7):
        inside = sum(low <= v < low + 1 for v in values)
        share = math.erf((low + 1) / 2**0.5) - math.erf(low / 2**0.5)
        bell = round(len(values) * share / 2 / 10)
        bar = ("█" * round(inside / 10)).ljust(bell)
        print(f"  {low:3} to {low + 1:2}  {bar}{'·' if bell else ''}")


DIFFERENCES = [0.021, 0.034, 0.026]  # invented
TASKS = {
    "1 wins by 0.01, same model": (lambda: wins(0.01), "e97b5504"),
    "2 upper end of the interval": (
        lambda: interval(DIFFERENCES)[1],
        "52576c91",
    ),
    "3 how many resamples": (
        lambda: len(resamples(DIFFERENCES)),
        "73fbc46f",
    ),
    "4 coverage of the interval": (
        lambda: coverage(interval),
        "2a8caba3",
    ),
    "4 coverage of the bootstrap": (
        lambda: coverage(lambda d: (min(d), max(d))),
        "dd0787d5",
    ),
    "5 power at 1 sd": (lambda: power(1.0), "32711f8a"),
    "5 power at 3.27 sds": (lambda: power(3.27), "5d74436f"),
}
TASK_2 = "2 upper end of the interval"
USE_TASK_2 = ("4 coverage of the interval", "5 power")


def digest(name: str, result: float) -> str:
    """A short hash of a result, rounded to three digits."""
    rounded = f"{name} {result:.3f}"
    return hashlib.sha256(rounded.encode()).hexdigest()[:8]


def outcome(name: str) -> str:
    """A task's result and whether it is right, "not yet" if it has a
    blank, or the error that one of its lines raises."""
    task, wanted = TASKS[name]
    try:
        result = task()
        right = digest(name, result) == wanted
    except NotYetError:
        return "not yet"
    except Exception as error:
        lines = [
            call.lineno
            for call in traceback.extract_tb(error.__traceback__)
            if call.filename == __file__
            and call.name not in ("outcome", "digest")
        ]
        where = f" (line {lines[-1]})" if lines else ""
        return f"{type(error).__name__}: {error}{where}"
    if right:
        return f"{result:.4f}  right"
    cause = ""
    if name.startswith(USE_TASK_2) and "wrong" in outcome(TASK_2):
        cause = ": it uses task 2's interval, so fix task 2 first"
    return f"{result:.4f}  wrong{cause}"


if __name__ == "__main__":
    for name in TASKS:
        print(f"{name:30} {outcome(name)}")
    print(
        "\nt = mean / (sd / √3) in 1,000 studies of no change;"
        " · the bell"
    )
    ratios = [mean(d) / (stdev(d) / 3**0.5) for d in studies(0)]
    histogram(ratios)
    if outcome("4 coverage of the interval").endswith("right"):
        for t in (1.96, T):
            beyond = mean(abs(r) > t for r in ratios)
            print(f"  beyond ±{t}: {beyond:.1%}")

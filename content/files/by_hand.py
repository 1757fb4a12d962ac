"""The interval of your own six numbers, step by step.

Put your six losses in and run `python by_hand.py`. It also makes
every resample of the bootstrap. No library hides anything here.
"""

import itertools
import math

BASELINE = [1.9077, 1.9036, 1.9066]  # seeds 0, 1, 2
MODIFIED = [1.9287, 1.9376, 1.9326]  # invented
T = 4.3027  # Student's t of 3 pairs for 95%; for a second look's 97.5% it is 6.2053


def interval(
    differences: list[float],
) -> tuple[float, float, float, float]:
    """Mean, standard deviation, and both ends of the interval."""
    n = len(differences)
    mean = sum(differences) / n
    sd = math.sqrt(
        sum((d - mean) ** 2 for d in differences) / (n - 1)
    )
    half = T * sd / math.sqrt(n)
    return mean, sd, mean - half, mean + half


def resamples(differences: list[float]) -> list[float]:
    """The means of all 27 ways to draw 3 of 3 with replacement."""
    return sorted(
        sum(draw) / 3
        for draw in itertools.product(differences, repeat=3)
    )


def coverage() -> float:
    """How often the range of 3 differences holds their true center:
    whenever they don't all fall on the same side of it."""
    signs = list(itertools.product((-1, 1), repeat=3))
    return sum(len(set(three)) > 1 for three in signs) / len(signs)


if __name__ == "__main__":
    d = [m - b for m, b in zip(MODIFIED, BASELINE, strict=True)]
    mean, sd, low, high = interval(d)
    print("differences        ", " ".join(f"{x:+.4f}" for x in d))
    print(f"mean, sd            {mean:+.4f}  {sd:.4f}")
    half = T * sd / math.sqrt(3)
    print(f"half width          {T} × {sd:.4f} / √3 = {half:.4f}")
    print(f"interval            {low:+.4f} to {high:+.4f}")
    means = resamples(d)
    print(f"27 resampled means  {means[0]:+.4f} to {means[-1]:+.4f}")
    print(
        f"such a range covers the truth in {coverage():.0%} of cases"
    )

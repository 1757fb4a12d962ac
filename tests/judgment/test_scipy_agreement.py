"""The numbers of scipy.stats, which q1lab computes without importing it."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from q1lab.judgment.intervals import analyze
from q1lab.judgment.subject import Headline


def arms(n: int) -> tuple[dict[int, float], dict[int, float]]:
    rng = np.random.default_rng(n)
    baseline = rng.normal(1.5, 0.02, n)
    modified = baseline + rng.normal(-0.01, 0.01, n)
    return dict(enumerate(baseline.tolist())), dict(enumerate(modified.tolist()))


@pytest.mark.parametrize("n", [2, 3, 5, 7, 16])
@pytest.mark.parametrize("headline", ["paired", "welch"])
def test_intervals_and_resampling(headline: Headline, n: int) -> None:
    def difference(*samples: np.ndarray, axis: int) -> np.ndarray:
        last = samples[-1].mean(axis=axis)
        return last if len(samples) == 1 else last - samples[0].mean(axis=axis)

    baseline, modified = arms(n)
    a, b = np.array([*baseline.values()]), np.array([*modified.values()])
    result = analyze(baseline, modified, headline=headline, alpha=0.01)
    welch = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.99)
    paired = stats.ttest_rel(b, a).confidence_interval(0.99)
    assert result.welch is not None
    assert result.paired is not None
    assert [result.welch.low, result.welch.high] == pytest.approx([*welch], rel=1e-9)
    assert [result.paired.low, result.paired.high] == pytest.approx([*paired], rel=1e-9)

    assert result.bootstrap is not None
    if "random" in result.bootstrap.method:
        draws = stats.bootstrap(
            (b - a,) if headline == "paired" else (a, b),
            difference,
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(20_260),
        ).bootstrap_distribution
    else:
        drawn = [
            np.array([*itertools.product(sample, repeat=n)]).mean(axis=1)
            for sample in ([b - a] if headline == "paired" else [a, b])
        ]
        draws = drawn[0] if len(drawn) == 1 else np.subtract.outer(drawn[1], drawn[0]).ravel()
        assert result.bootstrap.resamples == len(draws)
    ends = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    assert [result.bootstrap.low, result.bootstrap.high] == pytest.approx([*ends], rel=1e-9)


def test_a_comparison_does_not_import_it() -> None:
    code = (
        "import sys\n"
        "from q1lab.judgment.intervals import analyze\n"
        "analyze({0: 1.0, 1: 1.2, 2: 1.1}, {0: 1.1, 1: 1.1, 2: 1.3}, headline='paired', delta=0.1)\n"
        "print({'scipy.stats', 'scipy.optimize'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

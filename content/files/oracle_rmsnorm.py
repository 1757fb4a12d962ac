"""RMSNorm and LayerNorm in plain Python, slow and simple.

`python oracle_rmsnorm.py` prints the worked example. Import `rmsnorm`
in your tests and compare your own class with it.
"""

import math


def rmsnorm(
    a: list[float], gain: list[float] | None = None, eps: float = 1e-5
) -> list[float]:
    """One token's features over their RMS, times the gain."""
    rms = math.sqrt(sum(x * x for x in a) / len(a) + eps)
    return [
        x / rms * g
        for x, g in zip(a, gain or [1.0] * len(a), strict=True)
    ]


def layernorm(a: list[float], eps: float = 1e-5) -> list[float]:
    """The baseline's norm, gain 1: the mean is subtracted first."""
    mean = sum(a) / len(a)
    return rmsnorm([x - mean for x in a], eps=eps)


if __name__ == "__main__":
    for name, a in {
        "a": [1.0, 2.0, 3.0, 4.0],
        "10 a": [10.0, 20.0, 30.0, 40.0],
        "a + 10": [11.0, 12.0, 13.0, 14.0],
        "mean 0": [1.0, -1.0, 3.0, -3.0],
    }.items():
        for norm in (layernorm, rmsnorm):
            print(
                f"{name:7} {norm.__name__:10}",
                " ".join(f"{y:8.4f}" for y in norm(a)),
            )

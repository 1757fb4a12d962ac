"""A gated feed-forward layer in plain Python, slow and simple.

`python oracle_swiglu.py` prints the worked example. Import `swiglu`
in your tests and compare your own MLP with it. Vectors are rows, as
in the paper: `times(x, W)` has one entry per column of W.
"""

import math

Matrix = list[list[float]]


def times(x: list[float], w: Matrix) -> list[float]:
    return [
        sum(x[i] * w[i][j] for i in range(len(x)))
        for j in range(len(w[0]))
    ]


def silu(z: float) -> float:
    return z / (1 + math.exp(-z))


def swiglu(
    x: list[float], w: Matrix, v: Matrix, w2: Matrix
) -> list[float]:
    """(SiLU(x W) ⊗ x V) W2, for one token."""
    gate = [silu(z) for z in times(x, w)]
    value = times(x, v)
    return times(
        [g * u for g, u in zip(gate, value, strict=True)], w2
    )


if __name__ == "__main__":
    x, w, v, w2 = (
        [1.0, -2.0],
        [[1.0, 0], [0, 1]],
        [[1.0, 2], [1, 0]],
        [[1.0, 0], [1, 1]],
    )
    print("gate   ", " ".join(f"{silu(z):8.4f}" for z in times(x, w)))
    print("value  ", " ".join(f"{u:8.4f}" for u in times(x, v)))
    print(
        "output ", " ".join(f"{y:8.4f}" for y in swiglu(x, w, v, w2))
    )

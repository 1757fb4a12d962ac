"""RoPE in plain Python, slow and simple.

`python oracle_rope.py` prints the worked example. Import `rotate` in
your tests and compare your own code with it.
"""

import math


def rotate(
    vector: list[float], position: int, theta: float = 10000.0
) -> list[float]:
    """One head's query or key, of an even head_dim, rotated."""
    rotated = []
    for i in range(0, len(vector), 2):
        a, b = vector[i], vector[i + 1]
        angle = position * theta ** (-i / len(vector))
        rotated += [
            a * math.cos(angle) - b * math.sin(angle),
            a * math.sin(angle) + b * math.cos(angle),
        ]
    return rotated


def score(q: list[float], m: int, k: list[float], n: int) -> float:
    """What q at m scores with k at n, not divided by √head_dim."""
    return sum(
        x * y for x, y in zip(rotate(q, m), rotate(k, n), strict=True)
    )


if __name__ == "__main__":
    q, k = [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 2.0]
    for m in range(3):
        print(
            f"q at {m}:",
            " ".join(f"{score(q, m, k, n):8.4f}" for n in range(3)),
        )
    print(f"q at 101, k at 100: {score(q, 101, k, 100):.4f}")

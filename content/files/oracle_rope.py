"""RoPE in plain Python, slow and simple.

`python oracle_rope.py` prints the scores of one query and one key at
positions 0 to 3; with two numbers after it, the score at those two
positions. Import `rotate` in your tests and compare your own code
with it.
"""

import math
import sys


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
    if len(sys.argv) == 3:
        m, n = map(int, sys.argv[1:])
        print(f"q at {m}, k at {n}: {score(q, m, k, n):.4f}")
        sys.exit()
    print("k at   ", "".join(f"{n:9}" for n in range(4)))
    for m in range(4):
        row = "".join(f"{score(q, m, k, n):9.4f}" for n in range(4))
        print(f"q at {m}:", row)

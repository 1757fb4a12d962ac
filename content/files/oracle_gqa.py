"""Grouped-query attention in plain Python, slow and simple.

`python oracle_gqa.py` shows that groups are ordinary attention with
tied heads.
"""

import math

Head = list[list[float]]  # T rows of head_dim numbers


def one_head(q: Head, k: Head, v: Head) -> Head:
    """Causal attention of one query head: token t looks at 0 to t."""
    out = []
    for t, query in enumerate(q):
        scores = [
            sum(a * b for a, b in zip(query, key, strict=True))
            / math.sqrt(len(query))
            for key in k[: t + 1]
        ]
        top = max(scores)
        weights = [math.exp(s - top) for s in scores]
        out.append(
            [
                sum(
                    w * value[d]
                    for w, value in zip(weights, v, strict=False)
                )
                / sum(weights)
                for d in range(len(v[0]))
            ]
        )
    return out


def attention(
    q: list[Head], k: list[Head], v: list[Head]
) -> list[Head]:
    """H query heads over G key and value heads: query head j reads
    head j // (H / G)."""
    share = len(q) // len(k)
    return [
        one_head(q[j], k[j // share], v[j // share])
        for j in range(len(q))
    ]


if __name__ == "__main__":
    q = [
        [[0.3 * (h + 1), -0.2 * h], [0.1 * h, 0.5]] for h in range(4)
    ]
    k = [[[1.0, 0.5], [-0.4, 0.8]], [[0.2, -1.0], [0.9, 0.3]]]
    v = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
    grouped = attention(q, k, v)
    tied = attention(
        q, [k[0], k[0], k[1], k[1]], [v[0], v[0], v[1], v[1]]
    )
    print(
        "groups:",
        [[round(x, 4) for x in head[1]] for head in grouped],
    )
    print("tied heads give the same:", grouped == tied)

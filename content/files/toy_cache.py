"""A key/value cache in forty lines.

It decodes token by token and counts what is stored and what is read.
`python toy_cache.py` compares 4, 2 and 1 K/V heads. Change the
numbers and run it again.
"""

import random

LAYERS, HEAD_DIM, TOKENS, BYTES = 4, 32, 64, 4


def decode(kv_heads: int) -> tuple[int, int]:
    """Bytes stored after TOKENS tokens, and bytes read on the way."""
    cache: list[list[list[float]]] = [[] for _ in range(LAYERS)]
    read = 0
    for _ in range(TOKENS):
        for layer in cache:
            # this token's keys and values: 2 vectors per K/V head
            layer.append(
                [
                    random.random()
                    for _ in range(2 * kv_heads * HEAD_DIM)
                ]
            )
            # attention loads every entry so far again
            read += sum(len(entry) for entry in layer) * BYTES
    stored = (
        sum(len(entry) for layer in cache for entry in layer) * BYTES
    )
    return stored, read


if __name__ == "__main__":
    for kv_heads in (4, 2, 1):
        stored, read = decode(kv_heads)
        print(
            f"{kv_heads} K/V heads: {stored:8,} bytes stored,",
            f"{read:10,} bytes read",
        )

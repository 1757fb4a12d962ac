"""`make bench-speak`: the tokens per second that smol.py writes, as a ratio to transformers on the
same weights, in turn in one process, with all threads and a key/value cache.

Needs what `pip install transformers` brings beside the extra `speak`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from q1lab.study import speaking_weights

PROMPT, TOKENS, ROUNDS = "Once upon a time, there was", 40, 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", help="a copy of the weights that you have")
    file = speaking_weights.find_weights(parser.parse_args().weights)
    if file is None:
        sys.exit("no weights yet: `q1lab speak` downloads them, WEIGHTS=path names a copy")
    try:
        theirs = _transformers(file)
    except ImportError as error:
        sys.exit(f"{error}: `{sys.executable} -m pip install transformers` brings it")
    from labs import smol

    torch.set_num_threads(os.cpu_count() or 1)
    model = smol.Smol(str(file))
    ids = model.tokenizer.encode(PROMPT).ids
    ways: dict[str, Callable[[], list[int]]] = {
        "smol.py": lambda: list(smol.write(model, PROMPT, TOKENS)),
        "transformers": lambda: theirs(torch.tensor([ids])),
    }
    texts = {name: write() for name, write in ways.items()}
    if len({tuple(text) for text in texts.values()}) > 1:
        print("the texts differ: " + " / ".join(map(model.tokenizer.decode, texts.values())))
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, write in ways.items():
            began = time.perf_counter()
            rates[name].append(len(write()) / (time.perf_counter() - began))
    ratios = [ours / other for ours, other in zip(*rates.values(), strict=True)]
    for name, values in rates.items():
        ends = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name:13} {statistics.median(values):5.1f} tokens/s, {ends}")
    print(f"ratio         {statistics.median(ratios):5.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    return 0


def _transformers(file: Path) -> Callable[[Tensor], list[int]]:
    """A function from token ids (1, T) to those that transformers writes after them."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(
        str(file.parent), gguf_file=file.name, dtype=torch.float32, use_kernels=False
    ).eval()

    def write(ids: Tensor) -> list[int]:
        out = model.generate(ids, do_sample=False, min_new_tokens=TOKENS, max_new_tokens=TOKENS)
        return [int(token) for token in out[0, ids.size(1) :]]

    return write


if __name__ == "__main__":
    sys.exit(main())

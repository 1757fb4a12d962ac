"""A small language model in NumPy: it predicts a character of Python's own sources from those
before it, and prints its loss on held-out text. A run takes some seconds on a CPU."""

import argparse
import sysconfig
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--iters", type=int, default=400)
parser.add_argument("--lr", type=float, default=0.3)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--context", type=int, default=4)
parser.add_argument("--hidden", type=int, default=48)
parser.add_argument("--decay", type=float, default=0.0)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--stream", type=int, default=0, help="other batches, no better or worse")
args = parser.parse_args()

library = Path(sysconfig.get_path("stdlib"))
text = "".join((library / f"{name}.py").read_text() for name in ("argparse", "inspect", "typing"))
letters = sorted(set(text))
codes = np.array([letters.index(letter) for letter in text])
train, val = codes[: len(codes) * 9 // 10], codes[len(codes) * 9 // 10 :]

rng = np.random.default_rng(args.seed)
vocabulary, width = len(letters), 12
weights = {
    "embedding": rng.normal(0, 0.1, (vocabulary, width)),
    "hidden": rng.normal(0, 1 / np.sqrt(args.context * width), (args.context * width, args.hidden)),
    "out": rng.normal(0, 1 / np.sqrt(args.hidden), (args.hidden, vocabulary)),
}
batches = np.random.default_rng((args.seed, args.stream))
speeds = {name: np.zeros_like(weight) for name, weight in weights.items()}


def forward(data, ends):
    before = np.stack([data[ends - back] for back in range(args.context, 0, -1)], axis=1)
    inputs = weights["embedding"][before].reshape(len(ends), -1)
    hidden = np.maximum(inputs @ weights["hidden"], 0)
    scores = hidden @ weights["out"]
    scores -= scores.max(axis=1, keepdims=True)
    chances = np.exp(scores)
    chances /= chances.sum(axis=1, keepdims=True)
    losses = -np.log(chances[np.arange(len(ends)), data[ends]])
    return before, inputs, hidden, chances, losses.mean()


def val_loss():
    return forward(val, np.arange(args.context, len(val)))[-1]


for step in range(args.iters):
    ends = batches.integers(args.context, len(train), args.batch)
    before, inputs, hidden, chances, _ = forward(train, ends)
    chances[np.arange(len(ends)), train[ends]] -= 1
    error = chances / len(ends)
    slopes = {"out": hidden.T @ error}
    error = (error @ weights["out"].T) * (hidden > 0)
    slopes["hidden"] = inputs.T @ error
    slopes["embedding"] = np.zeros_like(weights["embedding"])
    pieces = (error @ weights["hidden"].T).reshape(len(ends), args.context, width)
    np.add.at(slopes["embedding"], before, pieces)
    rate = args.lr * (1 - step / args.iters)
    for name, slope in slopes.items():
        speeds[name] = args.momentum * speeds[name] + slope + args.decay * weights[name]
        weights[name] -= rate * speeds[name]
    if step % 100 == 99:
        print(f"METRIC step={step + 1} val/loss={val_loss():.5f}", flush=True)

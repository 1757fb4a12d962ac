"""docs/sample.md's table: how much of two models' difference a reader can see, with a better trained
model in the reader's place.

``python tools/docs/sample.py JUDGE STUDY… [--pairs N]`` prints a row for each study of q1lab's home.
The judge is the modified model of study JUDGE. It takes the passage that it finds likelier for the
modified model's. The studies and the judge have one seed, and saved weights.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from labs import data, sample
from q1lab.plugins.sample import passages
from q1lab.plugins.sample.blind_tests import TOKENS
from q1lab.plugins.sample.hit_rate import hit_rate
from q1lab.study import corpora, studies
from q1lab.study.events import final_loss
from q1lab.study.studies import ARMS, Study, run_name

TEXT_TOKENS = 4_000
"""Characters of the validation text on which the two models' choices are compared."""


def model(study: Study, arm: str, corpus: data.Corpus) -> nn.Module:
    config = {**study.trainer.hyperparameters, **study.trainer.arm_overrides(arm)}
    weights = study.files.run(run_name(arm, study.seeds[0])).model
    file = study.files.root / study.arms[arm].source
    return sample.load_model(file, weights, config, corpus.vocab_size)


@torch.no_grad()
def losses(judge: nn.Module, text: Tensor, block_size: int) -> Tensor:
    """The loss of each token of ``text`` (T), but the first, each after at least half a block where
    there is so much."""
    half, token_losses = block_size // 2, []
    for end in range(0, len(text) - 1, half):
        window = text[max(0, end - half) : end + half + 1][None]
        logits = judge(window[:, :-1].contiguous(), window[:, 1:].contiguous())[0]
        logits = logits.reshape(-1, logits.shape[-1])[-min(half, len(text) - 1 - end) :]
        targets = window[0, -len(logits) :]
        token_losses.append(nn.functional.cross_entropy(logits, targets, reduction="none"))
    return torch.cat(token_losses)


@torch.no_grad()
def agreement(models: list[nn.Module], text: Tensor, block_size: int) -> tuple[float, float]:
    """The share of the text's positions at which both models choose the same next character: with
    the same random numbers, and with numbers of their own."""
    noise = torch.Generator().manual_seed(data.key("agreement"))
    same, by_luck = [], []
    for start in range(0, len(text) - block_size, block_size):
        window = text[start : start + block_size + 1][None]
        both = [
            model(window[:, :-1].contiguous(), window[:, 1:].contiguous())[0] for model in models
        ]
        logits = torch.stack([scores.reshape(block_size, -1) for scores in both])
        luck = torch.empty(logits.shape[1:]).exponential_(generator=noise).log()
        left, right = (logits - luck).argmax(-1)
        same.append((left == right).double())
        by_luck.append(logits.softmax(-1).prod(0).sum(-1).double())
    return torch.cat(same).mean().item(), torch.cat(by_luck).mean().item()


def row(study: Study, judge: nn.Module, judge_block: int, count: int, corpus: data.Corpus) -> str:
    written = passages.write_passages(study, study.seeds[0], tokens=TOKENS, count=count)
    index = {character: k for k, character in enumerate(corpus.characters)}
    hits = 0
    for pair in written:
        loss: dict[str, float] = {}
        for arm in ARMS:
            text = torch.tensor([index[c] for c in pair.prompt + getattr(pair, arm)])
            loss[arm] = losses(judge, text, judge_block)[-TOKENS:].mean().item()
        hits += loss["modified"] < loss["baseline"]
    rate = hit_rate(hits, count)
    values: list[Any] = [
        final_loss(study.files.run(run_name(arm, study.seeds[0])).events) for arm in ARMS
    ]
    block_size = int(study.trainer.hyperparameters["block_size"])
    both = [model(study, arm, corpus) for arm in ARMS]
    same, by_luck = agreement(both, corpus.val[:TEXT_TOKENS].long(), block_size)
    shared = median(pair.shared for pair in written)
    return (
        f"| {study.variant} | {study.max_iters:,} | {values[1] - values[0]:+.3f} | {hits} of {count} "
        f"| {rate.low:.0%} to {rate.high:.0%} | {rate.verdict} | {same:.0%} | {by_luck:.0%} | {shared:g} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("judge")
    parser.add_argument("study", nargs="+")
    parser.add_argument("--pairs", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    judging = studies.load(args.judge)
    text = corpora.cached_corpus(judging.data.sha256)
    assert text is not None
    corpus = data.load(text)
    judge = model(judging, "modified", corpus)
    judge_block = int(judging.trainer.hyperparameters["block_size"])
    for name in args.study:
        print(row(studies.load(name), judge, judge_block, args.pairs, corpus), flush=True)


if __name__ == "__main__":
    main()

"""The names of numbers: whether one measures a training, and which way is better.

These are the rules by which q1lab guesses the metric of a command (docs/runs-and-programs.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from q1lab.ground.errors import Problem
from q1lab.ground.text_formats import printable


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


LOWER = _set(
    "loss losses error errors err ppl perplexity bpb bpc bpd nll mse rmse mae mape wer cer fid "
    "logloss crossentropy regret time seconds runtime latency l1 l2"
)
HIGHER = _set(
    "acc accuracy f1 auc auroc auprc roc bleu rouge score scores precision recall r2 map iou miou "
    "dice psnr ssim mrr ndcg hits top success win winrate"
)
RETURNS = _set("return returns reward rewards rew")
"""The aim of reinforcement learning, which comes before the losses on the way to it."""
NO_MEASURE = _set(
    "time runtime seconds second sec eta speed fps sps lr learning weight weights coef coefficient "
    "scale norm grad std var target threshold patience smoothing num count ratio delta steps "
    "samples seed memory mem mfu params parameters length len epoch epochs "
    "batch start from minutes hours runs gen generation generations episode episodes game games "
    "round rounds trial trials"
)
"""Words of numbers that measure no result, whatever else their name says."""
SPEEDS = _set("seconds second sec time runtime latency throughput fps sps tps")
"""Words of a number that says how fast a run was."""
RATES = _set("throughput fps sps tps")
SUMMARIES = _set("best min max lowest highest last final")
"""Words of a number that is picked out of others."""
HELD_OUT = _set("val valid validation eval evaluation evaluate test testing dev heldout holdout")
TRAIN = _set("train training")


def direction(name: str) -> str:
    """``lower`` or ``higher``, as the last word of a name says that is known; empty for none."""
    words, result = _words(name), ""
    if RATES.intersection(words) or (is_speed(name) and "per" in words):
        return "higher"
    for word in words:
        result = "lower" if word in LOWER else "higher" if word in HIGHER | RETURNS else result
    return "higher" if result == "lower" and "neg" in words else result


def is_speed(name: str) -> bool:
    """True for the name of a time or a rate, such as ``tokens_per_second``."""
    return bool(SPEEDS.intersection(_words(name)))


def known_direction(name: str | None, typed: str | None) -> str:
    """``typed``, else the direction that the name tells. Problem, about the field ``better``, where
    nobody said which one is better; ``name`` is None for numbers without one."""
    if better := typed or direction(name or ""):
        return better
    raise Problem(
        f"{printable(name or 'numbers without a name')}: is lower better, as of a loss, or higher, "
        "as of an accuracy?",
        next="add --better lower, or --better higher",
        field="better",
    )


def measures(name: str) -> bool:
    """True if a name says that its number measures a result: a direction is known for it, and it
    is no time, count or setting."""
    return bool(direction(name)) and may_be_metric(name)


def may_be_metric(name: str) -> bool:
    """False for a name that says time, a count or a setting."""
    return not NO_MEASURE.intersection(_words(name))


def likely_metrics(counts: Mapping[str, int]) -> list[str]:
    """The names that may be the metric, of all that a run reported with how often: one, if it is
    clear which. Names that measure something come first; of them those of held-out data, then
    returns, then names without a part of the data, then those of the training data; of these
    those that are no summary, and that repeat; of names with the same words the last. Else any name
    that is not known to measure nothing, those that repeat first."""
    names = [name for name in counts if may_be_metric(name)]
    measures = [name for name in names if direction(name)] or names
    ranks = {name: _rank(name, counts[name]) for name in measures}
    best = min(ranks.values(), default=None)
    by_words = {tuple(_words(name)): name for name, rank in ranks.items() if rank == best}
    return list(by_words.values())


def may_be_of_training(name: str) -> bool:
    """True for a name that says neither held-out data nor returns, such as ``loss``."""
    return _rank(name, 2)[0] >= 2


def _rank(name: str, count: int) -> tuple[int, bool, bool]:
    words = set(_words(name))
    part = 2
    if words & HELD_OUT:
        part = 0
    elif words & RETURNS:
        part = 1
    elif words & TRAIN:
        part = 3
    return part, bool(direction(name) and words & SUMMARIES), count < 2


def _words(name: str) -> list[str]:
    """The words of a name in lower case: ``valAcc@1`` is val, acc. Words that are written together
    with a part of the data are two, as in "testacc"."""
    words: list[str] = []
    for piece in re.findall(r"[^\W_]+", name):
        is_known = piece.lower() in LOWER | HIGHER
        for part in (
            [piece] if is_known else re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[^\WA-Z]+", piece)
        ):
            words += _apart(part.lower())
    return words


def _apart(word: str) -> list[str]:
    """Of "testacc" the words test and acc, of "acc1" the word acc; any other word as it is."""
    word = word if word in HIGHER | LOWER else word.rstrip("0123456789")
    part = next((part for part in sorted(HELD_OUT | TRAIN) if word.startswith(part)), "")
    rest = word.removeprefix(part)
    return [part, rest] if part and rest in LOWER | HIGHER else [word]

"""The words of the demo: two questions, three explanations, and what to do next."""

from __future__ import annotations

import math
from typing import Any

from q1lab.commands.demo.shipped_runs import ShippedRuns
from q1lab.judgment import facts
from q1lab.judgment.judgment import Judgment

WORDS = ("val loss", "seed", "interval")
"""The words that the three explanations explain; each is in the week's glossary."""

DIRECTIONS = {
    "lower": "It helps: the loss ends lower",
    "higher": "It hurts: the loss ends higher",
    "same": "It makes no difference",
    "": "No idea; show me",
}
SIZES = {
    "0.003": "by about 0.003 nats, a hair",
    "0.03": "by about 0.03 nats",
    "0.1": "by about 0.1 nats",
    "0.3": "by about 0.3 nats, a lot",
}
"""The answers to both questions, by the direction and the size (nats) of a prediction."""

NEXT = (
    "Next: `q1lab` opens the week, `q1lab judge runs.csv` judges numbers that you have, and "
    "`q1lab run 'python train.py --seed={seed}' …` trains your own program."
)


def question(shipped: ShippedRuns) -> str:
    """The question that comes before anything is shown."""
    return (
        "A small language model learns to continue Shakespeare's text. Somebody adds one line to "
        "it: before attention compares queries with keys, it makes them equally long (QK-norm). "
        f"Both versions are trained {len(shipped.study.seeds)} times. What does the change do?"
    )


def size_question(shipped: ShippedRuns) -> str:
    """The second question, with the scale that an answer needs."""
    return (
        "By how much? The loss of a model that guesses blindly is "
        f"{math.log(shipped.study.data.vocab_size):.1f} nats, and training nearly halves it here."
    )


def explanations(shipped: ShippedRuns) -> tuple[str, ...]:
    """A few words on each of WORDS."""
    return (
        "The val loss says how badly a model predicts the next character of text that it did not "
        "train on, in nats: lower is better.",
        "A seed fixes the random numbers of a training. Another seed ends a little better or "
        f"worse, so each model trains with {len(shipped.study.seeds)} seeds. The two runs of one "
        "seed are a pair.",
        "An interval holds the true differences that the pairs leave possible. It narrows as pairs "
        "come, and once 0 lies outside it, luck alone hardly explains the difference.",
    )


def looks_sentence(shipped: ShippedRuns) -> str:
    """The intervals that are shown while pairs come, and why they may be looked at."""
    first, most = shipped.study.design.pairs
    level = shipped.study.design.level
    assert level is not None
    return (
        f"From pair {first} on, each pair gives a {1 - level:.2%} interval: the "
        f"{most - first + 1} looks (interim analyses) of a range of {first} to {most} pairs share "
        "the 5% of false claims."
    )


def stop_sentence(shipped: ShippedRuns) -> str:
    """The pairs after which a study with this range stops; empty where it needs them all."""
    first, most = shipped.study.design.pairs
    after = shipped.known_after
    if after is None or after == most:
        return ""
    return (
        f"A study with --seeds {first}..{most} would have stopped after {after} pairs, since its "
        "interval left 0 out. The demo shows all, so that you see it narrow."
    )


def guess_sentence(judgment: Judgment) -> str:
    """The reader's guess against the outcome; empty where there was none."""
    return facts.prediction(judgment)


def guess_of(direction: str, size: str = "") -> dict[str, Any] | None:
    """The answers as a prediction; None where the reader had no idea."""
    if not direction:
        return None
    return {"direction": direction, **({"size": float(size)} if size else {})}

"""Nights of ideas that are judged by the gate. A night's losses are drawn here; what is trained next
and what is kept, the gate's own code says (plugins/gate/gate_rule.py, which `q1lab gate` runs)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from q1lab.plugins.gate import gate_rule
from q1lab.plugins.gate.gate_rule import RULES, LossesSoFar

IDEAS = 100


@dataclass
class Night:
    """The numbers of kept ideas that did nothing, of those that did something, and of runs
    trained."""

    false: int = 0
    true: int = 0
    runs: int = 0


def losses(rng: random.Random, level: float, many: int, sd: float = 1.0) -> list[float]:
    return [rng.gauss(level, sd) for _ in range(many)]


def by_gate(rng: random.Random, ideas: list[float], noise: float = 1.0) -> Night:
    """A night through the gate. ``ideas`` are their improvements in sd of one run of the baseline;
    ``noise`` is the spread of theirs."""
    night, losses_so_far, level, looks = Night(), LossesSoFar(), 0.0, 0
    for gain in ideas:
        way = gate_rule.proposal_steps(losses_so_far)
        step, answer = next(way), None
        base: list[float] = []
        modified: list[float] = []
        try:
            while True:
                if step.look_pairs and not modified:
                    if looks == RULES.looks:
                        return night
                    looks += 1
                base_losses = losses(rng, level, step.base)
                modified_losses = losses(rng, level - gain, step.modified, noise)
                night.runs += step.base + step.modified
                base += base_losses
                modified += modified_losses if step.look_pairs else []
                answer = base_losses, modified_losses
                step = way.send(answer)
        except StopIteration as end:
            losses_so_far = losses_so_far.after(base, modified, kept=end.value.keeps)
            if end.value.keeps:
                level -= gain
                night.true += gain > 0
                night.false += gain == 0
    return night

"""A proposal to a gate: a first run, and a look only where that was good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

from q1lab.ground.json_rules import max_items
from q1lab.judgment.subject import DecidedElsewhere
from q1lab.plugins.gate.gate_rule import RULES
from q1lab.study.design import Count, Design, Name


@dataclass(frozen=True)
class Proposal:
    """Its budget, its number there, and the runs of the grid that train. Its losses are shown to
    nobody until a look has decided."""

    budget: Name
    proposal: Count
    cells: Annotated[tuple[Name, ...], max_items(100)]
    blind: bool = True
    rule: Count = 1
    """The number of the rules that its budget was begun with (gate_rule.RULES_BY_NUMBER)."""


@dataclass(frozen=True, kw_only=True)
class Gate(Design):
    """The first batch of seeds is the first run's, the second one the look's."""

    kind: ClassVar[str] = "gate"
    not_declared: ClassVar[Mapping[str, tuple[str, ...]]] = {"gate": ("cells", "blind")}
    """The runs that it asks for one after the other."""

    gate: Proposal

    def includes_run(self, run: str) -> bool:
        return run in self.gate.cells

    def asks_for_run(self, arm: str, seed: int) -> bool:
        """A look trains both arms; before it the baseline trains at all seeds but the last."""
        first = self.batches[0]
        return seed not in first or (arm == "modified") == (seed == first[-1])

    @property
    def is_blind(self) -> bool:
        return self.gate.blind

    @property
    def decided_elsewhere(self) -> DecidedElsewhere:
        return DecidedElsewhere(
            "A gate judges this proposal by its own rule, so there is no second verdict here.",
            "A gate judges this proposal; its answer is in `q1lab gate`.",
            "`q1lab gate` says what it decided.",
            "judged by a gate",
            RULES.alpha_per_look if len(self.batches) > 1 else 0.0,
        )

    def shown(self) -> Self:
        """The design once a look has decided: the losses may be seen."""
        return replace(self, gate=replace(self.gate, blind=False))

    def with_cells(self, more: tuple[str, ...]) -> Self:
        """The design with more runs of the grid."""
        return replace(self, gate=replace(self.gate, cells=(*self.gate.cells, *more)))

    def resume_instead(self, variant: str) -> str:
        return f"the `q1lab gate` that proposed {variant}"

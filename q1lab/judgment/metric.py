"""The metric of a study: its name, its unit, and which way is better.

Every comparison carries its metric. Whatever names a unit or a direction asks it: sentences, axes,
columns of a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from q1lab.ground.text_formats import decimals_of, printable


@dataclass(frozen=True)
class Metric:
    """A number that each run ends with."""

    name: str
    """As people read it, or as a command reports it: ``val loss``, ``val/acc``."""
    unit: str
    """Empty where it is not known."""
    better: str
    """``lower`` or ``higher``."""

    @property
    def sign(self) -> float:
        """+1, or −1 if higher is better."""
        return -1.0 if self.better == "higher" else 1.0

    @property
    def direction(self) -> str:
        """``lower is better``."""
        return f"{self.better} is better"

    @property
    def suffix(self) -> str:
        """The unit as it stands behind a number: `` nats``, or nothing."""
        return f" {self.unit}" if self.unit else ""

    @property
    def axis(self) -> str:
        """The label of its axis: ``val loss (nats; lower is better)``."""
        return f"{self.name} ({'; '.join(filter(None, (self.unit, self.direction)))})"

    @property
    def difference(self) -> str:
        """The label of an axis of differences: ``difference in nats``."""
        return f"difference{' in' if self.unit else ''}{self.suffix}"

    @property
    def is_loss(self) -> bool:
        """True if training losses can stand on the same axis."""
        return self.better == "lower" and "loss" in self.name.lower()

    def favors(self, difference: float) -> bool:
        """True if the difference, modified − baseline, is an improvement."""
        return self.sign * difference < 0

    def written(self, value: float, decimals: int = 4) -> str:
        """The value of a run with so many decimals; of a metric whose unit is not known, such as a
        command's, with no more than the value has: ``6.47``."""
        return f"{value:.{decimals if self.unit else decimals_of([value], decimals)}f}"

    def key(self, kind: str = "") -> str:
        """Its column in a table of numbers: ``val_loss``; with a ``kind`` ``final_val_loss``, or
        ``val/final_acc`` of a metric that lies in a group."""
        group, slash, name = self.name.replace(" ", "_").rpartition("/")
        return f"{group}{slash}{kind}{'_' if kind else ''}{name}"

    def title(self, name: str) -> str:
        """A number of the study for a person to read: by this metric's own name, or by the name
        under which it was reported."""
        return self.name if name == self.key() else printable(name).replace("_", " ")


LARGEST_LOSS = 1e9
"""Nats; a loss as large as that counts as not finite."""
LARGEST_COUNT = 1 << 53
"""Whole numbers from here on don't count as iters or attempts."""

TRAIN_LOSS = "train_loss"
"""The column of training losses."""

VAL_LOSS = Metric("val loss", "nats", "lower")
"""The metric of q1lab's own trainer: validation loss at the last iter, per token."""

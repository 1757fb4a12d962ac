"""A run that was trained elsewhere, its files, and the names that trainers give its numbers."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from q1lab.ground.files import printable
from q1lab.ground.text_formats import storable_text
from q1lab.judgment.run_states import RunState
from q1lab.judgment.tables.cells import has_no_number, number_of_cell
from q1lab.judgment.tables.readers import LogForm

MAX_FILES, MAX_BYTES, MAX_ROWS = 4000, 64 << 20, 2_000_000
"""Bounds of an import: event files in a folder, bytes of one file, rows of a CSV."""
MOST_NAME = 200
"""Characters of an arm's name."""

STEP = (
    *("iter", "iteration", "step", "global_step", "trainer/global_step", "train/global_step"),
    *("_step", "timestep", "timesteps", "update", "epoch"),
)
TRAIN = ("train_loss", "train/loss", "loss/train", "training_loss", "loss")
VAL = (
    *("val_loss", "val/loss", "loss/val", "eval_loss", "eval/loss", "valid_loss"),
    "validation_loss",
)
FINAL = ("final_val_loss", "final/val_loss")
"""Names that trainers give the same quantity. The first one present counts."""
SEED_KEYS = ("seed", "random_seed", "rng_seed", "global_seed")
"""Names of the seed, in a run's config or a table."""

ARM_KEYS = ("cfg", "arm", "variant", "group", "model", "method", "condition", "config", "optimizer")
"""Names of the arm, in a run's config or a table."""

NAME = re.compile(r"(?P<cfg>.+?)[-_ ]seed[-_ ]?(?P<seed>\d{1,9})")

UNFINISHED = (
    *("abort", "cancel", "crash", "error", "fail", "interrupt", "kill", "oom", "out of memory"),
    *("pending", "preempt", "queued", "running", "stopped", "timeout", "timed out"),
)
"""Beginnings of the states of a run that did not come to its end."""


WANDB = "wandb:"
"""The beginning of a source that is a project at Weights & Biases."""


@dataclass(frozen=True)
class RunFiles:
    """The files of one run, or a file of text, which may hold several."""

    files: tuple[Path, ...]
    label: str | None
    """The arm that a person named."""
    form: LogForm | None = None
    """None for text."""
    title: str = ""
    """Its place for messages, where that is not its files."""

    @property
    def where(self) -> str:
        """Its place, for messages."""
        if self.title:
            return self.title
        first = self.files[0]
        return printable(str(first if len(self.files) == 1 else first.parent))


@dataclass
class OutsideRun:
    """One run that was trained elsewhere."""

    where: str
    """Its name and id, or its file, for messages."""
    cfg: str
    seed: int
    conditions: dict[str, str] = field(default_factory=dict)
    """Settings that a table says of it, which both arms should share."""
    evals: dict[float, float | None] = field(default_factory=dict)
    """The metric by step; None where it was not finite."""
    final: float | None = None
    """The metric at the end."""
    ended_at: float | None = None
    """Its last step; None where none is known."""
    disputed: float = -1.0
    """The latest step at which rows of it have two numbers that differ."""
    items: int | None = None
    """The number of items that its metric is a mean over."""
    state: RunState = RunState.FINISHED
    message: str | None = None

    @property
    def last(self) -> int:
        return int(self.ended_at or 0)

    @property
    def has_ended(self) -> bool:
        """True if it diverged, or finished with a number."""
        return self.state is RunState.DIVERGED or self.value is not None

    @property
    def value(self) -> float | None:
        """Its final number; None if it diverged."""
        return self.final if self.state is RunState.FINISHED else None

    @property
    def why_open(self) -> str:
        """The reason that it has no result, in brackets; empty where none is known."""
        return f" ({self.message})" if self.message else ""

    def take_state(self, cell: object) -> None:
        """Take in a state: it diverged, it did not come to its end, or it may end with a number."""
        word = printable(str(cell or "")).strip()
        self.message = word[:40] if word.lower().startswith(UNFINISHED) else None
        diverged = word.lower().startswith(str(RunState.DIVERGED))
        self.state = RunState.DIVERGED if diverged else RunState.FAILED

    def add_point(self, step: float, cell: object, state: object) -> None:
        """Add the metric of a step. The state of the last one counts."""
        if self.ended_at is None or step >= self.ended_at:
            self.ended_at = step
            self.take_state(state)
        if not has_no_number(cell):
            value = number_of_cell(cell)
            if self.evals.get(step, value) != value:
                self.disputed = max(step, self.disputed)
            self.evals[step] = value

    def end(self, metric: str, cell: object = None) -> OutsideRun:
        """Let it end with the number of a cell, else with the last of its curve. Without both, or
        where its state says so, it stays unfinished. ValueError for a cell that is no number."""
        if self.message is not None or self.state is RunState.DIVERGED:
            return self
        if has_no_number(cell) and not self.evals:
            self.message = f"no {metric}"
            return self
        self.final = self.evals[max(self.evals)] if has_no_number(cell) else number_of_cell(cell)
        self.state = RunState.DIVERGED if self.final is None else RunState.FINISHED
        return self


def visible_text(text: str) -> str:
    """``text`` without control characters and characters of no width."""
    clean = storable_text(text)
    if not clean.isascii():
        clean = "".join(c for c in clean if unicodedata.category(c) != "Cf")
    return clean.strip()


def arm_name(text: str, source: str) -> str:
    """The name of an arm without characters that nobody sees, by which equal names would differ.
    ValueError, which names its ``source``, if nothing is left, and for a name that is too long."""
    shown = visible_text(text)
    if not shown:
        raise ValueError(f"{source} is {'not printable' if text.strip() else 'empty'}")
    if len(shown) > MOST_NAME:
        raise ValueError(
            f"{source} has {len(shown):,} characters, and the name of an arm has {MOST_NAME} at "
            f"most ({shown[:24]}…)"
        )
    return shown

"""The study that the lab shows: the app imports this module after its first paint."""

from __future__ import annotations

from dataclasses import dataclass, replace

from q1lab.compare.comparison import Comparison
from q1lab.journal.study_view import StudyView
from q1lab.study import wandb_runs
from q1lab.study.wandb_runs import WandbStatus


@dataclass(frozen=True)
class StudyInFocus(StudyView):
    """The study that the lab shows, with its runs' curves, and its comparison if it has one."""

    comparison: Comparison | None = None
    wandb: WandbStatus | None = None
    """The study's W&B status; None in the very first snapshot."""

    def with_wandb_status(self) -> StudyInFocus:
        """The study with its current W&B status, which also changes after the last run has
        ended."""
        now = wandb_runs.wandb_status(self.study)
        return self if now == self.wandb else replace(self, wandb=now)

"""The study that ships (runs.json): its plan, each run's curve, and the runs as they were at any
moment. Nothing of it is put on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from q1lab.ground.files import read_json
from q1lab.index.study_view import RunView
from q1lab.judgment.records import Judgment
from q1lab.study import studies
from q1lab.study.run_states import RunState
from q1lab.study.studies import ARMS, Study, run_name

FILE = Path(__file__).with_name("runs.json")


@dataclass(frozen=True)
class ShippedRuns:
    """A trained study. ``losses`` are the val losses (nats) of each run at ``iters``; ``ends`` are
    the exact ones at its end."""

    study: Study
    iters: tuple[int, ...]
    losses: Mapping[str, tuple[float, ...]]
    ends: Mapping[str, float]

    def at(self, pairs: float) -> tuple[RunView, ...]:
        """The runs when so many pairs have trained: at 2.5 the third is halfway."""
        return tuple(
            self._run(arm, seed, min(1.0, max(0.0, pairs - place)))
            for place, seed in enumerate(self.study.seeds)
            for arm in ARMS
        )

    def _run(self, arm: str, seed: int, share: float) -> RunView:
        name, last = run_name(arm, seed), self.study.max_iters
        reached = int(share * last)
        curve = tuple(
            (iter_, loss)
            for iter_, loss in zip(self.iters, self.losses[name], strict=True)
            if share and iter_ <= reached
        )
        state = RunState.FINISHED if share == 1 else RunState.RUNNING
        return RunView(
            name=name,
            arm=arm,
            variant=self.study.arms[arm].variant,
            seed=seed,
            state=state if share else RunState.QUEUED,
            attempt=1 if share else 0,
            iter=reached,
            max_iters=last,
            train_loss=None,
            eval_loss=curve[-1][1] if curve else None,
            val_loss=self.ends[name] if share == 1 else None,
            tokens_per_s=None,
            seconds=0.0,
            message=None,
            curves={self.study.metric.key(): curve},
        )

    @cached_property
    def known_after(self) -> int | None:
        """The pairs after which a range is over that was declared like this one."""
        base, modified = ([self.ends[run_name(arm, k)] for k in self.study.seeds] for arm in ARMS)
        differences = [new - old for old, new in zip(base, modified, strict=True)]
        return self.study.design.over_after(differences, None)

    def judge(self, guess: dict[str, Any] | None = None) -> Judgment:
        """The verdict on all pairs, at the level of the range's looks, with a guess as its
        prediction."""
        from q1lab.judgment.judge import judge
        from q1lab.verdict.comparison import subject_of

        study = replace(self.study, prediction=guess)
        arms = ({seed: self.ends[run_name(arm, seed)] for seed in study.seeds} for arm in ARMS)
        # without an id: `q1lab compare` knows no such study
        subject = replace(subject_of(study), id="")
        level = study.design.level
        assert level is not None
        return judge(*arms, metric=study.metric, level=level, subject=subject)


def read_runs() -> ShippedRuns:
    """The study that ships."""
    record = read_json(FILE)
    return ShippedRuns(
        studies.from_dict(record["plan"]),
        tuple(record["iters"]),
        {name: tuple(losses) for name, losses in record["val_loss"].items()},
        record["ends"],
    )

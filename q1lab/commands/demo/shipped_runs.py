"""The study that ships (runs.json): its plan, and what each run ended with. Nothing of it is put on
record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from q1lab.compare.comparison import arm_names, comparison_of, plan_of
from q1lab.ground.files import read_json
from q1lab.judgment.judge import judge
from q1lab.judgment.judgment import Commands, Judgment
from q1lab.study import studies
from q1lab.study.studies import ARMS, Study, run_name

FILE = Path(__file__).with_name("runs.json")


@dataclass(frozen=True)
class ShippedRuns:
    """A trained study; ``ends`` are the exact val losses (nats) at the end of its runs."""

    study: Study
    ends: Mapping[str, float]

    @cached_property
    def differences(self) -> list[float]:
        """Modified − baseline of each pair, by seed."""
        base, modified = ([self.ends[run_name(arm, k)] for k in self.study.seeds] for arm in ARMS)
        return [new - old for old, new in zip(base, modified, strict=True)]

    @cached_property
    def known_after(self) -> int | None:
        """The pairs after which a range is over that was declared like this one."""
        return self.study.design.over_after(self.differences, None)

    def judge(self, guess: dict[str, Any] | None = None) -> Judgment:
        """The verdict on all pairs, at the level of the range's looks, with a guess as its
        prediction."""
        study = replace(self.study, prediction=guess)
        arms = ({seed: self.ends[run_name(arm, seed)] for seed in study.seeds} for arm in ARMS)
        level = study.design.level
        assert level is not None
        names, plan = arm_names(study), plan_of(study)
        judged = judge(*arms, arm_names=names, metric=study.metric, level=level, plan=plan)
        # without an id: `q1lab compare` knows no such study
        return replace(comparison_of(study, judged), id="", commands=Commands())


def read_runs(file: Path = FILE) -> ShippedRuns:
    """The study that ships, or another one in such a file."""
    record = read_json(file)
    return ShippedRuns(studies.from_dict(record["plan"]), record["ends"])

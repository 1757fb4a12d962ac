"""A trainer and a design of another package, as docs/recipes.md says: one module, and its entry points.

``q1lab run toy:2.5 --seeds agreed:3`` compares a pretended program with itself, changed by 2.5
points, and is over at the first three pairs that agree in sign. ``python -m tests.kit.toy_parts``
is what trains.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from q1lab.designs.fixed import Fixed
from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_text, utc_now
from q1lab.ground.hooks import PartKind, Plugin
from q1lab.ground.json_rules import one_of
from q1lab.index.store import Store
from q1lab.judgment.metric import Metric
from q1lab.runner import child_processes
from q1lab.study.command_line import Request
from q1lab.study.design import Design, TypedSeeds
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.origin import Origin, TypedOptions
from q1lab.study.studies import ARMS, Arm, Data, Study
from q1lab.study.study_draft import Draft
from q1lab.study.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class Points(Trainer):
    """A game that is played once for each seed; ``by`` is what the modified arm has more."""

    kind: ClassVar[str] = "points"

    by: float

    @property
    def metric(self) -> Metric:
        return Metric("score", "points", "higher")

    @classmethod
    def accepts(cls, request: Request) -> bool:
        return request.variant.startswith("toy:")

    def request(self, study: Study) -> Request:
        return Request(f"toy:{self.by:g}", seeds=study.design.typed())

    def declared_budget(self) -> list[Any]:
        return [self.by]

    def identity_settings(self) -> dict[str, Any]:
        return {**super().identity_settings(), "by": self.by}

    def program(self) -> list[str]:
        return child_processes.python_module("tests.kit.toy_parts")

    @property
    def has_model_files(self) -> bool:
        return False


def _arm(arm: str, by: float) -> Arm:
    name = "as it is" if arm == "baseline" else f"toy {by:g}"
    return Arm(name, name, "", sha256_text(name), name, 0, 0, code=sha256_text(name))


class PointsDraft(Draft):
    def preflight(self) -> Trainer:
        return self.study.trainer

    def seconds(self, study: Study, missing: Sequence[str]) -> float:
        return 0.01 * len(missing)

    def write(self, study: Study) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Agreed(Design):
    """Over as soon as so many pairs have ended as were ``fewest`` and all of them agree in sign;
    after twice as many at the latest."""

    kind: ClassVar[str] = "agreed"

    fewest: int
    because: Annotated[str, one_of("a toy")] = "a toy"

    @classmethod
    def parse_seeds(cls, text: str) -> TypedSeeds | None:
        if not text.startswith("agreed:"):
            return None
        fewest = int(text.removeprefix("agreed:"))
        return TypedSeeds(cls, tuple(range(2 * fewest)), fewest)

    @classmethod
    def declared(
        cls, typed: TypedSeeds, seeds: tuple[int, ...], headline: str, may_spend: Any
    ) -> Self:
        return cls(batches=(seeds,), headline=headline, fewest=typed.fewest)

    @property
    def pairs(self) -> tuple[int, int]:
        return self.fewest, 2 * self.fewest

    @property
    def level(self) -> float | None:
        return 0.018

    def over_after(self, differences: Sequence[float | None], delta: float | None) -> int | None:
        for n in range(self.fewest, len(differences) + 1):
            first = differences[:n]
            if n == 2 * self.fewest or None in first or len({d > 0 for d in first if d}) == 1:
                return n
        return None

    def declared_rule(self) -> list[float]:
        return [self.fewest]

    def typed(self) -> str:
        return f"agreed:{self.fewest}"


def draft_points(
    request: Request, seeds: TypedSeeds, kept: KeptStudy | None, store: Store
) -> Draft:
    try:
        by = float(request.variant.removeprefix("toy:"))
    except ValueError:
        raise Problem(f"{request.variant}: give a number, such as toy:2.5") from None
    trainer = Points(device="cpu", jobs=1, threads=1, versions={"q1lab": "0"}, by=by)
    study = Study(
        id="",
        created=utc_now(),
        arms={arm: _arm(arm, by) for arm in ARMS},
        data=Data("a game", sha256_text("a game"), "", 0, 0, 0, 0),
        trainer=trainer,
        design=Fixed(batches=(seeds.seeds,), headline=request.headline),
        origin=Origin(typed=TypedOptions(wandb=request.wandb)),
    )
    return PointsDraft(request, seeds, kept, study)


PLUGIN = Plugin(
    about="a game, for tests",
    trainers={
        "points": PartKind("tests.kit.toy_parts:Points", draft="tests.kit.toy_parts:draft_points")
    },
    designs={"agreed": PartKind("tests.kit.toy_parts:Agreed")},
)


def install(folder: Path) -> None:
    """The metadata that pip would write into site-packages, for a ``folder`` that is on Python's
    path."""
    dist_info = folder / "toy_parts-1.dist-info"
    dist_info.mkdir()
    (dist_info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-parts\nVersion: 1\n")
    (dist_info / "entry_points.txt").write_text(
        "[q1lab.plugins]\ntoys = tests.kit.toy_parts:PLUGIN\n"
    )


def main() -> None:
    """Play what has not been claimed, as any trainer does (labs/sharing.py)."""
    import argparse

    from labs.sharing import engine_options, holding, output_to, take

    parser = argparse.ArgumentParser()
    parser.add_argument("study", type=Path)
    parser.add_argument("--launch", type=int, default=1)
    parser.add_argument("--alone", action="store_true")
    engine_options(parser)
    args = parser.parse_args()
    plan = json.loads((args.study / "study.json").read_text())
    for seed in plan["looks"][0]:
        for arm in ARMS:
            folder = args.study / "runs" / f"{arm}-seed{seed}"
            if args.only not in (None, folder.name):
                continue
            claim = args.study / "claims" / f"{args.launch}-{folder.name}"
            if (folder / "events.jsonl").exists() or not (args.only or take(claim)):
                continue
            with holding(folder / "lock"), output_to(folder / "run.log"):
                luck = random.Random(f"{seed} {arm}").gauss(0, 0.1)
                score = 10 + (plan["by"] if arm == "modified" else 0) + luck
                events = [
                    {"type": "start", "arm": arm, "seed": seed, "attempt": 1, "time": utc_now()},
                    {"type": "eval", "iter": 1, "val_loss": score, "final": True},
                    {"type": "exit", "state": "finished", "iter": 1, "val_loss": score, "t": 0.1},
                ]
                text = "".join(json.dumps(event) + "\n" for event in events)
                (folder / "events.jsonl").write_text(text)


if __name__ == "__main__":
    sys.exit(main())

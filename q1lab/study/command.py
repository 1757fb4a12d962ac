"""A person's own training program: a command with different arguments for each arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from q1lab.ground import json_records
from q1lab.ground.files import absolute_path, printable
from q1lab.judgment.metric import Metric
from q1lab.judgment.subject import Description
from q1lab.study.command_arms import CommandSpec, displayed_command
from q1lab.study.trainer import Trainer

if TYPE_CHECKING:
    from q1lab.study.command_line import Request
    from q1lab.study.kept_folder import KeptStudy
    from q1lab.study.studies import Run, Study

EMPTY_SETTINGS: Mapping[str, Any] = {"preset": "", "config": {"max_iters": 0}, "dtype": ""}
"""The values in a plan in place of the settings of q1lab's own loop."""


@dataclass(frozen=True, kw_only=True)
class Command(Trainer):
    """``labs/loop.py`` runs the command for each run, and reads the metric that it reports."""

    kind: ClassVar[str] = "command"

    loop: CommandSpec = field()

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> Self:
        for key, value in EMPTY_SETTINGS.items():
            if record.get(key) != value:
                raise ValueError(f"{key} belongs to q1lab's own loop, and not to a command")
        return super().load(record)

    def dump(self) -> dict[str, Any]:
        return {**EMPTY_SETTINGS, **super().dump()}

    @property
    def metric(self) -> Metric:
        return self.loop.measured_metric

    @property
    def repeated_numbers(self) -> frozenset[str]:
        return frozenset({self.metric.key("final")})

    @property
    def repeats(self) -> bool:
        return False

    def declared_budget(self) -> list[Any]:
        loop = {**json_records.to_json(self.loop), "folder": ""}
        return [{"max_iters": 0}, {}, self.seed_shift, self.device, "", self.threads, loop]

    def request(self, study: Study) -> Request:
        from q1lab.study.command_line import Request

        return Request(
            variant=study.variant,
            seeds=study.design.typed(),
            baseline=study.baseline,
            device=self.device or "auto",
            wandb=study.origin.typed.wandb if study.origin.typed else "auto",
            loop=self.loop,
        )

    def request_for_kept(self, kept_study: KeptStudy, options: Mapping[str, Any]) -> Request:
        root = kept_study.folder.absolute().parent.parent
        folder = str(absolute_path(str(root / self.loop.folder)))
        options = {name: value for name, value in options.items() if name != "data"}
        loop = replace(self.loop, folder=folder)
        return replace(self.request(kept_study.study), loop=loop, **options)

    def describe(self, study: Study) -> Description:
        step_text = {"last": "at its last step", "best": f"at its best step ({self.metric.better})"}
        best = f"A run counts by the best {self.metric.name} of all its steps."
        return Description(
            within="with this command",
            measured=(
                f"Each run is the same command, with the arguments of "
                f"{printable(study.baseline)} or "
                f"{printable(study.variant)}. The metric is {self.metric.name} as the "
                f"command reports "
                f"it {step_text[self.loop.take]}; {self.metric.direction}. Runs of the same seed "
                "are compared as pairs, which is valid whatever a seed fixes."
            ),
            pair_shares="share their seed",
            trains=f"the command `{printable(self.loop.run)}` in {printable(study.data.name)}",
            cautions=(
                *([best] if self.loop.take == "best" else []),
                "Whether a seed repeats is not known.",
                "q1lab did not check what a command does: parameters and FLOPs of the arms, the "
                "split of the data, and whether validation data are trained on.",
            ),
        )

    def conditions(self, study: Study) -> str:
        return f"{self.metric.name}, {self.metric.direction}, in {self.loop.folder}"

    def displayed_command(self, run: Run) -> str:
        return displayed_command(self.loop, run.variant, self.drawn_seed(run))

    def pairing_note(self, study: Study) -> str:
        if not study.counts_as_asking:
            return ""
        return "compared pair by pair: runs of one seed are a pair, even if the seed fixes nothing"

    @property
    def when_stopped(self) -> str:
        return "each run keeps its folder" if self.loop.resume else super().when_stopped

    @property
    def has_model_files(self) -> bool:
        return False

    def for_publication(self, root: Path) -> Self:
        folder = Path(self.loop.folder)
        inside = str(folder.relative_to(root)) if folder.is_relative_to(root) else "."
        return replace(super().for_publication(root), loop=replace(self.loop, folder=inside))

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


REPEAT_CAUTIONS = {
    "": "No short run was made before: whether a seed repeats is not known.",
    "bit": "Before the runs, a short one with the same seed gave the same numbers to the bit, and "
    "another seed gave others.",
    "1e-4": "Before the runs, a short one with the same seed gave the same numbers to one part in "
    "ten thousand, and another seed gave others.",
    "no": "The same seed gives other numbers each time: a run can't be repeated, only its spread "
    "can.",
}


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
    def repeat_tolerance(self) -> float | None:
        return {"bit": 0.0, "1e-4": 1e-4}.get(self.loop.repeats)

    def why_not_retrainable(self) -> str:
        if self.loop.repeats == "no":
            return "its command does not give the same numbers twice"
        return ""

    def declared_budget(self) -> list[Any]:
        loop = {**json_records.to_json(self.loop), "folder": ""}
        return [{"max_iters": 0}, {}, self.seed_shift, self.device, "", self.threads, loop]

    @classmethod
    def accepts(cls, request: Request) -> bool:
        return request.loop is not None

    def request(self, study: Study) -> Request:
        from q1lab.study.command_line import Request

        return Request(
            variant=study.variant,
            seeds=study.design.typed(),
            side="better" if study.design.plan().one_sided else None,
            baseline=study.baseline,
            device=self.device or "auto",
            headline=study.design.headline,
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
        repeats = self.loop.repeats == "bit"
        shares = (
            "What runs with the same seed share is not known, so the arms are compared as wholes."
        )
        if study.design.headline == "paired" and repeats:
            shares = (
                "Runs with the same seed are compared as pairs, since a seed repeats to the bit."
            )
        elif study.design.headline == "paired":
            shares = (
                "It was declared before the runs that runs of the same seed are compared as "
                "pairs, which is valid whatever a seed fixes."
            )
        best = f"A run counts by the best {self.metric.name} of all its steps."
        return Description(
            within="with this command",
            measured=(
                f"Each run is the same command, with the arguments of "
                f"{printable(study.baseline)} or "
                f"{printable(study.variant)}. The metric is {self.metric.name} as the "
                f"command reports "
                f"it {step_text[self.loop.take]}; {self.metric.direction}. {shares}"
            ),
            pair_shares="share their seed",
            trains=f"the command `{printable(self.loop.run)}` in {printable(study.data.name)}",
            cautions=(
                *([best] if self.loop.take == "best" else []),
                REPEAT_CAUTIONS[self.loop.repeats],
                "q1lab did not check what a command does: parameters and FLOPs of the arms, the "
                "split of the data, and whether validation data are trained on.",
            ),
        )

    def conditions(self, study: Study) -> str:
        return f"{self.metric.name}, {self.metric.direction}, in {self.loop.folder}"

    def displayed_command(self, run: Run) -> str:
        line = displayed_command(self.loop, run.variant, self.drawn_seed(run))
        short = "" if self.loop.repeats else self.loop.smoke
        return f"{line} (and first a short run, with {short})" if short else line

    def code_version(self) -> str:
        from q1lab.runner import finished_runs

        return finished_runs.trainer_version(by_command=True)

    def program(self) -> list[str]:
        from q1lab.runner import child_processes

        return child_processes.python_module("labs.loop")

    def headline_note(self, study: Study) -> str:
        if study.design.headline == "paired":
            why = "a short run with the same seed gave the same numbers to the bit"
            declared = "the runs of one seed are a pair, valid even if the seed fixes nothing"
            return f"compared pair by pair: {why if self.loop.repeats == 'bit' else declared}"
        if not study.counts_as_asking:  # there is nothing to choose
            return ""
        return (
            "compared as two groups; --headline paired if the seed fixes the batches and the start "
            "of both arms"
        )

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

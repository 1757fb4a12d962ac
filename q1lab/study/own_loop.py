"""q1lab's own training loop, ``labs/train.py``: a model file for each arm, and hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from q1lab.ground.text_formats import passes_text
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.subject import Description
from q1lab.study.hyperparameters import checked_value
from q1lab.study.trainer import Name, Trainer

if TYPE_CHECKING:
    from q1lab.judgment.notes import Note
    from q1lab.study.command_line import Request
    from q1lab.study.kept_folder import KeptStudy
    from q1lab.study.studies import Study


@dataclass(frozen=True, kw_only=True)
class OwnLoop(Trainer):
    """Both arms train with one ``config``, except for ``seed_shift``."""

    kind: ClassVar[str] = "own"

    preset: Name
    config: dict[str, Any]
    dtype: Name
    shared_at_start: float | None = None
    """The share of the weights that both arms start with."""
    unchecked: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, setting in self.config.items():
            checked_value(key, setting)
        if not self.config.get("max_iters"):
            raise ValueError("config has no max_iters, or 0")

    @property
    def metric(self) -> Metric:
        return VAL_LOSS

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        return self.config

    @property
    def recipe(self) -> str:
        return self.preset

    @property
    def number_format(self) -> str:
        return self.dtype

    def notes(self) -> Iterator[Note]:
        from q1lab.judgment import run_notes

        if self.unchecked:
            yield run_notes.Unchecked()

    @property
    def is_unchecked(self) -> bool:
        return self.unchecked

    def declared_budget(self) -> list[Any]:
        return [
            *(self.config, self.seed_shift, self.device, self.dtype),
            *(self.threads, None),
        ]

    # ── requests that plan it again

    def request(self, study: Study) -> Request:
        """Device and number format are always named: their defaults depend on the machine."""
        from q1lab.study.command_line import Request, fewest_overrides

        typed = study.origin.typed
        return Request(
            variant=study.arms["modified"].origin,
            seeds=study.design.typed(),
            baseline=None if _takes_its_baseline(study) else study.arms["baseline"].origin,
            preset=self.preset,
            data=typed.data if typed else study.data.name,
            device=self.device,
            dtype=self.dtype,
            overrides=fewest_overrides(self.preset, self.config),
            unchecked=self.unchecked,
            wandb=typed.wandb if typed else "auto",
        )

    def request_for_kept(self, kept_study: KeptStudy, options: Mapping[str, Any]) -> Request:
        from q1lab.study.kept_folder import find_data

        request_fields = {
            "variant": str(kept_study.file("modified")),
            "baseline": str(kept_study.file("baseline")),
            "data": find_data(kept_study, options["data"]),
            "unchecked": options["unchecked"] or self.unchecked,
        }
        return replace(self.request(kept_study.study), **{**options, **request_fields})

    def resume_command(self, study: Study) -> str:
        """The command that planned the study, or for a member of a sweep, the whole sweep."""
        from q1lab.study import command_line

        series = study.origin.series
        request = self.request(study)
        if series is None:
            return command_line.command_text(request)
        return command_line.sweep_command(request, series.members)

    def describe(self, study: Study) -> Description:
        return Description(
            within="at this size and budget",
            measured=(
                "Both arms start from the same values in every tensor of equal name and shape, and "
                "see the same batches. The metric is the validation loss in "
                f"{self.metric.unit} at the last iter, over the whole validation set; "
                f"{self.metric.direction}."
            ),
            pair_shares="share their seed: the batches, and the start of tensors that both have",
            shared_at_start=self.shared_at_start,
        )

    def conditions(self, study: Study) -> str:
        read = passes_text(study.passes)
        data = study.data.name + (f" ({read})" if read else "")
        return f"preset {self.preset}, data {data}, {self.device} {self.dtype}"

    @property
    def when_stopped(self) -> str:
        return "each run leaves a checkpoint"


def _takes_its_baseline(study: Study) -> bool:
    """True if the study's baseline is the one that `q1lab run` takes when none is typed."""
    if study.origin.typed is not None:
        return study.origin.typed.baseline is None
    baseline, modified = study.arms["baseline"].origin, study.arms["modified"].origin
    return baseline == "baseline" and not modified.endswith(".py")

"""The interface of a trainer: its settings, how exactly its runs repeat, and its metric."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from q1lab.ground.json_records import max_chars, one_of, stored_as, whole_number
from q1lab.judgment.metric import Metric
from q1lab.judgment.subject import Description
from q1lab.study.command_arms import NO_COMMAND, CommandSpec
from q1lab.study.study_part import StudyPart

if TYPE_CHECKING:
    from q1lab.judgment.notes import Note
    from q1lab.study.command_line import Request
    from q1lab.study.kept_folder import KeptStudy
    from q1lab.study.studies import Run, Study

Name = Annotated[str, max_chars(200)]
Lines = tuple[Annotated[str, max_chars(100_000)], ...]


RELEASES = ("q1lab", "python", "torch", "trainer")
"""The releases whose versions a plan names; ``requirements.txt`` and `%pip install` repeat that of
torch."""


def is_version(version: str) -> bool:
    """True if this can be a version, and nothing else on a command line or in a list of
    packages."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,79}", version) is not None


SEED_OFFSET = 10**9
"""The number that the modified arm's runs add to their seed where both arms are the same: beyond
any seed that can be typed, so that no other run draws it."""
ArmName = Annotated[str, one_of("baseline", "modified")]


@dataclass(frozen=True, kw_only=True)
class Trainer(StudyPart, ABC):
    """The trainer of a study's runs."""

    device: Name
    jobs: Annotated[int, whole_number(1, 1025)]
    """Runs that train at once."""
    threads: Annotated[int, whole_number(1, 4097)]
    """CPU threads of each run."""
    versions: dict[str, Annotated[str, max_chars(1000)]]
    """Versions when the study was planned: q1lab, the trainer's code, Python, PyTorch, platform."""
    later_versions: Lines = field(default=(), metadata=stored_as("trainers"))
    """Versions of the trainer's code that later runs trained with."""
    wandb: Annotated[str, one_of("disabled", "offline", "online")] = "disabled"
    loop: CommandSpec = NO_COMMAND
    """The person's own command; with nothing in it where another program trains."""
    launcher: str = ""
    """Words before the trainer's own command, such as ``srun --gres=gpu:1``."""
    seed_shift: dict[ArmName, Annotated[int, whole_number(below=1 << 40)]] = field(
        default_factory=dict
    )
    """The number that each arm's runs add to their seed, so that pairs are independent where both
    arms are the same. Runs keep the names of their seeds."""

    def __post_init__(self) -> None:
        for name in RELEASES:
            if name in self.versions and not is_version(self.versions[name]):
                raise ValueError(f"versions: {name} is {self.versions[name][:60]!r}, not a version")

    # ── what it trains with

    @property
    @abstractmethod
    def metric(self) -> Metric:
        """The metric of each run."""

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """The baseline's hyperparameters that q1lab knows."""
        return {}

    @property
    def recipe(self) -> str:
        """The preset's name; empty for a trainer without presets."""
        return ""

    @property
    def number_format(self) -> str:
        """``fp32``, ``bf16`` …; empty where it is not known."""
        return ""

    def notes(self) -> Iterator[Note]:
        """Notes of a verdict on how the learner's files were checked."""
        yield from ()

    @property
    def is_unchecked(self) -> bool:
        """True if the learner's model file was trained without its checks."""
        return False

    def drawn_seed(self, run: Run) -> int:
        """The seed that a run's weights and batches are drawn with."""
        return run.seed + self.seed_shift.get(run.arm, 0)

    @property
    def repeated_numbers(self) -> frozenset[str]:
        """The names of a run's numbers that only say another one of its numbers again."""
        return frozenset()

    # ── what makes two studies, or two runs, the same

    @property
    def repeats(self) -> bool:
        """True if a run that is trained again has the same numbers, to the last bit."""
        return True

    def identity_settings(self) -> dict[str, Any]:
        """The settings that must be equal for two studies to differ in nothing but their seeds."""
        return {
            "config": dict(self.hyperparameters),
            "device": self.device,
            "dtype": self.number_format,
        }

    @abstractmethod
    def declared_budget(self) -> list[Any]:
        """The training budget as JSON, for the hash of a declaration."""

    def pairing_note(self, study: Study) -> str:
        """A note on the pairs of a new study; empty where they are as always."""
        return ""

    # ── asking for it, once and again

    @abstractmethod
    def request(self, study: Study) -> Request:
        """The request that plans the same study again: same files, hyperparameters, data and
        decision; a file's name is its full path."""

    def request_for_kept(self, kept_study: KeptStudy, options: Mapping[str, Any]) -> Request:
        """The request that trains a kept study again, with these ``options``, which don't change
        its training."""
        return replace(self.request(kept_study.study), **options)

    def resume_command(self, study: Study) -> str:
        """The command that resumes a study; empty if that is `q1lab run` with the study's name."""
        return ""

    # ── in words

    def describe(self, study: Study) -> Description:
        """The description of the runs and their metric that a verdict repeats."""
        return Description(
            within="with this trainer",
            measured=(
                f"The metric is {self.metric.name} as the trainer reports it; "
                f"{self.metric.direction}."
            ),
            pair_shares="share their seed",
        )

    def conditions(self, study: Study) -> str:
        """The conditions of training, for the line that announces a study."""
        return f"{self.metric.name}, {self.metric.direction}, on {study.data.name}"

    def displayed_command(self, run: Run) -> str:
        """The command to show a person before this trainer runs for a stranger; empty if only
        q1lab's own code runs."""
        return ""

    # ── where it runs

    @property
    def when_stopped(self) -> str:
        """A clause on the runs that are under way when a study is stopped."""
        return "a run that is under way begins again when the study goes on"

    @property
    def has_model_files(self) -> bool:
        """True if the study's folder holds a model file for each arm."""
        return True

    def for_publication(self, root: Path) -> Self:
        """The trainer without facts about this machine, in a repository at ``root``."""
        return replace(self, wandb="disabled", launcher="")

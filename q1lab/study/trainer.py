"""The trainer of a study's runs: a plan's record of q1lab's own loop, or of a command."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

from q1lab.ground.json_records import max_chars, one_of, stored_as, whole_number
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.study.command_arms import NO_COMMAND, CommandSpec
from q1lab.study.hyperparameters import checked_value

Name = Annotated[str, max_chars(200)]
Lines = tuple[Annotated[str, max_chars(100_000)], ...]


RELEASES = ("q1lab", "python", "torch", "trainer")
"""The releases whose versions a plan names; ``requirements.txt`` and `%pip install` repeat that of
torch."""

OWN, COMMAND = "own", "command"
"""The kinds: q1lab's own loop, and a command."""

PROGRAMS = {OWN: "train", COMMAND: "loop"}
"""The module of ``labs`` that trains the runs of each kind."""


def is_version(version: str) -> bool:
    """True if this can be a version, and nothing else on a command line or in a list of
    packages."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,79}", version) is not None


SEED_OFFSET = 10**9
"""The number that the modified arm's runs add to their seed where both arms are the same: beyond
any seed that can be typed, so that no other run draws it."""
ArmName = Annotated[str, one_of("baseline", "modified")]


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """The trainer of a study's runs. Of the fields that belong to the other kind each has its
    default."""

    kind: Annotated[str, one_of(OWN, COMMAND)]
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
    launcher: str = ""
    """Words before the trainer's own command, such as ``srun --gres=gpu:1``."""
    seed_shift: dict[ArmName, Annotated[int, whole_number(below=1 << 40)]] = field(
        default_factory=dict
    )
    """The number that each arm's runs add to their seed, so that pairs are independent where both
    arms are the same. Runs keep the names of their seeds."""

    # ── of q1lab's own loop
    preset: Name = ""
    config: dict[str, Any] = field(default_factory=dict)
    """The hyperparameters of both arms."""
    dtype: Name = ""
    unchecked: bool = False
    """True if the learner's model file was trained without its checks."""

    # ── of a command
    loop: CommandSpec = NO_COMMAND

    def __post_init__(self) -> None:
        for name in RELEASES:
            if name in self.versions and not is_version(self.versions[name]):
                raise ValueError(f"versions: {name} is {self.versions[name][:60]!r}, not a version")
        for key, setting in self.config.items():
            checked_value(key, setting)
        of_own_loop = bool(self.config or self.preset or self.dtype)
        faults = {
            "config has no max_iters, or 0": self.kind == OWN and not self.config.get("max_iters"),
            "loop belongs to a command": self.kind == OWN and self.loop != NO_COMMAND,
            "loop has no command to run": self.kind == COMMAND and not self.loop.run,
            "config, preset and dtype belong to q1lab's own loop": self.kind == COMMAND
            and of_own_loop,
        }
        for fault, is_there in faults.items():
            if is_there:
                raise ValueError(fault)

    @property
    def metric(self) -> Metric:
        """The metric of each run."""
        return VAL_LOSS if self.kind == OWN else self.loop.measured_metric

    @property
    def repeated_numbers(self) -> frozenset[str]:
        """The names of a run's numbers that only say another one of its numbers again."""
        return frozenset() if self.kind == OWN else frozenset({self.metric.key("final")})

    @property
    def when_stopped(self) -> str:
        """A clause on the runs that are under way when a study is stopped."""
        if self.kind == OWN:
            return "each run leaves a checkpoint"
        if self.loop.resume:
            return "each run keeps its folder"
        return "a run that is under way begins again when the study goes on"

    def drawn_seed(self, arm: str, seed: int) -> int:
        """The seed that the weights and batches of an arm's run are drawn with."""
        return seed + self.seed_shift.get(arm, 0)

    def for_publication(self, root: Path) -> Self:
        """The trainer without facts about this machine, in a repository at ``root``."""
        loop, folder = self.loop, Path(self.loop.folder)
        if self.kind == COMMAND:
            inside = folder.relative_to(root) if folder.is_relative_to(root) else "."
            loop = replace(loop, folder=str(inside))
        return replace(self, wandb="disabled", launcher="", loop=loop)

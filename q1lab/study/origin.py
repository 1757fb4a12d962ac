"""The origin of a study: planned here, or imported."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from q1lab.ground.json_records import max_chars, max_items, stored_as
from q1lab.judgment.metric import Metric
from q1lab.judgment.subject import Description
from q1lab.study.part_registry import StudyPart
from q1lab.study.series import Series

FULL_NAMES = {"val loss": "validation loss"}

Name = Annotated[str, max_chars(200)]
Line = Annotated[str, max_chars(1000)]
Lines = Annotated[tuple[Annotated[str, max_chars(100_000)], ...], max_items(20_000)]


@dataclass(frozen=True)
class TypedOptions:
    """Options as typed, where the rest of the plan doesn't tell."""

    data: Annotated[str, max_chars(4096)] = ""
    """The value of --data."""
    wandb: Name = "auto"
    baseline: Annotated[str, max_chars(10_000)] | None = None
    """None: the baseline that `q1lab run` takes by default."""


@dataclass(frozen=True)
class ImportedRuns:
    """The source of imported runs, and the differences that had to be allowed to compare them."""

    source: Annotated[str, max_chars(10_000)] = ""
    study: Line = ""
    time: Annotated[str, max_chars(64)] = ""
    allowed: Lines = ()
    notes: Lines = ()
    runs: Lines = ()
    journal: Annotated[str, max_chars(64)] = ""
    """Of a whole study that was declared in another home: its declared name there, with whose lines
    it came. Empty without them."""


@dataclass(frozen=True, kw_only=True)
class Origin(StudyPart):
    """The origin of a study."""

    part: ClassVar[str] = "origin"

    typed: TypedOptions | None = field(default=None, metadata=stored_as("asked"))
    repo: dict[str, Any] | None = None
    """The git repository of the modified file, its commit, and whether it was dirty."""
    series: Series | None = None
    """The series that the study was declared in, and its place there."""

    @property
    def is_ours(self) -> bool:
        """True if q1lab planned the study and trained its runs."""
        return True

    @property
    def imported_at(self) -> str:
        """The time at which the runs were imported (UTC); empty for a study planned here."""
        return ""

    @property
    def source(self) -> str:
        """The file or address that the runs came from; empty for a study planned here."""
        return ""

    @property
    def knows_other_runs(self) -> bool:
        """True if the record says which other runs of the question there were."""
        return True

    @property
    def has_declaration(self) -> bool:
        """True if a journal shows that the study was declared before its runs."""
        return True

    @property
    def allowed(self) -> tuple[str, ...]:
        """The differences that had to be allowed to compare the runs."""
        return ()

    def describe(self, description: Description, metric: Metric) -> Description:
        """The trainer's description of the runs, as far as it holds for this origin."""
        return description

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for people about the import."""
        return ()

    def for_publication(self, typed: TypedOptions) -> Self:
        """The origin without facts about this machine: the repository, paths, the series."""
        return replace(self, typed=typed, repo=None, series=None)


@dataclass(frozen=True, kw_only=True)
class Planned(Origin):
    """Declared here, before its first run."""

    kind: ClassVar[str] = "planned"


@dataclass(frozen=True, kw_only=True)
class Imported(Origin):
    """Imported from a file, a folder or W&B. Which other runs there were is not known here, unless
    it is a whole study of q1lab."""

    kind: ClassVar[str] = "imported"

    imported: ImportedRuns

    @property
    def is_ours(self) -> bool:
        return False

    @property
    def imported_at(self) -> str:
        return self.imported.time

    @property
    def source(self) -> str:
        return self.imported.source

    @property
    def knows_other_runs(self) -> bool:
        return bool(self.imported.study)

    @property
    def has_declaration(self) -> bool:
        return bool(self.imported.journal)

    @property
    def allowed(self) -> tuple[str, ...]:
        return self.imported.allowed

    @property
    def notes(self) -> tuple[str, ...]:
        return self.imported.notes

    def describe(self, description: Description, metric: Metric) -> Description:
        unit = f" in {metric.unit}" if metric.unit else ""
        return replace(
            description,
            measured=(
                "The runs were trained elsewhere: what the two runs of a pair share besides the "
                "number of their seed is not known here. The metric is their final "
                f"{FULL_NAMES.get(metric.name, metric.name)}{unit}; {metric.direction}."
            ),
            pair_shares=(
                "have one seed's number; whether they share anything by it is not known here"
            ),
        )

    def for_publication(self, typed: TypedOptions) -> Self:
        imported = replace(self.imported, source=Path(self.source).name)
        return replace(super().for_publication(typed), imported=imported)

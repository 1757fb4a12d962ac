"""The origin of a study: planned here, or imported."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from q1lab.ground.json_records import stored_as
from q1lab.ground.json_rules import max_chars, max_items
from q1lab.judgment.metric import Metric
from q1lab.judgment.subject import (
    DECLARED_ELSEWHERE,
    EXPLORATORY,
    NO_JOURNAL,
    Description,
    described_elsewhere,
)
from q1lab.study.series import Series

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
class Origin:
    """The origin of a study: planned here, or ``imported`` from a file, a folder or W&B."""

    typed: TypedOptions | None = field(default=None, metadata=stored_as("asked"))
    repo: dict[str, Any] | None = None
    """The git repository of the modified file, its commit, and whether it was dirty."""
    series: Series | None = None
    """The series that the study was declared in, and its place there."""
    imported: ImportedRuns | None = None
    """None: declared here, before its first run."""

    @property
    def is_ours(self) -> bool:
        """True if q1lab planned the study and trained its runs."""
        return self.imported is None

    @property
    def came(self) -> ImportedRuns:
        """The import; with nothing in it for a study planned here."""
        return self.imported or ImportedRuns()

    @property
    def knows_other_runs(self) -> bool:
        """True if the record says which other runs of the question there were: of imported runs
        only a whole study of q1lab does."""
        return self.is_ours or bool(self.came.study)

    @property
    def has_declaration(self) -> bool:
        """True if a journal shows that the study was declared before its runs."""
        return self.is_ours or bool(self.came.journal)

    @property
    def limit(self) -> str:
        """The limit of a verdict on imported runs, in a sentence; empty for those trained here."""
        if self.is_ours:
            return ""
        if not self.knows_other_runs:
            return EXPLORATORY
        return DECLARED_ELSEWHERE if self.has_declaration else NO_JOURNAL

    def describe(self, description: Description, metric: Metric) -> Description:
        """The trainer's description of the runs, as far as it holds for this origin."""
        return description if self.is_ours else described_elsewhere(description, metric)

    def for_publication(self, typed: TypedOptions) -> Origin:
        """The origin without facts about this machine: the repository, paths, the series."""
        came = self.imported and replace(self.imported, source=Path(self.imported.source).name)
        return Origin(typed=typed, imported=came)

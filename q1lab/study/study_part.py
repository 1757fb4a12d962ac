"""One part of a study's plan: its trainer, or its design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from q1lab.ground import json_records


class StudyPart:
    """A part whose fields are keys of ``study.json``."""

    kind: ClassVar[str]

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> Self:
        """The part as a plan holds it. ValueError that names the field for what doesn't fit."""
        return json_records.from_json(cls, record)

    def dump(self) -> dict[str, Any]:
        """The part's keys of ``study.json``."""
        return dict(json_records.to_json(self))

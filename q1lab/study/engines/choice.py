"""Which engine a study trains on: the record that its plan keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from q1lab.records import one_of


@dataclass(frozen=True)
class Choice:
    """An engine as it was chosen. ``text`` is what ``--engine`` takes, and what commands print."""

    text: str
    kind: Annotated[str, one_of("local", "ray", "slurm", "notebook")]
    address: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


LOCAL = Choice("local", "local")

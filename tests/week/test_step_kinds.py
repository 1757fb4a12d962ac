"""A step kind that one file and one row add is read, checked, shown, opened by Enter, done when it
is answered, and taken into documents."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from q1lab.week import step_kinds
from tests.kit import small_weeks, toy_kind


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("step_kinds", "syllabus", "markdown_reader"):
        rows = MappingProxyType({**step_kinds.STEP_KINDS, "haiku": toy_kind.HAIKU})
        monkeypatch.setattr(f"q1lab.week.{module}.STEP_KINDS", rows)
    root = tmp_path / "week"
    small_weeks.write_week(root)
    (root / "session-a.md").write_text(
        "# A\n\n## A {#a1 minutes=60}\n\n- [ ] On noise {#a1-noise kind=haiku into=notes}\n"
    )
    return root

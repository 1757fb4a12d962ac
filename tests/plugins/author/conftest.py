"""The weeks that these tests check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.small_weeks import write_baking


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The week of baking."""
    write_baking(tmp_path)
    return tmp_path

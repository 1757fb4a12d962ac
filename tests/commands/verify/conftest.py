"""A home with a study of each kind, made once, and a copy of it for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.commands.verify import bundle_check
from tests.kit import repos
from tests.kit.bundles import SHORT, TEXT
from tests.kit.commands import q1lab, without_torch

STUDIES = (
    ("rope", *SHORT),  # rope-1
    ("rope", "--fresh", *SHORT),  # rope-2: asked again
    ("gqa", "--seeds", "3..5", *SHORT),  # gqa-1: a planned range
)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        without_torch(patch)
        repos.prepare(folder, {"text.txt": TEXT}, patch)
        for words in STUDIES:
            q1lab("run", *words)
    return folder


@pytest.fixture(autouse=True)
def repository(
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Path:
    """A copy of the home and the repository. Model files are checked only where a test is about
    that: it takes seconds."""
    without_torch(monkeypatch)
    if "checks_models" not in request.fixturenames:
        monkeypatch.setattr(bundle_check, "_check_models", lambda *_: None)
    return repos.copied(prepared, tmp_path, monkeypatch)


@pytest.fixture
def checks_models() -> None:
    """Model files are checked as they are for a person."""

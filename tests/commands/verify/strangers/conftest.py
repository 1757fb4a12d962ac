"""A home with a study of each kind, made once, and a copy of it for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import repos
from tests.kit.bundles import ON_TEXT, SHORT, TEXT
from tests.kit.commands import q1lab, without_torch

STUDIES = (
    ("rope", *SHORT),  # rope-1
    ("rope", "--fresh", *SHORT),  # rope-2: asked again
    ("rope", "--seeds", "1,2,5", "--fresh", *SHORT),  # rope-3: its seeds were picked
    ("swiglu", "--over", "max_iters=10,20", *ON_TEXT),  # swiglu-1 and -2, which share 5%
    ("gqa", "--seeds", "3..5", *SHORT),  # gqa-1: a planned range
    # rope-4: picked by what could be seen on another text
    ("rope", "--seeds", "2,4,5", "--data", "other.txt", "--set", "max_iters=20"),
)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        without_torch(patch)
        repos.prepare(folder, {"text.txt": TEXT, "other.txt": b"Ay" + TEXT}, patch)
        for words in STUDIES:
            q1lab("run", *words)
    return folder


@pytest.fixture(autouse=True)
def repository(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the home and the repository."""
    without_torch(monkeypatch)
    return repos.copied(prepared, tmp_path, monkeypatch)

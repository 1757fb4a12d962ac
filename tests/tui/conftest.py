"""Pictures of screens, for the tests of the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.kit import pictures


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Awaitable[None]]:
    """``await picture(name, app, size, go)``: see `pictures.compare`."""

    async def compare(
        name: str, app: pictures.Q1Lab, size: tuple[int, int], go: pictures.Go
    ) -> None:
        accept = bool(request.config.getoption("--accept"))
        await pictures.compare(name, app, size, go, accept, tmp_path)

    return compare

"""An idle app: what it looks at several times a second is worked out once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from q1lab.ground import paths
from q1lab.journal.store import Store
from q1lab.week import content
from q1lab.week.syllabus import Week


@pytest.fixture
def week() -> Week:
    return content.load_week(paths.content_dir())


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened

"""An idle app: what it looks at several times a second is worked out once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab import paths
from q1lab.index.store import Store
from q1lab.journal import evidence
from q1lab.tui.snapshot import Taker
from q1lab.week import content, progress
from q1lab.week.model import Week
from q1lab.week.numbers import Numbers


@pytest.fixture
def week() -> Week:
    return content.load(paths.content_dir())


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the week that were filled in since."""
    seen: list[str] = []
    fill = Numbers.fill

    def counted(self: Numbers, text: str) -> str:
        seen.append(text)
        return fill(self, text)

    monkeypatch.setattr(Numbers, "fill", counted)
    return seen


def test_an_idle_look_renders_nothing(store: Store, week: Week, rendered: list[str]) -> None:
    progress.choose(store, week, "rope")
    taker = Taker(week.label, week)
    first = [taker.take(store) for _ in range(3)][-1]
    assert rendered
    rendered.clear()
    assert [taker.take(store) for _ in range(5)] == [first] * 5
    assert rendered == []
    progress.tick(store, week.label, "a1-trains", True)
    assert taker.take(store).progress.of("a1-trains").done
    assert rendered == []  # another tick is no other text
    progress.choose(store, week, "gqa")
    taker.take(store)
    assert rendered


def test_a_file_that_changes_or_goes_is_seen_at_the_next_look(
    store: Store, week: Week, tmp_path: Path
) -> None:
    progress.choose(store, week, "rope")
    file = tmp_path / "rope.py"
    file.write_text("# mine\n")
    evidence.note_check(store, week.label, file, "rope")
    taker = Taker(week.label, week)

    def record() -> Any:
        return taker.take(store).progress

    ticked = record().done - {"a1-choose"}
    assert ticked
    file.write_text("# mine, and changed\n")
    assert not ticked & record().done
    file.write_text("# mine\n")
    assert ticked <= record().done
    file.unlink()
    assert not ticked & record().done

"""With this plug-in's folder taken away everything else works, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.ground.errors import NOTICES
from q1lab.index.store import Store
from q1lab.plugins.sample import blind_tests
from q1lab.plugins.sample.blind_tests import BlindTest
from q1lab.plugins.sample.passages import PassagePair
from q1lab.study.studies import Study
from tests.kit import lab_home
from tests.kit.without import Without

OPEN_THE_LAB = """
import asyncio
from q1lab.tui.screens.lab import LabScreen
from tests.kit.lab_home import app, open_lab, words

async def main():
    async with app().run_test(size=(120, 40)) as pilot:
        await open_lab(pilot)
        await pilot.press("H")
        assert isinstance(pilot.app.screen, LabScreen)
        assert "passages" not in words(pilot.app)

asyncio.run(main())
"""


@pytest.fixture
def away(tmp_path: Path) -> Without:
    return Without("sample", tmp_path)


@pytest.fixture
def study() -> Study:
    """A study with a blind test that is begun, and one answer."""
    study = lab_home.make_study()
    lab_home.finish(study)
    lab_home.compared(study)
    with Store() as store:
        pairs = [PassagePair("a", "b", "c")] * 20
        test = blind_tests.begin_test(store, study, 0, pairs)
        blind_tests.answer_pair(store, study, test, 3, 2)
    return study


def kept(study: Study) -> tuple[list[BlindTest], int]:
    """The blind tests, and the lines that can't be read."""
    with Store() as store:
        return blind_tests.read_tests(store, study), store.unread


def test_the_commands_and_the_app_work(study: Study, away: Without) -> None:
    assert "sample" not in away.q1lab("--help-all").stdout
    assert study.id in away.q1lab("status").stdout
    assert "cannot tell" in away.q1lab("compare", study.id).stdout.lower()
    assert "no command called 'sample'" in away.q1lab("sample", study.id, code=2).stderr
    away.python(OPEN_THE_LAB)


@pytest.mark.parametrize("database", ["is kept", "is made anew"])
def test_its_lines_are_left_out_and_are_there_again(
    study: Study, away: Without, database: str
) -> None:
    (before, _), lines = kept(study), paths.journal_file().read_text()
    if database == "is made anew":
        paths.database_file().unlink()
    said = away.q1lab("note", study.id, "while it is away").stderr
    assert "line 1 and 1 more is from a newer q1lab or a plug-in that is away" in said
    assert "damaged" not in said
    assert "away" not in away.q1lab("status").stderr, "it is said once"
    assert paths.journal_file().read_text().startswith(lines)
    assert kept(study) == (before, 0)
    assert not NOTICES

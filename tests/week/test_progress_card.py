"""The progress card: every number from the store, safe as text and as XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from q1lab.commands.card import card as command
from q1lab.ground import paths
from q1lab.index import learner_tables
from q1lab.index.store import Store
from q1lab.week import content, progress, progress_card
from q1lab.week.lists import artifacts
from q1lab.week.syllabus import Week


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "q1lab.db") as opened:
        yield opened


@pytest.fixture
def week() -> Week:
    return content.load_week(paths.content_dir())


def test_an_empty_week_counts_nothing(store: Store, week: Week) -> None:
    card = progress_card.build_card(store, week)
    assert [line.done for line in card.sessions] == [0, 0, 0]
    assert sum(line.minutes for line in card.sessions) == week.minutes
    assert card.study == ""


def test_numbers_follow_the_store(store: Store, week: Week) -> None:
    steps = [
        step for step in week.for_variant(None).session("a").parts[0].steps if not step.optional
    ]
    progress.tick_step(store, week.label, steps[0].id, True)
    artifacts.add_artifact(store, "repo", "mine", location="https://example.org/mine")
    learner_tables.credit_seconds(store, week.label, {"a1": 65 * 60})
    card = progress_card.build_card(store, week)
    assert card.sessions[0].done == 1
    text = progress_card.card_text(card)
    assert "1 h 05 of" in text
    assert f"1/{card.sessions[0].total}" in text
    assert any(line.startswith("1 of 3") for line in card.kpis)


def test_text_fits_its_width_and_the_svg_is_xml_whatever_the_titles_are() -> None:
    hostile = '<script>&"[bold]' + "語" * 30
    wide = progress_card.ProgressCard(
        "M<1>",
        hostile,
        (progress_card.SessionRow("A", hostile, 3, 7, 600, 45),),
        "x" * 300,
        (hostile,),
    )
    root = ET.fromstring(progress_card.card_svg(wide))
    assert root.tag.endswith("svg")
    assert "<script>" not in progress_card.card_svg(wide)
    narrow = progress_card.ProgressCard(
        "M1",
        "t",
        (progress_card.SessionRow("A", "a title " * 9, 3, 7, 600, 45),),
        "word " * 60,
        ("k",),
    )
    assert all(cell_len(line) <= 72 for line in progress_card.card_text(narrow).splitlines())


def test_the_command_prints_and_writes(home: Path, tmp_path: Path) -> None:
    run = CliRunner()
    assert "M03-W04" in run.invoke(command, [], catch_exceptions=False).output
    file = tmp_path / "card.svg"
    assert run.invoke(command, ["--output", str(file)], catch_exceptions=False).exit_code == 0
    ET.parse(file)

"""Documents from frozen records, against files that a person has read. ``UPDATE_GOLDEN=1 pytest``
writes them anew."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.documents import (
    comparison_page,
    comparison_tables,
    managed_regions,
    modification,
    post,
    retro,
    retro_parts,
)
from q1lab.documents.modification import Answer
from q1lab.documents.reproduce import Reproduction
from q1lab.documents.retro_parts import PartRecord
from q1lab.documents.templates import Rendered, render_template
from q1lab.ground.errors import Problem
from q1lab.judgment import facts
from q1lab.judgment.prediction_score import small_predictions
from q1lab.week.lists import kpis
from tests.kit import document_records as records
from tests.kit import places


def retro_record(full: bool = True) -> retro.Retro:
    """A retrospective with nothing on record, or with everything."""
    base = retro.Retro("M03-W04", "Q1", "Q2", "M04-W01", calibration=retro.calibration_words([]))
    if not full:
        return base
    study_comparisons = [
        records.comparison("cannot tell"),
        records.comparison("helps", study="rope-2"),
    ]
    parts = (
        PartRecord("Pick the modification", 15, 12, 9),
        PartRecord("Read the paper", 90, 127, 20),
        PartRecord("Implement", 90, 80, 6, ("All checks pass", "Read | the diff", "Commit it")),
        PartRecord("Train", 130, 0, 5, ("Run six",) * 5),
    )
    scores = [record.score for record in study_comparisons if record.score is not None]
    scores += small_predictions("order of the four, 60%: wrong\nparameters, 90%: right")
    return dataclasses.replace(
        base,
        repositories=(
            retro.Repo(
                "transformer-from-scratch", "https://example.org/tf", 7, "a GPT in 300 lines"
            ),
            retro.Repo("classical-ml [old]", None, 1),
            retro.Repo("notes", None, 0),
        ),
        posts=(
            {
                "title": "Twelve weeks",
                "url": "https://example.org/q1",
                "published": "2026-03-08T20:00:00+00:00",
                "channels": ["Hacker News", "X", "LinkedIn"],
                "empty": "",
            },
            {"title": "Draft", "url": None, "published": None, "channels": [], "empty": ""},
        ),
        others=({"kind": "talk", "title": "Backprop by hand", "location": None},),
        kpis=(
            kpis.KpiRow("public_repos", "Public repos", 3, "the week", 4, "counted", 4),
            kpis.KpiRow("papers", 'Papers "read" | deeply', 8, "the week", 5, "set by hand", 2),
            kpis.KpiRow("talks", "Talks", None, "", None, "not known", None),
        ),
        papers=({"title": "RoFormer", "link": "https://arxiv.org/abs/2104.09864"},),
        insights=(
            Answer(
                "Insights",
                "1. Backprop came to feel inevitable.\n2. Seeds vary.\n3. Write shapes first.",
            ),
        ),
        slipped_words=(Answer("Why", "I read for too long."),),
        lead=(facts.answer(study_comparisons[1]),),
        pace=retro_parts.pace_sentence(parts),
        undone=retro_parts.undone_sentence(parts),
        overrun=retro_parts.overrun_sentence(parts),
        pace_answer=(Answer("Pace", records.EVIL),),
        plan=(Answer("Plan", "- an incident-triage system"),),
        confidence=(
            retro.TickBox("I can implement attention from a blank file in 30 min", True),
            retro.TickBox("I can read", False),
            retro.TickBox("I can add *two* numbers", True),
        ),
        assessment=(retro.TickBox("I can tell Q1's change in 30 seconds", False),),
        predictions=None,
        small=(Answer("Small", "order of the four, 60%: wrong\nparameters, 90%: right"),),
        calibration=retro.calibration_words(scores),
    )


GOLDEN = places.GOLDEN / "documents"


def _modification(outcome: str | None, evil: bool = False) -> Rendered:
    return modification.modification_document(records.modification(outcome, evil=evil))


def _page(outcome: str) -> Rendered:
    c = records.comparison(outcome)
    facts = comparison_tables.study_facts(c, in_repository=False)
    return comparison_page.comparison_document(c, facts, Reproduction("q1lab run rope"))


def _post(outcome: str | None) -> Rendered:
    return post.post_document(records.post_record(outcome))


OUTCOMES = ("helps", "hurts", "cannot tell", "too small to matter", "diverged", None)
CASES: dict[str, Callable[[], Rendered]] = {
    **{
        f"modification-{outcome}": functools.partial(_modification, outcome) for outcome in OUTCOMES
    },
    **{f"post-{outcome}": functools.partial(_post, outcome) for outcome in OUTCOMES},
    "post-no verdict": functools.partial(_post, "no verdict"),
    "modification-evil": functools.partial(_modification, "hurts", evil=True),
    "page-helps": functools.partial(_page, "helps"),
    "retro-empty": lambda: retro.retro_document(retro_record(full=False)),
    "retro-full": lambda: retro.retro_document(retro_record()),
}


@pytest.mark.parametrize(
    "name", ["modification-helps", "modification-evil", "page-helps", "retro-full", "post-helps"]
)
def test_golden(name: str) -> None:
    text = CASES[name]().text
    file = GOLDEN / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_every_document_is_its_own_fixed_point(name: str) -> None:
    """A fresh document refreshed with its own regions does not change, and its marks are whole."""
    document: Rendered = CASES[name]()
    data = document.text.encode()
    assert [region.name for region in managed_regions.find_regions(data)] == list(document.regions)
    assert managed_regions.refresh_regions(data, document.regions).data == data


def test_all_studies_are_shown_when_there_are_several() -> None:
    from q1lab.documents.comparison_tables import studies_table

    comparisons = [records.comparison("cannot tell"), records.comparison("helps", study="rope-2")]
    record = dataclasses.replace(
        records.modification("helps"), other_studies=studies_table(comparisons)
    )
    text = modification.modification_document(record).text
    assert "All studies" in text
    assert "`rope-1`" in text
    assert "`rope-2`" in text
    assert "The one above" in text


def test_another_week_brings_its_own_template_and_its_mistakes_have_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "modification.md.j2").write_text("# Mine: {{ variant }}\n{{ evil }}\n")
    with pytest.raises(Problem, match=r"modification\.md\.j2:2: .*evil"):
        modification.modification_document(records.modification(), tmp_path)
    (folder / "modification.md.j2").write_text(
        "# Mine: {{ variant }}\n\n{{ title }}\n{% call region('a') %}x{% endcall %}\n"
    )
    record = dataclasses.replace(records.modification(), title="*a* <b>")
    document = modification.modification_document(record, tmp_path)
    assert document.text.startswith("# Mine: rope\n\n\\*a\\* \\<b\\>\n<!-- q1lab:begin a ")
    (folder / "modification.md.j2").write_text("{% if %}")
    with pytest.raises(Problem, match=r"modification\.md\.j2:1: "):
        modification.modification_document(records.modification(), tmp_path)
    with pytest.raises(Problem, match="no template"):
        render_template("none.md.j2", {}, tmp_path)


def test_a_template_cannot_reach_into_the_program(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "x.md.j2").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(Problem, match="unsafe"):
        render_template("x.md.j2", {}, tmp_path)

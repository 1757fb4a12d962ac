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
)
from q1lab.documents.reproduce import Reproduction
from q1lab.documents.templates import Rendered, render_template
from q1lab.ground.errors import Problem
from tests.kit import document_records as records
from tests.kit import places

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
    "retro-empty": lambda: retro.retro_document(records.retro_record(full=False)),
    "retro-full": lambda: retro.retro_document(records.retro_record()),
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

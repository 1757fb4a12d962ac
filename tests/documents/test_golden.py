"""Documents from frozen records, against files that a person has read. ``UPDATE_GOLDEN=1 pytest``
writes them anew."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from q1lab.documents import modification, post, regions, retro
from q1lab.documents.templates import Rendered, render
from q1lab.errors import Problem
from q1lab.study import presets
from tests.kit import document_records as records
from tests.kit import places

GOLDEN = places.GOLDEN / "documents"

CASES = {
    "modification-begun": lambda: modification.document(records.modification()),
    "modification-cannot-tell": lambda: modification.document(records.modification("cannot tell")),
    "modification-helps": lambda: modification.document(records.modification("helps")),
    "modification-diverged": lambda: modification.document(records.modification("diverged")),
    "modification-evil": lambda: modification.document(records.modification("hurts", evil=True)),
    "retro-empty": lambda: retro.document(records.retro_record(full=False)),
    "retro-full": lambda: retro.document(records.retro_record()),
    "post-before": lambda: post.document(records.post_record(None)),
    "post-cannot-tell": lambda: post.document(records.post_record("cannot tell")),
    "post-too-small": lambda: post.document(records.post_record("too small to matter")),
    "post-helps": lambda: post.document(records.post_record("helps")),
    "post-hurts": lambda: post.document(records.post_record("hurts")),
    "post-no-verdict": lambda: post.document(records.post_record("no verdict")),
}


@pytest.mark.parametrize("name", CASES)
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
    made: Rendered = CASES[name]()
    data = made.text.encode()
    assert [region.name for region in regions.find(data)] == list(made.regions)
    assert regions.refresh(data, made.regions).data == data


def test_a_document_grows_by_refreshing_and_ends_like_a_fresh_one() -> None:
    begun = modification.document(records.modification()).text.encode()
    done = modification.document(records.modification("helps"))
    assert regions.refresh(begun, done.regions).data.decode() == done.text


def test_all_studies_are_shown_when_there_are_several() -> None:
    from q1lab.documents.facts import studies_table

    told = [records.comparison("cannot tell"), records.comparison("helps", study="rope-2")]
    record = dataclasses.replace(records.modification("helps"), other_studies=studies_table(told))
    text = modification.document(record).text
    assert "All studies of this modification" in text
    assert "`rope-1`" in text
    assert "`rope-2`" in text
    assert "The one above is" in text


def test_the_table_of_all_studies_says_how_they_differ() -> None:
    """One of four key heads beside one of two looked like the same question with another answer."""
    from q1lab.documents.facts import studies_table

    usual = records.comparison("helps")
    config = presets.resolve("quick", {"max_iters": "60", "n_kv_head": "4"}, ("n_kv_head",))
    other = dataclasses.replace(usual, study="gqa-3", preset="quick", config=config)
    assert "quick, 60 iters, n_kv_head=4 |" in studies_table([usual, other])


def test_the_post_says_what_the_verdict_is_warned_of() -> None:
    """A smaller model beside a larger one: named in MODIFICATION.md, and not to the public."""
    record = records.post_record("cannot tell")
    assert record.study is not None
    warned = dataclasses.replace(
        record.study, warnings=("The arms differ by −8.2% in parameters.",)
    )
    told = dataclasses.replace(record.modification, study=warned)
    text = post.document(dataclasses.replace(record, modification=told)).text
    assert "\n- The arms differ by −8.2% in parameters.\n" in text


def test_no_prediction_is_said() -> None:
    from q1lab.documents.facts import study_facts

    told = study_facts(records.comparison("helps", prediction=None))
    assert "No prediction was recorded before these runs" in told.outcome


def test_another_week_brings_its_own_template_and_its_mistakes_have_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "modification.md.j2").write_text("# Mine: {{ variant }}\n{{ evil }}\n")
    with pytest.raises(Problem, match=r"modification\.md\.j2:2: .*evil"):
        modification.document(records.modification(), tmp_path)
    (folder / "modification.md.j2").write_text(
        "# Mine: {{ variant }}\n\n{{ title }}\n{% call region('a') %}x{% endcall %}\n"
    )
    record = dataclasses.replace(records.modification(), title="*a* <b>")
    made = modification.document(record, tmp_path)
    assert made.text.startswith("# Mine: rope\n\n\\*a\\* \\<b\\>\n<!-- q1lab:begin a ")
    (folder / "modification.md.j2").write_text("{% if %}")
    with pytest.raises(Problem, match=r"modification\.md\.j2:1: "):
        modification.document(records.modification(), tmp_path)
    with pytest.raises(Problem, match="no template"):
        render("none.md.j2", {}, tmp_path)


def test_a_template_cannot_reach_into_the_program(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "x.md.j2").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(Problem, match="unsafe"):
        render("x.md.j2", {}, tmp_path)

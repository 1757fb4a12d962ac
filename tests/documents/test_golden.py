"""Documents from frozen records, against files that a person has read. ``UPDATE_GOLDEN=1 pytest``
writes them anew."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from q1lab.documents import managed_regions, modification, post, retro
from q1lab.documents.templates import Rendered, render_template
from q1lab.ground.errors import Problem
from q1lab.study import presets
from tests.kit import document_records as records
from tests.kit import places
from tests.kit.plans import changed

GOLDEN = places.GOLDEN / "documents"

CASES = {
    "modification-begun": lambda: modification.modification_document(records.modification()),
    "modification-cannot-tell": lambda: modification.modification_document(
        records.modification("cannot tell")
    ),
    "modification-helps": lambda: modification.modification_document(records.modification("helps")),
    "modification-diverged": lambda: modification.modification_document(
        records.modification("diverged")
    ),
    "modification-evil": lambda: modification.modification_document(
        records.modification("hurts", evil=True)
    ),
    "retro-empty": lambda: retro.retro_document(records.retro_record(full=False)),
    "retro-full": lambda: retro.retro_document(records.retro_record()),
    "post-before": lambda: post.post_document(records.post_record(None)),
    "post-cannot-tell": lambda: post.post_document(records.post_record("cannot tell")),
    "post-too-small": lambda: post.post_document(records.post_record("too small to matter")),
    "post-helps": lambda: post.post_document(records.post_record("helps")),
    "post-hurts": lambda: post.post_document(records.post_record("hurts")),
    "post-no-verdict": lambda: post.post_document(records.post_record("no verdict")),
}


SAYS = {
    "modification-begun": (
        "*I have not written down a prediction.*",
        "*There is no file with the change yet.*",
        "*My runs have not finished yet.*",
        "q1lab run rope --seeds 3",
    ),
    "modification-cannot-tell": (
        "## The result: cannot tell",
        "goes from −0.033 to +0.015 nats, so the true val loss of RoPE may be lower, equal or higher.",
        "I had set 0.01 nats as the smallest difference that matters (δ); these runs can't rule out one of that size.",
        "so it stays open whether I was right.",
    ),
    "modification-diverged": (
        "| seed 1 | 1.4750 | diverged | – |",
        "There is no mean difference, and so no interval.",
        "A mean without the worst runs would flatter the arm, so there is no mean and no verdict.",
    ),
    "retro-empty": (
        "I have nothing to show yet.",
        "I have not yet written down what I learned.",
        "I did not time the week.",
        "No prediction has been scored by a comparison yet.",
    ),
    "post-before": (
        "What I expect, written before them: the val loss falls, by 0.03 nats. I am 70% sure.",
        "*(Written before the result, in case the runs can't tell the two apart.",
    ),
    "post-cannot-tell": (
        "The interval leaves room for differences from −0.033 to +0.015 nats, on both sides of zero.",
        "To find a difference of 0.01 nats in four studies out of five takes about 26 pairs at a 97.5% "
        "level, on average over what their true spread may be (6 to 350).",
    ),
    "post-too-small": (
        "lies within ±0.01 nats, declared before the runs as the smallest difference that matters.",
        "so I was wrong.",
    ),
    "post-hurts": ("The change made the val loss worse", "so I was wrong."),
    "post-no-verdict": (
        "2 pairs say too little about the spread",
        "2 seeds each",
    ),
}


@pytest.mark.parametrize("name", SAYS)
def test_what_differs_in_another_case_is_said(name: str) -> None:
    text = " ".join(CASES[name]().text.split())
    assert [words for words in SAYS[name] if words not in text] == []


@pytest.mark.parametrize(
    "name", ["modification-helps", "modification-evil", "retro-full", "post-helps"]
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


def test_a_document_grows_by_refreshing_and_ends_like_a_fresh_one() -> None:
    begun = modification.modification_document(records.modification()).text.encode()
    done = modification.modification_document(records.modification("helps"))
    assert managed_regions.refresh_regions(begun, done.regions).data.decode() == done.text


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


def test_the_table_of_all_studies_says_how_they_differ() -> None:
    """One of four key heads beside one of two looked like the same question with another answer."""
    from q1lab.documents.comparison_tables import studies_table

    usual = records.comparison("helps")
    config = presets.resolve_config("quick", {"max_iters": "60", "n_kv_head": "4"}, ("n_kv_head",))
    plan = changed(usual.study, id="gqa-3", preset="quick", config=config)
    other = dataclasses.replace(usual, study=plan)
    assert "quick, 60 iters, n_kv_head=4 |" in studies_table([usual, other])
    arms = usual.study.arms
    equal = dataclasses.replace(arms["modified"], same_code=True)
    copied = dataclasses.replace(usual.study, arms={**arms, "modified": equal})
    copy = dataclasses.replace(usual, study=copied)
    assert "| baseline against its copy RoPE |" in studies_table([copy])


def test_the_post_says_what_the_verdict_is_warned_of() -> None:
    """A smaller model beside a larger one: named in MODIFICATION.md, and not to the public."""
    record = records.post_record("cannot tell")
    assert record.study is not None
    warned = dataclasses.replace(record.study, caveats=("GQA has 8.2% fewer parameters.",))
    warned_modification = dataclasses.replace(record.modification, study=warned)
    text = post.post_document(dataclasses.replace(record, modification=warned_modification)).text
    assert "\nGQA has 8.2% fewer parameters.\n" in text


def test_no_prediction_is_said() -> None:
    from q1lab.documents.comparison_tables import study_facts

    facts = study_facts(records.comparison("helps", prediction=None))
    assert "I wrote down no prediction" in facts.prediction


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


@pytest.mark.parametrize(
    ("size", "outcome"), [(0.03, "| right |"), (0.12, "| direction right, size not |")]
)
def test_a_size_four_times_off_is_no_hit(size: float, outcome: str) -> None:
    from q1lab.documents.comparison_tables import predictions_table, study_facts

    predicted = records.comparison("helps", {**records.PREDICTION, "size": size})
    assert outcome in (predictions_table([predicted]) or "")
    text = study_facts(predicted).prediction
    assert ("the size was not: the difference is 0.2 times" in text) == (size == 0.12)

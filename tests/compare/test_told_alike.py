"""Everything that tells a judgment says the same, and a kept judgment is read as it was written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.compare import progress_figure
from q1lab.compare.claim import Claim
from q1lab.compare.comparison import Comparison, comparison_json, from_record, to_record
from q1lab.documents import comparison_page, comparison_tables, modification, post
from q1lab.documents.reproduce import Reproduction
from q1lab.journal.stored_results import RECORD_VERSION
from q1lab.judgment import difference_text, layout
from q1lab.judgment.judgment import Asked, Found
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.picture import draw_comparison
from tests.kit import document_records as records
from tests.kit.comparisons import make, told

loss = st.floats(0.5, 5.0)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """Studies of 0 to 6 seeds: effects from 1e-9 to 1 nats, seeds missing or diverged in an arm."""
    seeds = draw(st.lists(st.integers(0, 30), max_size=6, unique=True))
    scale = draw(st.sampled_from([1e-9, 1e-6, 1e-4, 1e-2, 1.0]))
    shift, noise = draw(st.floats(-3, 3)) * scale, st.floats(-1, 1)
    base: dict[int, float | None] = {seed: draw(loss) for seed in seeds}
    modified = {seed: (x or 0) + shift + scale * draw(noise) for seed, x in base.items()}
    arms: list[dict[int, float | None]] = [base, {**modified}]
    for arm in arms:
        for seed in seeds:
            outcome = draw(st.sampled_from(["run"] * 30 + ["missing", "diverged"]))
            if outcome == "missing":
                arm.pop(seed)
            elif outcome == "diverged":
                arm[seed] = None
    return make(
        *arms,
        draw(st.sampled_from(["paired", "paired", "welch"])),
        alpha=draw(st.sampled_from([0.05, 0.025, 0.0106])),
        delta=draw(st.none() | st.floats(1e-6, 1.0)),
        complete=draw(st.sampled_from([True, True, True, False])),
        prediction=draw(st.sampled_from([None, records.PREDICTION])),
        asked=draw(st.sampled_from([Asked(), Asked(("helps",), 0.075, 1, 3, 0.15)])),
        found=draw(
            st.sampled_from(
                [
                    Found(unchecked=True, damaged_lines=2, still_falling=(1.05, 0.2)),
                    Found({"dtype": {"bf16": ("a", "b"), "fp32": ("c",)}}, rises=(1200, 0.05)),
                ]
            )
        ),
    )


def flat(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").replace("⚠ ", "").split())


def tellers(c: Comparison) -> dict[str, str]:
    """Everything that tells a comparison, as text with single spaces."""
    facts = comparison_tables.study_facts(c)
    document = replace(records.modification(None), study=facts)
    draft = records.post_record(None)
    draft = replace(draft, modification=replace(draft.modification, study=facts))
    texts = {
        "terminal": "\n".join(plain_lines(layout.full_lines(c, 110))),
        "first lines": "\n".join(plain_lines(layout.first_lines(c, 110))),
        "app": "\n".join(plain_lines(progress_figure.figure_lines(c, 110))),
        "picture": " ".join(re.findall(">([^<]+)</text>", draw_comparison(c, {}, "svg").decode())),
        "document": modification.modification_document(document).text,
        "post": post.post_document(draft).text,
        "page": comparison_page.comparison_document(c, facts, Reproduction()).text,
        "table": comparison_tables.studies_table([c]),
        "json": json.dumps(comparison_json(c), ensure_ascii=False),
    }
    return {name: flat(text) for name, text in texts.items()}


@settings(max_examples=30, deadline=None)
@given(comparisons())
def test_every_teller_says_the_same(c: Comparison) -> None:
    texts = tellers(c)
    assert texts["terminal"].startswith(c.word)
    assert texts["first lines"].startswith(c.word)
    assert texts["picture"].count(f"{c.word}:") == 1
    assert texts["page"].startswith(f"# {c.word}: ")
    assert f"| {c.word.lower()} |" in texts["table"]
    for where, parts in {
        "first lines": {"answer"},
        "document": {"answer", "caveat", "prediction", "limits"},
        "post": {"answer", "caveat", "prediction", "level", "power", "scope"},
        "page": {"answer", "caveat", "prediction", "limits", "scope"},
        "terminal": {"answer", "caveat", "prediction", "limits", "level", "power", "scope"},
        "json": {"answer", "caveat", "prediction", "limits", "level", "power", "scope"},
    }.items():
        for fact in layout.facts_of(c):
            if fact.part in parts:
                assert flat(fact.text) in texts[where], f"{where} does not say {fact.key}"
    if c.analysis.mean is not None:
        mean = difference_text.mean_text(c.analysis)
        for where in ("terminal", "first lines", "picture", "document", "page", "table"):
            assert mean in texts[where], f"{where} shows another mean"
    if (ends := c.analysis.ends) is not None and c.analysis.mean is not None:
        low, high = difference_text.number_writer(c.analysis).ends(ends)
        for where in ("document", "page", "post", "table"):
            assert f"{low} to {high}" in texts[where], f"{where} shows another interval"
        for where in ("terminal", "app"):
            assert f"[{low}, {high}]" in texts[where], f"{where} draws another interval"
        for where in ("terminal", "document", "page", "post", "table"):
            assert difference_text.level_text(c.analysis) in texts[where], f"{where}: no level"
        for end, shown in ((ends.low, low), (ends.high, high)):
            value = float(shown.replace("−", "-"))
            assert (value > 0, value < 0) == (end > 0, end < 0), "an end loses its sign"


@settings(max_examples=30, deadline=None)
@given(comparisons())
def test_a_record_survives(c: Comparison) -> None:
    record = json.loads(json.dumps(to_record(c), allow_nan=False))
    kept = from_record(record)
    assert kept == c, "a kept comparison is read as another one"
    assert told(kept) == told(c)
    assert from_record({**record, "v": RECORD_VERSION - 1}) is None, "of an older q1lab"
    newer = {**record, "study": {**record["study"], "v": 99}}
    assert from_record(newer) is None, "of a newer plan"


CLAIM = Claim("helps", 3, 0.05, -0.1, (-0.15, -0.05))


@pytest.mark.parametrize(
    "other",
    [
        {"verdict": "hurts"},
        {"n": 4},
        {"reason": "one seed"},
        {"alpha": 0.1},
        {"mean": -0.2},
        {"mean": None},
        {"ends": (-0.15, -0.06)},
        {"ends": (-0.16, -0.05)},
    ],
)
def test_a_claim_agrees_with_its_own_numbers_alone(other: dict[str, Any]) -> None:
    assert CLAIM.agrees(replace(CLAIM, mean=-0.1 * (1 + 1e-12))), "another SciPy's last digit"
    assert not CLAIM.agrees(replace(CLAIM, **other)), "`q1lab verify` lets a forged number pass"
    assert not replace(CLAIM, **other).agrees(CLAIM)

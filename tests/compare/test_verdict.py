"""The verdict as text: golden files in which every sentence stands at least once, and what must
hold of any names, numbers and widths.

After a wanted change of wording: ``UPDATE_GOLDEN=1 pytest tests/compare/test_verdict.py``, and read
the diff.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from q1lab.commands import error_boundary
from q1lab.compare.comparison import Comparison, arm_names
from q1lab.documents import comparison_tables
from q1lab.judgment import arrange, interim_analyses, intervals, layout
from q1lab.judgment.facts import facts_of, next_step
from q1lab.judgment.intervals import Interval, Reason
from q1lab.judgment.judgment import Asked, Commands, Found, Judgment, Plan
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.names import told_apart
from q1lab.study.command_arms import CommandSpec
from q1lab.study.seed_range import SeedRange
from q1lab.study.studies import ARMS, Arm, Data
from q1lab.study.trainer import SEED_OFFSET
from tests.kit import lab_home, places
from tests.kit.commands import q1lab
from tests.kit.comparisons import COSTS, SHA256, make


def renamed(c: Comparison, variant: str) -> Comparison:
    """The comparison of a modified arm of another name."""
    arm = replace(c.study.arms["modified"], variant=variant)
    study = replace(c.study, arms={**c.study.arms, "modified": arm})
    return replace(c, study=study, names=told_apart(*arm_names(study)))


GOLDEN = places.GOLDEN / "verdict"
BASE = {0: 1.9090, 1: 1.9055, 2: 1.9102}
HELPS = {0: 1.8804, 1: 1.8760, 2: 1.8791}
NEAR = {0: 1.9089, 1: 1.9060, 2: 1.9101}
PREDICTION = {"direction": "lower", "size": 0.03, "matters": 0.01, "confidence": 0.7}
ACCURACY = {0: 0.9110, 1: 0.9092, 2: 0.9101, 3: 0.9088}
BY_COMMAND = {
    "data": Data("my-project", "", "", 0, 0, 0, 0),
    "costs": dict.fromkeys(ARMS, (0, 0, 0.0, 41.0)),
    "loop": CommandSpec("python train.py --seed {seed} {args}", {}, "/p", "val/acc", "higher"),
}
LEVEL = interim_analyses.level_per_look(3, 8)
RANGE = {
    "alpha": LEVEL,
    "looks": (tuple(range(8)),),
    "range": SeedRange(3, 8, LEVEL, interim_analyses.t_limits(3, 8, LEVEL)),
}
SAME_FILE = {
    arm: Arm("baseline", "", f"source/{arm}/model.py", "a" * 64, "baseline", 0, 0) for arm in ARMS
}
SAME = {"variant": "baseline", "arms": SAME_FILE, "seed_shift": {"modified": SEED_OFFSET}}
LONG = "attention_with_" + "rotary_" * 9 + "positions_v2"


def shifted(base: Mapping[int, float], by: Sequence[float]) -> dict[int, float | None]:
    return {seed: base[seed] + difference for seed, difference in zip(base, by, strict=True)}


TOLD: dict[str, Comparison] = {
    "helps": make(BASE, HELPS, delta=0.01, prediction=PREDICTION),
    "hurts": make(HELPS, BASE, "welch", prediction=PREDICTION, variant="~/week/my_idea.py"),
    "too-small": make(BASE, NEAR, delta=0.01, prediction={"direction": "same", "matters": 0.01}),
    "cannot-tell": make(
        {0: 1.470, 1: 1.475, 2: 1.468},
        {0: 1.452, 1: 1.466, 2: 1.457},
        "welch",
        floor=Interval(-0.009, 0.009),
    ),
    "one-seed": make({0: 1.470}, {0: 1.452}),
    "diverged": make(BASE, {**HELPS, 1: None}),
    "running": make({**BASE, 3: 1.9081}, HELPS, complete=False),
    "same-code": make(BASE, BASE, variant="baseline"),
    "thirty-pairs": make(
        {seed: 1.9 + 0.003 * math.sin(seed) for seed in range(30)},
        {seed: 1.897 + 0.004 * math.cos(3 * seed) for seed in range(30)},
        asked=Asked((), 0.05, 1, 20, 1.0),
    ),
    "skewed": make(
        dict.fromkeys(range(8), 1.9),
        shifted(
            dict.fromkeys(range(8), 1.9),
            (-0.005, -0.006, -0.004, -0.007, -0.005, -0.012, -0.003, -0.024),
        ),
    ),
    "intervals-disagree": make(
        {0: 1.40, 1: 1.47, 2: 1.54}, {0: 1.39, 1: 1.462, 2: 1.529}, "welch", delta=0.01
    ),
    "later-look": make(
        BASE, HELPS, alpha=0.0125, asked=Asked(("cannot tell", "helps"), 0.0875, 2, 4, 0.2375)
    ),
    "large-numbers": make(
        {0: 21_900.0, 1: 22_000.0, 2: 22_200.0},
        {0: 22_105.0, 1: 22_204.0, 2: 22_396.0},
        "welch",
        **BY_COMMAND,
    ),
    "self-comparison": make(BASE, NEAR, **SAME),
}
WHOLE = ("helps", "cannot-tell", "diverged", "large-numbers", "thirty-pairs", "self-comparison")
"""Those of ``TOLD`` that have a golden file each, with figure and tables."""
HELP, OPEN = TOLD["helps"], TOLD["cannot-tell"]
RARE: dict[str, Judgment] = {
    "not confirmed": replace(OPEN, asked=Asked(("helps",), 0.075, 1, 1, 0.075)),
    "strays": replace(HELP, found=Found(strays=(("modified", 7, 1, 1), ("baseline", 6, 0, 1)))),
    "overfit": replace(
        HELP,
        found=Found(rises=(1200, 0.05)),
        commands=Commands(shorter="q1lab run rope --max-iters 1200"),
    ),
    "a run that is an outlier": make(
        dict(enumerate((1.90, 1.91, 1.90, 1.91, 1.90, 2.60))),
        dict(enumerate((1.80, 1.81, 1.80, 1.81, 1.80, 1.81))),
        "welch",
    ),
    "changed plan": replace(
        HELP,
        analysis=replace(HELP.analysis, verdict="no verdict", reason=Reason.CHANGED),
        found=Found(changed_plan=("seeds", "data")),
    ),
    "predicted too late": replace(HELP, prediction={**PREDICTION, "after": "rope-0"}),
    "another size": replace(HELP, prediction={**PREDICTION, "size": 0.1}),
    "an open prediction": replace(OPEN, prediction=PREDICTION),
    "a guess without a size": replace(OPEN, prediction={"direction": "same"}),
    "two and one": make({0: 1.0, 1: 1.1}, {0: 1.2}, "welch"),
    "unpaired": make({**BASE, 3: 1.9, 4: 1.9}, HELPS),
    "unpaired groups": make({**BASE, 3: 1.9}, HELPS, "welch"),
    "no spread": make({0: 1.5, 1: 1.6, 2: 1.7}, {0: 1.4, 1: 1.5, 2: 1.6}),
    "no spread in two groups": make(
        dict.fromkeys(range(3), 1.0), dict.fromkeys(range(3), 1.1), "welch"
    ),
    "from elsewhere": replace(HELP, is_ours=False, id="", plan=Plan((3, 3), siblings=3)),
    "elsewhere, unfinished": replace(TOLD["running"], is_ours=False, id="", commands=Commands()),
    "without seeds": replace(
        make({0: 1.0, 1: 1.1}, {0: 1.0, 1: 1.1}, "welch"),
        plan=Plan((2, 2), has_seeds=False),
    ),
    "a false claim": make(BASE, HELPS, **SAME),
    "the same code, equal": replace(TOLD["same-code"], same_code=True),
    "equal, without seeds": replace(
        TOLD["same-code"], analysis=replace(TOLD["same-code"].analysis, pairs={})
    ),
    "more pairs": make({0: 1.40, 1: 1.41, 2: 1.40}, {0: 1.39, 1: 1.412, 2: 1.399}, delta=0.008),
    "within delta": make(BASE, HELPS, delta=0.05),
    "partly within delta": make(BASE, HELPS, delta=0.03),
    "two diverged": make({**BASE, 1: None}, {**HELPS, 0: None, 2: None}),
    "a range": make(BASE, HELPS, **RANGE, asked=Asked((), 0.05, 1, 2, 0.1)),
    "in training": replace(TOLD["running"], commands=Commands(watch="q1lab attach rope-1")),
    "higher is better": make(
        ACCURACY, shifted(ACCURACY, (0.010, 0.012, 0.011, 0.009)), **BY_COMMAND
    ),
}
"""What the golden files do not say of these and of the others of ``TOLD`` stands in one file."""
ODD: dict[str, Comparison] = {
    "tiny-differences": make(BASE, shifted(BASE, (-3.0e-9, -2.0e-9, -2.5e-9))),
    "huge-losses": make({0: 1e50, 1: 1.1e50, 2: 1.2e50}, {0: 2e50, 1: 2.3e50, 2: 2.1e50}, "welch"),
    "long-names": make(BASE, HELPS, variant=f"~/{LONG}.py", baseline=f"~/{LONG}_base.py"),
    "japanese-names": make(
        BASE,
        HELPS,
        variant="回転位置埋め込みを加えた注意機構",
        baseline="標準の変圧器",
        data=Data("日本語の文章", SHA256, "", 0, 0, 0, 0),
    ),
    "markup-names": make(BASE, HELPS, variant="[bold red]<b>x[link=y]", baseline="*a* `b` $c$"),
}
ALL: dict[str, Judgment] = {**TOLD, **RARE, **ODD}


def first(j: Judgment, width: int = 80) -> list[str]:
    return plain_lines(layout.first_lines(j, width))


def full(j: Judgment, width: int = 80) -> list[str]:
    return plain_lines(layout.full_lines(j, width))


def flat(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).replace("⚠ ", "").split())


def compare_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name}: a reader sees other words"


@pytest.mark.parametrize("name", WHOLE)
def test_golden(name: str) -> None:
    lines = [*first(TOLD[name]), "", "── in full", "", *full(TOLD[name]), ""]
    compare_golden(name, "\n".join(lines))


def test_every_other_sentence_stands_in_the_golden_file_of_rare_ones() -> None:
    told = {text for name in WHOLE for text in sentences(TOLD[name])}
    lines: list[str] = []
    for name, j in {**TOLD, **RARE}.items():
        if name in WHOLE:
            continue
        lines += [f"## {name}: {first(j)[0]}"]
        lines += [text for text in sentences(j) if text not in told]
        told |= {*sentences(j)}
    compare_golden("rare", "\n".join([*lines, ""]))


def sentences(j: Judgment) -> list[str]:
    return [*(fact.text for fact in facts_of(j)), *filter(None, [next_step(j)])]


@pytest.mark.parametrize("name", ALL)
def test_the_first_lines_are_the_head_of_the_full_form_which_has_every_fact(name: str) -> None:
    j = ALL[name]
    lines, whole = first(j), flat(full(j))
    assert len(lines) <= 6, f"{name}: more than six rows"
    head = flat(lines).partition("Everything else: ")[0].removesuffix(f"{next_step(j)} ")
    title = flat(plain_lines(layout.headline(j)))
    assert whole.startswith(title), f"{name}: --full begins with another headline"
    told = head.removeprefix(title).strip()
    assert told in whole, f"{name}: --full leaves out or reorders a sentence"
    page, record = layout.html(j), layout.to_json(j)
    assert [fact["text"] for fact in record["facts"]] == [fact.text for fact in facts_of(j)]
    assert page.count("<p>") >= len(record["facts"]), f"{name}: a fact is not on the page"
    if name not in ODD:  # there a long word is cut
        for text in sentences(j):
            assert " ".join(text.split()) in whole, f"{name}: --full does not say: {text}"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(ALL)),
    st.sampled_from(["rope", "attention_with_rotary", "回転位置埋め込み", "a b\tc"]),
    st.lists(st.sampled_from(["cannot tell", "helps", "too small to matter"]), max_size=6),
    st.integers(40, 120),
)
@example("too-small", "attention_with_rotary", [], 40)
def test_six_rows_that_fit_however_long_names_and_records_are(
    name: str, variant: str, looks: list[str], width: int
) -> None:
    j = ALL[name]
    asked = Asked(tuple(looks), 0.0969, 3, 1200, 17.5)
    j = replace(j, names=(j.names[0], variant), asked=asked)
    assert len(first(j)) <= 6
    assert max(map(cell_len, first(j, width))) <= width
    assert max(map(cell_len, full(j, width))) <= width
    assert [line.plain for line in layout.rich_lines(layout.full_lines(j))] == full(j)
    assert not re.search(
        r"[0-9]…", "\n".join([*first(j, width), *full(j, width)]) if width >= 60 else ""
    ), "a number is cut"


@pytest.mark.parametrize("name", [name for name in ALL if name != "japanese-names"])
def test_a_terminal_that_has_only_ascii_gets_every_sign_spelled(name: str) -> None:
    signs = {sign for sign in "".join([*full(ALL[name]), *first(ALL[name])]) if not sign.isascii()}
    assert signs <= set(error_boundary.TRANSLITERATIONS)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ["helps", "hurts", "cannot-tell", "diverged"])
def test_zero_stands_in_one_column(name: str, width: int) -> None:
    """The 0 of the axis, and the 0 line through every row below it: under a bar it shows as a
    crossing."""
    text = full(TOLD[name], width)
    top = next(i for i, line in enumerate(text) if line.startswith("difference in nats"))
    column = next(
        i for i, c in enumerate(text[top]) if c == "0" and text[top][i - 1 : i + 2].strip() == "0"
    )
    rows = text[top + 1 : text.index("", top)]
    assert rows
    for row in rows:
        assert row[column] in "│┼├┤", (row, column)


def test_enough_pairs_for_delta_are_not_told_to_be_too_few() -> None:
    """A study that had as many pairs as δ needs was told to train one more."""
    modified = {seed: 1.4755 + (0.0197 if seed % 2 else -0.0197) for seed in range(30)}
    comparison = make(dict.fromkeys(range(30), 1.47), modified, delta=0.0122)
    needed = comparison.analysis.seeds_needed
    assert needed is not None
    assert (comparison.analysis.verdict, needed.mid <= 30) == ("cannot tell", True)
    assert "--seeds" not in flat(first(comparison))


@pytest.mark.parametrize(
    ("params", "warns"), [(100_000, False), (100_999, False), (101_000, True), (98_900, False)]
)
def test_size_is_named_from_one_percent_up_where_it_may_be_the_reason(
    params: int, warns: bool
) -> None:
    size = {
        arm: (count, *COSTS[arm][1:]) for arm, count in zip(ARMS, (100_000, params), strict=True)
    }
    for better in (make(BASE, HELPS, costs=size), make(HELPS, BASE, costs=size)):
        may_explain = warns == (better.analysis.verdict == "helps") and params != 100_999
        may_explain = may_explain and abs(params / 100_000 - 1) >= 0.01
        assert ("which may explain it" in flat(full(better))) == may_explain


def test_text_from_outside_is_only_text() -> None:
    found = Found(unfinished=("[link=evil]note\x1b]0;t\x07",), differ={"a\x1bb": {"\x07": ("x",)}})
    record = replace(renamed(make(BASE, HELPS, complete=False), "[bold red]x"), found=found)
    record = replace(record, setting=replace(record.setting, data="a\x1b[2Jb\x07"))
    plain = "\n".join(line.plain for line in layout.rich_lines(layout.full_lines(record, 100)))
    assert "[bold red]x" in plain
    assert "[link=evil]note" in plain
    assert not {"\x1b", "\x07"} & {*plain}
    assert "<b>" not in layout.html(ODD["markup-names"])


def test_arms_keep_their_colors_and_are_named_apart() -> None:
    lines = layout.rich_lines(layout.full_lines(TOLD["helps"], 80))
    for start in ("HELPS", "val loss  "):
        head = next(line for line in lines if line.plain.startswith(start))
        colors = {head.plain[span.start : span.end].strip(): span.style for span in head.spans}
        assert colors["baseline"] == layout.ARM_COLORS["baseline"]
        assert colors["rope"] == layout.ARM_COLORS["modified"]
    assert full(TOLD["same-code"])[0].startswith("ALL EQUAL   baseline B − baseline A")


def test_wide_characters_keep_the_columns() -> None:
    text = full(renamed(HELP, "変圧器"))
    rows = text[next(i for i, line in enumerate(text) if line.startswith("val loss  ")) :][:4]
    assert len(set(map(cell_len, rows))) == 1


loss = st.none() | st.floats(-50, 50)


@settings(max_examples=80, deadline=None)
@example({0: 0.0, 1: 0.0}, {0: 0.0, 1: 2.5e-270}, "paired", 1.0, set())
@given(
    st.dictionaries(st.integers(0, 12), loss, max_size=6),
    st.dictionaries(st.integers(0, 12), loss, max_size=6),
    st.sampled_from(["paired", "welch"]),
    st.none() | st.floats(1e-4, 10),
    st.sets(st.sampled_from(["bootstrap", "seeds_needed", "detectable", *arrange.COSTS])),
)
def test_any_losses_make_a_text_and_what_is_not_known_is_left_out(
    base: dict[int, float | None],
    mod: dict[int, float | None],
    headline: intervals.Headline,
    delta: float | None,
    unknown: set[str],
) -> None:
    c = make(base, mod, headline, delta=delta)
    arms = {
        arm: replace(each, costs={key: v for key, v in each.costs.items() if key not in unknown})
        for arm, each in c.arms.items()
    }
    numbers: dict[str, Any] = dict.fromkeys(unknown - {*arrange.COSTS})
    text = full(replace(c, arms=arms, analysis=replace(c.analysis, **numbers)))
    assert max(map(cell_len, text)) <= 80
    assert not any(word in " ".join(text) for word in ("None", "nan", "inf "))


def timed(*speeds: tuple[float, ...]) -> Comparison:
    """HELPS, with the speeds of each arm's runs."""
    ends = intervals.ratio_interval(*speeds)
    return replace(HELP, timed={} if ends is None else dict.fromkeys(arrange.MEASURED, ends))


def test_speed_is_told_as_a_change_only_where_its_interval_excludes_0() -> None:
    distinct = timed((21_900.0, 22_000.0, 22_200.0), (20_700.0, 20_800.0, 20_900.0))
    assert arrange.cost_change(distinct, "tokens_per_s") == "−5.4%"
    assert "Not clear" not in flat(full(distinct))
    noisy = timed((15_000.0, 19_000.0, 22_200.0), (14_000.0, 18_000.0, 20_900.0))
    assert arrange.cost_change(noisy, "tokens_per_s") == "not clear"
    assert "Not clear: the 95% interval of the change contains 0" in flat(full(noisy))
    two = timed((21_900.0, 22_000.0), (20_700.0, 20_800.0))
    assert arrange.cost_change(two, "tokens_per_s") == "not clear", "2 of 3 such ranges lie apart"
    assert arrange.cost_change(two, "n_params") == "−1.0%"


@pytest.mark.parametrize("n", [3, 4, 8])
def test_equal_code_is_rarely_told_to_be_faster(n: int) -> None:
    speeds = np.exp(np.random.default_rng(n).normal(10, 0.05, (400, 2, n)))
    found = [intervals.ratio_interval(*week) for week in speeds]
    assert sum(ends is not None and ends.excludes_zero() for ends in found) <= 0.08 * 400


def test_a_table_of_studies_says_that_all_pairs_are_equal() -> None:
    """It said "no verdict" beside a difference of 0, and gave no reason."""
    assert "| all equal |" in comparison_tables.studies_table([TOLD["same-code"]])


def test_a_study_that_trains_is_to_be_watched_and_not_started() -> None:
    """`compare` in another terminal said to go on by `q1lab run`, of a study under way."""
    study = lab_home.make_study()
    locks = lab_home.training(study)
    said = [q1lab("compare", *more).stdout for more in ((), ("--json",))]
    assert all("To watch it: `q1lab attach rope-1`" in text for text in said)
    assert not any("To go on" in text for text in said)
    for lock in locks:
        os.close(lock)
    assert "To go on: `q1lab run rope-1`" in q1lab("compare").stdout

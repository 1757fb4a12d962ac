"""The verdict as text: one golden file for each outcome, and what must hold at any width and for
any record.

After a wanted change of wording: ``UPDATE_GOLDEN=1 pytest tests/compare/test_verdict.py``, and read
the diff.
"""

from __future__ import annotations

import math
import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from q1lab.commands import error_boundary
from q1lab.compare.comparison import SIZE_MATTERS_FROM, Comparison
from q1lab.documents import comparison_tables, modification
from q1lab.judgment import (
    cost_columns,
    interim_analyses,
    intervals,
    run_notes,
    table_text,
    verdict_text,
)
from q1lab.judgment.level_sentences import record_sentence
from q1lab.judgment.records import Floor, LevelSum, QuestionCost, SeenLook
from q1lab.judgment.terminal_text import (
    ARM_COLORS,
    comparison_lines,
    rich_comparison_lines,
    rich_short_lines,
    short_lines,
)
from q1lab.judgment.verdict_text import settling_sentence
from q1lab.study.command_arms import CommandSpec
from q1lab.study.seed_range import SeedRange
from q1lab.study.series import Series
from q1lab.study.studies import ARMS, Arm, Data
from q1lab.study.trainer import SEED_OFFSET
from tests.kit import document_records as records
from tests.kit import lab_home, places
from tests.kit.commands import q1lab
from tests.kit.comparisons import COSTS, SHA256, make, renamed

GOLDEN = places.GOLDEN / "verdict"
BASE = {0: 1.9090, 1: 1.9055, 2: 1.9102}
HELPS = {0: 1.8804, 1: 1.8760, 2: 1.8791}
NEAR = {0: 1.9089, 1: 1.9060, 2: 1.9101}
PREDICTION = {"direction": "lower", "size": 0.03, "matters": 0.01, "confidence": 0.7}


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


ACCURACY = {0: 0.9110, 1: 0.9092, 2: 0.9101, 3: 0.9088}
BY_COMMAND = {
    "data": Data("my-project", "", "", 0, 0, 0, 0),
    "costs": dict.fromkeys(("baseline", "modified"), (0, 0, 0.0, 41.0)),
    "loop": CommandSpec("python train.py --seed {seed} {args}", {}, "/p", "val/acc", "higher"),
}
LEVEL = interim_analyses.level_per_look(3, 8)
RANGE = SeedRange(3, 8, LEVEL, interim_analyses.t_limits(3, 8, LEVEL))
SWEEP_OF_FOUR = Series("sweep-1", ("rope", "rmsnorm", "swiglu", "gqa"), 0, 0.0125)
LONG = "attention_with_" + "rotary_" * 9 + "positions_v2"


SAME_FILE = {
    arm: Arm("baseline", "", f"source/{arm}/model.py", "a" * 64, "baseline", 0, 0) for arm in ARMS
}


def shifted(base: Mapping[int, float], by: Sequence[float]) -> dict[int, float | None]:
    return {seed: base[seed] + difference for seed, difference in zip(base, by, strict=True)}


CASES: dict[str, Comparison] = {
    "helps": make(BASE, HELPS, delta=0.01, prediction=PREDICTION),
    "hurts": make(HELPS, BASE, "welch", prediction=PREDICTION, variant="~/week/my_idea.py"),
    "too-small": make(BASE, NEAR, delta=0.01, prediction={"direction": "same", "matters": 0.01}),
    "cannot-tell": make(
        {0: 1.470, 1: 1.475, 2: 1.468},
        {0: 1.452, 1: 1.466, 2: 1.457},
        "welch",
        floor=Floor(-0.009, 0.009),
    ),
    "one-seed": make({0: 1.470}, {0: 1.452}),
    "diverged": make(BASE, {**HELPS, 1: None}),
    "running": make(
        {**BASE, 3: 1.9081},
        HELPS,
        complete=False,
        notes=(run_notes.UnfinishedRuns(("modified-seed3",), 8),),
    ),
    "same-code": make(BASE, BASE, variant="baseline"),
    "no-interval": make({0: 1.5, 1: 1.6, 2: 1.7}, {0: 1.4, 1: 1.5, 2: 1.6}),
    "thirty-pairs": make(
        {seed: 1.9 + 0.003 * math.sin(seed) for seed in range(30)},
        {seed: 1.897 + 0.004 * math.cos(3 * seed) for seed in range(30)},
        asking=QuestionCost(of_arm=LevelSum(1, 0.05), of_home=LevelSum(20, 1.0)),
    ),
    "tiny-differences": make(BASE, shifted(BASE, (-3.0e-9, -2.0e-9, -2.5e-9))),
    "huge-losses": make({0: 1e50, 1: 1.1e50, 2: 1.2e50}, {0: 2e50, 1: 2.3e50, 2: 2.1e50}, "welch"),
    "outlier": make(BASE | {3: 1.9081}, shifted(BASE | {3: 1.9081}, (-0.03, -0.031, 7.0, -0.029))),
    "skewed": make(
        dict.fromkeys(range(8), 1.9),
        shifted(
            dict.fromkeys(range(8), 1.9),
            (-0.005, -0.006, -0.004, -0.007, -0.005, -0.012, -0.003, -0.024),
        ),
        asking=QuestionCost(of_arm=LevelSum(1, 0.05), of_home=LevelSum(1, 0.05)),
    ),
    "near-the-edge": make(BASE, shifted(BASE, (-0.008, -0.016, -0.010))),
    "accuracy-helps": make(ACCURACY, shifted(ACCURACY, (0.010, 0.012, 0.011, 0.009)), **BY_COMMAND),
    "accuracy-too-small": make(
        ACCURACY, shifted(ACCURACY, (0.001, -0.001, 0.0005, 0.0)), delta=0.005, **BY_COMMAND
    ),
    "long-names": make(BASE, HELPS, variant=f"~/{LONG}.py", baseline=f"~/{LONG}_base.py"),
    "japanese-names": make(
        BASE,
        HELPS,
        variant="回転位置埋め込みを加えた注意機構",
        baseline="標準の変圧器",
        data=Data("日本語の文章", SHA256, "", 0, 0, 0, 0),
    ),
    "markup-names": make(BASE, HELPS, variant="[bold red]<b>x[link=y]", baseline="*a* `b` $c$"),
    "wrong-way-prediction": make(HELPS, BASE, prediction=PREDICTION, delta=0.01),
    "intervals-disagree": make(
        {0: 1.40, 1: 1.47, 2: 1.54}, {0: 1.39, 1: 1.462, 2: 1.529}, "welch", delta=0.01
    ),
    "later-look": make(
        BASE,
        HELPS,
        alpha=0.0125,
        asking=QuestionCost(
            (
                SeenLook("rope-7", 3, 0.05, "cannot tell"),
                SeenLook("rope-7", 5, 0.025, "helps"),
                SeenLook("rope-1", 3, 0.0125, "helps"),
            ),
            0.0875,
            of_arm=LevelSum(2, 0.1375),
            of_home=LevelSum(4, 0.2375),
        ),
        notes=(run_notes.LookedAgain(),),
    ),
    "planned-range": make(
        BASE,
        HELPS,
        alpha=LEVEL,
        looks=(tuple(range(8)),),
        range=RANGE,
        asking=QuestionCost(of_arm=LevelSum(1, 0.05), of_home=LevelSum(2, 0.1)),
    ),
    "large-numbers": make(
        {0: 21_900.0, 1: 22_000.0, 2: 22_200.0},
        {0: 22_105.0, 1: 22_204.0, 2: 22_396.0},
        "welch",
        **BY_COMMAND,
    ),
    "planned-range-open": make(
        {0: 1.470, 1: 1.475, 2: 1.468},
        {0: 1.452, 1: 1.466, 2: 1.457},
        alpha=LEVEL,
        complete=False,
        looks=(tuple(range(8)),),
        range=RANGE,
    ),
    "series-share": make(
        BASE, HELPS, alpha=0.0125, series=SWEEP_OF_FOUR, notes=(run_notes.OfSeries(),)
    ),
    "self-comparison": make(
        BASE, NEAR, variant="baseline", arms=SAME_FILE, seed_shift={"modified": SEED_OFFSET}
    ),
}


TOLD = (
    *("helps", "hurts", "too-small", "cannot-tell", "one-seed", "diverged", "running"),
    *("same-code", "self-comparison", "thirty-pairs", "skewed", "later-look"),
    *("intervals-disagree", "large-numbers", "planned-range", "series-share"),
)
"""The cases that have a golden file."""
AT_ANY_WIDTH = (
    *("helps", "hurts", "too-small", "diverged", "running", "long-names", "japanese-names"),
    *("later-look", "planned-range-open", "huge-losses"),
)


@pytest.mark.parametrize("name", TOLD)
def test_golden(name: str) -> None:
    path = GOLDEN / f"{name}.txt"
    short = [line.plain for line in rich_short_lines(CASES[name], 80)]
    text = "\n".join([*short, "", "── in full", "", *comparison_lines(CASES[name], 80), ""])
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    sentences, *table = "\n".join(short).split("\n\n")
    assert len(sentences.splitlines()) <= 6
    of_own_loop = CASES[name].study.model_files and CASES[name].analysis.reason is None
    assert [[row.split()[0] for row in rows.splitlines()[1:]] for rows in table] == (
        [["mean", "sd"]] if of_own_loop else []
    )


@pytest.mark.parametrize("looks", [1, 2, 3, 4])
@pytest.mark.parametrize("variant", ["rope", "relu_squared", "attention_rotary", LONG])
@pytest.mark.parametrize("base", [BASE, NEAR])
def test_the_short_form_has_six_lines_however_long_names_and_records_are(
    base: Mapping[int, float], variant: str, looks: int
) -> None:
    seen = [
        SeenLook("rope-1", 3 + at, 0.05 / 2**at, verdict)
        for at, verdict in enumerate(("cannot tell", "helps", "too small to matter", "helps"))
    ]
    comparison = make(
        base,
        HELPS if base is BASE else BASE,
        alpha=seen[looks - 1].level,
        variant=variant,
        baseline="baseline_of_mine_with_a_name",
        asking=QuestionCost(
            tuple(seen[:looks]),
            0.0875,
            of_arm=LevelSum(12, 0.1375),
            of_home=LevelSum(14, 0.2375),
        ),
        notes=(
            run_notes.Conditions(
                {key: {"1": ("a",), "2": ("b",)} for key in ("torch", "threads", "python", "gpu")}
            ),
        ),
    )
    lines = short_lines(comparison, 80)
    assert len(lines) <= 6
    assert lines[-1] == "Everything else: `q1lab compare rope-1 --full`"


def test_arms_of_names_longer_than_a_line_are_told_apart_in_a_sentence() -> None:
    sentence = verdict_text.verdict_sentence(CASES["long-names"])
    assert (
        "attention_with_… B ends with a lower val loss than the baseline attention_with_… A, by"
        in (sentence)
    )


def test_of_a_study_that_trains_no_seed_is_said_to_lack_its_pair() -> None:
    assert [note.kind for note in CASES["running"].notes] == ["unfinished"]
    ended = make({**BASE, 3: 1.9081}, HELPS)
    assert ended.notes[0].long(ended) == "Seed 3 ran in one arm only and can't be paired."


def test_a_false_claim_of_a_model_against_itself_has_the_rate_of_either_claim() -> None:
    """ "A false HELPS, which 5% give" was twice what they give: the other half say HURTS."""
    alike = make(BASE, HELPS, variant="baseline", arms=SAME_FILE, seed_shift={"modified": 9})
    said = "That is a false HELPS: at most 5 in 100 such studies claim a difference."
    assert said in short_lines(alike)
    assert said in verdict_text.verdict_sentence(alike)


@pytest.mark.parametrize("name", ["cannot-tell", "large-numbers"])
def test_the_coverage_of_the_bootstrap_is_told_once(name: str) -> None:
    text = " ".join("\n".join(comparison_lines(CASES[name])).split())
    assert text.count("covers 81 to 98%") == text.count("81") == 1


def test_one_of_a_thing_has_the_verb_of_one() -> None:
    one, more = run_notes.DamagedLines(1), run_notes.DamagedLines(2)
    assert one.long(CASES["helps"]).startswith("1 damaged line in the event files could not")
    assert one.long(CASES["helps"]).endswith("was left out.")
    assert more.long(CASES["helps"]).endswith("were left out.")
    left = run_notes.UnfinishedRuns(("modified-seed2",), 6)
    assert left.long(CASES["helps"]) == "1 of 6 runs has not finished: modified-seed2."


@pytest.mark.parametrize("name", AT_ANY_WIDTH)
def test_every_width_fits_and_both_forms_agree(name: str) -> None:
    for width in range(60, 121, 3):
        plain = comparison_lines(CASES[name], width)
        assert max(map(cell_len, plain)) <= width
        assert [text.plain for text in rich_comparison_lines(CASES[name], width)] == plain
        short = short_lines(CASES[name], width)
        assert max(map(cell_len, short)) <= width
        assert not re.search(r"[0-9]…", "\n".join([*plain, *short])), "a number is never cut"
        rich = [text.plain for text in rich_short_lines(CASES[name], width)]
        assert rich[: len(short)] == short
        assert max(map(cell_len, rich)) <= width


@pytest.mark.parametrize("name", CASES)
def test_a_document_gives_its_author_no_advice(name: str) -> None:
    facts = comparison_tables.study_facts(CASES[name])
    document = replace(records.modification(None), study=facts)
    text = " ".join(modification.modification_document(document).text.split())
    advice = r"report it|[Cc]heck that|Look at its|Put the file back|to you\b|you add|To train them"
    assert re.search(advice, text) is None


@pytest.mark.parametrize("name", [name for name in AT_ANY_WIDTH if name != "japanese-names"])
def test_a_terminal_that_has_only_ascii_gets_every_sign_spelled(name: str) -> None:
    signs = {
        sign
        for lines in (comparison_lines, short_lines)
        for line in lines(CASES[name], 80)
        for sign in line
        if not sign.isascii()
    }
    assert signs <= set(error_boundary.TRANSLITERATIONS)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ["helps", "hurts", "cannot-tell", "diverged"])
def test_zero_stands_in_one_column(name: str, width: int) -> None:
    """The 0 of the axis, and the 0 line through every row below it: under a bar it shows as a
    crossing."""
    text = comparison_lines(CASES[name], width)
    top = next(i for i, line in enumerate(text) if line.startswith("difference in nats"))
    column = next(
        i for i, c in enumerate(text[top]) if c == "0" and text[top][i - 1 : i + 2].strip() == "0"
    )
    rows = text[top + 1 : text.index("", top)]
    assert rows
    for row in rows:
        assert row[column] in "│┼├┤", (row, column)


@pytest.mark.parametrize("name", ["helps", "hurts", "one-seed", "diverged"])
def test_every_seed_and_the_scope_are_there(name: str) -> None:
    record = CASES[name]
    text = "\n".join(comparison_lines(record, 80))
    for arm in ("baseline", "modified"):
        for value in record.arms[arm].values.values():
            assert ("diverged" if value is None else f"{value:.4f}") in text
    flat = " ".join(text.split())
    for part in (
        "shakespeare",
        "86c4e6aa",
        "baseline 804k and ",
        " 796k parameters",
        "2,000 iters",
        "learning rate 0.001",
        "cpu",
        "bf16",
    ):
        assert part in flat
    if not record.study.prediction:
        assert "No prediction was" in flat


def test_no_interval_without_its_name_and_coverage() -> None:
    flat = " ".join(" ".join(comparison_lines(CASES["cannot-tell"], 80)).split())
    assert "95% interval (Welch t)" in flat
    assert "covers 95% and decides" in flat
    assert "covers 81 to 98%" in flat


def test_cannot_tell_says_what_would_settle_it() -> None:
    flat = " ".join(" ".join(comparison_lines(CASES["cannot-tell"], 80)).split())
    assert "smallest difference" in flat
    comparison = make(
        {0: 1.470, 1: 1.475, 2: 1.468}, {0: 1.452, 1: 1.466, 2: 1.457}, "welch", delta=0.01
    )
    needed = comparison.analysis.seeds_needed
    assert needed is not None
    settled = " ".join(" ".join(comparison_lines(comparison, 80)).split())
    rough = f"on average over what their true spread may be ({needed.low} to {needed.high})"
    assert f"takes about {needed.mid} seeds per arm at a 97.5% level, {rough}" in settled
    assert "no effect" in flat


def test_enough_pairs_for_delta_are_not_told_to_be_too_few() -> None:
    """A study that had as many pairs as δ needs was told to train one more."""
    modified = {seed: 1.4755 + (0.0197 if seed % 2 else -0.0197) for seed in range(30)}
    comparison = make(dict.fromkeys(range(30), 1.47), modified, delta=0.0122)
    needed = comparison.analysis.seeds_needed
    assert comparison.analysis.verdict == "cannot tell"
    assert needed is not None
    assert needed.mid <= 30
    assert settling_sentence(comparison) == ""
    assert "--seeds" not in " ".join(short_lines(comparison, 80))


def test_in_a_document_its_author_says_how_many_questions_they_asked() -> None:
    planned, several = CASES["planned-range"], CASES["later-look"]
    chance = "If no change makes a difference, the chance that I claim one at least once is at most"
    assert record_sentence(planned, published=True) == (
        f"I have asked 2 questions like this one, 1 of them about this change. {chance} 10%."
    )
    assert f"2 of them about this change. {chance} 23.8%." in record_sentence(
        several, published=True
    )
    assert record_sentence(CASES["helps"], published=True) == ""


@pytest.mark.parametrize(
    ("name", "prediction", "outcome"),
    [
        ("helps", PREDICTION, "HELPS, as predicted. The measured −0.0297 nats is 0.0003 away"),
        (
            "helps",
            {"direction": "higher", "size": 0.03},
            "HELPS, not as predicted. The measured −0.0297 nats is 0.0597 away",
        ),
        ("too-small", {"direction": "same"}, "TOO SMALL TO MATTER, as predicted"),
        ("too-small", {"direction": "lower"}, "TOO SMALL TO MATTER, not as predicted"),
        ("cannot-tell", PREDICTION, "CANNOT TELL, so the prediction is neither right nor wrong"),
        ("diverged", PREDICTION, "NO VERDICT, so the prediction is neither right nor wrong"),
    ],
)
def test_prediction_against_outcome(name: str, prediction: dict[str, Any], outcome: str) -> None:
    c = CASES[name]
    predicted = replace(c, study=replace(c.study, prediction=prediction))
    flat = " ".join(" ".join(comparison_lines(predicted, 80)).split())
    assert outcome in flat


@pytest.mark.parametrize(
    ("params", "warns"), [(100_000, False), (100_999, False), (101_000, True), (98_900, True)]
)
def test_fairness_warning_from_one_percent_up(params: int, warns: bool) -> None:
    size = {
        arm: (count, *COSTS[arm][1:])
        for arm, count in (("baseline", 100_000), ("modified", params))
    }
    assert (abs(params / 100_000 - 1) >= SIZE_MATTERS_FROM) == warns
    notes = (run_notes.DifferentSize(),) if warns else ()
    comparison = make(BASE, HELPS, costs=size, notes=notes)
    size = f"⚠ rope has {abs(params / 1000 - 100):.1f}% {'more' if params > 100_000 else 'fewer'} "
    assert any(size in line for line in comparison_lines(comparison, 80)) == warns


def test_text_from_outside_is_only_text() -> None:
    note = run_notes.UnfinishedRuns(("[link=evil]note\x1b]0;t\x07",), 6)
    record = renamed(make(BASE, HELPS, notes=(note,)), "[bold red]x")
    data = replace(record.study.data, name="a\x1b[2Jb\x07")
    record = replace(record, study=replace(record.study, data=data))
    text = rich_comparison_lines(record, 100)
    plain = "\n".join(line.plain for line in text)
    assert "[bold red]x" in plain
    assert "[link=evil]note" in plain
    assert "\x1b" not in plain
    assert "\x07" not in plain


def test_arms_keep_their_colors_and_are_named_apart() -> None:
    text = rich_comparison_lines(CASES["helps"], 80)
    head = next(line for line in text if line.plain.startswith("val loss"))
    colors = {head.plain[span.start : span.end].strip(): span.style for span in head.spans}
    assert colors["baseline"] == ARM_COLORS["baseline"]
    assert colors["rope"] == ARM_COLORS["modified"]
    assert comparison_lines(CASES["same-code"], 80)[0].startswith(
        "ALL EQUAL   baseline B − baseline A"
    )


def test_wide_characters_keep_the_columns() -> None:
    text = comparison_lines(renamed(CASES["helps"], "変圧器"), 80)
    assert max(map(cell_len, text)) <= 80
    rows = text[next(i for i, line in enumerate(text) if line.startswith("val loss")) :][:4]
    assert len(set(map(cell_len, rows))) == 1


ABSENT = ("bootstrap", "seeds_needed", "detectable")
COST_KEYS = tuple(column.key for column in cost_columns.COST_COLUMNS)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(CASES)),
    st.sets(st.sampled_from(["study", "floor", *ABSENT])),
    st.sets(st.sampled_from([*COST_KEYS, "mean", "std"])),
    st.integers(60, 120),
)
def test_what_is_not_known_is_left_out_and_breaks_nothing(
    name: str, keys: set[str], costs: set[str], width: int
) -> None:
    arms = {
        arm: replace(
            arm_values,
            costs=dict(arm_values.costs) | dict.fromkeys(costs & {*COST_KEYS}),
            **dict.fromkeys(costs & {"mean", "std"}),
        )
        for arm, arm_values in CASES[name].arms.items()
    }
    c = CASES[name]
    data = replace(c.study.data, name="", sha256="")
    lessened = replace(
        c,
        study=replace(c.study, data=data, prediction=None) if "study" in keys else c.study,
        analysis=replace(c.analysis, **dict.fromkeys(keys & {*ABSENT})),
        arms=arms,
        floor=None if "floor" in keys else c.floor,
    )
    text = comparison_lines(lessened, width)
    assert text[0]
    assert max(map(cell_len, text)) <= width
    assert not any(word in " ".join(text) for word in ("None", "nan", "inf "))


loss = st.none() | st.floats(-50, 50)


@settings(max_examples=80, deadline=None)
@example({0: 0.0, 1: 0.0}, {0: 0.0, 1: 2.5e-270}, "paired", 1.0, 60)
@given(
    st.dictionaries(st.integers(0, 12), loss, max_size=6),
    st.dictionaries(st.integers(0, 12), loss, max_size=6),
    st.sampled_from(["paired", "welch"]),
    st.none() | st.floats(1e-4, 10),
    st.integers(60, 120),
)
def test_any_losses_make_a_text_that_fits(
    base: dict[int, float | None],
    mod: dict[int, float | None],
    headline: intervals.Headline,
    delta: float | None,
    width: int,
) -> None:
    text = comparison_lines(make(base, mod, headline, delta=delta), width)
    assert max(map(cell_len, text)) <= width


def timed(**speeds: tuple[float, ...]) -> Comparison:
    """HELPS, with the speeds of each arm's runs."""
    c = CASES["helps"]
    arms = {
        arm: replace(
            c.arms[arm],
            values=dict.fromkeys(range(len(runs)), 1.9),
            costs={**c.arms[arm].costs, "tokens_per_s": statistics.median(runs)},
            tokens_per_s_ends=(min(runs), max(runs)),
        )
        for arm, runs in speeds.items()
    }
    ends = intervals.ratio_interval(speeds["baseline"], speeds["modified"])
    intervals_by_cost = {} if ends is None else dict.fromkeys(cost_columns.measured_costs(), ends)
    return replace(c, arms=arms, timed=intervals_by_cost)


def test_speed_is_told_as_a_change_only_where_its_interval_excludes_0() -> None:
    distinct = timed(
        baseline=(21_900.0, 22_000.0, 22_200.0), modified=(20_700.0, 20_800.0, 20_900.0)
    )
    noisy_ends = intervals.Interval(-0.1, 0.1)
    assert table_text.cost_change(distinct, "tokens_per_s") == "−5.5%"
    assert "The change of tokens/s is −6.9% to −4.2% (95% interval)" in table_text.timing_note(
        distinct
    )
    assert distinct.timed is not None
    slower = replace(distinct, timed={**distinct.timed, "wall_s": noisy_ends})
    assert re.search(r"wall clock per run .*not clear", table_text.timing_note(slower))
    noisy = timed(baseline=(15_000.0, 19_000.0, 22_200.0), modified=(14_000.0, 18_000.0, 20_900.0))
    assert table_text.cost_change(noisy, "tokens_per_s") == "not clear"
    output = " ".join("\n".join(comparison_lines(noisy, 80)).split())
    assert "vary by up to 49%" in output
    assert "Not clear: the 95% interval" in output
    assert table_text.timing_note(CASES["helps"]) == ""  # how far its runs vary is not on record
    two = timed(baseline=(21_900.0, 22_000.0), modified=(20_700.0, 20_800.0))
    assert table_text.cost_change(two, "tokens_per_s") == "not clear", (
        "2 of 3 such ranges lie apart"
    )
    assert table_text.cost_change(two, "n_params") != "not clear"
    assert "fewer than three" in table_text.timing_note(two)


@pytest.mark.parametrize("n", [3, 4, 8])
def test_equal_code_is_rarely_told_to_be_faster(n: int) -> None:
    speeds = np.exp(np.random.default_rng(n).normal(10, 0.05, (400, 2, n)))
    intervals_of_speed = [intervals.ratio_interval(*week) for week in speeds]
    assert (
        sum(ends is not None and ends.excludes_zero() for ends in intervals_of_speed) <= 0.08 * 400
    )


def test_the_baseline_against_itself_is_thin_and_says_why_pairs_see_less() -> None:
    shown = comparison_lines(replace(CASES["helps"], floor=Floor(-0.01, 0.01)), 80)
    row = next(line for line in shown if line.startswith("baseline against itself"))
    assert "╌" in row
    assert "░" not in row
    assert "share their seed" in " ".join("\n".join(shown).split())


def test_a_table_of_studies_says_that_all_pairs_are_equal() -> None:
    """It said "no verdict" beside a difference of 0, and gave no reason."""
    assert "| all equal |" in comparison_tables.studies_table([CASES["same-code"]])

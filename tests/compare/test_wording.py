"""One comparison, told everywhere alike: in the terminal, the app, the documents, the
post and the files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from q1lab.app.widgets.study_text import verdict_words
from q1lab.app.widgets.theme_colors import Palette
from q1lab.compare import comparison_cache, progress_figure, result_rows
from q1lab.compare.comparison import Comparison, from_record, to_record
from q1lab.compare.result_rows import ResultRow
from q1lab.documents import comparison_page, comparison_tables, modification, post
from q1lab.documents.reproduce import Reproduction
from q1lab.documents.result_files import STUDY_COLUMNS
from q1lab.ground import paths
from q1lab.ground.text_formats import signed
from q1lab.journal import ingest_events
from q1lab.journal.store import Store
from q1lab.journal.stored_results import RECORD_VERSION
from q1lab.judgment import (
    comparison_record,
    difference_text,
    figure,
    label_text,
    notes,
    report_blocks,
    run_notes,
    scope_text,
    short_text,
)
from q1lab.judgment.intervals import Reason
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.notes import Note
from q1lab.judgment.picture import draw_comparison
from q1lab.judgment.records import Floor, QuestionCost, SeenLook
from q1lab.judgment.terminal_text import block_lines, comparison_lines, short_lines
from q1lab.study.series import Series
from tests.kit import document_records as records
from tests.kit import lab_home
from tests.kit.comparisons import make
from tests.kit.plans import changed

COLORS = Palette(*["#101010"] * 9)
BASE = {0: 1.9090, 1: 1.9055, 2: 1.9102}
HELPS = {0: 1.8804, 1: 1.8760, 2: 1.8791}


def flat(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def line_of(c: Comparison) -> ResultRow:
    """The comparison as the results table reads it."""
    return ResultRow(
        id=c.study.id,
        variant=c.study.variant,
        baseline=c.study.baseline,
        preset=c.study.trainer.preset,
        data=c.study.data.name,
        data_sha256=c.study.data.sha256,
        dtype=c.study.trainer.dtype,
        created=c.study.created,
        done=6,
        total=6,
        verdict=c.analysis.verdict,
        n=c.analysis.n,
        mean=c.analysis.mean,
        ends=c.analysis.ends,
        alpha=c.analysis.alpha,
        delta=c.analysis.delta,
    )


def tellers(c: Comparison) -> dict[str, str]:
    """Everything that tells a comparison, as text with single spaces."""
    facts = comparison_tables.study_facts(c)
    document = replace(records.modification(None), study=facts)
    draft = records.post_record(None)
    draft = replace(draft, modification=replace(draft.modification, study=facts))
    plot = "\n".join(plain_lines(block_lines(progress_figure.figure_blocks(c), 40)))
    row = progress_figure.row_blocks(line_of(c))
    return {
        "terminal": flat("\n".join(comparison_lines(c, 110))),
        "short": flat("\n".join(short_lines(c, 110))),
        "app": flat(
            "\n".join([verdict_words(c, COLORS).plain, plot, *short_text.short_sentences(c)])
        ),
        "list": flat("\n".join(plain_lines(block_lines(row, 110))))
        if c.analysis.mean is not None
        else "",
        "document": flat(modification.modification_document(document).text),
        "post": flat(post.post_document(draft).text),
        "page": flat(comparison_page.comparison_document(c, facts, Reproduction()).text),
        "table": flat(comparison_tables.studies_table([c])),
        "json": flat(json.dumps(comparison_record.comparison_json(c), ensure_ascii=False)),
    }


# ── what was told wrongly


def test_after_a_second_look_every_teller_names_the_level_in_use() -> None:
    comparison = make({**BASE, 3: 1.9081}, {**HELPS, 3: 1.8799}, alpha=0.025)
    assert comparison.analysis.verdict == "helps"
    for name, text in tellers(comparison).items():
        levels = re.findall(r"([0-9.]+%) (?:interval|CI\b)", text.replace("95% bootstrap CI", ""))
        assert set(levels) <= {"97.5%"}, (name, levels)
    assert "97.5%" in tellers(comparison)["table"]


@pytest.mark.parametrize("effect", [-0.00002, 0.00002, -3e-9])
def test_an_interval_that_excludes_0_never_ends_at_0(effect: float) -> None:
    base = {seed: 1.9 + 0.01 * seed for seed in range(4)}
    mod = {seed: value + effect * (1 + 0.05 * seed) for seed, value in base.items()}
    comparison = make(base, mod)
    assert comparison.analysis.verdict == ("helps" if effect < 0 else "hurts")
    for name, text in tellers(comparison).items():
        for shown in re.findall(r"(?:to|between|\[|and|,) ?([+−]?0\.0+)(?![0-9e.])", text):
            pytest.fail(f"{name} shows an end as {shown}: {text}")


def test_without_a_spread_the_reason_is_the_true_one() -> None:
    comparison = make({0: 1.5, 1: 1.6, 2: 1.7}, {0: 1.4, 1: 1.5, 2: 1.6})
    assert comparison.analysis.reason is Reason.NO_SPREAD
    for name in ("terminal", "document", "json"):
        assert "Without a spread" in tellers(comparison)[name], name
    for name in ("terminal", "short", "document", "app", "json"):
        text = tellers(comparison)[name]
        assert "too few" not in text.replace('"too few', ""), name
        assert "at least 3" not in text, name


def test_notes_are_told_by_their_kind_and_each_kind_has_words() -> None:
    series = Series("sweep-1", ("rope", "gqa"), 0, 0.025)
    looks = (SeenLook("rope-1", 3, 0.05, "cannot tell"), SeenLook("rope-2", 3, 0.025, "helps"))
    comparison = make(BASE, HELPS, delta=0.5, series=series, asking=QuestionCost(looks, 0.075))
    told: list[Note] = [
        notes.Unpaired((3,)),
        notes.EqualPairs(2, 3),
        notes.Outlier("", 2, 7.0, "helps"),
        notes.OtherInterval("helps"),
        notes.BelowDelta(),
        run_notes.Conditions({"torch": {"2.9": ("baseline-seed0",), "2.10": ("modified-seed0",)}}),
        run_notes.ChangedPlan(("seeds",)),
        run_notes.ChangedTrainer(),
        run_notes.ShortBudget(0.3, 0.1),
        run_notes.DivergedOrStuck((("modified", 8, 1, 0), ("baseline", 9, 0, 2))),
        run_notes.UnfinishedRuns(("modified-seed2",), 6),
        run_notes.DamagedLines(1),
        run_notes.RisingLoss(1250, 0.23, "q1lab run rope --max-iters 1250"),
        run_notes.CommandCautions(0.5, (-0.2, 0.9)),
        run_notes.Unchecked(),
        run_notes.DifferentSize(),
        run_notes.OfSeries(),
        run_notes.LookedAgain(),
        notes.OtherRuns(),
    ]
    assert {note.kind for note in told} == set(Note.kinds)
    assert [notes.from_dict(json.loads(json.dumps(note.to_dict()))) for note in told] == told
    weights = [note.weight for note in told if note.weight]
    assert len(set(weights)) == len(weights), "which of two is heavier would be left to chance"
    sentences = [note.sentence(comparison) for note in told]
    assert len(set(sentences)) == len(told)
    for sentence in sentences:
        assert sentence.endswith((".", ")", "--max-iters 1250")), sentence
        assert sentence[0].isupper() or sentence[0].isdigit() or sentence.startswith("rope has")


def test_the_reason_is_never_told_twice() -> None:
    for comparison in (
        make({0: 1.0, 1: 1.1}, {0: 1.0, 1: 1.2}),
        make(BASE, {**HELPS, 1: None}),
        make({**BASE, 3: 1.9}, HELPS, complete=False),
        make(BASE, BASE),
    ):
        assert comparison.instead is not None
        for name, text in tellers(comparison).items():
            # JSON and drafts quote it
            assert text.count(comparison.instead.sentence()[:60]) <= 2, name
        assert "\n".join(comparison_lines(comparison, 100)).count("⚠") == len(comparison.notes)


def test_a_threshold_is_shown_on_the_side_where_it_is() -> None:
    """An end just inside ±δ must not show as δ: the sentence says that it lies within."""
    base = dict.fromkeys(range(4), 1.9)
    mod = {0: 1.9091, 1: 1.9093, 2: 1.9092, 3: 1.9094}
    comparison = make(base, mod, delta=0.0095)
    assert comparison.analysis.ends is not None
    shown = [
        float(end.replace("−", "-"))
        for end in difference_text.number_writer(comparison.analysis).ends(comparison.analysis.ends)
    ]
    assert (shown[1] < 0.0095) == (comparison.analysis.ends.high < 0.0095)


# ── told alike

loss = st.floats(0.5, 5.0)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """Studies of 0 to 6 seeds: effects from 1e-9 to 1 nats, seeds missing or diverged in an arm."""
    seeds = draw(st.lists(st.integers(0, 30), max_size=6, unique=True))
    scale = draw(st.sampled_from([1e-9, 1e-6, 1e-4, 1e-2, 1.0]))
    shift = draw(st.floats(-3, 3)) * scale
    base: dict[int, float | None] = {seed: draw(loss) for seed in seeds}
    noise = st.floats(-1, 1)
    modified: dict[int, float | None] = {
        seed: (value or 0) + shift + scale * draw(noise) for seed, value in base.items()
    }
    for arm in (base, modified):
        for seed in seeds:
            outcome = draw(st.sampled_from(["run"] * 30 + ["missing", "diverged"]))
            if outcome == "missing":
                arm.pop(seed, None)
            elif outcome == "diverged" and seed in arm:
                arm[seed] = None
    prediction = draw(st.sampled_from([None, records.PREDICTION]))
    return make(
        base,
        modified,
        draw(st.sampled_from(["paired", "paired", "welch"])),
        alpha=draw(st.sampled_from([0.05, 0.05, 0.025, 0.0106])),
        delta=draw(st.none() | st.floats(1e-6, 1.0)),
        complete=draw(st.sampled_from([True, True, True, False])),
        prediction=prediction,
    )


@settings(max_examples=30, deadline=None)
@given(comparisons())
def test_every_teller_says_the_same(c: Comparison) -> None:
    text_by_teller = tellers(c)
    for name in ("terminal", "short", "app"):
        # notes and predictions may name another verdict, but the first word is this one's
        assert text_by_teller[name].startswith(label_text.verdict_word(c)), name
    budget = "val loss at this budget"
    result = {"helps": f"lower {budget}", "hurts": f"higher {budget}"}.get(
        c.analysis.verdict, c.analysis.verdict
    )
    assert f"The result: {result}" in text_by_teller["document"]
    assert text_by_teller["page"].startswith(f"# {label_text.verdict_word(c)}: ")
    assert f"| {label_text.verdict_word(c).lower()} |" in text_by_teller["table"]
    assert f'"verdict": "{c.analysis.verdict}"' in text_by_teller["json"]
    if c.analysis.ends is not None and c.analysis.mean is not None:
        low, high = difference_text.number_writer(c.analysis).ends(c.analysis.ends)
        for name in ("document", "page", "post", "table", "json"):
            assert f"{low} to {high}" in text_by_teller[name], (name, text_by_teller[name])
        for name in ("terminal", "list", "app"):
            assert f"[{low}, {high}]" in text_by_teller[name], (name, text_by_teller[name])
        with_level = ["terminal", "document", "page", "post", "json", "table"]
        for name in (*with_level, *([] if c.analysis.reason else ["short"])):
            assert difference_text.level_text(c.analysis) in text_by_teller[name], name
        for end, shown in ((c.analysis.ends.low, low), (c.analysis.ends.high, high)):
            value = float(shown.replace("−", "-"))
            assert (value > 0, value < 0) == (end > 0, end < 0), "an end keeps its sign"
        if c.analysis.ends.excludes_zero():
            assert difference_text.mean_text(c.analysis)[0] in "−+", (
                "a mean that excludes 0 has its sign"
            )
    row = comparison_record.verdict_columns(c)
    assert tuple(row) == STUDY_COLUMNS
    assert (row["verdict"], row["difference"], row["pairs"]) == (
        c.analysis.verdict,
        c.analysis.mean,
        len(c.analysis.pairs),
    )
    if c.analysis.ends is not None:
        assert (row["low"], row["high"]) == (c.analysis.ends.low, c.analysis.ends.high)
        assert row["level"] == difference_text.level_text(c.analysis)
    if c.analysis.mean is not None:
        mean = difference_text.mean_text(c.analysis)
        for name in ("terminal", "short", "document", "page", "table", "app", "list"):
            assert f"{mean}" in text_by_teller[name], (name, mean)
    if c.analysis.verdict == "no verdict":
        assert not [name for name in text_by_teller if "and decides" in text_by_teller[name]], (
            "nothing is decided"
        )
    for name in ("terminal", "app", "table"):
        if c.analysis.mean is not None:
            assert label_text.sample_text(c) in text_by_teller[name], name
    if c.instead is not None:
        for name in ("terminal", "document", "page", "post", "json"):
            assert flat(c.instead.sentence()).split(". ")[0][:50] in text_by_teller[name], name


@settings(max_examples=30, deadline=None)
@given(comparisons())
def test_a_record_survives_the_border(c: Comparison) -> None:
    text = json.dumps(to_record(c), allow_nan=False)
    assert from_record(json.loads(text)) == c
    assert from_record({**json.loads(text), "v": RECORD_VERSION - 1}) is None


def test_a_record_of_a_newer_plan_is_made_anew() -> None:
    record = to_record(make(BASE, HELPS))
    assert from_record(record) is not None
    assert from_record({**record, "study": {**record["study"], "v": 99}}) is None


def letters(text: str) -> str:
    return re.sub(r"[^\w%()]+", "", text)


def test_rows_of_the_figure_have_one_name_everywhere() -> None:
    c = make(BASE, HELPS, delta=0.01, floor=Floor(-0.008, 0.008))
    shown = figure.comparison_figure(c)
    pairs = next(bar for bar in shown.bars if bar.kind == "pairs")
    labels = {bar.kind: bar.label for bar in shown.bars} | {"pairs": pairs.parts[0].label}
    texts = {
        "terminal": "\n".join(comparison_lines(c, 110)),
        "app": "\n".join(plain_lines(block_lines(progress_figure.figure_blocks(c), 40))),
        "page": comparison_page.comparison_document(
            c, comparison_tables.study_facts(c), Reproduction()
        ).text,
        "picture": " ".join(re.findall(">([^<]+)</text>", draw_comparison(c, {}, "svg").decode())),
    }
    rows = {
        "terminal": ("interval", "bootstrap", "floor", "delta"),
        "app": ("interval", "bootstrap", "floor", "delta"),
        "page": ("interval", "bootstrap"),
        "picture": ("interval", "bootstrap", "pairs", "floor", "delta"),
    }
    for where, kinds in rows.items():
        for kind in kinds:  # a label may go on in the next line, below a drawing
            assert letters(labels[kind]) in letters(texts[where]), (where, labels[kind])


@settings(max_examples=5, deadline=None)
@given(comparisons())
def test_the_picture_says_the_same(c: Comparison) -> None:
    text = draw_comparison(c, {}, "svg").decode()
    assert f">{label_text.verdict_word(c)}:" in text
    if c.analysis.ends is not None and c.analysis.pairs:
        assert label_text.interval_label(c.analysis) in text


@pytest.mark.parametrize(("iters", "short"), [(60, True), (2000, False)])
def test_a_budget_at_which_little_is_trained_is_called_short(iters: int, short: bool) -> None:
    """Curves that still fall fast are named beside the verdict, whatever it is."""
    comparison = with_curves(iters, lambda at: 1.9 + 2.2 * math.exp(-at / 300))
    assert comparison.analysis.verdict == "cannot tell"
    assert (comparison_record.comparison_json(comparison)["still_falling"] is not None) == short
    assert ("have learned little" in " ".join(report_blocks.note_sentences(comparison))) == short


def with_curves(iters: int, loss: Callable[[int], float], name: str = "rope-1") -> Comparison:
    """A comparison of studies whose val loss goes so, by iter."""
    study = lab_home.make_study(name)
    study = changed(study, config={**lab_home.CONFIG, "max_iters": iters})
    for run in study.runs:
        swing = 0.01 if (run.arm == "modified") == (run.seed == 1) else 0.0
        events = lab_home.train(study, run.arm, run.seed, iters, val=1.9 + swing)
        lines = [json.loads(line) for line in events.read_text().splitlines()]
        curve = [
            {"type": "eval", "iter": at, "val_loss": loss(at), "t": at / 28}
            for at in range(0, iters + 1, iters // 10)
        ]
        other_events = [line for line in lines if line["type"] != "eval"]
        events.write_text(
            "".join(
                json.dumps(line) + "\n" for line in [*other_events[:-1], *curve, other_events[-1]]
            )
        )
    with Store(paths.database_file()) as store:
        return comparison_cache.compare(store, study)


def test_a_val_loss_that_rises_is_named_with_the_budget_of_its_minimum() -> None:
    """What is compared then is how fast the arms overfit."""
    comparison = with_curves(5000, lambda at: 1.47 + ((at - 1500) / 5000) ** 2)
    (rising,) = [note for note in comparison.notes if isinstance(note, run_notes.RisingLoss)]
    assert rising.at == 1500
    text = rising.sentence(comparison)
    assert "lowest at iter 1,500 and rose by 0.49 nats" in text
    assert "--max-iters 1500" in text
    assert not any(
        isinstance(note, run_notes.RisingLoss)
        for note in with_curves(5000, lambda at: 1.5, "rope-2").notes
    )


@pytest.mark.parametrize(("many", "words"), [(1.5, ""), (24.5, "in 24 passes"), (None, "")])
def test_runs_that_read_their_text_often_are_named_beforehand(
    many: float | None, words: str
) -> None:
    assert words in scope_text.many_passes_warning(many)
    assert bool(scope_text.many_passes_warning(many)) == bool(words)


def test_the_list_of_studies_shows_no_verdict_of_before_the_last_run() -> None:
    study = lab_home.make_study("rope-1", seeds=(0,))
    lab_home.train(study, "baseline", 0)
    with Store(paths.database_file()) as store:
        comparison_cache.compare(store, study)
        lab_home.train(study, "modified", 0)
        ingest_events.ingest_study(store, study)
        assert [line.verdict for line in result_rows.read_result_rows(store)] == [None]
        comparison_cache.compare(store, study)
        assert [line.n for line in result_rows.read_result_rows(store)] == [1]


def test_the_verdict_line_of_the_app_is_the_terminals() -> None:
    comparison = make(BASE, HELPS)
    words: Text = verdict_words(comparison, COLORS)
    assert words.plain == f"HELPS  {difference_text.mean_text(comparison.analysis)}"


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e3, 1e3))
def test_signed_numbers_have_a_sign_unless_they_show_as_zero(value: float) -> None:
    text = signed(value, 3)
    assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.000501)
    assert (text[0] in "+−") == (float(text.replace("−", "-")) != 0)


def test_levels_keep_the_digits_that_tell_them_apart() -> None:
    assert [difference_text.percent_level(a) for a in (0.05, 0.025, 0.0106)] == [
        "95%",
        "97.5%",
        "98.94%",
    ]


def test_json_holds_no_nan() -> None:
    """Its keys are the golden record's (tests/test_golden.py)."""
    broken = comparison_record.comparison_json(make(BASE, {**HELPS, 1: math.nan}, "welch"))
    assert json.loads(json.dumps(broken, allow_nan=False))["difference"]["welch"] is None


def test_the_scope_says_what_the_arms_share_at_the_start() -> None:
    comparison = make(BASE, HELPS, shared_at_start=0.348)
    assert re.search(r"\b35% of .* start equal in rope", scope_text.scope_sentence(comparison))
    assert from_record(to_record(comparison)) == comparison
    assert "start equal" not in scope_text.scope_sentence(make(BASE, HELPS))


def test_a_share_has_the_sign_of_every_other_number() -> None:
    assert difference_text.percent_change(808_320, 800_128) == "−1.0%"
    assert difference_text.percent_change(800_128, 808_320) == "+1.0%"
    assert difference_text.percent_change(800_128, 800_127) == "0.0%"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.00049, "−0.0005"),
        (0.0001, "+0.0001"),
        (0.00096, "+0.001"),
        (-0.000012, "−0.00001"),
        (3e-7, "+3e-07"),
    ],
)
def test_a_small_number_is_written_in_decimals_where_six_of_them_show_it(
    value: float, text: str
) -> None:
    number = difference_text.NumberWriter(None)
    number.decimals = 3
    assert number.end(value) == text

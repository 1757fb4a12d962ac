"""The ledger: every way to ask a question again is counted, and pays."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest

from q1lab.ground import paths
from q1lab.ground.errors import NOTICES
from q1lab.index import journal
from q1lab.index.store import Store
from q1lab.record import delete_restore, questions, traveling_chains
from q1lab.record.declarations import declaration_of
from q1lab.record.ledger import QuestionFamily
from q1lab.statistics import gate_rule, interim_analyses
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, NoteKind, Reason
from q1lab.study import seed_range, studies
from q1lab.study.origin import ImportedRuns
from q1lab.study.studies import Study
from q1lab.verdict import difference_text, label_text, level_text, note_text, verdict_text
from q1lab.verdict.comparison import Comparison
from q1lab.verdict.comparison_cache import compare
from tests.kit.comparisons import times_asked
from tests.kit.lab_home import SHA, finish, make_study, train
from tests.kit.plans import changed


def at(hour: int) -> str:
    return f"2026-03-08T{hour:02d}:00:00+00:00"


def done(study: Study, **how: float) -> Study:
    finish(study, **how)
    return study


def compare_study(study: Study) -> Comparison:
    with Store() as store:
        return compare(store, study)


def begin(study: Study) -> None:
    with Store() as store:
        questions.record_begin(store, study)


def on_record() -> list[journal.Body]:
    """The acts of the journal."""
    return [line.body for line in journal.read_entries(paths.journal_file()).lines if line.body]


def notes_of(comparison: Comparison) -> str:
    """Everything that is said of a question's history."""
    notes = note_text.note_sentences(comparison)
    return " ".join([level_text.level_sentence(comparison), *notes])


def level_of(study: Study) -> float:
    return compare_study(study).analysis.alpha


def edited(study: Study, **changes: object) -> Study:
    edited_study = changed(study, **changes)
    studies.save(edited_study)
    return edited_study


def test_the_first_look_is_judged_by_95_percent_and_says_nothing_of_asking() -> None:
    comparison = compare_study(done(make_study()))
    assert (comparison.analysis.alpha, times_asked(comparison), comparison.asking.looks) == (
        ALPHA,
        (1, 1),
        1,
    )
    assert NoteKind.ASKED not in [note.kind for note in comparison.analysis.notes]


def again(how: str) -> Study:
    """A second study of what ``rope-1`` asked, each in another way."""
    second = make_study("rope-2", seeds=(3, 4, 5), created=at(10))
    arms = second.arms
    match how:
        case "other seeds":
            return second
        case "another preset":
            return edited(
                second, preset="quick", config={**second.trainer.hyperparameters, "n_layer": 2}
            )
        case "--set":
            return edited(second, config={**second.trainer.hyperparameters, "learning_rate": 3e-4})
        case "another headline":
            return edited(second, headline="welch")
        case "swapped arms":
            return edited(second, arms={"baseline": arms["modified"], "modified": arms["baseline"]})
        case "another device":
            return edited(second, device="cuda")
        case "imported":
            arms = {name: replace(arm, origin="runs.csv") for name, arm in arms.items()}
            return edited(second, arms=arms, imported=ImportedRuns("runs.csv"))
    raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    [
        "other seeds",
        "another preset",
        "--set",
        "another headline",
        "swapped arms",
        "another device",
        "imported",
    ],
)
def test_asking_again_is_counted_and_pays(how: str) -> None:
    done(make_study())
    second = compare_study(done(again(how)))
    assert second.analysis.alpha == ALPHA_LATER, how
    assert times_asked(second) == (2, 2)
    text = notes_of(second)
    assert "asked 2 times, with 2 looks" in text
    assert "98.94% interval" in text
    assert compare_study(studies.load("rope-1")).analysis.alpha == ALPHA, (
        "the first keeps its level"
    )


def test_an_import_is_asked_when_it_is_taken_in() -> None:
    first = done(make_study(created=at(10)))
    second = make_study("rope-2", seeds=(3, 4, 5), created=at(8))
    done(edited(second, imported=ImportedRuns("runs.csv", time=at(12))))
    assert level_of(first) == ALPHA
    assert level_of(studies.load("rope-2")) == ALPHA_LATER


def test_another_idea_in_the_same_file_is_another_question_and_a_moved_file_is_not() -> None:
    def own(name: str, origin: str, sha256: str, hour: int) -> Study:
        study = make_study(name, created=at(hour))
        modified = replace(study.arms["modified"], origin=origin, sha256=sha256)
        return done(edited(study, arms={**study.arms, "modified": modified}))

    for idea in range(1, 5):
        study = own(f"mine-{idea}", "/repo/model.py", str(idea) * 64, 8 + idea)
        assert (level_of(study), times_asked(compare_study(study))) == (ALPHA, (1, 1)), idea
    assert level_of(own("mine-5", "/moved/other.py", "2" * 64, 13)) == ALPHA_LATER, "same content"
    assert level_of(own("gpt2-1", "/repo/gpt2.py", "6" * 64, 14)) == ALPHA
    assert level_of(own("mine-6", "/repo/swiglu.py", "5" * 64, 15)) == ALPHA
    assert level_of(done(make_study("swiglu-1", "swiglu", created=at(16)))) == ALPHA
    assert level_of(done(make_study("rope-9", sha256="9" * 64, created=at(17)))) == ALPHA, "data"


@pytest.mark.parametrize(
    ("history", "counts"),
    [
        ("planned only", False),
        ("no result yet", False),
        ("only the baseline", False),
        ("stopped at 99%", True),
        ("removed by hand", True),
        ("its runs removed by hand", True),
        ("deleted before a result", False),
        ("deleted at 99%", True),
        ("two pairs, dropped", True),
        ("one pair", False),
    ],
)
def test_begun_is_asked_unless_nothing_could_be_seen(history: str, counts: bool) -> None:
    seeds = {"two pairs, dropped": (0, 1), "one pair": (0,)}.get(history, (0, 1, 2))
    first = make_study(seeds=seeds)
    begin(first)
    if history not in ("planned only", "only the baseline"):
        far = {"no result yet": 150, "deleted before a result": 150}.get(history, 1980)
        file = train(first, "modified", 0, far, state="stopped")
        if far == 150:
            lines = file.read_text().splitlines()
            file.write_text("\n".join(line for line in lines if "eval" not in line) + "\n")
    train(first, "baseline", 0)
    if history == "removed by hand":
        shutil.rmtree(first.files.root)
    if history == "its runs removed by hand":
        first.files.launch.write_text("{}")
        shutil.rmtree(first.files.root / "runs")
    if history.startswith("deleted"):
        with Store() as store:
            delete_restore.delete_study(store, "rope-1")
    second = make_study("rope-2", seeds=(3, 4, 5), created=at(10))
    begin(second)
    comparison = compare_study(done(second))
    assert comparison.analysis.alpha == (ALPHA_LATER if counts else ALPHA)
    assert times_asked(comparison) == ((2, 2) if counts else (1, 1))
    assert comparison.asking.total == pytest.approx(
        interim_analyses.chance_over_studies([ALPHA] * counts + [comparison.analysis.alpha])
    )


def test_a_third_pair_makes_one_look_with_the_two_before() -> None:
    study = edited(make_study(), looks=((0, 1), (2,)))
    comparison = compare_study(done(study))
    assert (comparison.analysis.alpha, comparison.asking.looks, times_asked(comparison)) == (
        ALPHA,
        1,
        (1, 1),
    )


def test_a_single_pair_is_an_experiment_without_a_verdict() -> None:
    comparison = compare_study(done(make_study(seeds=(0,))))
    assert label_text.comparison_title(comparison).startswith("ONE PAIR")
    assert "does not count as a question" in verdict_text.verdict_sentence(comparison)
    assert note_text.record_sentence(comparison) == ""
    picked = edited(make_study("rope-2", seeds=(5,), created=at(10)), looks=((5,), (6, 7)))
    assert compare_study(done(picked)).analysis.reason is Reason.CHOSEN, (
        "of single pairs the best went on"
    )


def test_seeds_added_later_are_a_later_look() -> None:
    study = make_study(seeds=(0, 1, 2))
    both = edited(study, looks=((0, 1, 2), (3, 4)))
    comparison = compare_study(done(both))
    assert (comparison.analysis.alpha, comparison.asking.looks, times_asked(comparison)) == (
        ALPHA_LATER,
        2,
        (1, 2),
    )
    expected = interim_analyses.chance_of_any_claim([(3, ALPHA), (5, ALPHA_LATER)])
    assert comparison.asking.total == pytest.approx(expected)
    assert f"up to {difference_text.percent_text(expected)}" in notes_of(comparison)


def test_the_best_of_the_seeds_that_are_there_is_no_verdict() -> None:
    """Nothing trains: the runs were there, and the seeds were picked by what they said."""
    done(make_study(seeds=(0, 1, 2, 3, 4)))
    picked = done(make_study("rope-2", seeds=(1, 3, 4), created=at(10)), noise=0.001)
    comparison = compare_study(picked)
    assert (comparison.analysis.verdict, comparison.analysis.reason) == (
        "no verdict",
        Reason.CHOSEN,
    )
    assert comparison.asking.left_out == (("rope-1", (0, 2)),)
    assert "seeds 0, 2 (rope-1)" in verdict_text.verdict_sentence(comparison)


def test_another_headline_over_the_same_runs_is_a_later_look() -> None:
    study = done(make_study())
    second = edited(make_study("rope-2", created=at(10)), headline="welch")
    comparison = compare_study(done(second))
    assert (comparison.analysis.alpha, comparison.analysis.reason) == (ALPHA_LATER, None)
    assert comparison.asking.left_out == ()
    assert compare_study(study).analysis.alpha == ALPHA


def test_a_diverged_twin_that_is_left_out_is_named() -> None:
    first = make_study(seeds=(0, 1, 2))
    finish(first)
    train(first, "modified", 1, state="diverged")
    comparison = compare_study(done(make_study("rope-2", seeds=(3, 4, 5), created=at(10))))
    assert comparison.asking.left_out == (("rope-1", (0, 1, 2)),)
    assert "Left out: seeds 0, 1, 2 (rope-1)" in notes_of(comparison)


def test_deleting_a_study_leaves_its_line_in_the_ledger() -> None:
    first = done(make_study())
    with Store() as store:
        compare(store, first)
        runs = {
            studies.run_name(row["arm"], row["seed"]): {
                key: row[key] for key in ("state", "val_loss")
            }
            for row in store.runs(first.id)
        }
        with store.act() as add:
            add("delete", study=first.id, plan=first.to_dict(), runs=runs)
        with store.transaction() as db:
            db.execute("DELETE FROM studies WHERE id = ?", (first.id,))
    shutil.rmtree(first.files.root)
    comparison = compare_study(done(make_study("rope-2", seeds=(3, 4, 5), created=at(10))))
    assert (comparison.analysis.alpha, times_asked(comparison)) == (ALPHA_LATER, (2, 2))
    assert comparison.asking.left_out == (("rope-1", (0, 1, 2)),)


def test_a_name_that_is_given_again_hides_no_asking() -> None:
    first = done(make_study())
    begin(first)
    begin(first)
    assert [body["act"] for body in on_record()] == ["begin"]
    shutil.rmtree(first.files.root)
    second = make_study(seeds=(3, 4, 5), created=at(10))
    begin(second)
    comparison = compare_study(done(second))
    assert (comparison.study.id, times_asked(comparison)) == ("rope-1", (2, 2))


SENSELESS = [{"plan": {"id": 3}}, {"plan": {"id": "x", "created": "y"}}, {"plan": None}, {}]


@pytest.mark.parametrize(
    "line",
    [
        b"{broken",
        b"[]",
        b"\xff",
        *(
            journal.encode_entries([{"act": "begin", "at": at(1), **fields}], "")
            for fields in SENSELESS
        ),
    ],
)
def test_a_line_that_cannot_be_read_counts_as_an_asking(line: bytes) -> None:
    study = done(make_study())
    paths.ensure_home()
    paths.journal_file().write_bytes(line)
    begin(study)
    comparison = compare_study(study)
    assert (
        comparison.analysis.alpha,
        times_asked(comparison),
        comparison.asking.family and comparison.asking.family.questions,
    ) == (
        ALPHA_LATER,
        (2, 2),
        1,
    )
    assert "1 line of the record" in notes_of(comparison)


def test_a_question_that_was_taken_out_of_the_journal_counts_as_an_asking() -> None:
    begin(make_study())
    second = done(make_study("rope-2", seeds=(3, 4, 5), created=at(10)))
    begin(second)
    shutil.rmtree(studies.load("rope-1").files.root)
    lines = paths.journal_file().read_bytes().splitlines(keepends=True)
    paths.journal_file().write_bytes(lines[1])
    comparison = compare_study(second)
    assert (comparison.analysis.alpha, times_asked(comparison)) == (ALPHA_LATER, (2, 2))
    assert "line 1 doesn't follow" in NOTICES[-1]


def test_the_journal_is_handed_out_without_what_the_learner_wrote() -> None:
    """A stranger checks it against a link, and sees what was declared, and nothing else."""
    with Store() as store, store.act() as add:
        add("tick", week="2026-W11", step="a1-read", done=True)
    for name in ("rope-1", "rope-2"):
        begin(make_study(name))
        with Store() as store, store.act() as add:
            add("answer", week="2026-W11", step="a1-why", text="my own words")
    with Store() as store:
        chain = traveling_chains.journal_outlines(store, studies.load("rope-2"))
    assert [line.get("act") for line in chain] == ["tick", "begin", "answer", "begin"]
    assert [*journal.chain_links(chain)] == [
        line.link for line in journal.read_entries(paths.journal_file()).lines
    ][:4]
    declared = chain[3]["declares"]
    assert declared == {**declaration_of(studies.load("rope-2")), "seen": declared["seen"]}
    outline = json.dumps(chain)
    assert not any(
        words in outline for words in ("my own words", "a1-why", "rope", str(paths.home()))
    )


def test_a_clock_that_goes_back_hides_no_asking() -> None:
    first = done(make_study(created="2099-01-01T10:00:00+00:00"))
    with Store() as store:
        compare(store, first)
        with store.act() as add:
            add("begin", at="2099-01-01T10:00:00 2026", plan=first.to_dict())
        second = done(make_study("rope-2", seeds=(3, 4, 5)))
        questions.record_begin(store, second)
        assert compare(store, second).analysis.alpha == ALPHA_LATER
        assert compare(store, first).analysis.alpha == ALPHA


def test_to_choose_among_declared_sets_is_to_ask_with_each() -> None:
    for at_, (name, seeds) in enumerate(
        (("rope", (0, 1, 2)), ("gqa", (3, 4, 5)), ("rmsnorm", (6, 7, 8)))
    ):
        done(make_study(f"{name}-1", name, seeds=seeds, created=at(10 + at_)))
    comparison = compare_study(
        done(make_study("swiglu-1", "swiglu", seeds=(3, 4, 5), created=at(15)))
    )
    assert (comparison.analysis.reason, comparison.analysis.alpha) == (None, ALPHA_LATER)
    assert comparison.asking.total == pytest.approx(
        interim_analyses.chance_over_studies([ALPHA_LATER, ALPHA, ALPHA])
    ), "the first seeds and the usual ones spend 5% each"
    assert "2 other sets" in notes_of(comparison)
    first = compare_study(done(make_study("llama-1", "llama", seeds=(0, 1, 2), created=at(16))))
    assert first.analysis.alpha == ALPHA, "the first seeds keep their level"
    assert first.asking.total == pytest.approx(comparison.asking.total)


def test_the_claims_to_expect_by_luck_are_a_sum_over_all_questions() -> None:
    """A sum needs no independence, and other data or shared baseline runs change nothing in it."""
    first = compare_study(done(make_study()))
    assert first.asking.family == QuestionFamily(1, pytest.approx(ALPHA), 0)
    assert "your first question" in note_text.record_sentence(first)
    done(make_study("rmsnorm-1", "rmsnorm", created=at(9)), effect=0.2, noise=0.001)
    done(make_study("baseline-1", "baseline", created=at(9)))
    stopped = make_study("gqa-1", "gqa", created=at(10))
    train(stopped, "modified", 0, 1980, state="stopped")
    again = edited(make_study("rope-3", seeds=(0, 1, 2), created=at(11)), headline="welch")
    done(again)
    other = make_study("rope-2", sha256="9" * 64, seeds=(7, 8, 9), created=at(14))
    last = compare_study(done(other, effect=0.2, noise=0.001))
    expected = 4 * ALPHA + ALPHA_LATER
    assert last.asking.family == QuestionFamily(4, pytest.approx(expected), 2)
    sentence = note_text.record_sentence(last)
    assert sentence.startswith("4 questions at 5.3% each: about 0.2 false claims")
    assert sentence.endswith("you have made 2.")
    assert note_text.record_sentence(last, published=True).endswith("2 were made.")


def test_an_arm_that_goes_astray_is_told_wherever_it_did() -> None:
    first = make_study(seeds=tuple(range(5)))
    finish(first)
    train(first, "modified", 4, val=2.9)
    train(first, "baseline", 3, state="diverged")
    comparison = compare_study(done(make_study("swiglu-1", "swiglu", created=at(10))))
    assert re.search(r"5 runs of baseline\b.* 1 diverged", notes_of(comparison))
    comparison = compare_study(done(make_study("rope-2", seeds=(5, 6, 7), created=at(11))))
    assert re.search(r"8 runs of rope\b.* 1 got stuck", notes_of(comparison))


def test_a_damaged_line_of_the_ledger_stops_nothing() -> None:
    """Nobody knows what it said, so it counts; the others are read."""
    bad = [{"study": "x", "plan": {"id": 3}, "runs": {}}, {"study": "y"}, {"study": {}}]
    paths.ensure_home()
    bodies = [{"act": "delete", "at": at(1), **fields} for fields in bad]
    paths.journal_file().write_bytes(journal.encode_entries(bodies, journal.START))
    assert times_asked(compare_study(done(make_study()))) == (4, 4)


def test_a_planned_range_keeps_the_level_that_it_was_declared_with() -> None:
    alpha = interim_analyses.level_per_look(3, 8)
    planned = seed_range.SeedRange(3, 8, alpha, interim_analyses.t_limits(3, 8, alpha))
    study = edited(make_study(seeds=tuple(range(8))), range=planned)
    for seed in range(4):
        for arm, val in (("baseline", 1.9), ("modified", 1.9 + 0.05 * (-1) ** seed + 0.001 * seed)):
            train(study, arm, seed, val=val)
    going = compare_study(study)
    assert (going.analysis.n, going.analysis.reason, going.study.design.pairs) == (
        4,
        Reason.INCOMPLETE,
        (3, 8),
    )
    assert "4 pairs of 3 to 8" in verdict_text.verdict_sentence(going)
    assert going.analysis.ends is not None, "the interval so far may be seen: each look is paid for"
    for seed in range(8):
        for arm, val in (("baseline", 1.9), ("modified", 1.8 + 0.001 * seed)):
            train(study, arm, seed, val=val)
    over = compare_study(study)
    assert (over.analysis.n, over.analysis.verdict) == (3, "helps"), (
        "the first look that knows is the last"
    )
    assert (over.analysis.level, over.asking.looks) == (1 - alpha, 1)
    assert "Planned: 3 to 8 pairs" in level_text.level_sentence(over)
    assert over.asking.total == pytest.approx(0.05, abs=0.001), "the whole plan counts"
    later = compare_study(done(make_study("rope-2", seeds=(20, 21, 22), created=at(12))))
    assert later.asking.total == pytest.approx(1 - 0.95 * (1 - ALPHA_LATER), abs=0.001)


def stop_at(study: Study, seed: int, to: int, started: str) -> None:
    """Leave both arms' runs at iter ``to``, without an evaluation, as of ``started``."""
    for arm in ("baseline", "modified"):
        file = train(study, arm, seed, to, state="stopped")
        lines = [line for line in file.read_text().splitlines() if '"eval"' not in line]
        file.write_text("\n".join(lines).replace("2026-03-07T09:31:00+00:00", started) + "\n")


def go_on(study: Study, started: str, resumed_from: int) -> None:
    """Begin another attempt at each run, and finish it."""
    before = {run: study.files.run(run.name).events.read_text() for run in study.runs}
    finish(study)
    for run, text in before.items():
        file = study.files.run(run.name).events
        again = file.read_text().replace('"attempt": 1', '"attempt": 2')
        again = again.replace("2026-03-07T09:31:00+00:00", started).replace(
            '"type": "start"', f'"type": "start", "resumed_from": {resumed_from}'
        )
        file.write_text(text + again)


@pytest.mark.parametrize(("stopped_at", "picked"), [(10, True), (1200, False)])
def test_a_set_is_judged_at_its_first_result_and_not_when_it_was_begun(
    stopped_at: int, picked: bool
) -> None:
    """Many sets are begun and stopped, the seeds are watched, and the best set goes on."""
    chosen = make_study("rope-1", seeds=(1, 3, 4), created=at(8))
    begin(chosen)
    for seed in chosen.seeds:
        stop_at(chosen, seed, stopped_at, at(8))
    for seed in range(6):
        watched = make_study(f"watch-{seed}", seeds=(seed,), created=at(9))
        begin(watched)
        done(watched)
    go_on(chosen, "2099-01-01T00:00:00+00:00", stopped_at)
    assert (compare_study(chosen).analysis.reason is Reason.CHOSEN) is picked


def test_iters_count_and_not_a_share_of_what_was_declared() -> None:
    """Ten times the iters are declared, and stopped before a tenth of them."""
    longer = make_study(seeds=tuple(range(6)))
    longer = edited(longer, config={**longer.trainer.hyperparameters, "max_iters": 20_000})
    for seed in longer.seeds:
        stop_at(longer, seed, 1950, at(8))
    assert compare_study(
        done(make_study("rope-2", seeds=(1, 3, 4), created=at(10)))
    ).analysis.reason
    with Store() as store:
        delete_restore.delete_study(store, "rope-1")
    assert compare_study(studies.load("rope-2")).analysis.reason is Reason.CHOSEN


def test_a_plan_that_was_changed_after_it_was_begun_decides_nothing() -> None:
    study = make_study(seeds=tuple(range(8)))
    begin(study)
    done(study)
    dropped = edited(study, looks=((1, 3, 4),))
    comparison = compare_study(dropped)
    assert comparison.analysis.reason is Reason.CHANGED
    assert "its seeds" in verdict_text.verdict_sentence(comparison)
    other = compare_study(done(make_study("rope-2", seeds=(20, 21, 22), created=at(10))))
    assert (other.analysis.alpha, times_asked(other)) == (ALPHA_LATER, (2, 2))
    studies.save(study)
    assert compare_study(study).analysis.reason is None


def test_a_folder_that_was_copied_under_another_name_was_chosen_now() -> None:
    study = make_study(seeds=tuple(range(8)))
    begin(study)
    done(study)
    shutil.copytree(study.files.root, paths.study_dir("rope-2"))
    copy = edited(replace(study, id="rope-2"), looks=((1, 3, 4),))
    assert compare_study(copy).analysis.reason is Reason.CHOSEN


def test_what_an_older_line_declared_keeps_its_meaning() -> None:
    """It names the place of a file: two ideas in one file were one question then."""
    for at_, name in enumerate(("mine-1", "mine-2")):
        study = make_study(name, sha256=SHA, created=at(8 + at_))
        arm = replace(study.arms["modified"], origin="/repo/model.py", sha256=str(at_) * 64)
        study = done(edited(study, arms={**study.arms, "modified": arm}))
        declares = declaration_of(study)
        declares["marks"]["modified"].append("the place of the file")
        with Store() as store, store.act() as add:
            add("begin", at=study.created, plan=study.to_dict(), declares=declares)
    assert level_of(studies.load("mine-2")) == ALPHA_LATER


@pytest.mark.parametrize(("batches", "spent"), [(((7,),), 0.0), (((7,), (11, 12, 13, 14)), 1)])
def test_a_proposal_to_a_gate_costs_what_its_look_spent(
    batches: tuple[tuple[int, ...], ...], spent: float
) -> None:
    study = make_study("mine-1", seeds=(7,))
    cells = [f"{arm}-seed{seed}" for batch in batches for seed in batch for arm in study.arms]
    gate = {"budget": "night", "proposal": 1, "cells": cells, "blind": False}
    study = edited(study, looks=batches, gate=gate)
    begin(study)
    done(study)
    confirming = make_study("rope-2", created=at(12))
    begin(confirming)
    comparison = compare_study(done(confirming))
    assert comparison.analysis.alpha == ALPHA, "a gate's look is no look at the question"
    assert comparison.asking.family is not None
    expected = ALPHA + spent * gate_rule.RULES.alpha_per_look
    assert comparison.asking.family.expected_false_claims == pytest.approx(expected)

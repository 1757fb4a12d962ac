"""Progress in the database: ticks, answers byte for byte, minutes, the clock, and where to go
on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.week import content, progress
from q1lab.week.syllabus import Week

WEEK = "M01-W01"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "q1lab.db") as opened:
        yield opened


@pytest.fixture
def week(tmp_path: Path) -> Week:
    """Two parts: two steps, one of them optional; and one step."""
    (tmp_path / "week.toml").write_text(
        'format = 1\nlabel = "M01-W01"\ntitle = "T"\ngoal = "G"\n'
        '[[sessions]]\nid = "a"\nfile = "a.md"\ntitle = "S"\n'
        'minutes = 30\n[[sessions]]\nid = "b"\nfile = "b.md"\ntitle = "S"\nminutes = 10\n'
    )
    (tmp_path / "a.md").write_text(
        "# A\n\n## One {#a1 minutes=20}\n\n- [ ] first {#a1-x minutes=1}\n- [ ] extra {#a1-y "
        "importance=optional}\n\n"
        "## Two {#a2 minutes=10}\n\n- [ ] second {#a2-x kind=write words=9}\n"
    )
    (tmp_path / "b.md").write_text(
        "# B\n\n## Three {#b1 minutes=10}\n\n- [ ] third {#b1-x minutes=1}\n"
    )
    return content.load_week(tmp_path)


def test_a_tick_keeps_its_first_time_and_an_untick_takes_it_away(store: Store) -> None:
    progress.tick_step(store, WEEK, "a1-x", True)
    first = progress.recorded_progress(store, WEEK).of("a1-x")
    progress.tick_step(store, WEEK, "a1-x", True)
    assert progress.recorded_progress(store, WEEK).of("a1-x") == first
    assert first.done
    assert first.done_at
    progress.tick_step(store, WEEK, "a1-x", False)
    assert progress.recorded_progress(store, WEEK).of("a1-x") == progress.StepState(
        False, None, None
    )


def test_an_answer_ticks_an_untick_keeps_the_answer_and_an_empty_answer_takes_both(
    store: Store,
) -> None:
    progress.save_answer(store, WEEK, "a2-x", "because")
    progress.tick_step(store, WEEK, "a2-x", False)
    assert progress.recorded_progress(store, WEEK).of("a2-x").answer == "because"
    assert not progress.recorded_progress(store, WEEK).of("a2-x").done
    progress.save_answer(store, WEEK, "a2-x", " \n")
    assert progress.recorded_progress(store, WEEK).of("a2-x") == progress.StepState()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(min_size=1, max_size=400).filter(str.strip))
def test_answers_come_back_byte_for_byte(store: Store, text: str) -> None:
    text = text.encode(errors="replace").decode()
    progress.save_answer(store, WEEK, "s", text)
    with Store(store.file) as other:
        assert progress.recorded_progress(other, WEEK).of("s").answer == text


def test_an_answer_that_is_too_long_is_refused_and_changes_nothing(store: Store) -> None:
    progress.save_answer(store, WEEK, "s", "short")
    with pytest.raises(Problem, match="characters"):
        progress.save_answer(store, WEEK, "s", "x" * (progress.MAX_ANSWER + 1))
    assert progress.recorded_progress(store, WEEK).of("s").answer == "short"


def test_weeks_do_not_mix(store: Store) -> None:
    progress.tick_step(store, WEEK, "s", True)
    learner_tables.credit_seconds(store, WEEK, {"a1": 60})
    assert progress.recorded_progress(store, "other") == progress.Progress()


def test_first_open_passes_over_optional_steps_and_stays_in_a_session(
    store: Store, week: Week
) -> None:
    part, step = progress.first_open(week, progress.Progress())
    assert (part.id, step and step.id) == ("a1", "a1-x")
    progress.tick_step(store, week.label, "a1-x", True)
    now = progress.recorded_progress(store, week.label)
    assert progress.first_open(week, now)[0].id == "a2"
    assert progress.first_open(week, now, week.session("B"))[0].id == "b1"
    for step_id in ("a2-x", "b1-x"):
        progress.tick_step(store, week.label, step_id, True)
    part, step = progress.first_open(week, progress.recorded_progress(store, week.label))
    assert (part.id, step) == ("b1", None)


def test_counts_leave_optional_steps_out(store: Store, week: Week) -> None:
    progress.tick_step(store, week.label, "a1-y", True)
    learner_tables.credit_seconds(store, week.label, {"a1": 90})
    count = progress.recorded_progress(store, week.label).count(week.session("a").parts)
    assert count == progress.StepCount(done=0, total=2, seconds=90, minutes=30)
    assert not count.finished


def test_time_adds_up_and_never_falls_below_nothing(store: Store) -> None:
    for credited in ({"a1": 60}, {"a1": 30.5}, {"a1": -1000}, {"a2": -5}):
        learner_tables.credit_seconds(store, WEEK, credited)
    assert progress.recorded_progress(store, WEEK).seconds == {"a1": 0.0, "a2": 0.0}


def test_a_choice_is_kept_and_ticks_its_step(store: Store) -> None:
    week = content.load_week(paths.content_dir())
    for name in ("rope", "gqa"):
        progress.choose_modification(store, week, name)
        now = progress.recorded_progress(store, week.label)
        assert now.chosen == name
        assert now.of("a1-choose").answer == name


def test_a_changed_mind_keeps_two_records(store: Store) -> None:
    """The second modification had the notes and ticks of the first."""
    week = content.load_week(paths.content_dir())
    label = week.label
    for_the_week = ("a1-guess", "b2-draft", "c1-outline", "c3-insights")
    its_own = ("a1-why", "a2-skim", "a3-sketch", "b2-numbers", "b3-verdict")
    store.add(
        "file", week=label, variant="swiglu", file="/repo/swiglu.py", base="model.py"
    )  # this chooses it
    for step in (*for_the_week, *its_own, "a2-swiglu-s2"):
        progress.save_answer(store, label, step, f"swiglu: {step}")
    for step in ("b2-first", "b3-merge", "c1-begin"):
        progress.tick_step(store, label, step, True)
    first, file = (
        progress.recorded_progress(store, label),
        learner_tables.modification_row(store, label),
    )
    assert file is not None

    progress.choose_modification(store, week, "rope")
    now = progress.recorded_progress(store, label)
    assert now.done & {*its_own, "b2-first", "b3-merge"} == set()
    assert now.done >= {*for_the_week, "c1-begin"}
    row = learner_tables.modification_row(store, label)
    assert row is not None
    assert (row["variant"], row["file"]) == ("rope", None)
    assert learner_tables.names_of_modification(row) == {"rope"}
    earlier = progress.progress_of_modification(store, week, "swiglu")
    assert earlier.of("a3-sketch").answer == "swiglu: a3-sketch"
    assert progress.progress_of_modification(store, week, "gqa").of("a3-sketch").answer is None
    progress.save_answer(store, label, "a3-sketch", "rope")
    progress.save_answer(store, label, "b2-draft", "newer")
    store.add(
        "file", week=label, variant="gqa", file="/repo/gqa.py", base="model.py"
    )  # made, and not chosen
    assert learner_tables.chosen_variant(store, label) == "rope"

    progress.choose_modification(store, week, "swiglu")
    now = progress.recorded_progress(store, label)
    changed = {"b2-draft", "a1-choose"}
    assert {key: record for key, record in now.records.items() if key not in changed} == {
        key: record for key, record in first.records.items() if key not in changed
    }
    assert now.of("b2-draft").answer == "newer"
    back = learner_tables.modification_row(store, label)
    assert back is not None
    assert tuple(back) == tuple(file)
    for name, sketch in (("rope", "rope"), ("gqa", None), ("swiglu", "swiglu: a3-sketch")):
        progress.choose_modification(store, week, name)
        assert progress.recorded_progress(store, label).of("a3-sketch").answer == sketch

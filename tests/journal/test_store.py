"""The store: events folded into tables the same way however they arrive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.ground.files import printable
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.judgment import run_states
from q1lab.judgment.run_states import RunState
from q1lab.study.events import read_new_events
from tests.kit import lab_home

EMPTY = ingest_events.NEW_RUN

numbers = st.one_of(st.floats(-5, 5), st.none())
iters = st.integers(0, 2000)
events = st.lists(
    st.one_of(
        st.builds(
            lambda a, r: {"type": "start", "attempt": a, "resumed_from": r},
            st.integers(1, 4),
            iters,
        ),
        st.builds(
            lambda i, x: {"type": "iter", "iter": i, "train_loss": x, "tok_per_s": 9.0},
            iters,
            numbers,
        ),
        st.builds(lambda i, x: {"type": "eval", "iter": i, "val_loss": x}, iters, numbers),
        st.builds(
            lambda s, x: {"type": "exit", "state": s, "val_loss": x},
            st.sampled_from(list(RunState)[2:]),
            numbers,
        ),
        st.builds(lambda t: {"type": t, "surprise": 1}, st.text(max_size=4)),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(events, st.lists(st.integers(0, 25), max_size=4))
def test_folding_does_not_depend_on_how_events_are_cut(
    run_events: list[dict[str, Any]], cuts: list[int]
) -> None:
    whole = ingest_events.fold_events(EMPTY, run_events)
    run, at = dict(EMPTY), 0
    for cut in [*sorted(cuts), len(run_events)]:
        run = ingest_events.fold_events(run, run_events[at:cut])
        at = max(at, cut)
    assert run == whole


@settings(deadline=None)
@given(events)
def test_what_has_ended_stays_ended(late_events: list[dict[str, Any]]) -> None:
    done = {**EMPTY, "state": "finished", "val_loss": 1.5}
    after = ingest_events.fold_events(done, late_events)
    assert after["state"] == "finished"
    assert after["val_loss"] == 1.5


@settings(deadline=None)  # it opens a file at every step, on whatever disk there is
@given(
    st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=20), max_size=20),
    st.integers(1, 60),
)
def test_reading_takes_whole_lines_only_and_loses_none(texts: list[str], pieces: int) -> None:
    import tempfile

    lines = [json.dumps({"type": "note", "text": text}) for text in texts]
    data = "".join(line + "\n" for line in lines).encode()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        got: list[Any] = []
        offset, step = 0, len(data) // pieces + 1
        with file.open("ab", buffering=0) as written:
            for at in range(0, len(data) + step, step):  # the file grows in torn pieces
                new, offset, bad = read_new_events(file, offset)
                got += new
                assert bad == 0
                written.write(data[at : at + step])
        assert [event["text"] for event in got] == [printable(text) for text in texts]


def test_damaged_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(
        b'{"type":"note"}\n\xff\xfe{{\n[1]\n{"no":"type"}\n{"type":"note"}\n{"type":"to'
    )
    whole_events, offset, bad = read_new_events(file)
    assert (len(whole_events), bad) == (2, 3)
    assert file.read_bytes()[offset:] == b'{"type":"to'


def test_a_line_longer_than_a_read_is_still_read(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps({"type": "note", "text": "x" * 1000}) + "\n")
    read_events, _, _ = read_new_events(file, limit=64)
    assert len(read_events) == 1


def test_states_follow_the_plan() -> None:
    def begun(after: RunState) -> str:
        return str(
            ingest_events.fold_events({**EMPTY, "state": after}, [{"type": "start"}])["state"]
        )

    assert begun(RunState.CRASHED) == "running"
    assert begun(RunState.FINISHED) == "finished"
    assert begun(RunState.DIVERGED) == "diverged", "no silent retry"
    assert run_states.study_state([RunState.FINISHED, RunState.DIVERGED], alive=False) == "finished"
    assert run_states.study_state([RunState.FINISHED, RunState.CRASHED], alive=False) == "crashed"
    assert run_states.study_state([RunState.FINISHED, RunState.QUEUED], alive=False) == "stopped"


def test_a_run_whose_process_is_gone_has_crashed_at_the_first_look() -> None:
    """As after a reboot: its events are new to the index, and nothing runs."""
    study = lab_home.make_study()
    lab_home.train(study, "baseline", 0, to=400, state=None)
    with Store() as store:
        ingest_events.ingest_all(store)
        view = study_view.read_view(store, study, new_events=False)
    assert view.row.state == "crashed"


def test_an_iter_that_is_trained_again_shows_its_newest_loss() -> None:
    study = lab_home.make_study(seeds=(0,))
    file = study.files.run("baseline-seed0").events
    file.parent.mkdir(parents=True, exist_ok=True)
    with Store() as store:
        for loss in (2.0, 1.5):
            with file.open("a") as out:
                out.write(json.dumps({"type": "iter", "iter": 3, "train_loss": loss}) + "\n")
            ingest_events.ingest_study(store, study)
        run = store.runs(study.id)[0]
        assert store.curve(run["id"], "train_loss") == [(3, 1.5)], "the chart keeps the lost work"

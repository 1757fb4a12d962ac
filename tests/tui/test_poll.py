"""An idle app: what it looks at several times a second is worked out once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.index import store as index_store
from q1lab.index.store import Store
from q1lab.tui.snapshot_taker import SnapshotReader
from q1lab.week import chosen_variant, content, evidence, progress
from q1lab.week.lists import papers, posts, predictions
from q1lab.week.syllabus import Week


@pytest.fixture
def week() -> Week:
    return content.load_week(paths.content_dir())


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


def test_a_tick_is_no_reason_to_read_more_than_progress(store: Store, week: Week) -> None:
    progress.choose_modification(store, week, "rope")
    reader = SnapshotReader(week.label, week)
    for _ in range(2):
        reader.read_snapshot(store)
    progress.tick_step(store, week.label, "a1-trains", True)
    questions: list[str] = []
    store.db.set_trace_callback(questions.append)
    assert reader.read_snapshot(store, ingest=False).progress.of("a1-trains").done
    tables = {
        table for question in questions for table in re.findall(r"(?:FROM|INTO) (\w+)", question)
    }
    assert tables == {"step_records", "part_times", "modifications", "settings"}


def test_what_a_look_does_not_read_again_is_what_a_fresh_one_reads(
    store: Store, week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = itertools.count()
    monkeypatch.setattr(
        index_store, "utc_now", lambda: f"2046-03-07T10:{next(minutes):02}:00+00:00"
    )
    label, document, model = week.label, tmp_path / "M.md", tmp_path / "rope.py"
    reader = SnapshotReader(label, week)
    document.write_text("x")
    model.write_text("# mine\n")

    def write() -> None:
        prediction = predictions.newest_prediction(store, "rope", label)
        number = prediction["id"] if prediction else None
        chosen_variant.note_document_written(
            store, label, "rope", document, committed=True, prediction=number
        )

    def elsewhere() -> None:
        with Store() as other:
            progress.tick_step(other, label, "a1-document", False)
            posts.publish_post(other, label, "https://example.org/q1")

    def predict() -> None:
        predictions.record_prediction(
            store, label, "rope", "lower", size=0.02, matters=0.01, confidence=0.7, reasoning=""
        )

    acts: list[Callable[[], object]] = [
        lambda: progress.choose_modification(store, week, "rope"),
        lambda: progress.save_answer(store, label, "a1-why", "words"),
        write,
        predict,
        write,
        lambda: progress.tick_step(store, label, "a3-predict", True),
        lambda: progress.tick_step(store, label, "a3-commit", False),
        lambda: progress.grade_recall(store, label, "a2-rope-s1", False),
        lambda: papers.finish_paper(store, str(papers.add_paper(store, "RoFormer", week=label))),
        lambda: progress.tick_step(store, label, "a2-log", False),
        lambda: evidence.note_check(store, label, model, "rope"),
        lambda: progress.save_answer(store, label, "a1-why", ""),
        lambda: progress.save_answer(store, label, "a1-why", "later than the document"),
        elsewhere,
        write,
        document.unlink,
        lambda: progress.choose_modification(store, week, "gqa"),
    ]
    pictures = []
    for act in acts:
        act()
        pictures.append(reader.read_snapshot(store).progress)
        assert (
            pictures[-1]
            == reader.read_snapshot(store).progress
            == evidence.read_progress(store, week)
        )
    assert all(picture != other for picture, other in itertools.pairwise(pictures))

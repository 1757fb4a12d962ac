"""The journal: what is on record stays, whatever happens to the file, the tables or the program."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.commands import cli, doctor
from q1lab.ground import paths
from q1lab.ground.errors import NOTICES, Problem
from q1lab.index import journal, journal_tables, learner_tables, lost_lines, store
from q1lab.index.journal import Offset
from q1lab.index.store import Store
from q1lab.record import home_history
from q1lab.week import content, evidence, progress
from q1lab.week.lists import papers, predictions
from tests.kit import lab_home

WEEK = "M03-W04"
BODIES = st.lists(
    st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.none(), max_size=3),
    min_size=1,
    max_size=6,
)


@pytest.fixture(autouse=True)
def nothing_to_say() -> Iterator[None]:
    NOTICES.clear()
    yield
    NOTICES.clear()


@given(batches=st.lists(BODIES, max_size=5), pieces=st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_lines_are_the_same_however_they_are_read(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[dict[str, Any]]], pieces: int
) -> None:
    file = tmp_path_factory.mktemp("j") / "journal.jsonl"
    mark = Offset()
    for bodies in batches:
        mark = journal.append(file, bodies, mark)
    whole = journal.read_entries(file) if batches else journal.NewEntries((), Offset())
    assert [line.body for line in whole.lines] == [body for batch in batches for body in batch]
    assert whole.mark == mark
    assert (whole.damaged, whole.newer) == ((), ())
    data = file.read_bytes() if batches else b""
    grown, at, lines_in_steps = file.with_name("grown.jsonl"), Offset(), []
    step = len(data) // pieces + 1
    for end in range(0, len(data) + step, step):
        grown.write_bytes(data[:end])
        news = journal.read_entries(grown, at)
        lines_in_steps += news.lines
        at = news.mark
    assert tuple(lines_in_steps) == whole.lines


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_flipped_bit_costs_its_line_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("j") / "journal.jsonl"
    bodies = [{"act": "tick", "n": n, "é": "réponse"} for n in range(8)]
    journal.append(file, bodies, Offset())
    raw = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    line = raw[: bit // 8].count(b"\n")
    raw[bit // 8] ^= 1 << bit % 8
    file.write_bytes(raw)
    news = journal.read_entries(file)
    read = [entry.body for entry in news.lines if entry.body is not None]
    # a newline that went joins two lines; a digit that became another one is not noticed
    before, after = bodies[:line], bodies[line + 2 :]
    assert read[: len(before)] == before
    assert read[len(read) - len(after) :] == after
    assert len(read) <= len(bodies)


def test_a_torn_line_gets_its_end_and_the_next_one_follows_the_last_whole_one(home: Path) -> None:
    with Store() as index:
        progress.tick_step(index, WEEK, "a", True)
    file = home / "journal.jsonl"
    with file.open("ab") as out:
        out.write(b'{"v": 1, "prev": "12')
    with Store() as index:
        progress.tick_step(index, WEEK, "b", True)
        assert progress.recorded_progress(index, WEEK).done == {"a", "b"}
    news = journal.read_entries(file)
    assert news.damaged == (2,)
    assert "journal.jsonl, line 2 can't be read" in NOTICES[-1]
    NOTICES.clear()
    with Store():
        assert not NOTICES, "said once"


def typed(index: Store) -> None:
    """Some of everything."""
    learner_tables.choose_variant(index, WEEK, "gqa")
    learner_tables.choose_variant(index, WEEK, "rope", ["a2-relative"])
    progress.save_answer(index, WEEK, "a2-relative", "réponse 🙂\n" + "L" * 30_000)
    progress.grade_recall(index, WEEK, "a2-rope-s1", False)
    learner_tables.credit_seconds(index, WEEK, {"a1": 754.5})
    predictions.record_prediction(
        index, WEEK, "rope", "lower", size=0.05, matters=0.01, confidence=0.8
    )
    predictions.lock_prediction(index, "rope", "commit 1a2b3c")
    papers.finish_paper(index, str(papers.add_paper(index, "RoFormer", week=WEEK)))
    progress.save_week_setting(index, WEEK, "welcomed", True)


def rows(index: Store) -> dict[str, list[tuple[Any, ...]]]:
    """The learner's rows."""
    rows_by_table = {}
    for table in journal_tables.tables_of_journal():
        where = (
            "WHERE key NOT IN ('journal', 'folded', 'unread', 'plugins')"
            if table == "settings"
            else ""
        )
        rows_by_table[table] = [
            tuple(row) for row in index.db.execute(f"SELECT * FROM {table} {where}")
        ]
    return rows_by_table


@pytest.mark.parametrize("how", ["gone", "garbled", "cut off", "no database", "empty"])
def test_the_database_can_go_at_any_time(home: Path, how: str) -> None:
    """Also under a viewer that has it open."""
    viewer = Store()
    typed(viewer)
    truth = rows(viewer)
    file = home / "q1lab.db"
    data = file.read_bytes()
    file.unlink()
    if how != "gone":
        changed = {
            "garbled": data[:4096] + b"\xff" * 4096 + data[8192:],
            "cut off": data[:5000],
            "no database": b"x" * 9000,
            "empty": b"",
        }
        file.write_bytes(changed[how])
    progress.tick_step(viewer, WEEK, "b", True)
    progress.tick_step(viewer, WEEK, "b", False)
    viewer.close()
    with Store() as reopened:
        rows_by_table = rows(reopened)
    rows_by_table["step_records"] = [row for row in rows_by_table["step_records"] if row[1] != "b"]
    assert rows_by_table == truth


ANSWER = "as it was typed"


def test_a_row_that_the_disk_garbled_comes_back_within_a_day(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has no checksums: a flipped letter in an answer opens fine."""
    with Store() as index:
        progress.save_answer(index, WEEK, "one", ANSWER)
    file = home / "q1lab.db"
    data = file.read_bytes()
    assert data.count(ANSWER.encode()) == 1
    file.write_bytes(data.replace(ANSWER.encode(), ANSWER.replace("p", "q").encode()))
    monkeypatch.setattr(store, "utc_now", lambda: "2036-03-07T10:00:00+00:00")
    with Store() as index:
        assert progress.recorded_progress(index, WEEK).of("one").answer == ANSWER


@pytest.mark.parametrize("how", ["deleted", "emptied", "rolled back", "another"])
def test_what_the_journal_lost_is_said_and_stays_in_a_copy_of_the_index(
    home: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was taken in silence, and the index, the last copy, was thrown away."""
    file = home / "journal.jsonl"
    with Store() as index:
        progress.tick_step(index, WEEK, "a", True)
        early = file.read_bytes()
        typed(index)
        truth = rows(index)
    whole = file.read_bytes()
    other = journal.encode_entries([{**TICK, "step": str(n)} for n in range(99)])
    begins = {"deleted": b"", "emptied": b"", "rolled back": early, "another": other}[how]
    file.write_bytes(begins)
    if how == "deleted":
        file.unlink()
    with Store() as index:
        assert len(progress.recorded_progress(index, WEEK).done) == begins.count(b"\n")
        (notice,) = NOTICES
        assert lost_lines.lost_line_warnings(index.file, index.journal) == [notice]
        assert index.notice == notice
    gone = whole.count(b"\n") - begins.count(b"\n")
    assert (f"{gone} lines fewer" in notice) == (how != "another")
    (copy,) = home.glob("q1lab.until-*.db")
    with contextlib.closing(sqlite3.connect(copy)) as copied_index:
        for table in ("step_records", "predictions", "papers", "begun"):
            assert copied_index.execute(f"SELECT * FROM {table}").fetchall() == truth[table]
    NOTICES.clear()
    assert cli.run_command_line(["status"]) == 0
    assert notice in capsys.readouterr().err
    for data in (whole, begins, whole):  # a synced folder may bring both again and again
        file.write_bytes(data)
        with Store() as index:
            assert (notice in lost_lines.lost_line_warnings(index.file, index.journal)) == (
                data == begins
            )
            assert rows(index)["step_records"] == truth["step_records"] or data == begins
    if how != "another":  # of which whoever puts the first one back loses the lines
        assert list(home.glob("q1lab.until-*.db")) == [copy]
    for each in home.glob("q1lab.until-*.db"):  # to go on without what they know
        each.unlink()
    with Store() as index:
        assert not lost_lines.lost_line_warnings(index.file, index.journal)


@pytest.mark.parametrize("how", ["of an older q1lab", "a day later"])
def test_what_the_journal_lost_is_kept_however_the_index_is_made_anew(home: Path, how: str) -> None:
    with Store() as index:
        progress.tick_step(index, WEEK, "a", True)
        if how == "a day later":
            index.set_setting("folded", "2026-03-07")
    (home / "journal.jsonl").unlink()
    if how == "of an older q1lab":
        with contextlib.closing(sqlite3.connect(home / "q1lab.db")) as db:
            db.execute("PRAGMA user_version = 1")
    with Store() as index:
        assert len(lost_lines.lost_line_warnings(index.file, index.journal)) == 1


def test_two_at_once_lose_nothing(home: Path) -> None:
    Store().close()
    code = (
        "import sys; from q1lab.index.store import Store; from q1lab.week import progress\n"
        "for n in range(20):\n"
        "  with Store() as s: progress.tick_step(s, 'w', f'{sys.argv[1]}-{n}', True)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(who)]) for who in range(3)]
    assert [child.wait(timeout=170) for child in both] == [0, 0, 0]
    news = journal.read_entries(home / "journal.jsonl")
    assert len(news.lines) == 60
    assert news.damaged == ()
    with Store() as index:
        assert len(progress.recorded_progress(index, "w").done) == 60


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(home: Path) -> None:
    code = (
        "import os, sys\nfrom q1lab.index import journal, store\nfrom q1lab.week import progress\n"
        "left = int(sys.argv[1])\nfiles = {store.__file__, journal.__file__}\n"
        "def trace(frame, event, arg):\n    global left\n"
        "    if frame.f_code.co_filename not in files: return None\n"
        "    left -= event == 'line'\n"
        "    if left <= 0: os.kill(os.getpid(), 9)\n    return trace\n"
        "sys.settrace(trace)\n"
        "for n in range(3):\n"
        "  with store.Store() as s: progress.tick_step(s, 'w', str(n), True)\n"
        "  print(n, flush=True)\n"
    )
    killed = 0
    for left in range(5, 420, 23):
        for old in [*home.glob("q1lab.*"), *home.glob("journal.*")]:
            old.unlink()
        done = subprocess.run(
            [sys.executable, "-c", code, str(left)], capture_output=True, text=True, check=False
        )
        killed += done.returncode == -signal.SIGKILL
        with Store() as index:
            recorded_steps = progress.recorded_progress(index, "w").done
            progress.tick_step(index, "w", "after", True)
            assert "after" in progress.recorded_progress(index, "w").done
        assert recorded_steps >= set(done.stdout.split())
        assert not journal.read_entries(home / "journal.jsonl").damaged
    assert killed > 10


def test_what_the_disk_refuses_did_not_happen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store() as index:
        progress.tick_step(index, WEEK, "a", True)
        before = (home / "journal.jsonl").read_bytes()
        real = os.write

        def full(fd: int, data: bytes) -> int:
            real(fd, data[:10])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(journal.os, "write", full)
        with pytest.raises(Problem, match=r"journal\.jsonl: the disk is full"):
            progress.tick_step(index, WEEK, "b", True)
        monkeypatch.undo()
        assert (home / "journal.jsonl").read_bytes() == before
        assert progress.recorded_progress(index, WEEK).done == {"a"}
        progress.tick_step(index, WEEK, "c", True)
        assert progress.recorded_progress(index, WEEK).done == {"a", "c"}


def line(body: dict[str, Any], **how: Any) -> bytes:
    entry = json.loads(journal.encode_entries([body]))
    return json.dumps({**entry, **how}).encode() + b"\n"


AT = {"at": "2026-03-07T10:00:00+00:00"}
TICK = {"act": "tick", **AT, "week": WEEK, "step": "a", "done": True}


@pytest.mark.parametrize(
    ("bad", "notice"),
    [
        (b"no json\n", "line 1 can't be read"),
        (b"[" * 100_000 + b"\n", "line 1 can't be read"),
        (b"\xff\xfe\n", "line 1 can't be read"),
        (line({"act": "tick", **AT}), "line 1 can't be read"),
        (line({**TICK, "week": {"a": 1}}), "line 1 can't be read"),
        (line({"act": "share", **AT, "week": WEEK, "channel": "x", "url": "y"}), "can't be read"),
        (line({"act": 7}), "is from a newer q1lab"),
        (line({"act": "levitate", **AT}), "is from a newer q1lab"),
        (line(TICK, v=4), "is from a newer q1lab"),
        (line(TICK, v=1), "line 1 can't be read"),
    ],
    ids=str.split("text deep bytes bare typed lone number unknown version older"),
)
def test_a_senseless_line_is_said_and_costs_nothing_else(
    home: Path, bad: bytes, notice: str
) -> None:
    good = {**TICK, "step": "b"}
    (home / "journal.jsonl").write_bytes(bad + line(good))
    with Store() as index:
        assert progress.recorded_progress(index, WEEK).done == {"b"}
        progress.tick_step(index, WEEK, "c", True)
        assert progress.recorded_progress(index, WEEK).done == {"b", "c"}
    assert notice in NOTICES[0]


def test_lines_of_format_2_are_read_by_their_body(home: Path) -> None:
    older = {"v": 2, "prev": "a", "sha": "b", "salt": "c", "body": TICK}
    (home / "journal.jsonl").write_bytes(json.dumps(older).encode() + b"\n")
    with Store() as index:
        progress.tick_step(index, WEEK, "b", True)
        assert progress.recorded_progress(index, WEEK).done == {"a", "b"}
    assert not NOTICES


PLAN = {"id": "rope-9", "created": AT["at"]}
SETTINGS: dict[str, Any] = {
    "data": {"corpus": "shakespeare", "words": "Shakespeare", "vocab": 65},
    f"recall:{WEEK}": {"a": "wrong"},
    f"offered:{WEEK}": {"a1": 12.5},
    f"timer:{WEEK}": 1,
    f"empty:{WEEK}": 2,
    f"evidence:{WEEK}": {"b2-run": {"words": "the runs", "since": AT["at"], "variant": "rope"}},
}
STEP = {"week": WEEK, "step": "a"}
VARIANT = {"week": WEEK, "variant": "rope"}
SAMPLES: list[dict[str, Any]] = [
    {"act": "tick", **STEP, "done": True, "who": "person"},
    {"act": "answer", **STEP, "text": "words"},
    {"act": "answer", **STEP, "text": None},
    {"act": "recall", **STEP, "right": False},
    {"act": "time", "week": WEEK, "seconds": {"a1": 60.5}, "entry": 1},
    {"act": "choose", **VARIANT, "shared": ["a"]},
    {"act": "file", **VARIANT, "file": "/r/rope.py", "base": "baseline"},
    {"act": "file", **VARIANT, "file": "/r/rope.py", "base": None},
    {"act": "hint", **VARIANT, "stage": 1},
    {"act": "reference", **VARIANT},
    {
        **{"act": "predict", **VARIANT, "direction": "lower", "size": 0.1, "matters": 0.05},
        **{"confidence": 0.7, "reasoning": "it helps"},
    },
    {"act": "lock", **VARIANT, "by": "commit 1a2b3c"},
    {"act": "levels", "levels": [["rope-1", AT["at"], 0.05]]},
    {"act": "check", **VARIANT, "file": "/r/rope.py", "sha256": "0" * 64},
    {"act": "merge", "week": WEEK, "file": "/r/rope.py", "into": "/r/model.py", "commit": None},
    {"act": "merge", "week": WEEK, "file": "/r/rope.py", "into": "/r/model.py", "commit": "1a"},
    {"act": "document", **VARIANT, "path": "/r/M.md", "committed": True, "prediction": 1},
    {"act": "document", **VARIANT, "path": "/r/M.md", "committed": True, "prediction": None},
    {"act": "roadmap", "week": WEEK, "path": "/r/R.md"},
    {"act": "look", **VARIANT, "command": "compare", "what": "rope-1"},
    {"act": "retro", "week": WEEK, "path": "/r/Q1_RETRO.md", "commit": None},
    {"act": "retro", "week": WEEK, "path": "/r/Q1_RETRO.md", "commit": "1a2b3c"},
    {"act": "kpi", "name": "papers_read", "target": 8.0, "actual": 1},
    {"act": "kpi", "name": "papers_read", "target": None, "actual": None},
    {
        **{"act": "paper", "title": "RoFormer", "link": "https://x.org", "week": WEEK},
        **{"depth": "deep", "notes": "", "was": None},
    },
    {"act": "paper", "title": "Other", "link": None, "week": None, "depth": None, "notes": None},
    {"act": "paper", "title": "RoFormer 2", "was": "RoFormer"},
    {"act": "read", "title": "Other", "depth": "skim", "notes": "dense"},
    {"act": "read", "title": "Other", "depth": None, "notes": None},
    {"act": "artifact", "kind": "talk", "title": "T", "location": "https://x.org", "week": WEEK},
    {"act": "artifact", "kind": "talk", "title": "U", "location": None, "week": None},
    {"act": "artifact", "kind": "talk", "title": "U", "removed": True},
    {"act": "post", "week": WEEK, "title": "P", "path": "/r/p.md"},
    {"act": "post", "week": WEEK, "title": "P", "path": None},
    {"act": "publish", "week": WEEK, "url": "https://x.org/p", "title": "P"},
    {"act": "share", "week": WEEK, "channel": "hn", "url": "https://x.org/s"},
    {"act": "share", "week": WEEK, "channel": "x", "url": None},
    {"act": "begin", "plan": PLAN, "declares": {"study": "00"}},
    {"act": "begin", "plan": None, "declares": None},
    {
        **{"act": "delete", "study": "rope-9", "plan": PLAN},
        "runs": {"baseline-seed0": {"state": "finished", "val_loss": 1.9, "first": {"1": 4.1}}},
    },
    {"act": "delete", "study": "rope-9", "plan": None, "runs": {}},
    {"act": "label", "study": "rope-9", "note": "n", "tags": ["t"]},
    *({"act": "setting", "key": key, "value": value} for key, value in SETTINGS.items()),
]
"""One entry of each of the core's acts, more where a field may be null or missing."""
JUNK: list[Any] = [None, True, 7, 1 << 64, 10**400, 0.5, math.inf, math.nan, "text", [], [1], {}]
JUNK += [{"a": 1}, {"a": "b"}, {"a": {"b": []}}, "/r/\0.md"]


def spoiled(samples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every entry with every field as each of these values, also inside of objects, or missing."""
    for sample in samples:
        for field, value in sample.items():
            if field != "act":
                yield from ({**sample, field: junk} for junk in JUNK)
            if isinstance(value, dict):
                for inner in value:
                    for junk in JUNK:
                        yield {**sample, field: {**value, inner: junk}}
        for field in sample:
            yield {name: sample[name] for name in sample if name != field}


def kind_of(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number" if abs(value) < 1e15 else "no number"


def test_no_senseless_line_ends_a_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`"week": 2**64`, `"seconds": []` and `"entry": 1e400` did, until the line was gone."""
    acts = {sample["act"] for sample in SAMPLES}
    assert acts == {*journal_tables.FOLDS, "retro", "roadmap"}
    fields: dict[tuple[str, str], set[str]] = {}
    for sample in SAMPLES:
        for field, value in sample.items():
            fields.setdefault((sample["act"], field), set()).add(kind_of(value))
    lab_home.finish(lab_home.make_study())
    with Store() as index, index.act() as add:
        for sample in SAMPLES:
            add(sample["act"], **{key: sample[key] for key in sample if key not in ("act", "who")})
    bodies = [{**AT, **body} for body in spoiled(SAMPLES)]
    mark = journal.read_entries(home / "journal.jsonl").mark
    journal.append(home / "journal.jsonl", bodies, mark)
    wrong = sum(
        any(
            kind_of(value) not in fields.get((body.get("act"), field), {kind_of(value)})
            for field, value in body.items()
            if (body.get("act"), field) != ("setting", "value")
        )
        for body in bodies
    )
    with Store() as index:
        assert wrong <= index.unread <= len(bodies)
        progress.tick_step(index, WEEK, "b", True)
        assert "b" in progress.recorded_progress(index, WEEK).done
    for words in (
        "status",
        "paper",
        "course kpi",
        "course card",
        "course artifact",
        "compare rope-1",
        "post",
    ):
        assert cli.run_command_line(words.split()) == 0, capsys.readouterr().err
    with Store() as index:
        evidence.read_progress(index, content.load_week(paths.content_dir()))
        home_history.study_history(index, lab_home.make_study("rope-2"))
    assert doctor._journal_summary()


@pytest.mark.parametrize("kind", ["fifo", "folder", "link"])
def test_a_journal_that_is_no_file_is_one_line(home: Path, kind: str, tmp_path: Path) -> None:
    file = home / "journal.jsonl"
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        (tmp_path / "elsewhere").touch()
        file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Problem, match=r"journal\.jsonl: "), Store() as index:
        progress.tick_step(index, WEEK, "a", True)
    if kind == "link":
        assert not (tmp_path / "elsewhere").read_bytes()


def test_acts_inside_an_act_are_one(home: Path) -> None:
    with Store() as index:
        with contextlib.suppress(RuntimeError), index.act() as add:
            add("tick", week=WEEK, step="a", done=True)
            progress.tick_step(index, WEEK, "b", True)
            raise RuntimeError
        assert progress.recorded_progress(index, WEEK).done == set()
        with index.act() as add:
            add("tick", week=WEEK, step="a", done=True)
            progress.tick_step(index, WEEK, "b", True)
        assert progress.recorded_progress(index, WEEK).done == {"a", "b"}


def test_the_timer_counts_once_when_a_credit_is_cut_off_before_its_state(home: Path) -> None:
    with Store() as index:
        progress.save_clock(index, WEEK, {}, {"part": "a1", "fresh": {"a1": 30.0}})
        assert progress.recorded_progress(index, WEEK).spent("a1") == 30
        learner_tables.credit_seconds(
            index, WEEK, {"a1": 30.0}
        )  # and killed before the state was written
        assert progress.recorded_progress(index, WEEK).spent("a1") == 30
        progress.save_clock(index, WEEK, {}, {"part": "a1", "fresh": {"a1": 5.0}})
        assert progress.recorded_progress(index, WEEK).spent("a1") == 35


def test_a_viewer_sees_what_another_one_did(home: Path) -> None:
    viewer = Store()
    said = []

    def other() -> None:
        with Store() as index:
            progress.tick_step(index, WEEK, "a", True)
            said.append("done")

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    viewer.refresh()
    assert progress.recorded_progress(viewer, WEEK).done == {"a"}
    viewer.close()

"""What comes from an engine is kept once and in order, whenever the process is killed."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.paths import StudyPaths
from q1lab.study.engines.journal import Journal

RUNS = ("baseline-seed0", "modified-seed0")


def lines(counts: list[int]) -> list[tuple[int | None, str, str]]:
    """Numbered event lines; a 0 is a word about a cell, which has a number but no event."""
    found: list[tuple[int | None, str, str]] = []
    for n, size in enumerate(counts, 1):
        run = RUNS[n % 2]
        text = json.dumps({"type": "note", "text": "x" * size, "n": n}) if size else ""
        found.append((n, run, text))
    return found


def events(files: StudyPaths, run: str) -> str:
    path = files.run(run).events
    return path.read_text() if path.exists() else ""


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    cuts=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=4),
    before=st.sampled_from(["", '{"type":"start"}\n', '{"type":"start"}\n{"to']),
)
def test_killed_at_any_byte_nothing_is_lost_or_doubled(
    tmp_path_factory: object, counts: list[int], cuts: list[tuple[int, int]], before: str
) -> None:
    files = StudyPaths(tmp_path_factory.mktemp("study"))  # type: ignore[attr-defined]
    for run in RUNS:
        files.run(run).root.mkdir(parents=True)
        files.run(run).events.write_text(before)
    sent = lines(counts)
    base = Journal(files).base(RUNS)
    for journal_cut, events_cut in cuts:
        journal = Journal(files)
        journal.add("job", sent[: len(sent) // 2])
        journal.make_up(base)
        journal.path.touch()
        with journal.path.open("r+b") as file:  # the kill came in the middle of a write
            file.truncate(min(journal_cut, journal.path.stat().st_size))
        for run in RUNS:
            path = files.run(run).events
            with path.open("r+b") as file:
                whole = "".join(f"{t}\n" for _, r, t in kept(journal.path) if r == run and t)
                most = len(before) + len(whole.encode())
                file.truncate(max(len(before), min(events_cut, most, path.stat().st_size)))
    journal = Journal(files)
    journal.make_up(base)
    cursor = journal.cursors.get("job", 0)
    assert cursor == len([1 for n, _, _ in sent if n is not None and n <= cursor])
    journal.add("job", sent)  # the engine is asked for all that comes after; it may send more
    journal.make_up(base)
    for run in RUNS:
        wanted = before + "".join(f"{text}\n" for _, name, text in sent if name == run and text)
        assert events(files, run) == wanted


def kept(journal: Path) -> list[tuple[int, str, str]]:
    found = []
    for line in journal.read_bytes().split(b"\n")[:-1]:
        entry = json.loads(line)
        found.append((entry["n"], entry["run"], entry["line"]))
    return found


def test_a_second_launch_begins_behind_what_is_there(tmp_path: Path) -> None:
    files = StudyPaths(tmp_path)
    first = Journal(files)
    first.add("one", [(1, RUNS[0], '{"type":"start"}')])
    first.make_up(first.base(RUNS))
    with files.run(RUNS[0]).events.open("a") as file:
        file.write('{"type":"note","text":"trained here for a while"}\n')
    second = Journal(files)
    base = second.base(RUNS)
    second.add("two", [(1, RUNS[0], '{"type":"start","attempt":2}')])
    second.make_up(base)
    assert len(files.run(RUNS[0]).events.read_text().splitlines()) == 3

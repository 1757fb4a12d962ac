"""Events from an engine arrive once and in order, whenever the process is killed."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from q1lab.runner.engine import JobNews
from q1lab.runner.remote_engine import RemoteCrew
from q1lab.study import engine_state
from q1lab.study.engine_state import CellStatus, Job
from q1lab.study.studies import Study
from tests.kit.lab_home import make_study

RUNS = ("baseline-seed0", "modified-seed0")
END = json.dumps({"type": "exit", "state": "finished", "val_loss": 1.9, "iter": 9})


class Killed(Exception):
    pass


class Sender:
    """Gives all lines after the cursor up to ``most``; over once it has given all."""

    def __init__(self, lines: list[tuple[int, str, str]], most: int | None = None) -> None:
        self.lines, self.most = lines, most

    def submit(self, study: Study, job: Job) -> Job:
        return job

    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        state = CellStatus("ended" if self.most is None else "running")
        news = tuple(self.lines[cursor : self.most])
        return JobNews(dict.fromkeys(RUNS, state), news, over=self.most is None)


def numbered(counts: list[int]) -> list[tuple[int, str, str]]:
    """Numbered event lines, the runs' ends last; a 0 is a word about a cell, which has a number but
    no event."""
    texts = [
        (RUNS[n % 2], json.dumps({"type": "note", "text": "x" * size, "n": n}) if size else "")
        for n, size in enumerate(counts)
    ]
    every = [*texts, *((run, END) for run in RUNS)]
    return [(n, run, text) for n, (run, text) in enumerate(every, 1)]


def work(study: Study, sender: Sender) -> None:
    def kill(_: float) -> None:
        raise Killed

    try:
        RemoteCrew(study, 1, sender, "lab", sleep=kill).run()  # type: ignore[arg-type]
    except Killed:
        assert sender.most is not None


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    kills=st.lists(st.tuples(st.integers(0, 32), st.integers(0, 5000)), max_size=4),
    before=st.sampled_from(["", '{"type":"start"}\n', '{"type":"start"}\n{"to']),
)
def test_killed_at_any_byte_nothing_is_lost_or_doubled(
    home: Path, counts: list[int], kills: list[tuple[int, int]], before: str
) -> None:
    study = make_study(f"rope-{1 + len(list((home / 'studies').glob('*')))}", seeds=(0,))
    whole = before[: before.rfind("\n") + 1]
    for run in RUNS:
        study.files.run(run).root.mkdir(parents=True, exist_ok=True)
        study.files.run(run).events.write_text(before)
    sent = numbered(counts)
    for most, cut in kills:
        work(study, Sender(sent, most))
        for run in RUNS:  # the kill came in the middle of a write
            path = study.files.run(run).events
            with path.open("r+b") as file:
                file.truncate(max(len(whole), min(cut, path.stat().st_size)))
    work(study, Sender(sent))
    for run in RUNS:
        expected = whole + "".join(f"{text}\n" for _, name, text in sent if name == run and text)
        assert study.files.run(run).events.read_text() == expected


def test_a_second_launch_begins_behind_what_is_there(home: Path) -> None:
    study = make_study(seeds=(0,))
    begun = [(1, RUNS[0], '{"type":"start"}'), (2, RUNS[0], '{"type":"note"}')]
    work(study, Sender(begun, 9))
    engine_state.remove_status(study.files.root)  # and then it trained here for a while
    events = study.files.run(RUNS[0]).events
    with events.open("a") as file:
        file.write('{"type":"note","text":"trained here"}\n')
    work(study, Sender(numbered([5])))
    assert len(events.read_text().splitlines()) == 5

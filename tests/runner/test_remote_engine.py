"""The crew that works a study off on an engine, against an engine of a few lines: every state that
only an engine knows, what is lost and handed over again, and what nobody answers to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands import live_progress, status
from q1lab.ground import config
from q1lab.index import ingest_events, study_view
from q1lab.index.store import Store
from q1lab.judgment.metric import VAL_LOSS
from q1lab.runner import alerts, remote_engine
from q1lab.runner.engine import JobNews, OutOfReach, Refused
from q1lab.runner.remote_engine import RemoteCrew
from q1lab.runner.runner import Runner
from q1lab.study import engine_state, liveness, seed_range, studies
from q1lab.study.engine_state import CellStatus, Job
from q1lab.study.run_states import RunState
from q1lab.study.studies import Study
from tests.kit.lab_home import make_study
from tests.kit.plans import changed

A = "baseline-seed0"


def start(cell: str, attempt: int = 1) -> str:
    arm, _, seed = cell.partition("-seed")
    return json.dumps({"type": "start", "arm": arm, "seed": int(seed), "attempt": attempt})


def end(state: str = "finished", loss: float = 1.9) -> str:
    return json.dumps({"type": "exit", "state": state, "val_loss": loss, "iter": 100})


@dataclass
class Engine:
    """Gives the news it was told to give, one a look; an exception among them is raised."""

    news: list[JobNews | Exception]
    jobs: list[Job] = field(default_factory=list)
    stopped: int = 0
    seen: list[int] = field(default_factory=list)

    def submit(self, study: Study, job: Job) -> Job:
        if self.news and isinstance(self.news[0], Refused):
            raise self.news.pop(0)
        self.jobs.append(job)
        return job

    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        self.seen.append(cursor)
        news = self.news.pop(0)
        if isinstance(news, Exception):
            raise news
        return news

    def stop(self, job: Job) -> None:
        self.stopped += 1


@pytest.fixture
def study(home: object) -> Study:
    return make_study(seeds=(0,))


def crew(study: Study, engine: Engine, between: Any = lambda _: None) -> RemoteCrew:
    return RemoteCrew(study, 1, engine, "gpu-box", sleep=between)  # type: ignore[arg-type]


def whole(study: Study) -> JobNews:
    """Everything finished, in one look."""
    lines, n = [], 0
    for run in study.runs:
        for text in (start(run.name), end()):
            n += 1
            lines.append((n, run.name, text))
    return JobNews({run.name: CellStatus("ended") for run in study.runs}, tuple(lines), over=True)


def look(study: Study) -> study_view.StudyView:
    with Store() as store:
        return study_view.read_view(store, study)


def test_a_job_that_ends_well(study: Study) -> None:
    engine = Engine([whole(study)])
    crew(study, engine).run()
    assert look(study).row.state == "finished"
    assert not liveness.is_alive(study.files)
    assert engine.jobs[0].cells == tuple(run.name for run in study.runs)


@pytest.mark.parametrize(
    ("seen", "state", "message"),
    [
        (CellStatus("waiting", "waits: Resources"), RunState.QUEUED, "waits: Resources"),
        (CellStatus("running", "attempt 2, node lost"), RunState.RUNNING, "attempt 2, node lost"),
    ],
)
def test_what_only_the_engine_knows_is_shown_in_its_words(
    study: Study, seen: CellStatus, state: RunState, message: str
) -> None:
    lines = ((1, A, start(A)),) if state is RunState.RUNNING else ()
    shown: list[study_view.StudyView] = []
    engine = Engine([JobNews({A: seen}, lines), whole(study)])
    crew(study, engine, lambda _: shown.append(look(study))).run()
    run = shown[0].run(A)
    assert (run.state, run.message) == (state, message)
    assert shown[0].row.state == "running"
    assert shown[0].engine == f"on gpu-box: {message} (1 run)"
    assert live_progress.run_line(run, VAL_LOSS).endswith(f", {message}")
    assert f"running on gpu-box: {message} (1 run), 0 of 2 runs done" in status.study_summary(
        shown[0]
    )


def test_words_of_many_runs_are_said_once(study: Study) -> None:
    word = engine_state.EngineStatus(
        "lab",
        1,
        Job("x", ()),
        cells={
            **{f"baseline-seed{n}": CellStatus("waiting", "waits: Priority") for n in range(500)},
            **{
                f"modified-seed{n}": CellStatus("running", "attempt 2, node lost") for n in range(3)
            },
            "modified-seed3": CellStatus("running", "attempt 3, node lost"),
            "modified-seed4": CellStatus("ended", "of no interest"),
            "modified-seed5": CellStatus("running"),
        },
    )
    assert engine_state.describe_status(word) == (
        "on lab: waits: Priority (500 runs); attempt 2, node lost (3 runs)"
    )


@pytest.mark.parametrize(
    ("seen", "state", "message"),
    [
        (CellStatus("cancelled", "cancelled at Slurm"), RunState.STOPPED, "cancelled at Slurm"),
        (CellStatus("cancelled", "preempted at Slurm"), RunState.STOPPED, "preempted at Slurm"),
        (
            CellStatus("lost", "the engine no longer knows it"),
            RunState.CRASHED,
            "no longer knows it",
        ),
    ],
)
def test_a_run_without_a_last_word_gets_the_engines(
    study: Study, seen: CellStatus, state: RunState, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("q1lab.runner.remote_engine.MOST_TRIES", 1)
    engine = Engine([JobNews({A: seen}, ((1, A, start(A)),), over=True)])
    crew(study, engine).run()
    run = look(study).run(A)
    assert run.state is state
    assert message in str(run.message)


def test_a_run_that_wrote_here_itself_gets_a_last_word_too(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Slurm, where nothing is pulled; the trainer was killed in mid-write."""
    monkeypatch.setattr("q1lab.runner.remote_engine.MOST_TRIES", 1)
    events = study.files.run(A).events

    def train(_: float) -> None:
        events.parent.mkdir(parents=True)
        events.write_text(start(A) + "\n" + json.dumps({"type": "note", "text": "x" * 900}) + "\n{")

    gone = JobNews({A: CellStatus("lost", "node fail at Slurm")}, over=True)
    crew(study, Engine([JobNews({A: CellStatus("running")}), gone]), train).run()
    run = look(study).run(A)
    assert (run.state, run.message) == (RunState.CRASHED, "node fail at Slurm")


def test_lost_cells_are_handed_over_again_and_attempts_count_on(study: Study) -> None:
    lost = JobNews({A: CellStatus("lost", "node lost")}, ((1, A, start(A)),), over=True)
    second_job = JobNews(
        {run.name: CellStatus("ended") for run in study.runs},
        tuple(
            (n, run.name, text)
            for n, (run, text) in enumerate(
                ((run, text) for run in study.runs for text in (start(run.name, 2), end())), 1
            )
        ),
        over=True,
    )
    engine = Engine([lost, second_job])
    crew(study, engine).run()
    assert [job.name.split("-")[-2] for job in engine.jobs] == ["1", "2"]
    assert engine.jobs[1].attempts[A] == 1
    assert look(study).run(A).attempt == 2
    assert look(study).row.state == "finished"


def test_out_of_reach_changes_no_state(study: Study) -> None:
    shown: list[study_view.StudyView] = []
    engine = Engine(
        [
            JobNews({A: CellStatus("running")}, ((1, A, start(A)),)),
            OutOfReach("the tunnel is down"),
            whole(study),
        ]
    )
    crew(study, engine, lambda _: shown.append(look(study))).run()
    assert shown[1].run(A).state is RunState.RUNNING
    assert shown[1].engine.startswith("on gpu-box, out of touch")
    assert "(the tunnel" in shown[1].engine
    assert engine.seen == [0, 1, 1]


def test_refused_ends_the_launch_and_says_why(study: Study) -> None:
    reason = "no partition called gpu"
    crew(study, Engine([Refused(reason)])).run()
    view = look(study)
    assert view.row.state == "planned"
    assert view.engine == f"on gpu-box: {reason}"
    assert not liveness.is_alive(study.files)


def test_the_next_process_takes_up_the_same_job(study: Study) -> None:
    class Killed(Exception):
        pass

    def kill(_: float) -> None:
        raise Killed

    engine = Engine([JobNews({A: CellStatus("running")}, ((1, A, start(A)),))])
    with pytest.raises(Killed):
        crew(study, engine, kill).run()
    assert liveness.is_alive(study.files)  # the engine has it, whoever looks
    later = Engine([whole(study)])
    crew(study, later).run()
    assert later.jobs == []
    assert later.seen == [0]  # from the first line on; what is there is passed by
    assert look(study).row.state == "finished"


# ── a planned range: more cells as looks go on


PLANNED = seed_range.SeedRange(3, 6, 0.02, (6.0, 5.0, 4.0, 3.0))


@dataclass
class Machines:
    """An engine that trains each job to its end: pair n differs by ``pairs[n]``."""

    pairs: tuple[float, ...]
    jobs: list[Job] = field(default_factory=list)

    def submit(self, study: Study, job: Job) -> Job:
        if job.name not in {submitted.name for submitted in self.jobs}:
            self.jobs.append(job)
        return job

    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        lines: list[tuple[int, str, str]] = []
        for cell in job.cells:
            arm, _, seed = cell.partition("-seed")
            loss = 1.9 + (self.pairs[int(seed)] if arm == "modified" else 0.0)
            for text in (start(cell), end(loss=loss)):
                lines.append((len(lines) + 1, cell, text))
        return JobNews(
            {cell: CellStatus("ended") for cell in job.cells}, tuple(lines[cursor:]), over=True
        )

    def stop(self, job: Job) -> None:
        pass

    def seeds(self) -> list[list[int]]:
        """The seeds of each job."""
        every = [[int(cell.partition("-seed")[2]) for cell in job.cells] for job in self.jobs]
        return [sorted(set(seeds)) for seeds in every]


WIDE, NARROW = (-0.3, 0.1, -0.2), (-0.1, -0.101, -0.099)


@pytest.mark.parametrize(
    ("pairs", "jobs", "handed_over", "planned"),
    [
        (NARROW, 2, [[0, 1, 2]], 3),
        ((*WIDE, -0.1, -0.1, -0.1), 2, [[0, 1, 2], [3], [4], [5]], 6),
        ((*WIDE, -0.1, -0.1, -0.1), 6, [[0, 1, 2], [3, 4, 5]], 6),
        ((*NARROW, 0.0, 0.0, 0.0), 12, [[0, 1, 2, 3, 4, 5]], 3),
    ],
)
def test_a_range_is_given_more_cells_as_looks_go_on(
    home: object,
    pairs: tuple[float, ...],
    jobs: int,
    handed_over: list[list[int]],
    planned: int,
) -> None:
    study = ranged(jobs)
    engine = Machines(pairs)
    crew(study, engine).run()
    assert engine.seeds() == handed_over
    assert len(studies.load(study.id).seeds) == planned
    view = look(studies.load(study.id))
    assert (view.row.state, view.row.done) == ("finished", 2 * planned)
    assert not liveness.is_alive(study.files)


def test_a_range_goes_on_by_itself_after_a_kill_between_looks(home: object) -> None:
    class Killed(Exception):
        pass

    def kill(_: float) -> None:
        raise Killed

    study = ranged(2)
    engine = Machines((*WIDE, -0.1, -0.1, -0.1))
    kills = 0
    while liveness.is_alive(study.files) or not kills:
        try:
            crew(studies.load(study.id), engine, kill).run()  # type: ignore[arg-type]
        except Killed:
            kills += 1
    assert kills == 3
    assert engine.seeds() == [[0, 1, 2], [3], [4], [5]]
    assert look(study).row.state == "finished"


def test_what_was_known_before_a_kill_hands_nothing_over(home: object) -> None:
    """The runner was killed after the last event and before the plan said so."""
    study = ranged(2)
    for n, pair in enumerate(NARROW):
        for arm, loss in (("baseline", 1.9), ("modified", 1.9 + pair)):
            files = study.files.run(studies.run_name(arm, n))
            files.root.mkdir(parents=True)
            files.events.write_text(f"{start(files.root.name)}\n{end(loss=loss)}\n")
    engine = Machines(NARROW)
    crew(study, engine).run()  # type: ignore[arg-type]
    assert engine.jobs == []
    assert look(studies.load(study.id)).row.state == "finished"


def ranged(jobs: int) -> Study:
    study = make_study(seeds=tuple(range(6)), range=PLANNED)
    study = changed(study, jobs=jobs)
    studies.save(study)
    return study


def test_stop_is_asked_once_and_waited_for(study: Study) -> None:
    stopped = json.dumps({"type": "exit", "state": "stopped", "iter": 10})
    engine = Engine(
        [
            JobNews({A: CellStatus("running")}, ((1, A, start(A)),)),
            JobNews({A: CellStatus("running")}),
            JobNews({A: CellStatus("ended")}, ((2, A, stopped),), over=True),
        ]
    )
    at_work = crew(study, engine, lambda _: at_work.stop())
    at_work.run()
    assert engine.stopped == 1
    assert look(study).run(A).state is RunState.STOPPED
    assert look(study).row.state == "stopped"


def test_a_damaged_word_is_no_word(study: Study) -> None:
    engine_state.status_file(study.files.root).write_text('{"job": {"name": 3}')
    assert engine_state.read_status(study.files.root) is None
    assert not liveness.is_alive(study.files)
    with Store() as store:
        ingest_events.ingest_study(store, study)


def test_a_person_is_told_of_what_trains_elsewhere_too(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours in a queue are no stall; silence of a run at work is one, and each thing is told
    once."""
    told_file = tmp_path / "told"
    config.save_setting("on_end", f'echo "$Q1LAB_WHAT" >> {told_file}')
    b = "modified-seed0"
    waiting, running = CellStatus("waiting", "waits: Resources"), CellStatus("running")
    engine = Engine(
        [
            JobNews({A: waiting, b: waiting}),
            JobNews({A: waiting, b: waiting}),
            JobNews({A: running, b: running}, ((1, A, start(A)), (2, b, start(b)))),
            JobNews({A: running, b: running}),
            JobNews({A: running, b: running}),
            JobNews({A: CellStatus("ended"), b: running}, ((3, A, end("diverged")),)),
            JobNews({A: CellStatus("ended"), b: CellStatus("ended")}, ((4, b, end()),), over=True),
        ]
    )
    monkeypatch.setattr(remote_engine, "PAUSE", 0.0)
    runner = Runner(study, 1, -1)
    runner.crew = RemoteCrew(study, 1, engine, "lab", tick=runner._tick)  # type: ignore[arg-type]
    hours = iter(range(0, 1_000_000, 3600))
    runner.watch = alerts.AlertWatch(study, lambda: float(next(hours)))
    runner.run()
    for teller in runner.alert_processes:
        teller.wait(timeout=60)
    assert engine.news == []
    assert sorted(told_file.read_text().split()) == ["diverged", "ended", "stalled"]

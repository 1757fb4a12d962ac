"""A study at an engine that hiccups, is cancelled, stopped or busy; how commands end then, and what
they print to go on. Slurm's commands are stand-ins (tests/kit/engines/fake_slurm.py)."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as q1lab
from q1lab.ground import file_systems, paths
from q1lab.ground.errors import STATUSES
from q1lab.index import study_view
from q1lab.index.store import Store
from q1lab.planning import study_plan
from q1lab.plugins.slurm.slurm_engine import Slurm, _cell_state, minutes_of_limit
from q1lab.runner import launch, remote_engine
from q1lab.runner.engine import JobNews, OutOfReach, Refused
from q1lab.runner.local_engine import Local
from q1lab.runner.remote_engine import RemoteCrew
from q1lab.study import engine_state, liveness, studies
from q1lab.study.engine_state import CellStatus, Job
from q1lab.study.studies import Study
from tests.kit.engines import fake_slurm
from tests.kit.engines.client import events, status_of
from tests.kit.lab_home import hold, make_study, train
from tests.kit.places import ROOT
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

Fake = Callable[..., None]
SMALL = ("--preset", "quick", "--max-iters", "20", "--wandb", "disabled")
RUN = ("run", "rope", "--seeds", "1", *SMALL)
THREE = ("run", "rope", "--seeds", "3", *SMALL)
AT_SLURM = (*RUN, "--engine", "slurm", "--engine-option", "partition=main")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_trainer: Fake) -> Path:
    place = fake_slurm.put(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return place.parent


def watched(*words: str) -> subprocess.Popen[str]:
    """A command in a terminal of its own."""
    command = [sys.executable, "-P", "-m", "q1lab", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(child: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = child.communicate(timeout=120)
    return child.returncode, out + err


def begun() -> Study:
    """The study of a command that was started, when its first run has begun."""
    wait_for(lambda: list(paths.studies_dir().glob("rope-1/runs/*/events.jsonl")))
    return studies.load("rope-1")


HICCUPS = [
    "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
    "slurm_load_jobs error: Zero Bytes were transmitted or received",
    "slurm_load_jobs error: Protocol authentication error",
    "slurm_load_jobs error: Slurm backup controller in standby mode",
    "slurm_load_jobs error: Unexpected message received",
    "slurm_load_jobs error: Transport endpoint is not connected",
    'squeue: error: Munge encode failed: Failed to connect to "munge.socket": No such file',
    "",
]


def test_no_hiccup_of_slurm_ends_a_watch(slurm: Path, home: Path) -> None:
    """Each message once, the first two at the submission; then one job has trained everything."""
    study = make_study(seeds=(0,))
    shown: list[engine_state.EngineStatus] = []
    hiccups, hold = slurm / "hiccups", slurm / "hold"

    def between(_: float) -> None:
        time.sleep(0.02)
        assert liveness.is_alive(study.files)
        shown.append(status_of(study))
        if status_of(study).submitted and not hiccups.exists():
            if hold.exists() and len(shown) < 5:
                hiccups.write_text("\n".join(HICCUPS) + "\n")
            else:
                hold.unlink(missing_ok=True)

    hiccups.write_text("\n".join(HICCUPS[:2]) + "\n")
    hold.touch()
    RemoteCrew(study, 1, Slurm("", {}), "slurm", sleep=between).run()
    reasons = [word.why for word in shown if not word.reached]
    for text in HICCUPS:
        assert any(text in why for why in reasons), text
    with Store() as store:
        assert study_view.read_view(store, study).row.state == "finished"
    assert len(status_of(study).jobs) == 1


def test_only_an_answer_ends_a_watch(home: Path) -> None:
    """A job goes on after any error of its engine; time out of touch counts from the last answer,
    also from one without news."""
    study = make_study(seeds=(0,))
    running = JobNews({run.name: CellStatus("running") for run in study.runs})
    answers: list[JobNews | Exception] = [
        running,
        running,
        Refused("it wants a token"),
        OutOfReach(""),
    ]

    class Engine:
        def submit(self, study: Study, job: Job) -> Job:
            return job

        def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
            answer = answers.pop(0) if answers else JobNews({}, over=True)
            if isinstance(answer, Exception):
                raise answer
            return answer

    shown = []
    clock = iter(range(60))

    def between(_: float) -> None:
        shown.append(status_of(study))

    times = (f"2026-03-07T14:{n:02}:00+00:00" for n in clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote_engine, "MOST_TRIES", 1)
        patch.setattr(remote_engine, "utc_now", lambda: next(times))
        RemoteCrew(study, 1, Engine(), "lab", sleep=between).run()  # type: ignore[arg-type]
    assert [word.reached for word in shown] == [True, True, False, False]
    assert shown[0].seen < shown[2].seen == shown[3].seen
    later = replace(shown[2], seen="2026-03-07T14:03:00+00:00")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_state, "utc_now", lambda: "2026-03-07T14:06:40+00:00")
        described = engine_state.describe_status(later)
        assert described.startswith("on lab, out of touch")
        assert "3 min" in described
        assert "it wants a token" in described


@pytest.mark.parametrize("who", ["somebody else", "another terminal"])
def test_a_study_that_was_stopped_is_unfinished(
    slurm: Path, fake_trainer: Fake, capfd: pytest.CaptureFixture[str], who: str
) -> None:
    """Cancelled at Slurm or stopped from another terminal: exit status 3, said as such, and what is
    printed to go on does so, at Slurm."""
    fake_trainer(pause=1.0)
    child = watched(*AT_SLURM, "--json")
    study = begun()
    if who == "somebody else":
        subprocess.run(["scancel", status_of(study).job.id.partition("+")[0]], check=True)
    else:
        assert q1lab(["stop"]) == 0
        assert ": q1lab run rope " in capfd.readouterr().out
    status, out = ended(child)
    assert status == 3, out
    assert re.search(r"^.*rope-1 .*2 of 2 runs", out, re.MULTILINE)
    assert ("not by q1lab" in out) == (who == "somebody else")
    assert q1lab(["status"]) == 0
    line = capfd.readouterr().out.splitlines()[-1].removeprefix("next: ")
    assert line in out
    fake_trainer()
    assert q1lab(shlex.split(line)[1:]) == 0
    assert studies.ids() == ["rope-1"]
    assert (
        status_of(study).engine,
        status_of(study).over,
        len(status_of(study).jobs),
    ) == ("slurm", True, 1)
    assert len(list((slurm / "jobs").iterdir())) == 2
    assert q1lab(["attach"]) == 0


def test_a_stop_that_got_lost_is_asked_for_again(slurm: Path, fake_trainer: Fake) -> None:
    """Slurm drops a signal to a task that its node has not started yet."""
    fake_trainer(pause=1.0)
    assert q1lab([*AT_SLURM, "--detach"]) == 0
    study = begun()
    (slurm / "deaf").touch()
    assert q1lab(["stop"]) == 0
    assert not (slurm / "deaf").exists()
    assert b'"stopped"' in study.files.run("modified-seed0").events.read_bytes()


def test_a_study_that_comes_home_trains_as_many_at_once_as_there_is_room_for(
    slurm: Path, fake_trainer: Fake
) -> None:
    fake_trainer(pause=1.0)
    options = ("--engine", "slurm", "--engine-option", "cpus-per-task=4")
    assert q1lab([*THREE, *options, "--detach"]) == 0
    trainer = studies.load("rope-1").trainer
    assert (trainer.jobs, trainer.threads) == (6, 4)
    assert q1lab(["stop"]) == 0
    fake_trainer()
    assert q1lab(["run", "rope-1", "--engine", "local"]) == 0
    room, _ = Local("", {}).choose_slots("cpu", 6, 6, None)
    assert studies.load("rope-1").trainer.jobs == room


def test_jobs_says_how_many_run_at_once(slurm: Path, fake_trainer: Fake) -> None:
    """However many arrays the cluster's limit makes of the study: here three of two runs."""
    fake_trainer(pause=0.1)
    (slurm / "arrays").write_text("3")
    assert q1lab([*THREE, "--engine", "slurm", "--jobs", "1"]) == 0
    jobs = sorted((slurm / "jobs").iterdir())
    assert [(job / "peak").read_text() for job in jobs] == ["1", "1", "1"]
    runs = [events(studies.load("rope-1"), run.name) for run in studies.load("rope-1").runs]
    spans = sorted((run[0]["time"], run[-1]["time"]) for run in runs)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_without_jobs_all_runs_may_start(slurm: Path, fake_trainer: Fake) -> None:
    fake_trainer(pause=0.3)
    assert q1lab([*THREE, "--engine", "slurm"]) == 0
    (job,) = (slurm / "jobs").iterdir()
    assert (job / "peak").read_text() == "6"


@pytest.mark.parametrize(("jobs", "peak"), [((), "4"), (("--jobs", "1"), "1")])
def test_more_seeds_are_held_back_only_where_the_first_ones_were(
    slurm: Path, fake_trainer: Fake, jobs: tuple[str, ...], peak: str
) -> None:
    fake_trainer(pause=0.3)
    assert q1lab([*RUN, "--engine", "slurm", *jobs]) == 0
    assert q1lab([*THREE, "--engine", "slurm"]) == 0
    assert (slurm / "jobs" / "2" / "peak").read_text() == peak


@pytest.mark.parametrize("export", ["NONE", "OMP_PROC_BIND=true"])
def test_each_cell_trains_once_whatever_a_task_inherits(
    slurm: Path, fake_trainer: Fake, export: str
) -> None:
    """A study of three arrays, of whose tasks none inherits what q1lab's process has."""
    fake_trainer()
    (slurm / "arrays").write_text("3")
    options = ("--engine", "slurm", "--engine-option", f"export={export}")
    assert q1lab([*THREE, *options]) == 0
    study = studies.load("rope-1")
    assert [run.name for run in study.runs if not has_one_attempt(study, run.name)] == []
    assert len(list((slurm / "jobs").iterdir())) == 3


def has_one_attempt(study: Study, name: str) -> bool:
    return [event["type"] for event in events(study, name)].count("start") == 1


def test_a_node_sees_the_home_and_its_locks(slurm: Path) -> None:
    last_check = Slurm("", {}).check()[-1]
    assert (last_check.good, last_check.words) == (True, f"nodes see {paths.home()} and its locks")


@pytest.mark.parametrize("node", ["has its own copy of the file", "has no such file"])
def test_a_node_that_does_not_see_the_lock(
    slurm: Path, node: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A copy shows what a lock of one machine shows elsewhere: the file is there, and free."""
    make = 'cp "$file" "$file.node"' if "copy" in node else "true"
    (slurm / "bin" / "srun").write_text(
        "#!/bin/sh\nwhile [ $# -gt 5 ]; do shift; done\n"
        f'file=$5; {make}; "$1" "$2" "$3" "$4" "$file.node"; rm -f "$file.node"\n'
    )
    assert q1lab(["doctor", "--engine", "slurm"]) == 1
    said = " ".join(capfd.readouterr().out.split())
    words = "hold on this machine only (a node does not see them)"
    assert (words if "copy" in node else f"nodes don't see {paths.home()}") in said


@pytest.mark.parametrize(
    ("kind", "options", "is_refused"),
    [
        ("nfs4", "rw,relatime,vers=4.2,local_lock=none", False),
        ("nfs", "rw,vers=3,nolock,local_lock=all", True),
        ("nfs4", "rw,local_lock=flock", True),
        ("lustre", "rw,localflock", True),
        ("lustre", "rw,flock", False),
        ("fuse.sshfs", "rw", True),
        ("ext4", "rw", False),
    ],
)
def test_a_home_whose_locks_other_machines_do_not_see_is_refused(
    slurm: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fake_trainer: Fake,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    options: str,
    is_refused: bool,
) -> None:
    mounts = tmp_path / "mounts"
    place = str(paths.home()).replace(" ", "\\040")
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/home {place} {kind} {options} 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)
    fake_trainer()
    assert q1lab([*AT_SLURM]) == (1 if is_refused else 0)
    if is_refused:
        last = capfd.readouterr().err.splitlines()[-1]
        assert f": locks in {paths.home()} hold on this machine only ({kind} is mounted" in last
        assert studies.ids() == []


def test_an_engine_out_of_touch_has_a_status_of_its_own(
    slurm: Path, fake_trainer: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_trainer(pause=0.5)
    assert q1lab([*AT_SLURM, "--detach"]) == 0
    study = begun()
    (slurm / "hiccups").write_text("\n".join(HICCUPS[:1] * 40))
    wait_for(lambda: not status_of(study).reached)
    monkeypatch.setattr(launch, "ENGINE_GRACE", 0.2)
    assert q1lab(["stop"]) == 4
    (slurm / "hiccups").unlink()
    wait_for(lambda: status_of(study).over)
    assert q1lab(["attach"]) in (0, 3)
    assert q1lab(["doctor", "--engine", "ray=http://127.0.0.1:9"]) == 4
    assert q1lab([*RUN[:2], "--fresh", "--engine", "ray=http://127.0.0.1:9"]) == 4


@pytest.mark.parametrize(
    "words",
    [
        RUN,
        ("run", "rope", "swiglu", "--seeds", "1", *SMALL),
        (*RUN[:4], *SMALL[:2], *SMALL[4:], "--over", "max_iters=20,40"),
        (
            "run",
            "rope",
            "--seeds",
            "2",
            *SMALL,
            "--tune",
            "learning_rate",
            "--set",
            "learning_rate=0.003",
        ),
    ],
    ids=["run", "sweep", "over", "tune"],
)
def test_what_is_printed_to_go_on_can_be_pasted(
    fake_trainer: Fake, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """The printed line goes on with each kind of study, and begins no other."""
    fake_trainer(pause=0.5)
    child = watched(*words)
    begun()
    assert q1lab(["stop"]) == 0
    status, out = ended(child)
    assert status == 3, out
    assert out.count("go on with: ") == 1
    line = next(x for x in capfd.readouterr().out.splitlines() if "Go on with: q1lab" in x)
    ids = studies.ids()
    fake_trainer()
    assert q1lab(shlex.split(line.partition("Go on with: q1lab ")[2])) == 0
    tuned = [name for name in studies.ids() if name not in ids]
    assert len(tuned) == ("--tune" in words), line


def test_help_prints_the_table_of_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ((), ("run",), ("attach",), ("stop",)):
        assert q1lab([*command, "--help"]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert all(f"{code} {meaning}" in text for code, meaning in STATUSES.items())


ENDS = [
    ("PREEMPTED", "None", "stopped", "preempted at Slurm"),
    ("OUT_OF_MEMORY", "None", "stopped", "out of memory at Slurm"),
    ("FAILED", "RaisedSignal:15(Terminated)", "stopped", "cancelled at Slurm, not by q1lab"),
    ("PENDING", "BeginTime", "queued", "put back into the queue, waits: BeginTime"),
    ("RUNNING", "None", "queued", ""),
]


@pytest.mark.parametrize(("state", "reason", "shown", "words"), ENDS)
def test_what_ended_a_stopped_run_at_slurm_is_named(
    state: str, reason: str, shown: str, words: str
) -> None:
    """The trainer obeys Slurm's signal and says that it was stopped; Slurm knows why, and whether
    the run starts again."""
    study = make_study(seeds=(0,))
    train(study, "baseline", 0, 400, state="stopped", message="stopped; the same command goes on")
    cell = "baseline-seed0"
    cells = {cell: _cell_state(state, reason, "n1")}
    job = Job("x", (cell,), attempts={cell: 1})
    status = engine_state.EngineStatus(engine="slurm", launch=1, job=job, cells=cells)
    engine_state.write_status(study.files.root, status)
    with Store() as store:
        run = study_view.read_view(store, study).run(cell)
    assert run.state == shown
    assert words in (run.message or "")


@pytest.mark.parametrize("end", ["stopped", None], ids=["asked to end", "killed"])
def test_no_time_is_told_while_no_run_trains(
    home: Path, capsys: pytest.CaptureFixture[str], end: str | None
) -> None:
    """Nobody knows how long runs wait that Slurm has put back into its queue."""
    study, cell = make_study(seeds=(0,)), "baseline-seed0"
    train(study, "baseline", 0, 400, state=end)
    cells = {run.name: _cell_state("PENDING", "BeginTime", "") for run in study.runs}
    job = Job("x", tuple(cells), attempts={cell: 1})
    status = engine_state.EngineStatus(engine="slurm", launch=1, job=job, cells=cells)
    engine_state.write_status(study.files.root, status)
    runner = hold(study.files.lock)  # without one, `status` starts one, which asks Slurm
    assert q1lab(["status", "--verbose"]) == 0
    said = capsys.readouterr().out
    assert "runs done, waits in the queue" in said
    assert " left" not in said
    with Store() as store:
        assert study_view.read_view(store, study).run(cell).state == "queued"
    begun_again = replace(status, job=replace(job, attempts={}))
    engine_state.write_status(study.files.root, begun_again)
    with Store() as store:
        assert study_view.read_view(store, study).row.in_queue == (end is not None)
    os.close(runner)


def have_begun(study: Study, attempt: int) -> bool:
    return all(
        any(event["type"] == "start" and event["attempt"] == attempt for event in run_events)
        for run_events in (events(study, run.name) for run in study.runs)
    )


@pytest.mark.parametrize("way", ["the printed line", "its name", "the app"])
def test_a_study_that_its_time_limit_ended_goes_on_with_more_time(
    slurm: Path, fake_trainer: Fake, capfd: pytest.CaptureFixture[str], way: str
) -> None:
    """Twice the time, and no more than the three minutes that the partition allows."""
    fake_trainer(pause=1.0)
    typed = (*AT_SLURM, "--engine-option", "time=1")
    for attempt, (limit, longer) in enumerate(((1, 2), (2, 3), (3, 3)), 1):
        if way == "the app" and attempt > 1:
            with Store() as store:
                study_plan.resume_study("rope-1", store)
        else:
            assert q1lab([*typed, "--detach"]) == 0
        study = begun()
        wait_for(lambda study=study, attempt=attempt: have_begun(study, attempt))
        job = max((slurm / "jobs").iterdir())
        assert (job / "limit").read_text() == f"{limit}:00"
        (job / "timeout").touch()
        for pid in job.glob("*.pid"):
            # the second time the trainer is too slow to answer
            os.kill(int(pid.read_text()), signal.SIGKILL if attempt == 2 else signal.SIGTERM)
        wait_for(lambda study=study: not liveness.is_alive(study.files))
        assert q1lab(["attach"]) == 3
        err = capfd.readouterr().err
        printed = err.splitlines()[-1].partition("go on with: q1lab ")[2]
        assert printed.endswith(f"--engine-option partition=main --engine-option time={longer}")
        assert "ended by Slurm's time limit of" in err
        typed = ("run", "rope-1") if way == "its name" else tuple(shlex.split(printed))
    fake_trainer()
    assert q1lab(typed) == 0


@pytest.mark.parametrize(
    ("iters", "longest", "minutes"),
    [
        (200, "1:00:00", 8),  # 1,800 iters are left at a quarter of a second each
        (200, "5:00", 5),
        (1990, "1:00:00", 2),
        (0, "UNLIMITED", 2),
    ],
    ids=["what it needs", "the longest there is", "twice the limit", "no rate yet"],
)
def test_the_next_time_limit_is_enough_for_what_is_left(
    slurm: Path, home: Path, iters: int, longest: str, minutes: int
) -> None:
    study, cell = make_study(seeds=(0,)), "baseline-seed0"
    with train(study, "baseline", 0, 0, state=None).open("a") as file:
        last = {
            "type": "exit",
            "state": "stopped",
            "iter": iters,
            "t": iters / 4,
            "total": iters / 4,
        }
        file.write(json.dumps(last) + "\n")
    (slurm / "longest").write_text(longest)
    job = slurm / "jobs" / "1"
    job.mkdir(parents=True)
    for name, text in (("name", "x"), ("limit", "1:00"), ("0.state", "TIMEOUT")):
        (job / name).write_text(text)
    news = Slurm("", {}).poll(study, Job("x", (cell,), id="1+0"), 0)
    assert news.cells[cell].next_time_limit == minutes


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("15:30", 16), ("2:00:00", 120), ("1-12:30:00", 2190), ("UNLIMITED", 0)],
)
def test_a_time_limit_in_minutes(limit: str, minutes: int) -> None:
    assert minutes_of_limit(limit) == minutes


@pytest.mark.parametrize(
    ("options", "device_and_preset", "device"),
    [
        ({}, ("auto", "cpu"), "cpu"),
        ({}, ("auto", "gpu"), "cuda"),
        ({}, ("cpu", "gpu"), "cpu"),
        ({"gres": "gpu:1"}, ("auto", None), "cuda"),
        ({"gpus-per-task": "1"}, ("auto", "quick"), "cuda"),
    ],
)
def test_the_device_is_planned_by_what_is_asked_for(
    options: dict[str, str], device_and_preset: tuple[str, str | None], device: str
) -> None:
    assert Slurm("", options).device(*device_and_preset) == device


def test_without_slurm_one_line_says_so(
    fake_trainer: Fake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake_trainer()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert q1lab(AT_SLURM) == 1
    assert "login node" in capfd.readouterr().err.splitlines()[-1]

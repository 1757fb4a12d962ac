"""kill -9 of viewers, runners and trainers, at any moment: nothing acknowledged is lost, nothing is
done twice."""

from __future__ import annotations

import collections
import fcntl
import json
import os
import pty
import random
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labs import report
from q1lab.journal.store import Store
from q1lab.study import liveness, studies
from q1lab.study.studies import Study
from q1lab.train import launch
from q1lab.week import progress
from tests.kit.commands import q1lab
from tests.kit.faults import (
    Q1LAB,
    faulty,
    figures,
    group,
    kill,
    read,
    tables,
    tiny,
    unfinished,
)
from tests.kit.places import KIT
from tests.kit.waiting import wait_for


def kill_trainers(study: Study, kills: int, rng: random.Random, pause: tuple[float, float]) -> int:
    """Kill random trainers at random moments, and launch again whenever all is dead, until enough
    were killed or all is trained."""
    killed = 0
    while killed < kills and unfinished(study):
        if not launch.is_alive(study.files):
            launch.start_runner(study)
        time.sleep(rng.uniform(*pause))
        trainers = group(study)[1:]
        if trainers:
            killed += kill(rng.choice(trainers))
    return killed


def train_to_the_end(study: Study, launches: int = 30) -> None:
    for _ in range(launches):
        wait_for(lambda: not launch.is_alive(study.files), seconds=150)
        if not unfinished(study):
            return
        launch.start_runner(study)
    raise AssertionError(f"{unfinished(study)} never ended")


def by_attempt(events: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    attempt = 0
    for event in events:
        attempt = event.get("attempt", attempt)
        yield attempt, event


def count_losses(study: Study, acks: Path) -> dict[str, int]:
    """What was acknowledged by event logs and is not in the files, or twice; and what was
    redone."""
    written: collections.Counter[tuple[Any, ...]] = collections.Counter()
    redone, most, attempts = 0, 0, 0
    for run in study.runs:
        last = 0
        for attempt, event in by_attempt(read(study, run.name)):
            written[
                run.name,
                attempt,
                event["type"],
                event.get("iter") if event["type"] != "exit" else 0,
            ] += not event.get("final")
            if event["type"] == "start":
                attempts += 1
                redone += last - event["resumed_from"]
                most = max(most, last - event["resumed_from"])
            elif event["type"] == "iter":
                last = event["iter"]
    acknowledged = lost = 0
    for file in acks.glob("acks-*"):
        for line in file.read_text().splitlines():
            name, attempt, kind, i = json.loads(line)
            acknowledged += 1
            lost += (name, attempt, kind, i if kind != "exit" else 0) not in written
    return {
        "acknowledged_events": acknowledged,
        "lost": lost,
        "duplicates": sum(n > 1 for n in written.values()),
        "attempts": attempts,
        "iters_redone": redone,
        "most_at_once": most,
    }


pytestmark = [
    pytest.mark.sample,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc"),
]
__all__ = ["faulty"]
LONG = pytest.mark.long, pytest.mark.timeout(1200)
Faulty = Callable[..., Path]
SMALL = ("--preset", "quick", "--max-iters", "100", "--wandb", "disabled")


NOTHING_LOST = "0 acknowledged events lost, 0 twice, at most one checkpoint interval redone"


def _losses_text(losses: dict[str, int]) -> str:
    """The counts of ``count_losses`` in words."""
    counted = "{acknowledged_events:,} acknowledged events, {lost} lost, {duplicates} twice"
    redone = "; {iters_redone} iters redone, {most_at_once} at most at once"
    return f"{counted}{redone if losses['iters_redone'] else ''}".format(**losses)


def pause(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setenv("FAKE_TRAIN", json.dumps({"pause": seconds}))


@pytest.mark.parametrize(("kills", "seeds"), [(5, 3), pytest.param(60, 60, marks=LONG)])
def test_trainers_killed_at_any_moment(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, kills: int, seeds: int
) -> None:
    acks = faulty(fake=True)
    pause(monkeypatch, 0.05)
    q1lab("run", "rope", *SMALL, "--seeds", str(seeds), "--jobs", "2", "--detach")
    study = studies.load("rope-1")
    killed = kill_trainers(study, kills, random.Random(1), (0.0, 0.3))
    train_to_the_end(study)
    losses = count_losses(study, acks)
    figures(
        "`kill -9`: trainer without torch", NOTHING_LOST, f"{killed} kills; {_losses_text(losses)}"
    )
    assert killed >= kills * 0.8
    assert losses["lost"] == losses["duplicates"] == losses["iters_redone"] == 0
    assert tables() == tables(acks / "again.db")


@pytest.mark.parametrize(
    ("kills", "seeds", "iters"), [(3, 1, 600), pytest.param(40, 4, 1200, marks=LONG)]
)
def test_real_trainers_killed_in_checkpoints_go_on_bit_for_bit(
    faulty: Faulty, tmp_path: Path, kills: int, seeds: int, iters: int
) -> None:
    words = tiny(tmp_path, seeds=seeds, iters=iters, eval_interval=20, dropout=0.1)
    words += ["--jobs", "2"]
    acks = faulty(share=0.1)
    q1lab(*words, "--detach")
    study = studies.load("rope-1")
    rng, outside = random.Random(2), 0
    deaths = acks / "deaths"

    def inside() -> int:
        return len(deaths.read_text().splitlines()) if deaths.exists() else 0

    for _ in range(200):
        if outside + inside() >= kills:
            break
        before = sum(len(read(study, run.name)) for run in study.runs)
        if not launch.is_alive(study.files):
            launch.start_runner(study)
        while sum(len(read(study, run.name)) for run in study.runs) == before:
            if not launch.is_alive(study.files):
                break
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.1))
        trainers = group(study)[1:]
        if trainers and rng.random() < 0.5:
            outside += kill(rng.choice(trainers))
        if not unfinished(study):
            break
    killed = outside + inside()
    faulty(share=0)
    train_to_the_end(study)
    loss_counts = count_losses(study, acks)

    faulty()
    q1lab(*words, "--fresh", "--detach")
    whole = studies.load("rope-2")
    train_to_the_end(whole)
    differ = 0
    for run in study.runs:
        assert not list(study.files.run(run.name).checkpoints.glob("*")), (
            "checkpoints go when a run has ended"
        )
        resumed, unbroken = (report.read(s.files.run(run.name).events) for s in (study, whole))
        losses = [
            {e["iter"]: e["train_loss"] for e in events if e["type"] == "iter"}
            for events in (resumed, unbroken)
        ]
        models = [s.files.run(run.name).model.read_bytes() for s in (study, whole)]
        differ += losses[0] != losses[1] or resumed[-1]["val_loss"] != unbroken[-1]["val_loss"]
        differ += models[0] != models[1]
    figures(
        "`kill -9`: real trainer",
        NOTHING_LOST,
        f"{killed} kills, {inside()} inside a checkpoint's writing; {_losses_text(loss_counts)}; "
        f"{differ} runs differ from unbroken ones",
    )
    assert killed >= kills * 0.8
    assert loss_counts["lost"] == loss_counts["duplicates"] == differ == 0
    assert loss_counts["most_at_once"] <= 20, "at most one checkpoint interval is redone"


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=LONG)])
def test_viewers_killed_at_any_moment(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    acks = faulty(fake=True)
    pause(monkeypatch, 0.05 if kills < 10 else 0.2)
    q1lab("run", "rope", *SMALL, "--seeds", "12", "--jobs", "2", "--detach")
    study, rng = studies.load("rope-1"), random.Random(3)
    acknowledged = gone = n = 0
    for number in range(kills):
        if number % 3 == 2:  # every third is the command itself
            viewer = subprocess.Popen(
                [*Q1LAB, "attach"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(rng.uniform(0.0, 0.6))
            viewer.kill()
            viewer.wait()
            continue
        command = [sys.executable, str(KIT / "fault_viewer.py"), study.id, str(n)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as viewer:
            assert viewer.stdout is not None
            first = viewer.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.3))
            viewer.kill()
            numbers = (first + viewer.stdout.read()).split()
        acknowledged += len(numbers)
        n = int(numbers[-1]) + 2
        with Store() as store:  # and the next one finds everything
            records = progress.recorded_progress(store, "week").records
        for each in map(int, numbers):
            gone += records[f"step-{each}"].answer != f"answer {each} {'é' * (each % 50)}"
    train_to_the_end(study)
    losses = count_losses(study, acks)
    with Store() as store:
        final_records = progress.recorded_progress(store, "week").records
    figures(
        "`kill -9`: viewer",
        NOTHING_LOST,
        f"{kills} kills; {acknowledged:,} acknowledged answers, {gone} lost; {_losses_text(losses)}",
    )
    assert liveness.last_launch(study.files)["launch"] == 1, "no viewer launched it again"
    assert gone == 0
    assert acknowledged <= len(final_records)
    assert losses["lost"] == losses["duplicates"] == 0
    assert tables() == tables(acks / "again.db")


def test_a_viewer_killed_leaves_its_trainers_and_the_next_one_attaches(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(fake=True)
    pause(monkeypatch, 0.5)
    with subprocess.Popen(
        [*Q1LAB, "run", "rope", *SMALL, "--jobs", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as viewer:
        wait_for(lambda: studies.ids() and len(group(studies.load("rope-1"))) == 3)
        study = studies.load("rope-1")
        wait_for(lambda: read(study, "modified-seed0"))
        viewer.kill()
    before = group(study)
    began = time.monotonic()
    with subprocess.Popen([*Q1LAB, "attach"], stdout=subprocess.PIPE, text=True) as next_viewer:
        assert next_viewer.stdout is not None
        lines = [next_viewer.stdout.readline(), next_viewer.stdout.readline()]
        seconds = time.monotonic() - began
        next_viewer.kill()
    with Store() as store:
        running = sum(row["state"] == "running" for row in store.runs(study.id))
    assert [("baseline" in lines[0]), ("rope" in lines[1])] == [True, True], lines
    assert group(study) == before
    starts = sum(e["type"] == "start" for run in study.runs for e in read(study, run.name))
    figures(
        "viewer killed, trainers live",
        "attached again in under 2 s, no run launched twice",
        f"{running} runs attached after {seconds:.2f} s, "
        f"{starts - len({r.name for r in study.runs if read(study, r.name)})} launched twice",
    )
    assert running == 2
    launch.stop_study(study)


def test_a_deaf_trainer_and_its_child_are_gone(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(fake=True)
    monkeypatch.setenv("FAKE_TRAIN", json.dumps({"pause": 0.3, "deaf": ["baseline-seed0"]}))
    q1lab("run", "rope", *SMALL, "--jobs", "1", "--detach")
    study = studies.load("rope-1")
    wait_for(lambda: len(group(study)) == 3)  # runner, trainer, and the trainer's own child
    began = time.monotonic()
    assert "stopped" in q1lab("stop").stdout
    seconds = time.monotonic() - began
    left = len(group(study))
    figures(
        "a trainer that ignores TERM, with a child of its own",
        "the group is gone within 11 s",
        f"{left} left after {seconds:.2f} s",
    )
    assert left == 0
    assert not launch.is_alive(study.files)


@pytest.mark.parametrize(("seeds", "goes_on"), [("4", True), ("3..8", False)])
def test_trainers_of_a_killed_runner_train_what_is_planned_and_no_range_without_its_end(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, seeds: str, goes_on: bool
) -> None:
    faulty(fake=True)
    pause(monkeypatch, 0.05)
    words = ["run", "rope", *SMALL, "--seeds", seeds, "--jobs", "1"]
    q1lab(*words, "--detach")
    study = studies.load("rope-1")
    wait_for(lambda: len(read(study, "modified-seed0")) > 10)
    kill(group(study)[0])
    before = read(study, "baseline-seed0")
    wait_for(lambda: not group(study))
    assert not launch.is_alive(study.files)
    assert bool(unfinished(study)) != goes_on
    stopped = json.loads(q1lab("status", "--json").stdout)["studies"][0]
    assert stopped["state"] == ("finished" if goes_on else "stopped")
    resumed = json.loads(q1lab(*words, "--json").stdout)
    assert (resumed["complete"], resumed["verdict"]) == (True, "helps")
    assert len(studies.load("rope-1").seeds) == (4 if goes_on else 3)
    assert read(study, "baseline-seed0") == before, "what had ended is not trained again"


@pytest.mark.parametrize("trials", [3, pytest.param(50, marks=LONG)])
def test_two_viewers_at_once_never_launch_twice(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, trials: int
) -> None:
    faulty(fake=True)
    pause(monkeypatch, 0.01)
    twice = refused = 0
    for n in range(trials):
        words = [*Q1LAB, "run", "rope", *SMALL, "--seeds", "1", "--fresh"][:-1]
        words += [
            "--set",
            f"learning_rate=1e-{n % 7 + 2}",
            "--set",
            f"weight_decay=0.{n + 1}",
            "--detach",
        ]
        both = [
            subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        messages = [child.communicate(timeout=60)[1] for child in both]
        assert not any("Traceback" in text for text in messages), messages
        refused += sum(child.returncode == 2 for child in both)
        assert len(studies.ids()) == n + 1
        study = studies.load(studies.latest())
        wait_for(lambda study=study: not launch.is_alive(study.files))  # type: ignore[misc]
        starts = [
            len([e for e in read(study, run.name) if e["type"] == "start"]) for run in study.runs
        ]
        twice += starts != [1, 1] or liveness.last_launch(study.files)["launch"] != 1
    figures(
        "two viewers at once",
        "nothing is launched twice",
        f"{twice} double of {trials}; {refused} refused with a message",
    )
    assert twice == 0


def test_a_reboot_leaves_it_crashed_and_one_command_goes_on(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    acks = faulty(fake=True)
    pause(monkeypatch, 0.1)
    q1lab("run", "rope", *SMALL, "--jobs", "2", "--detach")
    study = studies.load("rope-1")
    wait_for(lambda: len(read(study, "modified-seed0")) > 2)
    for pid in group(study):
        kill(pid)
    wait_for(lambda: not launch.is_alive(study.files))
    (study.files.launch).write_text('{"launch": ')  # and what was being written is torn
    crashed = json.loads(q1lab("status", "rope-1", "--json").stdout)["studies"][0]
    assert crashed["state"] == "crashed"
    assert {run["state"] for run in crashed["runs"]} == {"crashed", "queued"}
    pause(monkeypatch, 0)
    resumed = json.loads(q1lab("run", "rope", *SMALL, "--jobs", "2", "--json").stdout)
    assert resumed["complete"]
    losses = count_losses(study, acks)
    figures(
        "a reboot",
        "the study has crashed, and one command resumes it",
        f"crashed; 1 command; {_losses_text(losses)}",
    )
    assert losses["lost"] == losses["duplicates"] == 0


def test_training_outlives_a_logout(faulty: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal goes away: the kernel hangs up on every process of its session."""
    faulty(fake=True)
    pause(monkeypatch, 0.05)
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*Q1LAB, "run", "rope", *SMALL, "--jobs", "2", "--yes"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as viewer:
        os.close(slave)
        wait_for(lambda: studies.ids() and read(studies.load("rope-1"), "baseline-seed0"))
        os.set_blocking(master, False)
        os.close(master)
        wait_for(lambda: viewer.poll() is not None)
    study = studies.load("rope-1")
    assert launch.is_alive(study.files), "the viewer was hung up on, the training was not"
    wait_for(lambda: not launch.is_alive(study.files))
    states = [report.state(read(study, run.name)) for run in study.runs]
    ended_by = (
        signal.Signals(-viewer.returncode).name if viewer.returncode < 0 else viewer.returncode
    )
    figures(
        "a logout",
        "the study keeps training",
        f"viewer ended by {ended_by}; {states.count('finished')} runs finished after it",
    )
    assert states == ["finished"] * 6


def test_a_launch_cut_off_halfway_is_not_counted_twice(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer killed between starting the runner and writing that down; a record that is junk."""
    faulty(fake=True)
    q1lab("run", "rope", *SMALL, "--json")
    study = studies.load("rope-1")
    for junk in (b"", b"\x00\xff\x80", b'{"launch": "many"}', b'{"launch": 1e999}', b"[[[[", b"7"):
        study.files.launch.write_bytes(junk)
        events = study.files.run("baseline-seed0").events
        events.write_bytes(events.read_bytes().partition(b"\n")[0] + b"\n")  # a start, and no more
        done = q1lab("run", "rope", *SMALL, "--json")
        assert json.loads(done.stdout)["complete"], junk
        assert [
            a for a, e in by_attempt(read(study, "baseline-seed0")) if e["type"] == "start"
        ] == [1, 2]


def test_stale_parts_of_checkpoints_are_swept_up(tmp_path: Path) -> None:
    from labs import checkpoint  # it loads torch, which takes its time

    for i in range(3):
        (tmp_path / f".iter-000000{i}-{i}.pt.part").write_bytes(b"x" * 1000)
    checkpoint.save(tmp_path, 5, {"iter": 5})
    assert [path.name[:12] for path in tmp_path.iterdir()] == ["iter-0000005"]

"""Engines under fault and load, on loopback: what `make test-engines` runs.

Each test prints figures; `make test-engines` puts them into docs/engines.md.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.runner import launch
from q1lab.study import engine_state, studies
from q1lab.study.engine_state import EngineStatus
from q1lab.study.studies import Study
from tests.kit.engines import ray as ray_kit
from tests.kit.engines import slurm as slurm_kit
from tests.kit.engines.client import (
    RUN,
    begin,
    events,
    is_over,
    is_running,
    is_submitted,
    kill_runner,
    last_status,
    lost_and_doubled,
    q1lab,
    status_of,
)
from tests.kit.faults import figures
from tests.kit.waiting import wait_for

PROGRAM = Path(os.environ.get("RAY", "") or Path(sys.executable).with_name("ray"))
with_ray = pytest.mark.skipif(not PROGRAM.is_file(), reason="Ray is not installed (RAY names it)")
with_slurm = pytest.mark.skipif(bool(slurm_kit.missing()), reason="Slurm is not installed")
pytestmark = [pytest.mark.long, pytest.mark.timeout(900), pytest.mark.xdist_group("engines")]

TINY = (
    "--preset",
    "quick",
    "--max-iters",
    "200",
    "--set",
    "n_layer=2",
    "--set",
    "n_embd=32",
    "--set",
    "block_size=32",
    "--device",
    "cpu",
    "--dtype",
    "fp32",
)


def figure(title: str, **numbers: Any) -> None:
    counts = {**numbers, "load": round(os.getloadavg()[0])}
    numbered = [f"{name.replace('_', ' ')} {value}" for name, value in counts.items()]
    measured = ", ".join(re.sub(r" s ([\d.]+)$", r" \1 s", number) for number in numbered)
    figures(title, "", measured)


@pytest.fixture
def cluster() -> Iterator[ray_kit.Ray]:
    """Two nodes; each test gets its own, since it breaks them."""
    root = Path(f"/tmp/q1l{os.getpid()}{time.monotonic_ns() % 1000}")
    ray_cluster = ray_kit.Ray(root, PROGRAM, cpus=1, port=6699, board=8465)
    ray_cluster.add(1)
    yield ray_cluster
    ray_cluster.stop()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[slurm_kit.Slurm]:
    slurm_cluster = slurm_kit.Slurm(tmp_path / "slurm")
    slurm_cluster.up()
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, slurm_cluster.env[name])
    yield slurm_cluster
    slurm_cluster.down()


def whole(study: Study, attempts: int | None = None) -> dict[str, int]:
    """The table's numbers for a study that a fault did not hurt."""
    most, lost, doubled = lost_and_doubled(study)
    assert (lost, doubled) == (0, 0)
    if attempts is not None:
        assert most == attempts
    return {
        "runs": len(study.runs),
        "attempts_at_most": most,
        "events_lost": lost,
        "events_doubled": doubled,
    }


def starts(study: Study, run: str) -> list[dict[str, Any]]:
    return [event for event in events(study, run) if event["type"] == "start"]


def has_begun(study: Study, iters: int = 2) -> bool:
    """True when training events of every run came home."""
    return all(
        sum(event["type"] == "iter" for event in events(study, run.name)) >= iters
        for run in study.runs
    )


# ── Ray


@with_ray
def test_a_worker_is_killed(cluster: ray_kit.Ray) -> None:
    # the other run keeps the other node busy, so Ray starts this one where its checkpoint is
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=2.0)
    wait_for(lambda: has_begun(study))
    began = time.monotonic()
    os.kill(cluster.worker_of("modified-seed0"), signal.SIGKILL)
    wait_for(lambda: len(starts(study, "modified-seed0")) == 2, seconds=60)
    seconds = round(time.monotonic() - began, 1)
    assert starts(study, "modified-seed0")[1]["resumed_from"] > 0
    wait_for(lambda: is_over(study), seconds=180)
    figure("Ray: a worker killed", seen_again_after_s=seconds, **whole(study, 2))


@with_ray
def test_a_trainer_is_killed(cluster: ray_kit.Ray) -> None:
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=2.0)
    wait_for(lambda: has_begun(study))
    began = time.monotonic()
    os.kill(cluster.trainer_of("modified-seed0"), signal.SIGKILL)
    wait_for(lambda: len(starts(study, "modified-seed0")) == 2, seconds=60)
    seconds = round(time.monotonic() - began, 1)
    wait_for(lambda: is_over(study), seconds=180)
    figure("Ray: a trainer killed", seen_again_after_s=seconds, **whole(study, 2))


@with_ray
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "storage"])
def test_a_node_is_killed(cluster: ray_kit.Ray, tmp_path: Path, shared: bool) -> None:
    """The run goes on at another node: from the start, or from its checkpoint where nodes share a
    folder."""
    storage = ("--engine-option", f"storage={tmp_path / 'storage'}") if shared else ()
    study = begin(f"ray={cluster.url}", "--seeds", "1", *storage, pause=2.0)
    wait_for(lambda: has_begun(study))
    began = time.monotonic()
    cluster.kill(1)
    wait_for(lambda: any(len(starts(study, run.name)) == 2 for run in study.runs), seconds=120)
    seconds = round(time.monotonic() - began, 1)
    second = next(
        run_starts[1] for run in study.runs if len(run_starts := starts(study, run.name)) == 2
    )
    assert (second["resumed_from"] > 0) == shared
    wait_for(lambda: is_over(study), seconds=180)
    where = ", storage shared" if shared else ""
    iters = second["resumed_from"]
    figure(
        f"Ray: a node killed{where}",
        seen_again_after_s=seconds,
        resumed_at_iter=iters,
        **whole(study, 2),
    )


@with_ray
def test_a_node_is_drained(cluster: ray_kit.Ray) -> None:
    """Its runs go on to their end, and it is given no other."""
    study = begin(f"ray={cluster.url}", "--seeds", "2", pause=1.0)
    wait_for(lambda: is_running(study, 2))
    cluster.drain(1, seconds=3600)
    running = [
        run.name for run in study.runs if status_of(study).cells[run.name].state == "running"
    ]
    later = [run.name for run in study.runs if run.name not in running]
    for name in later:
        wait_for(lambda name=name: status_of(study).cells[name].node)  # type: ignore[misc]
        assert status_of(study).cells[name].node == "127.0.0.2"
    wait_for(lambda: is_over(study), seconds=240)
    figure("Ray: a node drained", **whole(study, 1))


@with_ray
def test_the_driver_is_killed(cluster: ray_kit.Ray) -> None:
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=2.0)
    wait_for(lambda: has_begun(study))
    began = time.monotonic()
    os.kill(cluster.driver(), signal.SIGKILL)
    wait_for(lambda: all(len(starts(study, run.name)) == 2 for run in study.runs), seconds=120)
    seconds = round(time.monotonic() - began, 1)
    wait_for(lambda: is_over(study), seconds=180)
    figure("Ray: the driver killed", seen_again_after_s=seconds, **whole(study, 2))


@with_ray
def test_the_head_is_gone_and_comes_back(cluster: ray_kit.Ray) -> None:
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=2.0)
    wait_for(lambda: has_begun(study))
    had = {run.name: study.files.run(run.name).events.read_bytes() for run in study.runs}
    cluster.kill(1)
    cluster.kill(0)
    wait_for(lambda: (status := last_status(study)) is not None and not status.reached)
    assert launch.is_alive(study.files)  # out of touch is not dead
    for name, before in had.items():
        assert study.files.run(name).events.read_bytes().startswith(before)
    new_head = ray_kit.Ray(Path(f"{cluster.root}b"), PROGRAM, cpus=2, port=6799, board=8465)
    try:
        wait_for(lambda: is_over(study), seconds=240)
        figure("Ray: the head killed, a new one started", **whole(study))
    finally:
        new_head.stop()


@with_ray
@pytest.mark.timeout(3000)
def test_a_thousand_cells(cluster: ray_kit.Ray) -> None:
    began = time.monotonic()
    options = ("--engine-option", "cpus=0.5", "--wandb", "disabled")
    study = begin(f"ray={cluster.url}", "--seeds", "500", *options)
    wait_for(lambda: is_over(study), seconds=2600)
    took = time.monotonic() - began
    assert len(study.runs) == 1000
    cell_states = whole(study)
    # a fresh process, with nothing but what the engine still tells
    for run in study.runs:
        study.files.run(run.name).events.unlink()
    status = last_status(study)
    assert status is not None
    engine_state.write_status(
        study.files.root,
        EngineStatus(**{**vars(status), "over": False, "before": dict.fromkeys(status.cells, 0)}),
    )
    began = time.monotonic()
    launch.resume_runner(study)
    wait_for(lambda: is_over(study), seconds=300)
    figure(
        "Ray: 1,000 cells",
        took_s=round(took),
        caught_up_by_a_fresh_process_after_s=round(time.monotonic() - began, 1),
        **cell_states,
    )
    whole(study)


# ── Slurm


@with_slurm
def test_a_task_is_requeued(slurm: slurm_kit.Slurm) -> None:
    study = begin("slurm", "--seeds", "1", pause=2.0)
    wait_for(lambda: has_begun(study))
    status = last_status(study)
    assert status is not None
    number = status.job.id.partition("+")[0]
    began = time.monotonic()
    subprocess.run(["scontrol", "requeue", f"{number}_0"], env=slurm.env, check=True)
    wait_for(lambda: len(starts(study, status.job.cells[0])) == 2, seconds=300)
    seconds = round(time.monotonic() - began)
    second = starts(study, status.job.cells[0])[1]
    assert second["resumed_from"] > 0
    wait_for(lambda: is_over(study), seconds=180)
    iters = second["resumed_from"]
    figure(
        "Slurm: a task requeued",
        seen_again_after_s=seconds,
        resumed_at_iter=iters,
        **whole(study, 2),
    )


@with_slurm
def test_the_runner_is_killed_again_and_again(slurm: slurm_kit.Slurm) -> None:
    study = begin("slurm", "--seeds", "3", pause=0.8)
    kills = kill_the_runner(study, 20)
    figure("Slurm: the runner killed", times=kills, **whole(study, 1))


def kill_the_runner(study: Study, most: int) -> int:
    """Kill the study's runner at random moments of its work, and have it taken up again each time;
    returns how often it was killed before the study was over."""
    wait_for(lambda: is_submitted(study))
    chance, kills = random.Random(14), 0
    while not is_over(study) and kills < most:
        kills += kill_runner(study)
        time.sleep(chance.uniform(0, 1.2))  # the moment is the point: chance, not a condition
    wait_for(lambda: is_over(study), seconds=240)
    assert kills == most
    return kills


# ── the same numbers everywhere


@with_ray
@with_slurm
def test_values_are_equal_to_the_bit(
    cluster: ray_kit.Ray, slurm: slurm_kit.Slurm, tmp_path: Path
) -> None:
    """The real trainer here, on Slurm, on Ray and away from q1lab."""
    values = {}
    for engine in ("local", "slurm", f"ray={cluster.url}"):
        study = train(engine, "--detach", "--jobs", "2")
        wait_for(lambda s=study: not launch.is_alive(s.files), seconds=240)
        values[engine.partition("=")[0].capitalize()] = losses(study)
    values["Notebook"] = losses(away(tmp_path))
    assert len({json.dumps(run_losses) for run_losses in values.values()}) == 1, values
    figure(f"equal losses: {', '.join(values)}", losses=sum(map(len, values["Local"].values())))


@with_ray
@with_slurm
def test_what_an_engine_adds(cluster: ray_kit.Ray, slurm: slurm_kit.Slurm) -> None:
    """From the command to the first event and to the end of two runs of a trainer that takes no
    time: what is left is the engine's. In turns, so that whatever else the machine does hits all
    alike."""
    first: dict[str, list[float]] = {}
    total: dict[str, list[float]] = {}
    for _ in range(3):
        for engine in ("local", "slurm", f"ray={cluster.url}"):
            name = engine.partition("=")[0]
            began = time.monotonic()
            done = q1lab(*RUN, "--seeds", "1", "--engine", engine, "--fresh", "--detach")
            assert done.returncode == 0, done.stderr
            study = studies.load(studies.latest())
            wait_for(lambda s=study: any(events(s, run.name) for run in s.runs), seconds=240)
            first.setdefault(name, []).append(time.monotonic() - began)
            wait_for(lambda s=study: not launch.is_alive(s.files), seconds=240)
            total.setdefault(name, []).append(time.monotonic() - began)
            assert lost_and_doubled(study) == (1, 0, 0)
    for name in first:
        until_first, until_end = statistics.median(first[name]), statistics.median(total[name])
        more = until_end - statistics.median(total["local"])
        figure(
            f"two runs of no time: {name}",
            first_event_after_s=round(until_first, 1),
            over_after_s=round(until_end, 1),
            more_than_here_s=round(more, 1),
        )


def train(engine: str, *more: str) -> Study:
    done = q1lab(
        *("run", "rope", "--seeds", "1", *TINY, "--engine", engine, "--fresh", "--json", *more),
        real=True,
    )
    assert done.returncode == 0, done.stderr
    return studies.load(json.loads(done.stdout)["study"])


def away(place: Path) -> Study:
    """A study that is planned here, trained by the exported script, and taken in again."""
    study = train("notebook")
    file = place / "away.zip"
    assert q1lab("export", "--format", "notebook", study.id, "--output", str(file)).returncode == 0
    with zipfile.ZipFile(file) as packed:
        packed.extractall(place / "away")
    script = [sys.executable, "-I", "train.py"]
    subprocess.run(script, cwd=place / "away", capture_output=True, timeout=300, check=True)
    results = place / "away" / f"{study.id}-results.zip"
    done = q1lab("import", str(results))
    assert done.returncode == 0, done.stderr
    return study


def losses(study: Study) -> dict[str, Any]:
    """Each run's train and validation losses, in all their digits."""
    return {
        run.name: [
            (event["type"], event.get("train_loss"), event.get("val_loss"))
            for event in events(study, run.name)
            if event["type"] in ("iter", "eval", "exit")
        ]
        for run in study.runs
    }

"""Engines under fault and load, on loopback: what `make test-engines` runs.

Each test prints figures; ``ENGINE_FIGURES`` names a file that collects them for docs/engines.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.study import launch, studies
from q1lab.study.engines import record
from q1lab.study.engines.journal import Journal
from q1lab.study.engines.record import Word
from q1lab.study.studies import Study
from tests.kit.engines import ray as ray_kit
from tests.kit.engines import slurm as slurm_kit
from tests.kit.faults import wait_for
from tests.kit.places import KIT, ROOT

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


def figure(what: str, **numbers: Any) -> None:
    print(what, numbers)
    if os.environ.get("ENGINE_FIGURES"):
        with Path(os.environ["ENGINE_FIGURES"]).open("a") as out:
            out.write(json.dumps({"what": what, **numbers}) + "\n")


@pytest.fixture
def cluster() -> Iterator[ray_kit.Ray]:
    """Two nodes; each test gets its own, since it breaks them."""
    root = Path(f"/tmp/q1l{os.getpid()}{time.monotonic_ns() % 1000}")
    found = ray_kit.Ray(root, PROGRAM, cpus=1, port=6699, board=8465)
    found.add(1)
    yield found
    found.stop()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[slurm_kit.Slurm]:
    found = slurm_kit.Slurm(tmp_path / "slurm")
    found.up()
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, found.env[name])
    yield found
    found.down()


def q1lab(*arguments: str, real: bool = False, **how: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FAKE_TRAIN": json.dumps({"effect": -0.1, **how})}
    env["PYTHONPATH"] = str(ROOT)
    if not real:
        for where, python in (("Q1LAB_ENGINE_", "python3"), ("Q1LAB_", sys.executable)):
            env[f"{where}TRAINER"] = f"{python} {KIT / 'fake_train.py'}"
            env[f"{where}PROBE"] = f"{python} {KIT / 'fake_probe.py'}"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "q1lab", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def begin(engine: str, *more: str, **how: Any) -> Study:
    asked = ("run", "rope", "--preset", "quick", "--max-iters", "20", "--engine", engine, *more)
    done = q1lab(*asked, "--detach", **how)
    assert done.returncode == 0, done.stderr
    return studies.load("rope-1")


def word(study: Study) -> Word | None:
    return record.read(study.files.root)


def is_over(study: Study) -> bool:
    found = word(study)
    return found is not None and found.over


def check(study: Study, attempts: int | None = None) -> dict[str, int]:
    """Every run ended once, and each attempt's iters rise: nothing was lost, nothing doubled."""
    most = 0
    for run in study.runs:
        lines = study.files.run(run.name).events.read_text().splitlines()
        events = [json.loads(line) for line in lines]
        assert events[-1]["type"] == "exit", run.name
        assert events[-1]["state"] == "finished", (run.name, events[-1])
        starts = [n for n, event in enumerate(events) if event["type"] == "start"]
        most = max(most, len(starts))
        assert [events[n]["attempt"] for n in starts] == list(range(1, len(starts) + 1))
        for first, last in zip(starts, [*starts[1:], len(events)], strict=True):
            iters = [e["iter"] for e in events[first:last] if e["type"] == "iter"]
            assert iters == sorted(set(iters)), run.name
    if attempts is not None:
        assert most == attempts
    return {"runs": len(study.runs), "attempts at most": most}


def running(study: Study, count: int = 2) -> bool:
    found = word(study)
    return found is not None and sum(s.state == "running" for s in found.cells.values()) >= count


# ── Ray


@with_ray
def test_a_worker_is_killed(cluster: ray_kit.Ray) -> None:
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=0.6)
    wait_for(lambda: running(study))
    workers = [pid for pid in cluster.tree(0) + cluster.tree(1) if is_worker(pid)]
    began = time.monotonic()
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: is_over(study), 180)
    figure("Ray: a worker killed", seconds=round(time.monotonic() - began, 1), **check(study, 2))


@with_ray
def test_a_node_is_killed(cluster: ray_kit.Ray) -> None:
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=0.6)
    wait_for(lambda: running(study))
    began = time.monotonic()
    cluster.kill(1)
    wait_for(lambda: is_over(study), 180)
    figure("Ray: a node killed", seconds=round(time.monotonic() - began, 1), **check(study, 2))


@with_ray
def test_the_driver_is_killed(cluster: ray_kit.Ray) -> None:
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=0.6)
    wait_for(lambda: running(study))
    began = time.monotonic()
    for pid in cluster.tree(0):
        with contextlib.suppress(OSError):
            if b"ray_job.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_over(study), 180)
    figure("Ray: the driver killed", seconds=round(time.monotonic() - began, 1), **check(study))


@with_ray
def test_the_head_is_gone_and_comes_back(cluster: ray_kit.Ray) -> None:
    study = begin(f"ray={cluster.url}", "--seeds", "1", pause=0.6)
    wait_for(lambda: all(study.files.run(run.name).events.exists() for run in study.runs))
    had = {run.name: study.files.run(run.name).events.read_bytes() for run in study.runs}
    cluster.kill(1)
    cluster.kill(0)
    wait_for(lambda: (found := word(study)) is not None and not found.reached)
    assert launch.is_alive(study.files)  # out of touch is not dead
    for name, before in had.items():
        assert study.files.run(name).events.read_bytes().startswith(before)
    again = ray_kit.Ray(Path(f"{cluster.root}b"), PROGRAM, cpus=2, port=6799, board=8465)
    try:
        wait_for(lambda: is_over(study), 240)
        figure("Ray: the head killed, a new one started", **check(study))
    finally:
        again.stop()


@with_ray
def test_a_thousand_cells(cluster: ray_kit.Ray) -> None:
    began = time.monotonic()
    study = begin(f"ray={cluster.url}", "--seeds", "500", "--engine-option", "cpus=0.25", points=5)
    wait_for(lambda: is_over(study), 850)
    took = time.monotonic() - began
    assert len(study.runs) == 1000
    found = check(study)
    # a fresh process, with nothing but what the engine still tells
    journal = study.files.root / "engine" / "journal.jsonl"
    journal.unlink()
    for run in study.runs:
        study.files.run(run.name).events.unlink()
    known = word(study)
    assert known is not None
    record.write(study.files.root, Word(**{**vars(known), "over": False, "base": {}}))
    began = time.monotonic()
    launch.tend(study)
    wait_for(lambda: is_over(study), 300)
    figure(
        "Ray: 1,000 cells",
        seconds=round(took),
        catching_up=round(time.monotonic() - began, 1),
        **found,
    )
    check(study)


def is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith((b"ray::base", b"ray::mod"))
    return False


# ── Slurm


@with_slurm
def test_the_controller_is_killed(slurm: slurm_kit.Slurm) -> None:
    study = begin("slurm", "--seeds", "1", pause=1.0)
    wait_for(lambda: running(study))
    slurm.kill("slurmctld")
    wait_for(lambda: (found := word(study)) is not None and not found.reached, 120)
    assert launch.is_alive(study.files)
    slurm.controller()
    wait_for(lambda: is_over(study), 300)
    figure("Slurm: the controller killed and started again", **check(study))


@with_slurm
def test_a_task_is_requeued(slurm: slurm_kit.Slurm) -> None:
    study = begin("slurm", "--seeds", "1", pause=1.0)
    wait_for(lambda: running(study))
    found = word(study)
    assert found is not None
    number = found.job.id.partition("+")[0]
    began = time.monotonic()
    subprocess.run(["scontrol", "requeue", f"{number}_0"], env=slurm.env, check=True)
    wait_for(lambda: is_over(study), 400)
    figure("Slurm: a task requeued", seconds=round(time.monotonic() - began), **check(study))


@with_slurm
def test_the_runner_is_killed_again_and_again(slurm: slurm_kit.Slurm) -> None:
    study = begin("slurm", "--seeds", "4", pause=0.2)
    wait_for(lambda: (found := word(study)) is not None and found.submitted)
    kills = 0
    while not is_over(study) and kills < 20:
        pid = launch.last(study.files).get("pid")
        if launch.has_runner(study.files) and isinstance(pid, int):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
            wait_for(lambda: not launch.has_runner(study.files))
        launch.tend(study)
        time.sleep(0.2 + 0.05 * (kills % 5))
    wait_for(lambda: is_over(study), 120)
    figure("Slurm: the runner killed", kills=kills, **check(study))


# ── the same numbers everywhere


@with_ray
@with_slurm
def test_values_are_equal_to_the_bit(
    cluster: ray_kit.Ray, slurm: slurm_kit.Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real trainer here, on Slurm and on Ray: one number each, and the time that each took."""
    values, seconds = {}, {}
    for engine in ("local", "slurm", f"ray={cluster.url}"):
        name = engine.partition("=")[0]
        began = time.monotonic()
        done = q1lab(
            "run",
            "rope",
            "--seeds",
            "1",
            *TINY,
            "--engine",
            engine,
            "--fresh",
            "--jobs",
            "2",
            "--json",
            real=True,
        )
        assert done.returncode == 0, done.stderr
        seconds[name] = round(time.monotonic() - began, 1)
        found = json.loads(done.stdout)
        values[name] = {arm: found["arms"][arm]["values"] for arm in studies.ARMS}
        study = studies.load(found["study"])
        first = json.loads(study.files.run("baseline-seed0").events.read_text().splitlines()[0])
        assert first["type"] == "start"
    figure("equal values here, on Slurm and on Ray", seconds=seconds)
    assert values["slurm"] == values["local"]
    assert values["ray"] == values["local"]


def test_a_journal_of_a_thousand_runs_opens_fast(tmp_path: Path) -> None:
    from q1lab.paths import StudyPaths

    files = StudyPaths(tmp_path)
    journal = Journal(files)
    text = json.dumps({"type": "iter", "iter": 1, "train_loss": 2.0, "t": 1.0, "total": 1.0})
    lines = [(n, f"baseline-seed{n % 1000}", text) for n in range(1, 200_001)]
    journal.add("job", lines)
    began = time.monotonic()
    again = Journal(files)
    again.make_up({})
    figure("200,000 lines taken up again", seconds=round(time.monotonic() - began, 1))
    assert again.cursors["job"] == 200_000

"""A real Slurm on loopback: a study by the command a person types, and what goes wrong there."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground import paths
from q1lab.plugins.slurm.slurm_engine import Slurm
from q1lab.runner import launch
from q1lab.study import studies
from q1lab.study.engine_state import Job
from q1lab.study.studies import Study
from tests.kit.engines import slurm as kit
from tests.kit.engines.client import (
    RUN,
    events,
    is_running,
    is_submitted,
    ladder,
    lost_and_doubled,
    q1lab,
    status_of,
)
from tests.kit.lab_home import make_study
from tests.kit.places import KIT
from tests.kit.waiting import wait_for

pytestmark = [
    pytest.mark.long,  # `make test-engines` runs them; other runs don't depend on what is installed
    pytest.mark.skipif(bool(kit.missing()), reason=f"Slurm is not installed: {kit.missing()}"),
    pytest.mark.xdist_group("slurm"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Slurm]:
    slurm_cluster = kit.Slurm(tmp_path_factory.mktemp("slurm"), array=4)
    slurm_cluster.up()
    yield slurm_cluster
    slurm_cluster.down()


@pytest.fixture(autouse=True)
def login_node(cluster: kit.Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of these tests run where Slurm's own commands are."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.env[name])


SLURM = (*RUN, "--engine", "slurm")


def test_a_study_larger_than_one_array() -> None:
    done = q1lab(*SLURM, "--seeds", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "helps"
    assert status_of().job.id.count("+") == 2  # this Slurm takes arrays of at most three tasks
    second = q1lab(*SLURM, "--seeds", "3", "--json")
    assert json.loads(second.stdout)["difference"] == json.loads(done.stdout)["difference"]


def test_a_planned_range_stops_when_it_is_known() -> None:
    done = q1lab(*SLURM, "--seeds", "3..12", "--json", effect=-0.5, noise=0.001)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "helps"
    assert studies.load("rope-1").seeds == (0, 1, 2)
    assert len(status_of().job.cells) == 6


def test_a_planned_range_goes_on_by_the_same_command() -> None:
    """Nothing is known to the end; the runner is killed on the way."""
    command = (*SLURM, "--seeds", "3..4", "--json")
    assert q1lab(*command, "--detach", effect=0.0, noise=0.5, pause=0.1).returncode == 0
    study = studies.load("rope-1")
    wait_for(lambda: is_submitted(study))
    os.kill(launch.last_launch(study.files)["pid"], signal.SIGKILL)
    wait_for(lambda: not launch.has_runner(study.files))
    done = q1lab(*command, effect=0.0, noise=0.5)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]
    assert len(status_of().jobs) == 2
    assert lost_and_doubled(study) == (1, 0, 0)


def test_a_sweep_trains_its_baseline_once() -> None:
    """Two modifications, declared together: the second takes over the first one's baseline."""
    command = ("run", "rope", "swiglu", "--seeds", "3", *SLURM[2:], "--json")
    done = q1lab(*command, effect=-0.1)
    assert done.returncode == 0, done.stderr
    assert len(studies.ids()) == 2
    first, second = (studies.load(name) for name in sorted(studies.ids()))
    rows = json.loads(done.stdout)["members"]
    assert [row["comparison"]["verdict"] for row in rows] == ["helps", "helps"]
    assert len(status_of(first).job.cells) == 6
    assert {cell.partition("-")[0] for cell in status_of(second).job.cells} == {"modified"}


def test_a_command_trains_there_and_goes_on(tmp_path: Path) -> None:
    """Somebody's own loop, stopped in the middle."""
    loop = f"{sys.executable} {KIT / 'any_loop.py'} --seed={{seed}} --out={{out}} --pause=1"
    (tmp_path / "study.toml").write_text(
        f"""[command]
run = "{loop} {{args}}"
resume = "--resume"
metric = "val/loss"
[arm.baseline]
[arm.fast]
args = "--lr=0.05"
"""
    )
    command = ("run", "study.toml", "--engine", "slurm", "--seeds", "3")
    done = q1lab(*command, "--detach", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    study = studies.load("fast-1")
    assert (study.trainer.jobs, study.trainer.threads) == (6, 1)
    wait_for(lambda: b'"eval"' in read(study.files.run("baseline-seed0").events))
    assert q1lab("stop", "fast-1").returncode == 0
    done = q1lab("run", "fast-1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]
    assert b'"stopped"' in read(study.files.run("baseline-seed0").events)


def read(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def test_a_ladder_trains_each_of_its_values() -> None:
    """The same at several values of a hyperparameter: each of them is an array of its own."""
    ladder(*SLURM)


@pytest.mark.parametrize("export", ["", "export=NONE"])
def test_jobs_hold_back_every_array(export: str) -> None:
    """Two arrays, one run at a time, each of them once, whatever a task inherits."""
    options = ("--engine-option", export) if export else ()
    done = q1lab(*SLURM, "--seeds", "3", "--jobs", "1", *options, "--json")
    assert done.returncode == 0, done.stderr
    assert status_of().job.id.count("+") == 2
    runs = [events(studies.load("rope-1"), run.name) for run in studies.load("rope-1").runs]
    assert [[event["type"] for event in run].count("start") for run in runs] == [1] * 6
    spans = sorted((run[0]["time"], run[-1]["time"]) for run in runs)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


@pytest.mark.parametrize("then", ["slurm", "local"])
def test_stop_and_go_on(then: str) -> None:
    """At Slurm, or with the same study here."""
    assert q1lab(*SLURM, "--seeds", "1", "--detach", pause=0.3).returncode == 0
    assert q1lab("stop").returncode == 0
    assert status_of().over
    assert not launch.is_alive(studies.load("rope-1").files)
    done = q1lab(*RUN, "--engine", then, "--seeds", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert studies.ids() == ["rope-1"]
    assert lost_and_doubled(studies.load("rope-1"))[1:] == (0, 0)


def test_the_same_submission_twice_is_one_array(cluster: kit.Slurm) -> None:
    """Whoever submitted was killed before the answer was kept."""
    study = make_study(seeds=(0,))
    job = Job("q1lab-twice", tuple(run.name for run in study.runs))
    ids = {Slurm("", {"hold": ""}).submit(study, job).id for _ in range(3)}
    assert len(ids) == 1
    squeue = ["squeue", "-h", "-r", "-n", job.name, "-o", "%i %T %r"]
    text = subprocess.run(
        squeue, env=cluster.env, capture_output=True, text=True, check=True
    ).stdout
    subprocess.run(["scancel", "--name", job.name], env=cluster.env, check=True)
    assert len(text.splitlines()) == len(job.cells)


def test_a_busy_queue_is_no_error(cluster: kit.Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study is planned and handed over while no node is free, and trains when one is. A look at
    a node, which the doctor takes, says that none is."""
    monkeypatch.setattr("q1lab.plugins.slurm.slurm_engine.NODE_SECONDS", 2)
    wide = ["sbatch", "--ntasks=2", "--output=/dev/null", "--job-name=wide", "--wrap=sleep 600"]
    subprocess.run(wide, env=cluster.env, capture_output=True, check=True)
    squeue = ["squeue", "-h", "-n", "wide", "-t", "R"]
    wait_for(
        lambda: subprocess.run(squeue, env=cluster.env, capture_output=True, check=True).stdout
    )
    try:
        assert Slurm("", {}).check()[-1].words.startswith("a node could not")
        assert q1lab(*SLURM, "--seeds", "1", "--detach").returncode == 0
        wait_for(lambda: is_submitted(studies.load("rope-1")))
        wait_for(lambda: "waits: " in q1lab("status").stdout)
    finally:
        subprocess.run(["scancel", "--name=wide"], env=cluster.env, check=True)
    done = q1lab("attach", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]


def set_node(cluster: kit.Slurm, node: str, state: str) -> None:
    update = ["scontrol", "update", f"nodename={node}", f"state={state}", "reason=test"]
    subprocess.run(update, env=cluster.env, check=True)


def test_a_drained_node_is_waited_for(cluster: kit.Slurm) -> None:
    """Its runs end there; a run that waits says why, and trains when the node is back."""

    assert q1lab(*SLURM, "--seeds", "1", "--detach", pause=0.6).returncode == 0
    wait_for(lambda: is_running(studies.load("rope-1"), 2))
    set_node(cluster, "n1", "drain")
    try:
        assert q1lab("attach", "rope-1").returncode == 0
        assert lost_and_doubled(studies.load("rope-1")) == (1, 0, 0)
        assert q1lab(*SLURM, "--seeds", "1", "--fresh", "--detach").returncode == 0
        wait_for(lambda: "DRAINED" in q1lab("status").stdout)
    finally:
        set_node(cluster, "n1", "resume")
    done = q1lab("attach", "rope-2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]


@pytest.mark.timeout(600)
def test_of_two_nodes_one_goes_down(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study trains on both; the run of the node that is lost goes on where the other one is."""
    both = kit.Slurm(tmp_path_factory.mktemp("two"), nodes=2, cpus=1)
    both.up()
    monkeypatch.setenv("SLURM_CONF", both.env["SLURM_CONF"])
    try:
        assert q1lab(*SLURM, "--seeds", "1", "--detach", pause=0.6).returncode == 0
        wait_for(lambda: is_running(studies.load("rope-1"), 2))
        assert {cell.node for cell in status_of().cells.values()} == {"n1", "n2"}
        wait_for(lambda: has_begun(studies.load("rope-1")))
        set_node(both, "n2", "down")
        wait_for(lambda: "put back into the queue" in q1lab("status").stdout)
        done = q1lab("attach")
        assert done.returncode == 0, done.stderr
        assert {cell.node for cell in status_of().cells.values()} == {"n1"}
        assert lost_and_doubled(studies.load("rope-1")) == (2, 0, 0)
    finally:
        both.down()


def has_begun(study: Study) -> bool:
    return all(read(study.files.run(run.name).events) for run in study.runs)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("end", ["its limit", "an urgent job"])
def test_slurm_ends_a_study_that_goes_on(cluster: kit.Slurm, end: str) -> None:
    """By its time limit, or for a job that goes before it: the printed command finishes it."""
    options = "time=1" if end == "its limit" else "partition=spare"
    begin = (*SLURM, "--seeds", "1", "--engine-option", options, "--detach")
    assert q1lab(*begin, pause=20).returncode == 0
    study = studies.load("rope-1")
    wait_for(lambda: has_begun(study))
    if end == "an urgent job":
        urgent = ["--partition=urgent", "--ntasks=2", "--output=/dev/null", "--wrap=sleep 1"]
        subprocess.run(["sbatch", *urgent], env=cluster.env, check=True)
    left = q1lab("attach")
    assert left.returncode == 3
    why = "ended by Slurm's time limit of 1 min" if end == "its limit" else "preempted at Slurm"
    assert why in left.stderr
    line = left.stderr.partition("go on with: q1lab ")[2].splitlines()[0]
    # twice the limit, or more if the iters that are left need it
    assert re.search(r"time=[2-9]$" if end == "its limit" else f"{options}$", line)
    assert q1lab(*line.split()).returncode == 0
    assert lost_and_doubled(study)[1:] == (0, 0)


def test_nodes_that_do_not_see_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One machine has one disk: the file is gone when the node looks for it."""
    real = subprocess.run

    def run(command: list[str], **how: Any) -> Any:
        if command[0] == "srun":
            for file in (paths.home() / "engine-check").glob("seen-*"):
                file.rename(tmp_path / file.name)
        try:
            return real(command, **how)
        finally:
            for file in tmp_path.glob("seen-*"):
                file.rename(paths.home() / "engine-check" / file.name)

    monkeypatch.setattr(subprocess, "run", run)
    last_check = Slurm("", {}).check()[-1]
    assert (last_check.good, last_check.words) == (False, f"nodes don't see {paths.home()}")


def test_a_partition_that_is_not_there() -> None:
    done = q1lab(*SLURM, "--seeds", "1", "--engine-option", "partition=gpu")
    assert done.returncode == 1
    assert "invalid partition" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert studies.ids() == []


def test_an_option_that_slurm_does_not_know() -> None:
    done = q1lab(*SLURM, "--seeds", "1", "--engine-option", "color=red")
    assert done.returncode == 1
    assert "unrecognized option" in done.stderr
    assert studies.ids() == []


def test_cancelled_by_somebody_else(cluster: kit.Slurm) -> None:
    assert q1lab(*SLURM, "--seeds", "1", "--detach", pause=0.4).returncode == 0
    study = studies.load("rope-1")
    wait_for(lambda: is_submitted(study))
    number = status_of().job.id.partition("+")[0]
    subprocess.run(["scancel", number], env=cluster.env, check=True)
    wait_for(lambda: not launch.is_alive(study.files))
    left = q1lab("attach")
    assert left.returncode == 3
    assert "not by q1lab" in left.stderr
    line = left.stderr.partition(": q1lab ")[2].splitlines()[0]
    assert line.endswith("--engine slurm")
    assert q1lab(*line.split()).returncode == 0
    assert studies.ids() == ["rope-1"]
    assert len(status_of().job.cells) == 2


def test_a_controller_that_dies_ends_no_watch(cluster: kit.Slurm) -> None:
    """The watch says that it is out of touch, waits, and takes the study up where it is."""
    assert q1lab(*SLURM, "--seeds", "1", "--detach", pause=0.6).returncode == 0
    study = studies.load("rope-1")
    wait_for(lambda: is_submitted(study))
    job_state = cluster.root / "state" / "job_state"  # Slurm writes it some seconds later
    wait_for(lambda: job_state.exists() and status_of().job.name.encode() in job_state.read_bytes())
    cluster.kill("slurmctld")
    try:
        wait_for(lambda: not status_of().reached, seconds=120)
        assert "Unable to contact slurm controller" in status_of().why
        assert launch.is_alive(study.files)
    finally:
        cluster.controller()
    wait_for(lambda: not launch.is_alive(study.files), seconds=120)
    assert q1lab("compare", "rope-1").returncode == 0
    assert len(status_of().jobs) == 1


def test_a_trainer_that_dies_is_handed_over_again() -> None:
    done = q1lab(*SLURM, "--seeds", "1", "--json", crash=["modified-seed0"])
    assert done.returncode == 0, done.stderr
    assert len(status_of().jobs) == 2


def test_the_doctor_says_what_is_there() -> None:
    done = q1lab("doctor", "--engine", "slurm")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nodes see" in done.stdout


def test_a_machine_of_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm is installed and knows no controller: its last word is enough."""
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "none"))
    done = q1lab("doctor", "--engine", "slurm")
    assert done.returncode == 1
    assert len(next(x for x in done.stdout.splitlines() if x.startswith("problem"))) < 160

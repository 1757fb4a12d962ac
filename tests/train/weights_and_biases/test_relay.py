"""The relay with the real wandb client, against a stand-in for the server on 127.0.0.1."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from importlib import resources
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as main
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.wandb_runs import ERROR, OFFLINE, SYNCED
from tests.kit import wandb_study as lab
from tests.kit.faults import figures
from tests.kit.waiting import wait_for
from tests.kit.wandb_server import KEY, WandbServer

pytestmark = pytest.mark.sample


def test_online_study_appears_as_the_learner_expects(home: Path) -> None:
    study = lab.plan(seeds=(0, 1))
    ids = wandb_state.mint_ids(study)
    with WandbServer() as server, lab.relay(study, lab.environment(server.url)) as child:
        with lab.alive(study):
            lab.append(study, "baseline-seed0", lab.events(0)[:12])
            wait_for(
                lambda: server.runs and server.run("baseline-seed0").history, "rows while it trains"
            )
            assert server.run("baseline-seed0").state == "running"
            lab.append(study, "baseline-seed0", lab.events(0)[12:])
            for run in study.runs[1:]:
                lab.append(study, run.name, lab.events(run.seed, arm=run.arm))
            wait_for(
                lambda: (
                    all(r.exitcode == 0 for r in server.runs.values()) and len(server.runs) == 4
                ),
                "all four finished",
            )
        assert child.wait(timeout=60) == 0, lab.log_of(study)
        assert not server.errors
    assert sorted(r.name for r in server.runs.values()) == [
        "baseline-seed0",
        "baseline-seed1",
        "modified-seed0",
        "modified-seed1",
    ]
    for run in study.runs:
        received = server.run(run.name)
        assert received.id == ids[run.name]
        assert (received.project, received.group) == ("q1-capstone", "rope-1")
        assert received.values["cfg"] == run.arm
        assert received.values["seed"] == run.seed
        assert received.values["learning_rate"] == 1e-3
        assert received.values["data_sha256"] == "c" * 64
        assert [row["_step"] for row in received.history] == list(range(lab.ROWS))
        sent = lab.events(run.seed, arm=run.arm)
        assert received.points("train_loss") == [
            (e["iter"], e["train_loss"]) for e in sent if e["type"] == "iter"
        ]
        assert received.points("val_loss") == [
            (e["iter"], e["val_loss"]) for e in sent if e["type"] == "eval" and not e.get("final")
        ]
        assert received.summary["val_loss"] == sent[-1]["val_loss"]
        assert received.summary["state"] == "finished"
        metrics = {m.get("1"): m for m in received.config["_wandb"]["value"]["m"]}
        names = [m.get("1") for m in received.config["_wandb"]["value"]["m"]]
        for metric in ("train_loss", "val_loss"):
            assert names[metrics[metric]["5"] - 1] == "iter", "the loss's own step is the iter"
    status = wandb_state.wandb_status(study)
    assert status.state == SYNCED
    assert status.url == f"{server.url}/learner/q1-capstone"
    assert server.requests.count("RunResumeStatus") == 4, "no run was sent twice"
    assert not lab.files_with(home, KEY.encode()), "the key is nowhere on the disk"
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in study.files.wandb.rglob("*") if path.is_file()
    )


def test_offline_stays_here_and_says_how_to_open_it(home: Path) -> None:
    study = lab.plan(wandb="offline")
    wandb_state.mint_ids(study)
    with lab.relay(study, lab.environment("http://127.0.0.1:9", key=False)) as child:
        with lab.alive(study):
            lab.append(study, "baseline-seed0", lab.events(0)[:12])
            wait_for(
                lambda: _rows_on_disk(study, "baseline-seed0") >= 10,
                "rows on the disk while it trains",
            )
            lab.append(study, "baseline-seed0", lab.events(0)[12:])
            # dies without a word
            lab.append(study, "modified-seed0", lab.events(0, arm="modified")[:9])
            wait_for(lambda: _rows_on_disk(study, "modified-seed0") >= 7, "the second run's rows")
        assert child.wait(timeout=60) == 0, lab.log_of(study)
    assert lab.states(study) == {OFFLINE}
    assert wandb_state.wandb_status(study).words == "offline; `q1lab sync` uploads"
    runs = wandb_state.read_relayed_runs(study)
    (folder,) = wandb_state.wandb_folders(study, runs["baseline-seed0"].id)
    assert folder.name.startswith("offline-run-")
    summary = _inspect(folder)
    assert summary["state"] == "finished"
    assert summary["name"] == "baseline-seed0"
    assert str(study.files.wandb) in wandb_state.leet_command(study)
    assert not list(home.glob(".config*")), "nothing is written outside the study"
    assert {path.name for path in home.iterdir()} == {"studies"}


def test_a_killed_relay_starts_again_without_loss_or_duplicate(home: Path) -> None:
    study = lab.plan()
    wandb_state.mint_ids(study)
    whole = lab.events(0)
    with WandbServer() as server, lab.alive(study):
        env = lab.environment(server.url)
        with lab.relay(study, env) as child:
            lab.append(study, "baseline-seed0", whole[:12])
            wait_for(lambda: server.runs and server.run("baseline-seed0").history, "the first rows")
            lab.append(study, "baseline-seed0", whole[12:18])
            os.kill(child.pid, signal.SIGKILL)
            child.wait(timeout=10)
        lab.append(study, "baseline-seed0", whole[18:])
        with lab.relay(study, env):
            wait_for(lambda: server.run("baseline-seed0").exitcode == 0, "the run's end")
            received = server.run("baseline-seed0")
            assert [row["_step"] for row in received.history] == list(range(lab.ROWS))
            assert [n for n, _ in received.points("train_loss")] == list(range(1, 21))


def test_a_killed_offline_relay_leaves_one_whole_folder(home: Path) -> None:
    study = lab.plan(wandb="offline")
    wandb_state.mint_ids(study)
    whole = lab.events(0)
    with lab.alive(study):
        env = lab.environment("http://127.0.0.1:9", key=False)
        with lab.relay(study, env) as child:
            lab.append(study, "baseline-seed0", whole[:12])
            wait_for(lambda: _wandb_file(study, "baseline-seed0"), "a folder")
            os.kill(child.pid, signal.SIGKILL)
            child.wait(timeout=10)
        lab.append(study, "baseline-seed0", whole[12:])
        with lab.relay(study, env):
            wait_for(
                lambda: wandb_state.read_relayed_runs(study)["baseline-seed0"].offset,
                "the run's end",
            )
    (folder,) = wandb_state.wandb_folders(
        study, wandb_state.read_relayed_runs(study)["baseline-seed0"].id
    )
    assert _rows_on_disk(study, "baseline-seed0") == 20
    assert _inspect(folder)["state"] == "finished"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no key", "no W&B key is configured"),
        ("refused", "connection refused"),
        ("401", "refuses the key"),
        ("500", "server error (500)"),
        ("forbidden", "permission denied"),
    ],
)
def test_a_server_that_will_not_have_it(home: Path, fault: str, words: str) -> None:
    study = lab.plan(wandb="online")
    lab.train_all(study)
    with WandbServer(fault if fault.isdigit() else "") as server:
        if fault == "refused":
            server.stop()
        # the key is good, but the run can't begin: wandb then holds on to its id
        if fault == "forbidden":
            server.forbidden = {"UpsertBucket"}
        with lab.relay(study, lab.environment(server.url, key=fault != "no key")) as child:
            assert child.wait(timeout=60) == 1
    status = wandb_state.wandb_status(study)
    assert status.state == ERROR
    assert words in (status.error or ""), status.error
    log = lab.log_of(study)
    assert words in log, "relay.log says why, too"
    assert KEY not in log
    for name, run in wandb_state.read_relayed_runs(study).items():
        assert len(wandb_state.wandb_folders(study, run.id)) == 1, "kept offline"
        assert _rows_on_disk(study, name) == 20


def test_a_password_in_the_server_s_address_is_written_nowhere(home: Path) -> None:
    study = lab.plan(wandb="online")
    lab.train_all(study)
    env = lab.environment("http://alice:hidden-word@127.0.0.1:9")
    with lab.relay(study, env) as child:
        assert child.wait(timeout=60) == 1
    assert "http://127.0.0.1:9 can't be reached" in (wandb_state.wandb_status(study).error or "")
    assert not lab.files_with(home, b"hidden-word"), "a password lies in a file"


def test_a_server_that_dies_in_mid_run_gets_the_rest_by_sync(home: Path) -> None:
    study = lab.plan(wandb="online")
    whole = lab.events(0)
    with WandbServer() as server:
        env = lab.environment(server.url)
        with lab.relay(study, env) as child, lab.alive(study):
            lab.append(study, "baseline-seed0", whole[:12])
            wait_for(lambda: server.runs and server.run("baseline-seed0").history, "the first rows")
            server.stop()
            lab.append(study, "baseline-seed0", whole[12:])
            assert child.poll() is None
        # the relay is gone before it noticed; what counts is what a sync makes of it
        server.start()
        with lab.relay(study, env, "--sync") as child:
            assert child.wait(timeout=60) == 0, lab.log_of(study)
    received = server.run("baseline-seed0")
    assert [row["_step"] for row in received.history] == list(range(lab.ROWS))
    assert received.exitcode == 0
    assert received.summary["val_loss"] == whole[-1]["val_loss"]
    assert wandb_state.wandb_status(study).state == SYNCED


@pytest.mark.long
def test_runs_that_a_dead_server_lets_wait_end_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One waits FINISH seconds for its end, and the others then not at all."""
    study = lab.plan(wandb="online", seeds=(0, 1))
    with WandbServer() as server:
        env = lab.environment(server.url)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with lab.relay(study, env) as child:
            with lab.alive(study):
                for run in study.runs:
                    lab.append(study, run.name, lab.events(run.seed, arm=run.arm)[:12])
                wait_for(
                    lambda: len(server.runs) == 4 and all(r.history for r in server.runs.values()),
                    "the first rows",
                )
                server.stop()
                for run in study.runs:
                    lab.append(study, run.name, lab.events(run.seed, arm=run.arm)[12:])
            began = time.monotonic()
            wait_for(
                lambda: lab.log_of(study).count("at the end of the run") == 4,
                "the end of the runs",
            )
            server.start()
            assert main(["sync"]) == 0
            took = time.monotonic() - began
            child.wait(timeout=60)
    figures(
        "W&B's server dies while several runs are open",
        "the relay ends them together",
        f"4 runs ended after {took:.0f} s",
    )
    assert lab.states(study) == {SYNCED}


@pytest.mark.long
@pytest.mark.parametrize("fault", ["hang", "dies"])
def test_a_server_that_is_in_trouble_for_long(home: Path, fault: str) -> None:
    """The relay's own bounds end it; afterwards a sync brings every row to a server that is well
    again."""
    study = lab.plan(wandb="online")
    whole = lab.events(0)
    with WandbServer(fault if fault != "dies" else "") as server:
        env = lab.environment(server.url)
        with lab.relay(study, env) as child:
            with lab.alive(study):
                lab.append(study, "baseline-seed0", whole[:12])
                if fault == "dies":
                    wait_for(
                        lambda: server.runs and server.run("baseline-seed0").history,
                        "the first rows",
                    )
                    server.stop()
                lab.append(study, "baseline-seed0", whole[12:])
                lab.append(study, "modified-seed0", lab.events(0, arm="modified"))
            code = child.wait(timeout=150)
        if fault == "slow":
            assert code == 0, lab.log_of(study)
        else:
            assert code == 1
            assert wandb_state.wandb_status(study).state == ERROR
            assert wandb_state.wandb_status(study).error
            server.fault = ""
            if fault == "dies":
                server.start()
            with lab.relay(study, env, "--sync") as child:
                assert child.wait(timeout=60) == 0, lab.log_of(study)
    for run in study.runs:
        assert [row["_step"] for row in server.run(run.name).history] == list(range(lab.ROWS))
        assert server.run(run.name).exitcode == 0
    assert lab.states(study) == {SYNCED}


def _wandb_file(study: lab.Study, name: str) -> Path | None:
    for folder in wandb_state.wandb_folders(study, wandb_state.read_relayed_runs(study)[name].id):
        for file in folder.glob("*.wandb"):
            return file
    return None


def _leet(file: Path, *options: str) -> str:
    """What `wandb leet inspect` says, by the program that it starts."""
    program = resources.files("wandb") / "bin" / "wandb-core"
    out = subprocess.run(
        [str(program), "leet", "inspect", "--no-observability", *options, f"--run-file={file}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=lab.environment("http://127.0.0.1:9", key=False),
    )
    return out.stdout


def _rows_on_disk(study: lab.Study, name: str) -> int:
    file = _wandb_file(study, name)
    records = [json.loads(line) for line in _leet(file, "--json").splitlines()] if file else []
    return sum(
        record["type"] == "history" and "train_loss" in json.dumps(record) for record in records
    )


def _inspect(folder: Path) -> dict[str, str]:
    (file,) = folder.glob("*.wandb")
    return json.loads(_leet(file, "--summary", "--json"))

"""`q1lab sync` against the stand-in: whole, partly uploaded and broken folders, and the marks it
leaves."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.wandb_runs import ERROR, OFFLINE, SYNCED
from tests.kit import wandb_study as lab
from tests.kit.waiting import wait_for
from tests.kit.wandb_server import KEY, WandbServer

pytestmark = pytest.mark.sample


def use(monkeypatch: pytest.MonkeyPatch, url: str, *, key: bool = True) -> dict[str, str]:
    """This process's children see the stand-in."""
    env = lab.environment(url, key=key)
    for name in ("WANDB_BASE_URL", "WANDB_API_KEY", "NETRC", "HOME"):
        if name in env:
            monkeypatch.setenv(name, env[name])
        else:
            monkeypatch.delenv(name, raising=False)
    return env


def call(*arguments: str) -> int:
    return run_command_line(["sync", *arguments]) if arguments else run_command_line(["sync"])


def test_offline_then_sync(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    with WandbServer() as server:
        env = use(monkeypatch, server.url)
        with lab.relay(study, env) as child:
            assert child.wait(timeout=60) == 0
        assert server.requests == [], "offline asks nobody"
        assert wandb_state.wandb_status(study).state == OFFLINE
        assert call() == 0
        assert "rope-1: synced, 2 runs" in capsys.readouterr().out
        for each in study.runs:
            received = server.run(each.name)
            assert [row["_step"] for row in received.history] == list(range(lab.ROWS))
            assert received.exitcode == 0
            assert received.group == "rope-1"
        for each in wandb_state.read_relayed_runs(study).values():
            (folder,) = wandb_state.wandb_folders(study, each.id)
            assert list(folder.glob("*.wandb.synced"))
        request_count = len(server.requests)
        assert call("rope-1") == 0
        assert len(server.requests) == request_count, "nothing goes up twice"
    assert not lab.files_with(home, KEY.encode())


def test_broken_and_partly_uploaded_runs_are_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = lab.plan(wandb="offline", seeds=(0, 1))
    lab.train_all(study)
    with WandbServer() as server:
        env = use(monkeypatch, server.url)
        with lab.relay(study, env) as child:
            assert child.wait(timeout=60) == 0
        runs = wandb_state.read_relayed_runs(study)
        # one folder is cut short, one is gone, one run is half there from an upload that broke off
        (cut,) = wandb_state.wandb_folders(study, runs["baseline-seed0"].id)
        (file,) = cut.glob("*.wandb")
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        shutil.rmtree(wandb_state.wandb_folders(study, runs["modified-seed0"].id)[0])
        assert call() == 0
        half = server.run("baseline-seed1")
        for name, lines in half.lines.items():
            half.lines[name] = {n: line for n, line in lines.items() if n < 7}
        half.exitcode = None
        half.summary["_step"] = 6
        wandb_state.update_run(study, "baseline-seed1", state=OFFLINE)
        assert call() == 0
        for each in study.runs:
            received = server.run(each.name)
            assert [row["_step"] for row in received.history] == list(range(lab.ROWS)), each.name
            assert received.exitcode == 0
            assert received.summary["state"] == "finished"
        assert lab.states(study) == {SYNCED}


def test_a_run_that_failed_before_its_first_iter_goes_up_as_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab.plan(wandb="offline")
    broken = [{"type": "exit", "state": "failed", "message": "no such layer"}]
    for run in study.runs:
        lab.append(study, run.name, broken)
    with WandbServer() as server:
        use(monkeypatch, server.url)
        assert call() == 0, capsys.readouterr().out
        assert {run.exitcode for run in server.runs.values()} == {1}
        assert server.run("modified-seed0").summary["message"] == "no such layer"


def test_a_study_that_was_off_can_still_go_up(monkeypatch: pytest.MonkeyPatch) -> None:
    study = lab.plan(wandb="disabled")
    lab.train_all(study)
    assert wandb_state.wandb_status(study).state == "off"
    with WandbServer() as server:
        use(monkeypatch, server.url)
        assert call() == 0, "without a name it is left alone"
        assert not server.runs
        assert call("rope-1") == 0
        assert server.run("modified-seed0").exitcode == 0
    assert wandb_state.wandb_status(study).state == SYNCED


def test_what_can_not_be_uploaded_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    with WandbServer() as server:
        use(monkeypatch, server.url, key=False)
        assert call() == 1
        message = capsys.readouterr().err
        assert "no W&B key" in message
        # q1lab alone is on the PATH of who installed it by pipx: the command is given whole
        with monkeypatch.context() as alone:
            alone.setattr(wandb_state.shutil, "which", lambda _: None)
            assert call() == 1
        wandb_program = Path(sys.executable).with_name("wandb")
        assert f"run `{wandb_program} login`" in capsys.readouterr().err
        use(monkeypatch, server.url)
        server.stop()
        assert call("rope-1") == 1
        assert "error: " in (out := capsys.readouterr().out)
        assert "connection refused" in out
        assert wandb_state.wandb_status(study).state == ERROR
        with lab.alive(study):
            assert call("rope-1") == 3
            assert "still running" in capsys.readouterr().err
    assert call("nope-1") == 2
    assert "'nope-1'" in capsys.readouterr().err


def test_runs_that_were_deleted_at_wandb_go_up_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    with WandbServer() as server:
        use(monkeypatch, server.url)
        assert call() == 0
        before = wandb_state.mint_ids(study)
        server.runs.clear()
        shutil.rmtree(study.files.wandb)
        assert call("rope-1") == 0
        assert {run.id for run in server.runs.values()}.isdisjoint(before.values())
        assert [row["_step"] for row in server.run("baseline-seed0").history] == list(
            range(lab.ROWS)
        )


@pytest.mark.long
def test_a_sync_that_takes_too_long_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    with WandbServer("stall") as server:
        use(monkeypatch, server.url)
        monkeypatch.setattr("q1lab.commands.sync.UPLOAD_SECONDS", 10)
        assert call("rope-1") == 1
        assert "within 10 s" in capsys.readouterr().err
        wait_for(
            lambda: not lab.processes_of(study),
            "the end of every process of the upload",
            seconds=15,
        )
        server.fault = ""
        monkeypatch.setattr("q1lab.commands.sync.UPLOAD_SECONDS", 100)
        assert call("rope-1") == 0
    for each in study.runs:
        assert [row["_step"] for row in server.run(each.name).history] == list(range(lab.ROWS))


def test_status_tells_how_a_study_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    with WandbServer() as server:
        env = use(monkeypatch, server.url)
        with lab.relay(study, env) as child:
            assert child.wait(timeout=60) == 0
        assert run_command_line(["status", study.id]) == 0
        output = capsys.readouterr().out
        assert "W&B offline; `q1lab sync` uploads" in output
        assert wandb_state.leet_command(study) in output
        assert call() == 0
        assert run_command_line(["status", study.id]) == 0
        output = capsys.readouterr().out
        assert "W&B synced, 2 runs" in output
        assert f"their page: {server.url}/learner/q1-capstone" in output
        assert run_command_line(["status", study.id, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)["studies"][0]["wandb"]
        assert record["state"] == SYNCED
        assert record["runs"]["baseline-seed0"]["url"].startswith(server.url)

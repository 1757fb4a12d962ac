"""`q1lab judge wandb:ENTITY/PROJECT`, with the real client against the stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import wandb_study as lab
from tests.kit.commands import q1lab
from tests.kit.wandb_server import ENTITY, KEY, Received, WandbServer

PROJECT = f"wandb:{ENTITY}/q1-loop"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    with WandbServer() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("NETRC", "/nonexistent")
        yield running


def logged(server: WandbServer, name: str, config: dict[str, Any], **last: float) -> Received:
    """A run as the learner's own loop leaves it at W&B; its numbers rise to ``last``."""
    received = Received(
        f"id{len(server.runs)}",
        ENTITY,
        "q1-loop",
        name=name,
        config={key: {"value": value} for key, value in config.items()},
        exitcode=0,
    )
    rows = [
        {"_step": step, "_timestamp": 1.0, **{key: value + 2 - step for key, value in last.items()}}
        for step in range(3)
    ]
    received.lines["wandb-history.jsonl"] = {n: json.dumps(row) for n, row in enumerate(rows)}
    received.summary = {**rows[-1], "_runtime": 60.0}
    server.runs[received.id] = received
    return received


def six_runs(server: WandbServer) -> None:
    for cfg, gain in (("baseline", 0.1), ("modified", 0.0)):
        for seed in (0, 1, 2):
            config = {"cfg": cfg, "seed": seed}
            logged(server, f"{cfg}-seed{seed}", config, val_loss=2 + gain * (1 + seed / 50))


def judged(*more: str, code: int = 0) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(q1lab("judge", PROJECT, *more, "--json", code=code).stdout)
    return record


def refused(*words: str, code: int) -> str:
    """The one line that a command fails with."""
    (line,) = q1lab("judge", *(words or (PROJECT,)), code=code).stderr.splitlines()
    return line


@pytest.mark.cold
def test_the_loop_of_the_week_is_judged_and_nothing_is_kept(
    server: WandbServer, home: Path
) -> None:
    six_runs(server)
    record = judged()
    assert (record["verdict"], record["difference"]["headline"]) == ("helps", "paired")
    assert record["difference"]["mean"] == pytest.approx(-0.102)
    assert ", from cfg (" in record["read"][0]
    assert "from the settings" in record["read"][2]
    assert not lab.files_with(home, KEY.encode())
    assert [path.name for path in home.iterdir() if path.name != "home"] == []


def test_names_give_arms_and_seeds_where_the_config_does_not(server: WandbServer) -> None:
    for cfg, loss in (("baseline", 2.0), ("modified", 2.5)):
        for seed in (0, 1, 2):
            logged(server, f"{cfg}-seed{seed}", {}, val_loss=loss + seed / 100 * (loss - 1.9))
    record = judged()
    assert record["verdict"] == "hurts"
    assert "from the runs' names" in record["read"][0]


def test_a_usual_project_is_read_by_its_own_keys(server: WandbServer) -> None:
    for optimizer, gain in (("adamw", 0.0), ("lion", 0.05)):
        for seed in range(3):
            config = {"optimizer": {"name": optimizer}, "random_seed": seed}
            accuracy = 0.5 + gain * (1 + seed / 10)
            logged(server, f"sweep {seed}", config, **{"val/acc": accuracy, "train/loss": 1.0})
    keys = ("--arm-key", "optimizer.name", "--baseline", "adamw")
    record = judged(*keys, "--metric", "val/acc")
    assert (record["verdict"], record["metric"]["better"]) == ("helps", "higher")
    line = refused(PROJECT, *keys, "--metric", "val/accuracy", code=2)
    assert "no run reports val/accuracy" in line
    assert "val/acc" in line


def test_all_pages_are_read(server: WandbServer) -> None:
    """Of the runs, and of the rows of one: its last number is on the second page."""
    server.page = 2
    six_runs(server)
    run = server.run("modified-seed1")
    rows = [{"_step": step, "_timestamp": 1.0, "val_loss": 4 - step / 600} for step in range(1201)]
    run.lines["wandb-history.jsonl"] = {n: json.dumps(row) for n, row in enumerate(rows)}
    run.summary = {}
    values = judged()["arms"]["modified"]["values"]
    assert (len(values), values["1"]) == (3, pytest.approx(2))
    assert server.requests.count("Runs") >= 3


def test_a_run_that_did_not_end_does_not_count(server: WandbServer) -> None:
    six_runs(server)
    server.run("modified-seed1").exitcode = None
    for exitcode, state in ((None, "running"), (1, "failed")):
        server.run("modified-seed1").exitcode = exitcode
        record = judged()
        assert record["verdict"] == "no verdict"
        assert f"modified, seed 1 ({state} at W&B)" in record["facts"][0]["text"]


def test_a_number_that_is_not_finite_diverged(server: WandbServer) -> None:
    six_runs(server)
    run = server.run("modified-seed1")
    row = {"_step": 2, "_timestamp": 1.0, "val_loss": "NaN"}
    run.lines["wandb-history.jsonl"][2], run.summary = json.dumps(row), row
    assert "diverged" in q1lab("judge", PROJECT, code=None).stdout


def test_what_can_not_be_read_is_one_line(
    server: WandbServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ENTITY/PROJECT" in refused("wandb:../etc", code=2)
    assert f"{ENTITY}/nothing-here" in refused(f"wandb:{ENTITY}/nothing-here", code=1)
    server.empty.add("q1-loop")
    assert f"{PROJECT} has no runs" in refused(code=1)
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    line = refused(code=1)
    assert "refuses the key" in line
    assert "f" * 40 not in line
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    server.stop()
    assert "can't be reached: connection refused" in refused(code=1)
    monkeypatch.delenv("WANDB_API_KEY")
    assert "no W&B key is configured" in refused(code=1)
    assert [path.name for path in home.iterdir() if path.name != "home"] == []

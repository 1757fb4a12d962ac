"""Runs from elsewhere: pulled from the stand-in with the real client, from event files, from
CSVs."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from q1lab.commands.cli import run_command_line
from q1lab.doors.imports import import_study, outside_runs
from q1lab.ground.errors import Problem
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.judgment import label_text, report_blocks
from q1lab.judgment.intervals import Reason
from q1lab.judgment.metric import VAL_LOSS
from q1lab.study import studies
from q1lab.study.run_states import RunState
from q1lab.tables.found_runs import Found, NumberTable, TableOptions
from q1lab.tables.outside_run import OutsideRun
from q1lab.verdict.comparison_cache import compare
from tests.kit import wandb_study as lab
from tests.kit.wandb_server import ENTITY, KEY, Received, WandbServer

CONFIG = {"learning_rate": 1e-3, "batch_size": 4, "dataset": "shakespeare_char"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def colab(
    server: WandbServer, cfg: str, seed: int, config: dict[str, Any] | None = None, **other: Any
) -> Received:
    """A run as a learner's own notebook leaves it at W&B: nanoGPT's names, no events of ours."""
    values = {"cfg": cfg, "seed": seed, **CONFIG, **(config or {})}
    received = Received(
        f"{cfg[:4]}{seed:04d}",
        ENTITY,
        "q1-capstone",
        name=f"{cfg}-seed{seed}",
        config={key: {"value": value} for key, value in values.items()},
        exitcode=0,
    )
    rows: list[dict[str, Any]] = [
        {"_step": i, "iter": 10 * i, "train/loss": 3 - i / 10 + seed / 50, "_timestamp": 1.0}
        for i in range(11)
    ]
    for row in rows[::5]:
        row["val/loss"] = row["train/loss"] + (0.1 if cfg == "baseline" else 0.02)
    received.lines["wandb-history.jsonl"] = {n: json.dumps(row) for n, row in enumerate(rows)}
    received.summary = {**rows[-1], "_runtime": 60.0}
    for key, value in other.items():
        setattr(received, key, value)
    server.runs[received.id] = received
    return received


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    with WandbServer() as running:
        for name, value in {
            "WANDB_BASE_URL": running.url,
            "WANDB_API_KEY": KEY,
            "NETRC": "/nonexistent",
        }.items():
            monkeypatch.setenv(name, value)
        yield running


def test_pull_groups_and_compares(
    server: WandbServer, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for cfg in ("baseline", "modified"):
        for seed in range(3):
            colab(server, cfg, seed)
    assert run_command_line(["import", f"wandb:{ENTITY}/q1-capstone", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["seeds"] == [0, 1, 2]
    assert record["arms"]["modified"]["values"]["1"] == pytest.approx(2 + 1 / 50 + 0.02)
    assert record["complete"] is True
    study = studies.load(studies.latest())
    assert study.id == "modified-1"
    assert study.trainer.hyperparameters["learning_rate"] == 1e-3
    assert study.data.name == "shakespeare_char"
    assert study.max_iters == 100
    with Store() as store:
        row = store.runs(study.id)[0]
        assert store.curve(row["id"], "train_loss")[3] == (30, pytest.approx(2.7))
        assert [n for n, _ in store.curve(row["id"], "val_loss")] == [0, 50, 100]
    assert not lab.files_with(home, KEY.encode())
    assert not list(home.glob(".pull-*"))


@pytest.mark.slow
def test_pull_says_what_it_can_not_do(
    server: WandbServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"{ENTITY}/q1-capstone"
    for cfg in ("baseline", "modified"):
        colab(server, cfg, 0)
    server.run("modified-seed0").config["learning_rate"] = {"value": 3e-3}
    assert run_command_line(["import", f"wandb:{path}"]) == 2
    message = capsys.readouterr().err
    assert "learning_rate: 0.001 (baseline-seed0), 0.003 (modified-seed0)" in message
    assert studies.ids() == []
    assert run_command_line(["import", f"wandb:{path}", "--allow", "learning_rate"]) == 0
    assert "learning_rate differs, as allowed" in capsys.readouterr().out
    assert run_command_line(["import", "wandb:../etc"]) == 2
    assert "ENTITY/PROJECT" in capsys.readouterr().err
    assert run_command_line(["import", f"wandb:{ENTITY}/nothing-here"]) == 1
    assert f"{ENTITY}/nothing-here" in capsys.readouterr().err
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    assert run_command_line(["import", f"wandb:{path}"]) == 1
    assert "refuses the key" in (message := capsys.readouterr().err)
    assert "f" * 40 not in message
    monkeypatch.delenv("WANDB_API_KEY")
    assert run_command_line(["import", f"wandb:{path}"]) == 1
    assert "no W&B key" in capsys.readouterr().err


@pytest.mark.slow
def test_what_the_relay_sent_comes_back_the_same(
    server: WandbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab.plan(wandb="offline", seeds=(0, 1))
    lab.train_all(study)
    assert run_command_line(["sync"]) == 0
    assert run_command_line(["import", f"wandb:{ENTITY}/q1-capstone", "--group", "rope-1"]) == 0
    back = studies.load(next(name for name in studies.ids() if name != "rope-1"))
    assert back.id == "rope-2"
    assert back.arms["modified"].sha256 == study.arms["modified"].sha256
    assert back.data.sha256 == study.data.sha256
    assert back.trainer.hyperparameters == study.trainer.hyperparameters
    with Store() as store:
        ingest_events.ingest_study(store, study)
        ours, theirs = store.runs(study.id), store.runs(back.id)
        for a, b in zip(ours, theirs, strict=True):
            assert (a["arm"], a["seed"], a["val_loss"]) == (b["arm"], b["seed"], b["val_loss"])
            for metric in ("train_loss", "val_loss", "final_val_loss"):
                assert store.curve(a["id"], metric) == store.curve(b["id"], metric)


USUAL_PROJECT = """
import sys, wandb
for optimizer, gain in (("adamw", 0.0), ("lion", 0.05), ("sgd", -0.1)):
    for seed in range(3):
        run = wandb.init(
            project="usual", name=f"{optimizer}-s{seed}", group=f"{optimizer}-sweep", tags=[optimizer, "v2"],
            config={"optimizer": {"name": optimizer}, "random_seed": seed, "lr": 1e-3, "dataset": "cifar"},
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )
        for step in range(5):
            run.log({"train/loss": 2 - step / 10, "val/acc": 0.5 + gain * (1 + seed / 10) + seed / 200 + step / 50})
        run.finish()
"""
"""A project as people keep one: arms by a nested key, groups and tags, and no `cfg`."""


@pytest.mark.slow
def test_a_usual_project_is_read_by_its_own_keys(
    server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run([sys.executable, "-c", USUAL_PROJECT], check=True, cwd=tmp_path, timeout=120)
    project = ["import", f"wandb:{ENTITY}/usual"]
    assert run_command_line(project) == 2
    message = capsys.readouterr().err
    assert "--arm-key" in message
    assert "group, optimizer.name, tags" in message
    keys = ["--arm-key", "optimizer.name", "--metric", "val/acc", "--better", "higher"]
    every = [*project, *keys[:4], "--baseline", "adamw", "--allow", "optimizer.name"]
    assert run_command_line([*every, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [member["name"] for member in record["members"]] == ["lion", "sgd"]
    assert {member["comparison"]["level"] for member in record["members"]} == {0.975}
    chosen = ["--baseline", "adamw", "--modified", "lion"]
    assert run_command_line([*project, *keys[:4], *chosen, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["verdict"], record["difference"]["headline"]) == ("helps", "paired")
    assert record["difference"]["mean"] == pytest.approx(0.055)
    assert record["metric"]["better"] == "higher"
    by_tag = ["--arm-key", "tags", "--baseline", "adamw v2", "--modified", "sgd v2"]
    assert run_command_line([*project, *by_tag, *keys[2:], "--allow", "optimizer.name"]) == 0
    assert "HURTS" in capsys.readouterr().out
    assert run_command_line([*project, *chosen, *keys[:3], "val/accuracy"]) == 2
    assert "no run reports val/accuracy; did you mean 'val/acc'?" in capsys.readouterr().err


# ── grouping


def a_run(cfg: str = "baseline", seed: int = 0, **changes: Any) -> OutsideRun:
    values: dict[str, Any] = {
        "config": dict(CONFIG),
        "train": {10: 2.0},
        "evals": {10: 2.1},
        "final": 2.1,
    }
    return OutsideRun(f"{cfg}-seed{seed}", cfg, seed, **{**values, **changes})


def found(runs: list[OutsideRun]) -> Found:
    every = Found("a test", VAL_LOSS, two_arms=outside_runs.TWO_ARMS)
    for run in runs:
        every.add(run)
    return every


def alike(runs: list[OutsideRun], allow: tuple[str, ...] = ()) -> NumberTable:
    """Two arms of such runs, if they may be compared."""
    (table,) = found(runs).tables(TableOptions())
    return import_study.alike(table, allow)


def written(every: Found, allow: tuple[str, ...] = ()) -> studies.Study:
    """The study that is made of such runs."""
    (table,) = every.tables(TableOptions())
    (taken,) = import_study.take_in([import_study.draft_of_runs(table, allow)])
    return taken.study


def pair(**changes: Any) -> list[OutsideRun]:
    return [a_run(), a_run("modified", **changes)]


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([a_run()], "there is one arm, baseline; choose runs of two arms"),
        ([a_run("rope"), a_run("gqa")], "there are the arms rope, gqa; say --baseline NAME"),
        (pair(config={**CONFIG, "dataset": "other"}), 'dataset: "shakespeare_char"'),
        (
            pair(config={k: v for k, v in CONFIG.items() if k != "dataset"}),
            "not said (modified-seed0)",
        ),
        (pair(evals={20: 2.0}), "iters: 10 (baseline-seed0), 20 (modified-seed0)"),
        ([*pair(), a_run(seed=1)], "seed 1 is in"),
        (
            [
                a_run(),
                a_run(seed=1),
                a_run("modified", 0, config={**CONFIG, "variant": "a"}),
                a_run("modified", 1, config={**CONFIG, "variant": "b"}),
            ],
            "variant",
        ),
    ],
)
def test_what_is_not_alike_is_refused(runs: list[OutsideRun], words: str) -> None:
    with pytest.raises(Problem, match=r".") as caught:
        alike(runs)
    assert words in str(caught.value)


def test_a_difference_that_is_meant_is_kept_in_the_record() -> None:
    runs = [*pair(config={**CONFIG, "n_kv_head": 2}), a_run(seed=1)]
    study = written(found(runs), ("seeds", "n_kv_head"))
    assert study.seeds == (0,)
    origin = studies.load(study.id).origin
    assert origin.came.allowed == ("n_kv_head", "seeds")
    assert any("n_kv_head differs" in note for note in origin.came.notes)


def test_a_rerun_replaces_the_run_that_failed() -> None:
    failed = a_run(final=None, state=RunState.FAILED)
    table = alike([failed, *pair()])
    assert table.runs[0][0].state is RunState.FINISHED
    assert table.found.notes[0] == "baseline, seed 0, appears twice: one is not used (failed)"


def test_runs_that_say_nothing_of_their_data_are_marked() -> None:
    table = alike([a_run(config={}), a_run("m", config={})])
    assert any("which data" in note for note in table.found.notes)


def test_diverged_runs_stay_diverged() -> None:
    record = {
        "runs": [
            {
                "name": f"{cfg}-seed0",
                "id": "x",
                "state": "finished",
                "config": CONFIG,
                "summary": {"val_loss": "NaN" if cfg == "modified" else 2.0},
                "history": [{"iter": 10, "val_loss": "NaN" if cfg == "modified" else 2.0}],
            }
            for cfg in ("baseline", "modified")
        ]
    }
    study = written(outside_runs.from_wandb("a/b", record, TableOptions()))
    with Store() as store:
        ingest_events.ingest_study(store, study)
        assert [row["state"] for row in store.runs(study.id)] == ["finished", "diverged"]


# ── files


def test_two_runs_of_one_seed_are_refused_with_both_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, arm in (("baseline", "baseline"), ("modified", "modified"), ("again", "modified")):
        file = tmp_path / "runs" / f"{name}-seed0" / "events.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text("".join(json.dumps(event) + "\n" for event in lab.events(0, arm=arm)))
    assert run_command_line(["import", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err == (
        "q1lab: modified-seed0/events.jsonl: modified has seed 0 twice, also in "
        "again-seed0/events.jsonl; import them separately\n"
    )


def test_a_folder_of_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for cfg in ("baseline", "modified"):
        file = tmp_path / "runs" / f"{cfg}-seed0" / "events.jsonl"
        file.parent.mkdir(parents=True)
        records = lab.events(0, arm=cfg)
        records[0]["variant"] = "rope" if cfg == "modified" else "baseline"
        file.write_text("".join(json.dumps(record) + "\n" for record in records) + "broken\n")
    (tmp_path / "runs" / "link").symlink_to("/etc")
    assert run_command_line(["import", str(tmp_path / "runs"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["variant"] == "rope"
    assert record["study"] == "rope-1"
    assert record["arms"]["baseline"]["values"] == {"0": lab.events(0)[-1]["val_loss"]}


def test_a_whole_study_from_another_machine(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab.plan(seeds=(0, 1))
    lab.train_all(study)
    for name in ("baseline", "modified"):
        (study.files.source / f"{name}.py").write_text(f"# {name}\n")
    away = tmp_path / "away"
    study.files.root.rename(away)
    assert run_command_line(["import", str(away)]) == 0
    back = studies.load("rope-1")
    assert (back.trainer.hyperparameters, back.seeds, back.trainer.wandb) == (
        study.trainer.hyperparameters,
        study.seeds,
        "disabled",
    )
    assert (back.files.source / "modified.py").read_text() == "# modified\n"
    assert run_command_line(["import", str(away), "--allow", "x"]) == 2
    # the same study once more has nothing that is missing here
    assert run_command_line(["import", str(away)]) == 0
    assert studies.ids() == ["rope-1"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in back.files.root.rglob("*"))


def test_a_hostile_study_stays_in_its_folder(tmp_path: Path, home: Path) -> None:
    study = lab.plan()
    lab.train_all(study)
    secret = tmp_path / "secret.py"
    secret.write_text("secret")
    away = tmp_path / "away"
    study.files.root.rename(away)
    plan = json.loads((away / "study.json").read_text())
    plan["id"] = "../../evil"
    plan["data"]["file"] = "../../etc/passwd"
    plan["arms"]["modified"]["source"] = "../secret.py"
    (away / "study.json").write_text(json.dumps(plan))
    assert run_command_line(["import", str(away)]) == 1, "it names files outside its folder"
    plan["arms"]["modified"]["source"] = "source/link.py"
    (away / "study.json").write_text(json.dumps(plan))
    assert run_command_line(["import", str(away)]) == 1, "its text is another file of the reader's"
    plan["data"]["file"] = ""
    (away / "source" / "link.py").symlink_to(secret)
    plan["arms"]["modified"]["variant"] = "../../\x1b[31mevil"
    plan["versions"] = {"note": "\x1b]0;evil\x07"}
    (away / "study.json").write_text(json.dumps(plan))
    assert run_command_line(["import", str(away)]) == 0
    (name,) = studies.ids()
    assert name == "evil-1"
    back = studies.load(name)
    assert back.data.file == ""
    assert back.arms["modified"].source == ""
    assert "\x1b" not in back.files.plan.read_text()
    assert not lab.files_with(home, b"secret")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["away", "home", "secret.py"]
    (away / "runs" / "baseline-seed0" / "events.jsonl").write_text(
        json.dumps({"type": "start", "arm": "modified", "seed": 3}) + "\n"
    )
    assert run_command_line(["import", str(away)]) == 2


def csv(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "runs.csv"
    file.write_text(text)
    return file


def test_csv_a_row_per_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["cfg,seed,iter,train_loss,val_loss,lr"]
    for cfg, gain in (("baseline", 0.0), ("modified", 0.2)):
        for seed in (0, 1):
            lines += [
                f"{cfg},{seed},{i},{3 - i / 10},{3.1 - gain - i / 10 if i % 5 == 0 else ''},0.001"
                for i in range(11)
            ]
    assert run_command_line(["import", str(csv(tmp_path, "\n".join(lines))), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["arms"]["baseline"]["values"] == {"0": 2.1, "1": 2.1}
    assert not any(note["kind"] == "conditions" for note in record["notes"])
    with Store() as store:
        row = store.runs("modified-1")[0]
        assert row["iter"] == 10
        assert store.curve(row["id"], "val_loss") == [(0, 3.1), (5, 2.6), (10, 2.1)]
        assert store.curve(row["id"], "train_loss")[3] == (3, pytest.approx(2.7))


def test_csv_a_row_per_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "cfg,seed,val_loss\nbaseline,0,2.1\nbaseline,1,2.2\nrope,0,2.0\nrope,1,nan\n"
    assert run_command_line(["import", str(csv(tmp_path, text)), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["arms"]["modified"]["values"] == {"0": 2.0, "1": None}
    assert record["study"] == "rope-1"


def test_of_runs_from_elsewhere_nothing_is_said_about_what_pairs_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = (("baseline", 0.0), ("rope", 0.01))
    rows = [f"{cfg},{k},{2 + k / 9 + shift * k}" for k in range(4) for cfg, shift in arms]
    file = csv(tmp_path, "\n".join(["cfg,seed,val_loss", *rows]))
    assert run_command_line(["import", str(file)]) == 0
    with Store() as store:
        comparison = compare(store, studies.load("rope-1"))
    assert "the batches" not in label_text.floor_sentence(comparison)


@pytest.mark.parametrize("evaluated", [True, False])
def test_a_run_that_finished_without_saying_its_loss_did_not_diverge(
    tmp_path: Path, evaluated: bool
) -> None:
    for cfg in ("baseline", "modified"):
        for seed in range(3):
            file = tmp_path / f"{cfg}-seed{seed}" / "events.jsonl"
            file.parent.mkdir()
            records = lab.events(seed, arm=cfg)
            if (cfg, seed) == ("modified", 1):
                del records[-1]["val_loss"]
                records = [event for event in records if evaluated or event["type"] != "eval"]
            file.write_text("".join(json.dumps(record) + "\n" for record in records))
    study = written(outside_runs.from_folder(tmp_path))
    with Store() as store:
        comparison = compare(store, study)
    assert (study.design.headline, comparison.lost) == ("paired", 0)
    assert (comparison.analysis.reason is Reason.INCOMPLETE) != evaluated
    assert evaluated or "final val loss" in " ".join(report_blocks.note_sentences(comparison))


def test_csv_as_wandb_exports_a_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        '"Step","baseline-seed0 - val_loss","baseline-seed0 - val_loss__MIN","modified-seed0 - val_loss"\n'
        '"0","3.0","3.0",""\n"100","2.5","2.5","2.4"\n'
    )
    for command in ("judge", "import"):
        assert run_command_line([command, str(csv(tmp_path, text)), "--json"]) == 0
        arms = json.loads(capsys.readouterr().out)["arms"]
        assert [arm["values"] for arm in arms.values()] == [{"0": 2.5}, {"0": 2.4}]
    with Store() as store:
        base, modified = store.runs("modified-1")
        assert store.curve(base["id"], "val_loss") == [(0, 3.0), (100, 2.5)]
        assert store.curve(modified["id"], "val_loss") == [(100, 2.4)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("cfg,seed,iter,val_loss\nbaseline,0,1,x\n", ":2: 'x' is not a number"),
        ("cfg,seed,iter,val_loss\nbaseline,0,-1,2\n", "iter '-1' is no number from 0 up"),
        ("cfg,seed,iter,val_loss\nbaseline,-1,1,2\n", "seed '-1' is not a whole number"),
        ("cfg,seed,iter,val_loss\nbaseline,0,1\n", ":2: 3 cells where the header has 4"),
        ("cfg,seed,val_loss\nbaseline,0,1\nbaseline,0,2\n", "baseline has seed 0 twice"),
    ],
)
def test_a_csv_that_is_wrong_is_explained(
    tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["import", str(csv(tmp_path, text))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_paths_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["import", str(tmp_path / "nothing")]) == 2
    assert "doesn't exist" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run_command_line(["import", str(tmp_path / "empty")]) == 2
    assert "no log that is known" in capsys.readouterr().err
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    assert run_command_line(["import", str(tmp_path / "bytes.csv")]) == 2
    assert "UTF-8" in capsys.readouterr().err


@settings(max_examples=40, deadline=None)
@given(
    cfg=some.text(min_size=1, max_size=20).filter(lambda t: t.strip() and t.strip() != "baseline"),
    losses=some.lists(some.floats(), min_size=1, max_size=8),
)
def test_whatever_the_names_and_numbers_the_study_opens(
    cfg: str, losses: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    os.environ["Q1LAB_HOME"] = str(tmp_path_factory.mktemp("any"))
    rows = [{"iter": n, "val_loss": loss} for n, loss in enumerate(losses)]
    record = {
        "runs": [
            {
                "name": "x",
                "id": "y",
                "state": "finished",
                "config": {"cfg": name, "seed": 0, "lr": math.inf},
                "history": rows,
                "summary": {},
            }
            for name in ("baseline", cfg)
        ]
    }
    try:
        study = written(outside_runs.from_wandb(cfg, record, TableOptions()))
    except Problem:
        return  # a name that is nothing once its control characters are gone, say
    assert studies.load(study.id).seeds == (0,)
    assert study.files.root.parent == Path(os.environ["Q1LAB_HOME"]) / "studies"
    with Store() as store:
        ingest_events.ingest_study(store, study)
        assert {row["state"] for row in store.runs(study.id)} <= {"finished", "diverged"}


def test_an_import_does_not_take_the_name_of_a_deleted_study(tmp_path: Path) -> None:
    study = lab.plan(seeds=(0,))
    lab.train_all(study)
    for name in ("baseline", "modified"):
        (study.files.source / f"{name}.py").write_text(f"# {name}\n")
    away = tmp_path / "away"
    shutil.copytree(study.files.root, away)
    assert run_command_line(["delete", "rope-1", "--yes"]) == 0
    assert run_command_line(["import", str(away)]) == 0
    assert studies.ids() == ["rope-2"]

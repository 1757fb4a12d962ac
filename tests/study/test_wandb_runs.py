"""W&B without wandb: ids, states in words, keys, environment, and the rows of a run."""

from __future__ import annotations

import json
import math
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from q1lab.ground.secret_text import without_secrets
from q1lab.judgment.run_states import RunState
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.events import sanitize_event
from q1lab.study.wandb_runs import ERROR, OFFLINE, SYNCED, SYNCING
from q1lab.train.weights_and_biases.history_rows import RunHistory
from tests.kit import wandb_study as lab
from tests.kit.wandb_server import KEY

# ── ids and states


def test_ids_are_minted_once_and_grow_with_the_plan() -> None:
    study = lab.plan(seeds=(0,))
    ids = wandb_state.mint_ids(study)
    assert list(ids) == ["baseline-seed0", "modified-seed0"]
    assert wandb_state.mint_ids(study) == ids
    wandb_state.update_run(study, "baseline-seed0", state=SYNCED, url="https://a:b@wandb.test/r")
    assert wandb_state.read_relayed_runs(study)["baseline-seed0"].url == "https://wandb.test/r"
    grown = wandb_state.mint_ids(lab.plan(seeds=(0, 1)))
    assert {name: grown[name] for name in ids} == ids
    assert len(set(grown.values())) == 4
    assert wandb_state.read_relayed_runs(study)["baseline-seed0"].state == SYNCED
    assert wandb_state.relayed_runs_file(study).stat().st_mode & 0o777 == 0o600


def test_a_notebook_that_is_broken_or_hostile_is_written_anew() -> None:
    study = lab.plan()
    wandb_state.mint_ids(study)
    for text in ("{", "[]", '{"runs": 3}', "null"):
        wandb_state.relayed_runs_file(study).write_text(text)
        assert wandb_state.read_relayed_runs(study) == {}
        assert len(wandb_state.mint_ids(study)) == 2
    record = json.loads(wandb_state.relayed_runs_file(study).read_text())
    record["runs"]["baseline-seed0"]["id"] = "../../x"
    wandb_state.relayed_runs_file(study).write_text(json.dumps(record))
    assert wandb_state.WANDB_ID.fullmatch(wandb_state.mint_ids(study)["baseline-seed0"])


def test_the_state_in_words() -> None:
    study = lab.plan(wandb="disabled")
    assert wandb_state.wandb_status(study).words == "off"
    study = lab.plan(wandb="online")
    wandb_state.mint_ids(study)
    assert wandb_state.wandb_status(study).words == "offline; `q1lab sync` uploads"
    lab.train_all(study)
    sizes = {run.name: study.files.run(run.name).events.stat().st_size for run in study.runs}
    url = "https://wandb.ai/alice/q1-capstone/runs/abc"
    for name in sizes:
        wandb_state.update_run(study, name, state=SYNCED, offset=sizes[name], url=url)
    status = wandb_state.wandb_status(study)
    assert (status.words, status.url) == ("synced, 2 runs", "https://wandb.ai/alice/q1-capstone")
    assert wandb_state.pending_runs(study) == []
    wandb_state.update_run(study, "baseline-seed0", state=SYNCING)
    assert wandb_state.wandb_status(study).state == OFFLINE, "no relay is there to confirm it"
    wandb_state.update_run(study, "modified-seed0", state=ERROR, error="connection refused\x1b[31m")
    assert wandb_state.wandb_status(study).words == "error: connection refused"
    wandb_state.update_run(study, "modified-seed0", state=SYNCED, error=None)
    lab.append(study, "modified-seed0", [{"type": "iter", "iter": 21, "train_loss": 1.0}])
    assert wandb_state.wandb_status(study).runs["modified-seed0"].state == OFFLINE, (
        "it went on since"
    )
    assert wandb_state.pending_runs(study) == ["baseline-seed0", "modified-seed0"]


def test_only_the_study_s_own_folders_count(tmp_path: Path) -> None:
    study = lab.plan()
    ids = wandb_state.mint_ids(study)
    run = ids["baseline-seed0"]
    good = study.files.wandb / f"offline-run-20260307_093000-{run}"
    good.mkdir()
    (study.files.wandb / f"run-20260307_093000-{run}-1").mkdir()
    (study.files.wandb / f"run-20260307_093000-{ids['modified-seed0']}").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (study.files.wandb / f"run-20260307_093001-{run}").symlink_to(tmp_path / "elsewhere")
    assert {path.name for path in wandb_state.wandb_folders(study, run)} == {
        good.name,
        f"run-20260307_093000-{run}-1",
    }


# ── keys and environment


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment of its own, with nothing of W&B but where its files would be."""
    env = {"NETRC": str(tmp_path / "netrc"), "WANDB_CONFIG_DIR": str(tmp_path)}
    monkeypatch.setattr(os, "environ", {"Q1LAB_HOME": str(tmp_path / "home")} | env)
    return os.environ


def test_where_a_key_may_be(tmp_path: Path, environ: dict[str, str]) -> None:
    netrc = tmp_path / "netrc"
    assert not wandb_state.key_configured()
    assert wandb_state.default_mode() == "offline"
    environ["WANDB_API_KEY"] = KEY
    assert wandb_state.key_configured()
    del environ["WANDB_API_KEY"]
    netrc.write_text(f"machine api.wandb.ai login user password {KEY}\n")
    assert wandb_state.key_configured()
    assert wandb_state.default_mode() == "online"
    environ["WANDB_BASE_URL"] = "https://wandb.example"
    assert not wandb_state.key_configured()
    del environ["WANDB_BASE_URL"]
    netrc.write_text(f"machine wandb.example login user password {KEY}\n")
    assert not wandb_state.key_configured()
    (tmp_path / "settings").write_text("[default]\nbase_url = https://wandb.example\n")
    assert wandb_state.key_configured()
    netrc.write_text("machine broken\n")
    assert not wandb_state.key_configured()
    (tmp_path / "settings").write_text("no section")
    assert wandb_state.learner_settings() == {}


@pytest.mark.parametrize(
    ("typed", "mode"),
    [
        ("offline", "offline"),
        ("disabled", "disabled"),
        ("bogus", "offline"),
    ],
)
def test_the_learner_s_own_mode_counts(typed: str, mode: str, environ: dict[str, str]) -> None:
    environ["WANDB_MODE"] = typed
    assert wandb_state.default_mode() == mode


def test_the_environment_keeps_all_files_in_the_study_and_the_key_readable(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    study = lab.plan()
    (tmp_path / "settings").write_text(
        "[default]\nbase_url = https://wandb.example\nentity = alice\n"
    )
    environ |= {"WANDB_RUN_ID": "evil", "WANDB_MODE": "disabled", "WANDB_API_KEY": KEY}
    environ["HOME"] = "/home/alice"
    env = wandb_state.wandb_environment(study.files.root)
    assert env["WANDB_BASE_URL"] == "https://wandb.example"
    assert (env["WANDB_ENTITY"], env["WANDB_API_KEY"], env["HOME"]) == ("alice", KEY, "/home/alice")
    assert "WANDB_RUN_ID" not in env
    assert "WANDB_MODE" not in env
    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        assert Path(env[name]).is_relative_to(study.files.root)


@pytest.mark.parametrize("key", [KEY, f"local-{KEY}", "wandb_v1_AbCdEf0123456789_xyz-Q"])
def test_keys_are_taken_out_of_text(key: str, environ: dict[str, str]) -> None:
    assert key not in without_secrets(f"POST failed: api:{key}@host")
    sha = "c" * 64
    assert without_secrets(f"sha256 {sha}") == f"sha256 {sha}"
    for password in ("secret", "s@secret", "secret@"):
        said = without_secrets(f"http://alice:{password}@wandb.example/x: refused")
        assert said == "http://wandb.example/x: refused", "a password is shown"
    for address in ("alice:p4sswordX@host:9", "ftp://alice:p4ss/wordX@host:9"):
        environ["WANDB_BASE_URL"] = address
        assert "wordX" not in without_secrets(f"base_url: input_value='{address}' is no address")
    odd = environ["WANDB_API_KEY"] = "not-hex-but-set"
    assert odd not in without_secrets(f"key={odd}")


# ── rows


def projected(pieces: list[list[dict[str, Any]]]) -> RunHistory:
    study = lab.plan()
    projection = RunHistory(study, study.runs[0])
    for piece in pieces:
        projection.feed(
            event for line in piece if (event := sanitize_event(dict(line))) is not None
        )
    return projection


def test_rows_config_and_summary_of_a_run() -> None:
    events = lab.events(0)
    it = projected([events])
    assert len(it.rows) == lab.ROWS
    assert it.rows[0] == {
        "iter": 1,
        "train_loss": events[1]["train_loss"],
        "tok_per_s": 900.0,
        "_timestamp": pytest.approx(1772875800.1),
    }
    assert it.rows[-1]["final_val_loss"] == events[-1]["val_loss"]
    assert it.config["cfg"] == "baseline"
    assert it.config["torch"] == "2"
    summary = it.summary()
    assert summary["val_loss"] == events[-1]["val_loss"]
    assert summary["best_val_loss"] == min(
        e["val_loss"] for e in events if e["type"] == "eval" and "final" not in e
    )
    assert (summary["state"], summary["attempts"], it.exit_code) == ("finished", 1, 0)


def test_every_number_is_a_column_and_none_of_them_one_of_its_own() -> None:
    numbers = {"grad_norm": 0.5, "val_loss": 9.0, "_step": 7, "iter": 8, "bad": math.inf}
    iters = [{"type": "iter", "iter": 3, "train_loss": 2.0, "numbers": numbers, "tok_per_s": 9.0}]
    more = [{"type": "iter", "iter": 3, "numbers": {"lr": 0.1, "grad_norm": 0.7}}]
    rows = projected([[lab.events(0)[0], *iters, *more]]).rows
    assert {name: rows[0][name] for name in ("iter", "train_loss", "grad_norm", "tok_per_s")} == {
        "iter": 3,
        "train_loss": 2.0,
        "grad_norm": 0.5,
        "tok_per_s": 9.0,
    }
    assert math.isnan(rows[0]["bad"])
    assert not {"val_loss", "_step"} & rows[0].keys()
    assert rows[1] == {"iter": 3, "lr": 0.1}


def test_a_run_that_went_on_from_a_checkpoint_has_every_iter_once() -> None:
    whole = lab.events(0)
    second_attempt = [{**whole[0], "attempt": 2, "resumed_from": 5}, *whole[7:]]
    it = projected([whole[:14], second_attempt])
    assert [row["iter"] for row in it.rows if "train_loss" in row] == list(range(1, 21))
    assert it.summary()["attempts"] == 2
    assert it.ended is RunState.FINISHED


def test_a_loss_that_is_no_number_is_shown_as_such() -> None:
    diverged = [
        lab.events(0)[0],
        {"type": "iter", "iter": 1, "train_loss": None, "diverged": True},
        {"type": "exit", "state": "diverged", "iter": 1, "message": "loss is not finite\x1b[2J"},
    ]
    it = projected([diverged])
    assert math.isnan(it.rows[0]["train_loss"])
    assert (it.summary()["state"], it.summary()["message"]) == ("diverged", "loss is not finite")
    assert it.exit_code == 1


@settings(max_examples=60, deadline=None)
@given(
    cuts=some.lists(some.integers(0, 30), max_size=5),
    junk=some.lists(
        some.dictionaries(
            some.sampled_from(["type", "iter", "t", "val_loss", "state", "time"]),
            some.one_of(
                some.none(),
                some.integers(-5, 5),
                some.text(max_size=5),
                some.sampled_from(["iter", "eval", "exit", "start"]),
            ),
        )
    ),
)
def test_rows_are_the_same_however_events_arrive(
    cuts: list[int], junk: list[dict[str, Any]]
) -> None:
    events = [*lab.events(0)[:20], *junk, *lab.events(0)[20:]]
    points = sorted({0, *cuts, len(events)})
    pieces = [events[a:b] for a, b in pairwise(points)]
    a, b = projected([events]), projected(pieces)
    assert json.dumps([a.rows, a.summary(), a.config]) == json.dumps(
        [b.rows, b.summary(), b.config]
    )
    assert [n for n, row in enumerate(a.rows)] == list(range(len(a.rows)))

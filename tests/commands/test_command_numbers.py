"""The numbers of a command's study, on every way out: unknown is empty, and no digit is added."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from q1lab.app.widgets.lab_numbers import loss_words
from q1lab.journal.store import Store
from q1lab.journal.study_view import read_view
from q1lab.study import studies
from q1lab.study.events import read_ended_run
from q1lab.train.weights_and_biases.history_rows import RunHistory, run_config
from tests.commands.test_command_arms import PYTHON
from tests.kit.commands import q1lab, study_toml

pytestmark = pytest.mark.sample

TRAIN = """import sys
seed = int(sys.argv[1])
print("METRIC step=0 test/loss=7.01", flush=True)
print(f"METRIC step=40 test/loss={6.47 + seed / 100 - 0.2 * (len(sys.argv) > 2):.2f}")
"""
RUN = ("run", "study.toml")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.chdir(tmp_path)
    study_toml(f"{PYTHON} train.py {{seed}} {{args}}", metric="test/loss", baseline="", big="--big")
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    return tmp_path


def rows(file: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(file).read_text().splitlines()))


def zeros(facts: Any, where: str = "") -> list[str]:
    """The places of a record that say 0 (or 0.0) of something that q1lab can't know."""
    if isinstance(facts, dict):
        return [at for key, value in facts.items() for at in zeros(value, f"{where}.{key}")]
    if isinstance(facts, list):
        return [at for n, value in enumerate(facts) for at in zeros(value, f"{where}[{n}]")]
    unknown = ("n_params", "flops_per_token", "max_iters", "tokens_per_s", "passes", "vocab_size")
    return [where] if facts == 0 and where.rpartition(".")[2] in unknown else []


def test_what_is_not_known_of_a_command_is_empty_and_not_0() -> None:
    record = json.loads(q1lab(*RUN, "--json").stdout)
    assert zeros(record) == []
    assert record["config"] == {}
    assert record["arms"]["baseline"]["n_params"] is None
    q1lab("export", "big-1", "runs.csv")
    for row in rows("runs.csv"):
        assert [row[key] for key in ("n_params", "flops_per_token", "max_iters")] == [""] * 3
    q1lab("export", "big-1", "all.json")
    assert zeros(json.loads(Path("all.json").read_text())) == []
    study = studies.load("big-1")
    config = run_config(study, study.runs[0])
    assert config["n_params"] is None
    assert "max_iters" not in config
    q1lab("export", "big-1", "page.html")
    assert "max_iters" not in Path("page.html").read_text()


def test_an_unknown_length_is_null_while_a_command_trains() -> None:
    """No run has ended yet: how many iters one takes is not known."""
    command = f"{PYTHON} gone.py {{seed}} {{args}}"
    q1lab(*study_toml(command, metric="test/loss", baseline="", big="--big"), code=1)
    runs = json.loads(q1lab("status", "big-1", "--json").stdout)["studies"][0]["runs"]
    assert {run["max_iters"] for run in runs} == {None}


def test_no_number_has_a_name_that_nobody_gave() -> None:
    q1lab(*RUN)
    q1lab("export", "big-1", "curves.csv", "--curves")
    assert {row["metric"] for row in rows("curves.csv")} == {"test/loss"}
    assert [row["value"] for row in rows("curves.csv")][:2] == ["7.01", "6.47"]
    q1lab("export", "big-1", "curves.json", "--curves")
    points = json.loads(Path("curves.json").read_text())["curves"]
    assert {point["metric"] for point in points} == {"test/loss"}
    study = studies.load("big-1")
    history = RunHistory(study, study.runs[0])
    history.feed(read_ended_run(study.files.run(study.runs[0].name).events)[0])
    assert [row.keys() - {"_timestamp"} for row in history.rows] == [{"test/loss", "iter"}] * 2
    assert not [name for name in history.summary() if "final" in name]


def test_two_decimals_stay_two() -> None:
    shown = q1lab(*RUN).stdout
    assert "finished, test/loss 6.47," in shown
    full = q1lab("compare", "big-1", "--full").stdout
    assert " 6.47 " in full
    assert "6.470" not in full
    q1lab("export", "big-1", "page.html")
    page = Path("page.html").read_text()
    assert "6.47" in page
    assert "6.470" not in page
    study = studies.load("big-1")
    with Store() as store:
        view = read_view(store, study)
    assert {loss_words(run, study.metric) for run in view.runs} == {
        "6.47",
        "6.48",
        "6.49",
        "6.27",
        "6.28",
        "6.29",
    }
    judged = q1lab(
        "judge",
        "--better",
        "lower",
        "--baseline",
        "9.1,9.3,9.25",
        "--modified",
        "9,8.5,8.7",
        "--full",
    )
    assert "9.10" in judged.stdout
    assert "9.100" not in judged.stdout

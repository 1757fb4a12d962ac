"""`q1lab export`: what is written can be read again, and holds what the store holds."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands.export import export as command
from q1lab.documents.result_files import export_studies
from q1lab.ground.errors import Problem
from q1lab.journal import study_names
from q1lab.journal.store import Store
from q1lab.study import studies
from tests.kit.lab_home import finish, make_study, train


def two() -> list[str]:
    finish(make_study("rope-1", "rope"))
    gqa = make_study("gqa-1", "gqa", created="2026-03-08T09:30:00+00:00")
    train(gqa, "baseline", 0, val=1.9)
    train(gqa, "modified", 0, 400, state="diverged", message='a "quoted", message')
    return ["rope-1", "gqa-1"]


def test_csv_has_a_row_a_run_unfinished_ones_too(tmp_path: Path) -> None:
    ids = two()
    with Store() as store:
        export_studies(store, ids, file := tmp_path / "a.csv")
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert len(rows) == 12
    assert [row["state"] for row in rows[6:]] == ["finished", "diverged", *["queued"] * 4]
    assert rows[7]["message"] == 'a "quoted", message'
    assert rows[7]["value"] == ""
    assert float(rows[0]["value"]) == 1.905
    assert {row["verdict"] for row in rows[:6]} == {"cannot tell"}
    assert {row["level"] for row in rows[:6]} == {"95%"}
    assert float(rows[0]["low"]) < float(rows[0]["difference"]) < float(rows[0]["high"])
    assert rows[7]["low"] == ""
    assert rows[0]["data_sha256"] == studies.load("rope-1").data.sha256


def test_curves_have_every_point(tmp_path: Path) -> None:
    two()
    with Store() as store:
        export_studies(store, ["gqa-1"], file := tmp_path / "points.csv", curves=True)
        points = store.db.execute(
            "SELECT count(*) FROM metrics JOIN runs ON runs.id = run_id WHERE study_id = 'gqa-1'"
        ).fetchone()[0]
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert len(rows) == points > 50
    assert {row["metric"] for row in rows} == {"train_loss", "val_loss"}


def test_csv_tells_two_studies_apart_by_their_settings(tmp_path: Path) -> None:
    two()
    with Store() as store:
        export_studies(store, ["rope-1", "gqa-1"], file := tmp_path / "a.csv")
    row = next(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert (row["metric"], row["better"], row["command"]) == ("val_loss", "lower", "")
    assert (row["set.learning_rate"], row["set.n_layer"]) == ("0.001", "4")


def test_json_is_the_comparison(tmp_path: Path) -> None:
    ids = two()
    with Store() as store:
        export_studies(store, ids, file := tmp_path / "a.json")
    document = json.loads(file.read_text())
    assert [record["study"] for record in document["studies"]] == ids
    assert document["studies"][0]["verdict"] == "cannot tell"
    assert document["studies"][1]["verdict"] == "no verdict"


def test_the_command(tmp_path: Path) -> None:
    two()
    run = CliRunner().invoke
    done = run(command, [str(tmp_path / "last.csv")], standalone_mode=False)
    assert done.return_value == 0
    assert done.output == f"wrote {tmp_path / 'last.csv'}\n"
    done = run(command, ["--all", str(tmp_path / "all.json"), "--json"], standalone_mode=False)
    record = json.loads(done.output)
    assert sorted(record["studies"]) == ["gqa-1", "rope-1"]
    assert record["written"] == str(tmp_path / "all.json")


def test_names_are_exported(tmp_path: Path) -> None:
    two()
    with Store() as store:
        study_names.give_name(store, "gqa-1", "cheap")
        export_studies(store, ["gqa-1", "rope-1"], file := tmp_path / "a.json")
    assert json.loads(file.read_text())["names"] == {"gqa-1": "cheap"}


def test_a_damaged_study_is_one_marked_row_and_stops_no_other(tmp_path: Path) -> None:
    two()
    studies.load("gqa-1").files.plan.write_text("{")
    run = CliRunner().invoke
    for form in ("csv", "json"):
        target = str(tmp_path / f"all.{form}")
        done = run(command, ["--all", target], standalone_mode=False)
        assert done.return_value == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))
    assert [row["study"] for row in rows] == [*["rope-1"] * 6, "gqa-1"]
    assert rows[-1]["state"] == "unreadable"
    assert "is damaged" in rows[-1]["message"]
    document = json.loads((tmp_path / "all.json").read_text())
    assert [record["study"] for record in document["studies"]] == ["rope-1"]
    assert list(document["unreadable"]) == ["gqa-1"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nope-1", "a.csv"], "no study called 'nope-1'"),
        (["rope-1", "a.csv", "--all"], "one of them"),
        (["rope-1", "a.html", "--curves"], "--curves goes with a CSV"),
        (["rope-1", "gqa-1", "a.html"], "takes one study"),
        (["--all", "a.zip"], "takes one study"),
        (["rope-1", "gqa-1"], "the last word is the file or folder"),
    ],
)
def test_bad_input(args: list[str], words: str) -> None:
    two()
    done = CliRunner().invoke(command, args, standalone_mode=False)
    assert isinstance(done.exception, Problem)
    assert words in str(done.exception)
    assert done.exception.code == 2

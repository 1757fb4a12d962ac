"""Any number that a trainer reports is in the table, the chart, the exports and at W&B."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from q1lab.app.widgets.loss_chart import LossChart
from q1lab.journal import ingest_events
from q1lab.journal.store import Store
from q1lab.judgment.metric import VAL_LOSS
from q1lab.study import studies
from q1lab.study.events import MOST_NUMBERS, read_new_events, sanitize_event
from q1lab.train.weights_and_biases.history_rows import RunHistory
from tests.kit.commands import q1lab, study_toml
from tests.kit.lab_home import app, open_lab, until

COMMAND = f"{shlex.quote(sys.executable)} toy_metric.py {{args}} {{seed}}"
NAMES = ["val/acc", "train_loss", "grad_norm", "noise"]
TITLES = ("val/acc", "train loss", "grad norm", "noise")


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> studies.Study:
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    shutil.copy(Path(__file__).parent / "kit" / "toy_metric.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    arms = {"baseline": "1.0", "half": "0.5"}
    q1lab(*study_toml(COMMAND, metric="val/acc", better="higher", **arms), "--seeds", "2")
    return studies.load("half-1")


def test_a_number_that_nobody_knows_is_exported_and_goes_to_wandb(
    trained: studies.Study, tmp_path: Path
) -> None:
    q1lab("export", "points.csv", "--curves")
    q1lab("export", "all.json", "--curves")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "points.csv").read_text())))
    assert {row["metric"] for row in rows} == set(NAMES)
    norms = [row for row in rows if row["metric"] == "grad_norm" and row["arm"] == "baseline"]
    assert [float(row["value"]) for row in norms[:6]] == [2 / n / 1000 for n in range(1, 7)]
    points = json.loads((tmp_path / "all.json").read_text())["curves"]
    assert [{key: str(value) for key, value in point.items()} for point in points] == rows
    projection = RunHistory(trained, trained.runs[0])
    projection.feed(read_new_events(trained.files.run(trained.runs[0].name).events)[0])
    assert {name for row in projection.rows for name in row} > set(NAMES)


def test_page_and_picture_draw_each_of_them_that_differs_between_the_arms(
    trained: studies.Study, tmp_path: Path
) -> None:
    """The study's metric first; noise that is the same in both arms tells nothing of them."""
    q1lab("export", trained.id, "half.html")
    q1lab("compare", "half", "--plot", "half.svg")
    (inside,) = re.findall(
        r"data:image/svg\+xml;base64,([^\"]+)", (tmp_path / "half.html").read_text()
    )
    for svg in (base64.b64decode(inside).decode(), (tmp_path / "half.svg").read_text()):
        texts = re.findall("<text [^>]*>(.*?)</text>", svg)
        titles = [text for text in texts if text.split(":")[0] in TITLES]
        assert titles == ["val/acc: each seed, mean, range", "train loss", "grad norm"]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_m_goes_through_all_of_them(
    trained: studies.Study, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app().run_test(size=size) as pilot:
        screen = await open_lab(pilot)
        chart = screen.query_one(LossChart)
        for name in (*TITLES, "val/acc"):
            await until(
                pilot, lambda name=name: chart.data.name == name and not chart.data.empty, name
            )
            await pilot.press("m")


def test_the_names_of_one_run_are_bounded_and_its_own_are_its_own() -> None:
    def event(**fields: Any) -> Any:
        return sanitize_event({"type": "iter", "iter": 1, **fields})

    names = {
        "train_loss": 1,
        "val_loss": 1,
        "final_val_loss": 1,
        "x" * 101: 1,
        "a\x1b": 1,
        "b": "c",
    }
    first = event(numbers={**names, **{f"n{n}": n for n in range(60)}})
    more = event(train_loss=2.0, numbers={f"more{n}": 10**400 for n in range(60)})
    points = list(ingest_events.reported_values([first, more], VAL_LOSS))
    pieces = list(ingest_events.reported_values([first], VAL_LOSS))
    pieces += ingest_events.reported_values([more], VAL_LOSS, {name for name, _, _ in pieces})
    assert points == pieces
    assert len(points) == MOST_NUMBERS + 1
    assert [point for point in points if point[0] in names] == [
        ("b", 1, None),
        ("train_loss", 1, 2.0),
    ]
    assert ("more0", 1, None) in points
    assert list(ingest_events.reported_values([event(numbers=[1])], VAL_LOSS)) == []


def test_what_a_run_reported_is_known_without_reading_its_points(tmp_path: Path) -> None:
    with Store(tmp_path / "index.db") as store:
        store.db.execute("PRAGMA foreign_keys = OFF")
        points = [(run, name, n, 1.0) for run in (1, 2) for name in "bac" for n in range(3)]
        store.db.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?)", points)
        assert store.metric_names(1) == ["a", "b", "c"]
        assert store.metric_names(3) == []

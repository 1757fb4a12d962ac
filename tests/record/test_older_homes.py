"""Homes of an older q1lab: no verdict that was given changes, and what is lost is judged anew."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from benchmarks.looks import Week
from q1lab.index import store as stores
from q1lab.index.store import Store
from q1lab.judgment import level_sentences
from q1lab.record import on_record
from q1lab.study import studies
from q1lab.verdict.comparison_cache import compare

OLD_LEVEL = 0.0106
"""The level of a later look in that q1lab."""
NEW_FIELDS = ("question", "arms", "named", "spends", "level", "diverged", "claims", "running")


@pytest.fixture
def older_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two looks at one question, with the journal and the index as that q1lab left them."""
    with Store() as store:
        week = Week(store, np.random.default_rng(3), effect=-2.0)
        with monkeypatch.context() as patched:
            patched.setattr(on_record, "utc_now", week.clock)
            week.asked(range(3))
            week.asked(range(3, 6))
    lines = [json.loads(line) for line in (home / "journal.jsonl").read_text().splitlines()]
    for line in lines:
        line |= {"v": 2, "prev": "", "sha": "", "salt": ""}
        for key in NEW_FIELDS:
            line["body"].get("declares", {}).pop(key, None)
    (home / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with sqlite3.connect(home / "q1lab.db") as db:
        db.execute(
            "UPDATE results SET record = json_set(record, '$.analysis.alpha', ?) "
            "WHERE study_id = 'rope-2'",
            (OLD_LEVEL,),
        )
        db.execute("DROP TABLE levels")
        db.execute("PRAGMA user_version = 11")
        db.execute(f"PRAGMA application_id = {stores.APPLICATION_ID + 11}")
    db.close()
    return home


def level_of(study: str) -> float:
    with Store() as store:
        return compare(store, studies.load(study)).analysis.alpha


def test_a_verdict_that_was_given_keeps_its_level(older_home: Path) -> None:
    assert [level_of("rope-1"), level_of("rope-2")] == [0.05, OLD_LEVEL]
    (older_home / "q1lab.db").unlink()
    assert level_of("rope-2") == OLD_LEVEL, "it is on record, and not in the index alone"


def test_without_the_index_the_rule_of_today_judges(older_home: Path) -> None:
    (older_home / "q1lab.db").unlink()
    assert [level_of("rope-1"), level_of("rope-2")] == [0.05, 0.025]
    with Store() as store:
        said = level_sentences.level_sentence(compare(store, studies.load("rope-2")))
    assert "today's rule judges" in said

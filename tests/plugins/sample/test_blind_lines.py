"""The journal's lines of blind tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from q1lab.index import journal
from q1lab.index.store import Store
from q1lab.plugins.sample import PLUGIN
from tests.index.test_journal import AT, spoiled
from tests.kit import lab_home
from tests.kit.commands import q1lab

SAMPLES: list[dict[str, Any]] = [
    {
        **{"act": "blind", "study": "rope-9", "created": AT["at"], "seed": 0, "key": "1a"},
        **{"prompts": ["a", "b"], "baseline": ["c", "d"], "modified": ["e", "f"]},
    },
    {
        **{"act": "guess", "study": "rope-9", "created": AT["at"], "number": 1, "pair": 1},
        "choice": 2,
    },
]


def test_no_senseless_line_ends_a_command(home: Path) -> None:
    assert {sample["act"] for sample in SAMPLES} == set(PLUGIN.entries)
    lab_home.make_study("rope-9", created=AT["at"])
    bodies = [{**AT, **body} for body in (*SAMPLES, *spoiled(SAMPLES))]
    (home / "journal.jsonl").write_bytes(journal.encode_entries(bodies))
    with Store() as index:
        assert len(bodies) / 2 < index.unread < len(bodies)
    record = json.loads(q1lab("sample", "rope-9", "--blind", "--json").stdout)
    assert record["tests"][0]["pairs"] == 2

"""The journal's lines of gates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from q1lab.index import journal
from q1lab.index.store import Store
from q1lab.plugins.gate import PLUGIN
from tests.index.test_journal import AT, spoiled
from tests.kit import lab_home
from tests.kit.commands import q1lab

SAMPLES: list[dict[str, Any]] = [
    {"act": "gate", "study": "rope-9", "created": AT["at"], "kept": True, "facts": {"why": "x"}}
]


def test_no_senseless_line_ends_a_command(home: Path) -> None:
    assert {sample["act"] for sample in SAMPLES} == set(PLUGIN.entries)
    lab_home.make_study("rope-9", created=AT["at"])
    bodies = [{**AT, **body} for body in (*SAMPLES, *spoiled(SAMPLES))]
    (home / "journal.jsonl").write_bytes(journal.encode_entries(bodies))
    with Store() as index:
        assert 0 < index.unread < len(bodies)
    assert "rope-9" in q1lab("status").stdout

"""The code of a gate's baseline and of its ideas, when it changes between two proposals."""

from __future__ import annotations

from pathlib import Path

from q1lab.study import studies
from tests.commands.test_changed_code import (  # noqa: F401  (the fixture)
    COMMAND,
    HELPS,
    PYTHON,
    TRAIN,
    folder,
    refused,
)
from tests.kit.commands import q1lab

GATE = ("gate", "--command", COMMAND, "--metric", "loss", "--arm", "baseline=")


def test_a_gate_does_not_go_on_with_another_baseline() -> None:
    q1lab(*GATE, "--arm", "same=--word=one", code=None)
    Path("model.py").write_text(HELPS + "# a word\n")
    assert "changed" not in q1lab(*GATE, "--arm", "again=--word=two", code=None).stderr
    Path("model.py").write_text(HELPS.replace("else 0.0", "else 0.08"))
    before = studies.ids()
    line = refused(*GATE, "--arm", "big=--big")
    assert "model.py has changed since baseline was judged with it" in line
    assert studies.ids() == before


def test_an_idea_of_a_gate_may_edit_what_it_alone_imports() -> None:
    command = ("gate", "--command", f"{PYTHON} {{args}} --seed {{seed}}", "--metric", "loss")
    base = (*command, "--arm", "baseline=train.py", "--arm")
    Path("idea.py").write_text(TRAIN.replace("from model", "from change"))
    Path("change.py").write_text(HELPS.replace("else 0.0", "else -0.5"))
    q1lab(*base, "idea=idea.py", code=10)
    Path("change.py").write_text(HELPS.replace("else 0.0", "else -0.4"))
    q1lab(*base, "idea=idea.py", code=10)
    assert len(studies.ids()) == 2

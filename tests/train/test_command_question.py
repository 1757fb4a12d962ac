"""The question that a study of a command asks: what changes it, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.study.command_arms import CommandSpec, hash_inputs
from q1lab.study.identity import question_hash
from q1lab.study.studies import Study
from q1lab.train.command_draft import code_hashes
from tests.kit.lab_home import make_study
from tests.kit.plans import changed


def study_of(folder: Path, name: str) -> Study:
    loop = CommandSpec("python train.py {seed} {args}", {}, str(folder), "acc", "higher")
    inputs = hash_inputs(loop)
    loop = CommandSpec(
        loop.run,
        {},
        loop.folder,
        "acc",
        "higher",
        inputs=inputs,
        code=code_hashes(loop.folder, inputs),
    )
    return changed(make_study(name), kind="command", config={}, preset="", dtype="", loop=loop)


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ("x = 1  # a note\n\n\nprint(x)\n", True),
        ("x = 2\nprint(x)\n", False),
        ("x = (\n", False),
    ],
)
def test_a_comment_or_a_blank_line_asks_no_other_question(
    tmp_path: Path, text: str, is_same: bool
) -> None:
    program = tmp_path / "train.py"
    program.write_text("x = 1\nprint(x)\n")
    first = study_of(tmp_path, "first-1")
    program.write_text(text)
    again = study_of(tmp_path, "again-1")
    assert (question_hash(first) == question_hash(again)) == is_same, (
        "a comment in a program makes another question of it, or another program the same one"
    )

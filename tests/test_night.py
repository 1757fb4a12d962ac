"""docs/night can be repeated: its ideas are options of its trainer, which reports as the gate reads."""

from __future__ import annotations

import re
import subprocess
import sys

from q1lab.study.command_arms import read_study_toml
from tests.kit.places import ROOT

NIGHT = ROOT / "docs" / "night"


def test_the_programs_ideas_train() -> None:
    ideas = re.findall(
        r"`(--\w+=[\w.-]+)`", (NIGHT / "program.md").read_text().rpartition("Ideas:")[2]
    )
    assert len(ideas) == 7
    options = {idea.partition("=")[0]: idea for idea in ideas}.values()
    done = subprocess.run(
        [sys.executable, "train.py", *options, "--iters=100"],
        cwd=NIGHT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"METRIC step=100 val/loss=\d\.\d{5}\n", done.stdout)
    assert (NIGHT / "README.md").read_text().count(": keep") == 2


def test_the_example_files_are_studies() -> None:
    night = read_study_toml(NIGHT / "study.toml", {"idea-1": "--hidden=96"})
    assert night.metric == "val/loss"
    nanochat = read_study_toml(ROOT / "docs" / "nanochat" / "study.toml")
    assert (nanochat.arms, nanochat.pattern) == (("baseline", ["lr-double"]), "nanochat")

"""The short runs of a plan on a cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from q1lab.planning import command_draft
from q1lab.study import studies
from tests.commands.test_command_preflight import PPO, typed
from tests.kit.commands import q1lab
from tests.kit.engines import fake_slurm


def test_on_slurm_the_short_runs_are_made_on_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program needs what only a node has; jobs are handed over from where it lacks that."""
    (tmp_path / "proj").mkdir()
    monkeypatch.chdir(tmp_path / "proj")
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    command_draft._ask.cache_clear()
    place = fake_slurm.put(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    srun = place / "srun"
    srun.write_text(srun.read_text().replace("exec ", "GPU=1 exec "))
    sbatch = place / "sbatch"
    sbatch.write_text(sbatch.read_text().replace("exec ", "GPU=1 exec "))
    program = "import os\nassert 'GPU' in os.environ, 'no GPU'\n" + PPO
    words = typed(program, "episodic_return", "0.1", "0.2", "--engine", "slurm", "--json")
    record = json.loads(q1lab(*words).stdout)
    assert record["complete"]
    loop = studies.load("other-1").to_dict()["loop"]
    assert (loop["reads"], loop["repeats"]) == ("output", "bit")
    srun.write_text("#!/bin/sh\necho 'srun: error: Unable to allocate resources' >&2; exit 1\n")
    command_draft._ask.cache_clear()
    shown = q1lab(*words[:-1], "--fresh")
    assert "no node ran the short runs (srun: error: Unable" in shown.stdout
    jobs = sorted((studies.load("other-2").files.root / "engine").glob("*.cells"))
    assert sorted(len(job.read_text().split()) for job in jobs) == [1, 5], "the first one alone"

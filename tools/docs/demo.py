"""The runs that `q1lab demo` shows, q1lab/commands/demo/runs.json: trained anew, in some minutes.

    Q1LAB_DATA=tinyshakespeare.txt python tools/docs/demo.py

The change is one that neither the week nor README shows: one line in the baseline's attention. The
study is planned with eight pairs. The demo shows it as the range 3..8, whose level is lower: then
the interval after each pair from the third on may be looked at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from q1lab.commands.demo.shipped_runs import FILE
from q1lab.judgment.intervals import ALPHA
from q1lab.study import seed_range, studies
from q1lab.study.design import Design
from q1lab.study.events import final_loss

BASELINE = Path(__file__).parents[2] / "labs" / "models" / "baseline.py"
BEFORE = "        drop = self.dropout if self.training else 0.0\n"
QK_NORM = "        q, k = (F.normalize(t, dim=-1) * t.size(-1) ** 0.5 for t in (q, k))\n"
"""Queries and keys of one length, √D (Henry et al. 2020), as a line of the attention."""
COMMAND = (
    "q1lab run ./qk_norm.py --baseline baseline --preset quick --max-iters 400 --data shakespeare "
    "--seeds 8"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["Q1LAB_HOME"] = str(Path(folder, "home"))
        code = BASELINE.read_text()
        assert code.count(BEFORE) == 1
        Path(folder, "qk_norm.py").write_text(code.replace(BEFORE, QK_NORM + BEFORE))
        words = [sys.executable, "-m", *COMMAND.split()]
        subprocess.run(words, cwd=folder, check=True)
        write("qk_norm-1")


def write(study_id: str) -> None:
    """Write a study of this home to FILE."""
    study = studies.load(study_id)
    levels = seed_range.declare(3, len(study.seeds), ALPHA)
    design = Design(batches=(study.seeds,), levels=levels)
    modified = replace(study.arms["modified"], origin="qk_norm.py")
    shown = replace(study, design=design, arms={**study.arms, "modified": modified})
    record = {
        "about": f"Trained by `{COMMAND}`, with eight pairs planned; as a range in the demo.",
        "plan": shown.to_dict(),
        "ends": {run.name: final_loss(study.files.run(run.name).events) for run in study.runs},
    }
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The runs that `q1lab demo` shows: a study of this home as q1lab/commands/demo/runs.json.

    q1lab run relu_squared --preset quick --seeds 8 --data shakespeare
    python tools/docs/demo.py relu_squared-1

The study was planned with eight pairs. The demo shows it as the range 3..8, whose level is lower:
then the interval after each pair from the third on may be looked at.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from q1lab.commands.demo.shipped_runs import FILE
from q1lab.judgment.intervals import ALPHA
from q1lab.study import seed_range, studies
from q1lab.study.design import Design
from q1lab.study.events import final_loss

COMMAND = "q1lab run relu_squared --preset quick --seeds 8 --data shakespeare"


def main(study_id: str) -> None:
    study = studies.load(study_id)
    levels = seed_range.declare(3, len(study.seeds), ALPHA)
    design = Design(batches=(study.seeds,), levels=levels)
    record = {
        "about": f"Trained by `{COMMAND}`, with eight pairs planned; as a range in the demo.",
        "plan": replace(study, design=design).to_dict(),
        "ends": {run.name: final_loss(study.files.run(run.name).events) for run in study.runs},
    }
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

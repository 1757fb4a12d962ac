"""A home as after years of use: many studies on disk and in the database, millions of metric rows,
one in training.

python benchmarks/big_store.py HOME [--studies 1000] [--points 833]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VARIANTS = ("rope", "rmsnorm", "swiglu", "gqa", "llama")
SEEDS = (0, 1, 2)
SHA = ("86c4e6aa" * 8, "0b5d12fe" * 8)


def build(home: Path, studies_wanted: int = 1000, points: int = 833) -> int:
    """Fill ``home``; returns how many metric rows it holds. The newest study is left queued."""
    os.environ["Q1LAB_HOME"] = str(home)
    sys.path.insert(0, str(ROOT))
    from q1lab import paths
    from q1lab.compare import record as comparison
    from q1lab.index import ingest
    from q1lab.index.store import Store
    from q1lab.study import studies
    from q1lab.study.presets import PRESETS
    from q1lab.study.studies import Arm, Data, Study
    from q1lab.week import content, progress

    with Store() as store:
        db = store.db
        progress.keep(store, content.load(paths.content_dir()).label, "welcomed", True)
        db.execute("PRAGMA synchronous = OFF")
        record = ""
        for number in range(studies_wanted):
            variant = VARIANTS[number % len(VARIANTS)]
            arms = {
                "baseline": Arm(
                    "baseline",
                    "Baseline",
                    "source/baseline/baseline.py",
                    "0" * 64,
                    "baseline",
                    804_096,
                    1,
                ),
                "modified": Arm(
                    variant, variant, f"source/modified/{variant}.py", "1" * 64, variant, 795_904, 1
                ),
            }
            day = time.strftime(
                "%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_700_000_000 + 7200 * number)
            )
            sha = SHA[number % 2]
            study = Study(
                id=f"{variant}-{number // len(VARIANTS) + 1}",
                created=day,
                arms=arms,
                looks=(SEEDS,),
                preset="cpu",
                config=PRESETS["cpu"],
                data=Data("stdlib", sha, f"data/{sha}.txt", 1_115_394, 65, 1_003_854, 111_540),
                device="cpu",
                dtype="bf16",
                jobs=2,
                threads=1,
                headline="paired",
                versions={"torch": "2.9"},
            )
            (study.files.root / "source").mkdir(parents=True)
            os.utime(study.files.root / "source", (1_700_000_000 + 7200 * number,) * 2)
            study.files.plan.write_text(json.dumps(study.to_dict()))
            ingest.take_in(store, study)
            if number == studies_wanted - 1:
                break
            with store.write():
                for row in store.runs(study.id):
                    shift = 0.004 * row["seed"] - (0.012 if row["arm"] == "modified" else 0)
                    final = 1.90 + shift + 0.003 * math.sin(number + 7 * row["id"])
                    db.execute(
                        "UPDATE runs SET state = 'finished', attempt = 1, iter = 2000, "
                        "val_loss = ?, "
                        "eval_loss = ?, tokens_per_s = 22000, seconds = 70 WHERE id = ?",
                        (final, final, row["id"]),
                    )
                    step = max(1, 2000 // points)
                    db.executemany(
                        "INSERT INTO metrics VALUES (?, 'train_loss', ?, ?)",
                        (
                            (row["id"], k * step, final + 2.4 * math.exp(-k * step / 300))
                            for k in range(1, points - 9)
                        ),
                    )
                    db.executemany(
                        "INSERT INTO metrics VALUES (?, 'val_loss', ?, ?)",
                        (
                            (row["id"], k * 200, final + 2.4 * math.exp(-k * 200 / 300))
                            for k in range(11)
                        ),
                    )
                if not record:
                    record = json.dumps(comparison.build(study, store.runs(study.id)).to_dict())
                mine = record.replace('"rope-1"', f'"{study.id}"').replace('"rope"', f'"{variant}"')
                db.execute("INSERT INTO results VALUES (?, ?, '', ?)", (study.id, day, mine))
        assert studies.latest() == study.id
        count: int = db.execute("SELECT count(*) FROM metrics").fetchone()[0]
        return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--points", type=int, default=833)
    given = parser.parse_args()
    print(f"{build(given.home, given.studies, given.points):,} metric rows in {given.home}")


if __name__ == "__main__":
    main()

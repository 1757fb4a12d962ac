"""A trainer that trains nothing: each run of a study is copied from an earlier replay's, whose model
code, settings, data, seeds, number type, threads and trainer are the same.

``Q1LAB_RECORD`` is the folder of the earlier study. It stops where one of these differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from labs.sharing import engine_options, holding, leash, take

SAME = ("config", "data", "device", "dtype", "threads", "looks")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("study", type=Path)
    parser.add_argument("--launch", type=int, default=1)
    parser.add_argument("--alone", action="store_true")
    engine_options(parser)
    args = parser.parse_args()
    if args.leash:
        leash(lambda: None)
    record = Path(os.environ["Q1LAB_RECORD"])
    recorded, plan = (json.loads((at / "study.json").read_text()) for at in (record, args.study))
    differ = [key for key in SAME if recorded[key] != plan[key]]
    differ += [
        arm for arm, it in plan["arms"].items() if recorded["arms"][arm]["code"] != it["code"]
    ]
    differ += ["trainer"] * (recorded["versions"]["trainer"] != plan["versions"]["trainer"])
    if differ:
        sys.exit(f"{record}: not the same runs, as these differ: {', '.join(differ)}")
    for folder in sorted((record / "runs").iterdir()):
        run = args.study / "runs" / folder.name
        if args.only in (None, folder.name) and (
            args.only or take(args.study / "claims" / f"{args.launch}-{folder.name}")
        ):
            with holding(run / "lock"):
                for name in ("run.log", "model.pt", "events.jsonl"):
                    shutil.copy(folder / name, run / name)


if __name__ == "__main__":
    main()

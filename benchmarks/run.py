"""`make bench`: commands and first paint, in turn with another checkout where one is given, and the
study against nanoGPT where there is a checkout of it, in bf16 and fp32.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", help="a checkout of q1lab")
    parser.add_argument("--nanogpt", help="a checkout of karpathy/nanoGPT")
    given = parser.parse_args()
    against = ["--against", given.against] if given.against else []
    parts = [["commands.py", *against], ["first_paint.py", *against]]
    if given.nanogpt:
        parts += [
            ["study.py", "--nanogpt", given.nanogpt, "--dtype", dtype] for dtype in ("auto", "fp32")
        ]
    status = 0
    for script, *args in parts:
        sys.stdout.flush()
        command = [sys.executable, str(HERE / script), *args]
        status |= subprocess.run(command, check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: commands, app, what watching costs, and with a checkout of nanoGPT the study in
bf16 and fp32.

Prints tables in Markdown.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    status = 0
    study = sys.argv[1:]
    parts = [
        ("commands.py", []),
        ("app.py", []),
        ("thousand.py", []),
        ("room.py", []),
        ("tracking.py", []),
        ("linear.py", []),
        ("attention.py", []),
        ("looks.py", []),
        ("study.py", study),
    ]
    if study:
        parts.append(("study.py", [*study, "--dtype", "fp32"]))
    for script, args in parts:
        sys.stdout.flush()
        status |= subprocess.run(
            [sys.executable, str(HERE / script), *args], check=False
        ).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())

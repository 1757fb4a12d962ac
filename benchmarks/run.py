"""`make bench`: the commands, the app, and with a checkout of nanoGPT the study. Prints tables in Markdown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    status = 0
    for script, args in (("commands.py", []), ("app.py", []), ("study.py", sys.argv[1:])):
        if (HERE / script).exists():
            status |= subprocess.run([sys.executable, str(HERE / script), *args], check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())

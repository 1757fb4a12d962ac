"""q1lab with one of its plug-ins taken away: its command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.places import ROOT


def without_plugin(name: str, folder: Path) -> Path:
    """A folder for Python's path, whose q1lab has every room and every plug-in but this one."""
    package = folder / f"without-{name}" / "q1lab"
    (package / "plugins").mkdir(parents=True)
    for source in (ROOT / "q1lab", ROOT / "q1lab" / "plugins"):
        for entry in source.iterdir():
            place = package / entry.relative_to(ROOT / "q1lab")
            if entry.name not in (name, "__pycache__") and not place.exists():
                place.symlink_to(entry)
    return package.parent


def run_from(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the q1lab in this folder."""
    return subprocess.run(
        [sys.executable, "-m", "q1lab", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=site,  # `-m` looks there first
        env={**os.environ, "PYTHONPATH": str(site)},
    )

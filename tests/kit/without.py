"""A copy of the program whose folder of a plug-in is taken away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.kit.places import ROOT


class Without:
    """Runs q1lab, or a script that may use tests.kit, without one plug-in."""

    def __init__(self, plugin: str, folder: Path) -> None:
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "q1lab", folder / "q1lab", ignore=left_out)
        shutil.rmtree(folder / "q1lab" / "plugins" / plugin)
        for name in ("labs", "content"):
            (folder / name).symlink_to(ROOT / name)
        self.folder = folder

    def q1lab(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self._run("-m", "q1lab", *words, code=code)

    def python(self, script: str) -> subprocess.CompletedProcess[str]:
        return self._run("-c", script, code=0)

    def _run(self, *args: str, code: int) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": f"{self.folder}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-P", *args]
        done = subprocess.run(command, env=env, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

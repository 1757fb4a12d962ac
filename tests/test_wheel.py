"""The wheel, built and installed outside the checkout: the command works, content and labs travel
in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.kit.places import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment that holds the wheel. The dependencies are borrowed from
    the environment that runs the tests, which has them from the same pyproject."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--quiet",
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env" / "bin"


def run(installed: Path, cwd: Path, *args: str, **env: str) -> str:
    command = [str(installed / "q1lab"), *args]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_command_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    code = "import q1lab, labs; from q1lab.ground import paths; print(q1lab.__file__, labs.__file__, paths.content_dir())"
    done = subprocess.run(
        [installed / "python", "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for path in done.stdout.split():
        assert path.startswith(str(installed.parent)), path


def test_content_and_models_travel(installed: Path, tmp_path: Path) -> None:
    assert "freqs_cis" in run(installed, tmp_path, "diff", "rope")
    code = (
        "from q1lab.ground import paths; from q1lab.week import content; "
        "print(len(content.load_week(paths.content_dir()).sessions))"
    )
    done = subprocess.run(
        [installed / "python", "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "3"


def test_its_judge_reads_logs(installed: Path, tmp_path: Path) -> None:
    records = str(ROOT / "tests" / "tables" / "records" / "tensorboardX")
    out = run(installed, tmp_path, "judge", records, "--baseline", "base", "--expect", "helps")
    assert "HELPS   new − base = −0.097" in out


def test_a_real_study_runs_from_it(installed: Path, tmp_path: Path) -> None:
    out = run(
        installed,
        tmp_path,
        "run",
        "rope",
        "--seeds",
        "1",
        "--preset",
        "quick",
        "--max-iters",
        "8",
        "--json",
        "--set",
        "n_layer=1",
        "--set",
        "n_embd=16",
        "--set",
        "eval_windows=4",
        "--wandb",
        "disabled",
        "--set",
        "block_size=32",
        WANDB_MODE="disabled",
    )
    record = json.loads(out)
    assert record["complete"]
    assert record["verdict"] == "no verdict"
    assert list(tmp_path.iterdir()) == [], "nothing is written where one stands"

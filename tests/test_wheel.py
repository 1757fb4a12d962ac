"""The wheel, built and installed outside the checkout: the command works, content and labs travel
in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import sqlite3
import struct
import subprocess
import sys
import termios
import venv
from pathlib import Path

import pytest

from tests.kit.places import MODELS, ROOT
from tests.kit.repos import begun, git, of_its_own

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, f"no wheel was built: {built.stdout}{built.stderr}"
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The bin folder of a new environment that holds the wheel. The dependencies are borrowed from
    the environment that runs the tests, which has them from the same pyproject."""
    folder = wheel.parent
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
    put = subprocess.run(install, capture_output=True, text=True, check=False)
    assert put.returncode == 0, f"the wheel could not be installed: {put.stderr}"
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
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


@pytest.fixture(scope="module")
def from_the_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an empty environment after `pip install .`, with all that it brings."""
    folder = tmp_path_factory.mktemp("index")
    venv.create(folder / "env", with_pip=True)
    install = [folder / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", str(ROOT)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr or "Connection" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return folder / "env" / "bin"


def test_the_packages_that_readme_names_for_judging_are_enough(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (packages,) = re.findall(r"`pip install (.+?) && pip install --no-deps dist/q1lab-\*", readme)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    for what in (packages.split(), ["--no-deps", str(wheel)]):
        pip = [python, "-m", "pip", "install", "--quiet", *what]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if "No matching distribution" in done.stderr or "Connection" in done.stderr:
            pytest.skip("no package index can be reached")
        assert done.returncode == 0, done.stderr
    rows = [
        f"{arm},{seed},{loss}"
        for seed, (a, b) in enumerate(LOSSES)
        for arm, loss in (("old", a), ("new", b))
    ]
    (tmp_path / "runs.csv").write_text("\n".join(["arm,seed,val_loss", *rows]) + "\n")
    said = run(python.parent, tmp_path, "judge", "runs.csv", "--baseline", "old")
    assert "HELPS   new − old = −0.1" in said
    code = "import q1lab; print(q1lab.judge([2.5, 2.6, 2.7], [2.4, 2.5, 2.7]).html()[:15])"
    page = subprocess.run(
        [python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert page.stdout.lower().startswith("<!doctype html>")


LOSSES = ((2.51, 2.40), (2.53, 2.44), (2.50, 2.39), (2.55, 2.45))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_readmes_commands_work_after_pip_install(
    from_the_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    readmes_commands(from_the_index, tmp_path)


def test_readmes_commands_work_from_the_wheel(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    readmes_commands(installed, tmp_path)


def open_the_app(installed: Path, cwd: Path) -> None:
    """`q1lab` in a terminal, until it has drawn; then it is ended."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(
        [installed / "q1lab"], cwd=cwd, env=env, stdin=its, stdout=its, stderr=its
    ) as app:
        os.close(its)
        drawn = b""
        while len(drawn) < 4000:
            try:
                drawn += os.read(ours, 4096)
            except OSError:
                pytest.fail(f"the app ended: {drawn.decode()}")
        assert b"Traceback" not in drawn, drawn.decode()
        app.terminate()
        with contextlib.suppress(OSError):  # unread, its last words would keep it waiting
            while os.read(ours, 4096):
                pass
    os.close(ours)


LIBRARIES = {"torch", "wandb", "scipy", "markdown_it", "git", "sqlite_utils"}


def readmes_commands(installed: Path, tmp_path: Path) -> None:
    """What README's first page types, at the smallest size, in a repository of one's own. Beside
    textual, which draws, each library is imported by some process, which says so."""
    begun(tmp_path / "mine", {"model.py": (MODELS / "baseline.py").read_text()})
    small = ["n_layer=1", "n_embd=16", "n_head=2", "eval_windows=4", "block_size=32"]
    options = ["--preset", "quick", "--max-iters", "8", "--wandb", "offline", "--json"]
    options += [word for setting in small for word in ("--set", setting)]
    cwd = tmp_path / "mine"
    home = tmp_path / "home"
    env = {**os.environ, "Q1LAB_HOME": str(home), "PYTHONPROFILEIMPORTTIME": "1"}
    commands = (["run", "rope", "--seeds", "3", *options], ["retro", "--yes"])
    outputs, imported = [], ""
    for command in commands:
        done = subprocess.run(
            [installed / "q1lab", *command],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"q1lab {command[0]}: {done.stderr[-2000:]}"
        with contextlib.closing(sqlite3.connect(home / "q1lab.db")) as db:
            db.execute("PRAGMA user_version = 1")  # as an upgrade finds it: made again
        outputs.append(done.stdout)
        imported += done.stderr
    assert json.loads(outputs[0])["complete"], "the study did not come to its end"
    assert "rope" in (cwd / "Q1_RETRO.md").read_text(), "the retro does not name the study"
    assert not git(cwd, "status", "--porcelain"), "something is left where one stands"
    imported += "".join(log.read_text() for log in home.glob("studies/*/*.log"))
    found = set(re.findall(r"(?m)^import time: .*\| +(\w+)$", imported))
    assert found >= LIBRARIES, f"not in use: {LIBRARIES - found}"
    open_the_app(installed, cwd)

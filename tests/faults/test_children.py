"""Every process that q1lab starts: it runs no code of the current folder, and it ends as
promised."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground import paths
from q1lab.study import child_processes
from tests.kit import wandb_study as lab
from tests.kit.faults import faulty, figures, tiny
from tests.kit.places import ROOT
from tests.kit.waiting import wait_for
from tests.kit.wandb_server import WandbServer

pytestmark = pytest.mark.sample

__all__ = ["faulty"]
SAFE = [sys.executable, "-P", "-m", "q1lab"]

# ── which there are

STARTS = re.compile(
    r"(subprocess\.(Popen|run|call|check_call|check_output)|os\.(exec|spawn|posix_spawn)\w*"
    r"|os\.(system|popen|fork|forkpty)|pty\.(spawn|fork)|asyncio\.create_subprocess_\w+"
    r"|multiprocessing\..*|webbrowser\.open\w*|click\.(launch|edit)|\w+\.open_url"
    r"|repo_git\.execute)"
)
"""Calls that start a process."""


def starters() -> set[str]:
    """Every function of q1lab and labs that starts a process, as ``module.function``."""
    functions = set()
    for top in ("q1lab", "labs"):
        for file in (ROOT / top).rglob("*.py"):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for outer in ast.walk(ast.parse(file.read_text())):
                if not isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                for node in ast.walk(outer):
                    if isinstance(node, ast.Call) and STARTS.fullmatch(ast.unparse(node.func)):
                        functions.add(f"{module}.{outer.name}")
    return functions


def test_what_starts_processes_is_called_by_its_full_name() -> None:
    """Else the list below would not see it."""
    hidden = re.compile(
        r"from (subprocess|multiprocessing|pty|webbrowser|concurrent\.futures\.process)\b.* import"
        r"|from (os|asyncio) import .*(exec|spawn|fork|popen|system|create_subprocess)"
        r"|import (subprocess|os|asyncio|multiprocessing|pty) as |ProcessPoolExecutor"
        r"|^subprocess\.|^os\.(exec|fork|spawn|system)",
        re.MULTILINE,
    )
    for top in ("q1lab", "labs"):
        for file in (ROOT / top).rglob("*.py"):
            assert not hidden.search(file.read_text()), file


def test_every_process_is_in_the_list() -> None:
    """A new one is added with a thought of how it is isolated and how it ends (SECURITY.md)."""
    assert starters() == {
        "labs.loop.run",
        "labs.loop.tell_files",
        "q1lab.commands.doctor._git_version",
        "q1lab.ground.git_command.run",
        "q1lab.study.child_processes.running_child",
        "q1lab.study.speaking_weights.download",
        "q1lab.train.crew._start_trainer",
        "q1lab.train.jobs.__init__",
        "q1lab.train.launch.start_runner",
        "q1lab.train.runner._keep_relay",
        "q1lab.app.editing.edit_file",
        "q1lab.app.screens.command_output._run",
        "q1lab.app.screens.step_actions.open_url",
    }


def test_python_is_started_in_one_place_only() -> None:
    """So that no call can forget the flag that keeps the current folder out."""
    allowed = {
        "q1lab/study/child_processes.py",
        "q1lab/commands/doctor.py",  # says which one it is
        "labs/probe.py",  # likewise
        "labs/loop.py",  # reads what a command wrote, and knows nothing of q1lab; it has the flag
        "q1lab/study/wandb_runs.py",  # its folder may hold wandb
    }
    modules = {
        str(file.relative_to(ROOT))
        for top in ("q1lab", "labs")
        for file in (ROOT / top).rglob("*.py")
        if "sys.executable" in file.read_text()
    }
    assert modules <= allowed


# ── no code of the current folder

SHADOWS = (
    "random",
    "json",
    "re",
    "string",
    "runpy",
    "torch",
    "numpy",
    "scipy",
    "wandb",
    "git",
    "click",
    "rich",
    "resvg_py",
    "textual",
    "jinja2",
    "tomlkit",
    "usercustomize",
    "sqlite_utils",
)

WATCH = """
import json, os, sys
with open(os.environ["SEEN_STARTS"], "a") as out:
    out.write(json.dumps({"argv": sys.orig_argv, "safe": sys.flags.safe_path}) + "\\n")
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Stand in a folder whose every module leaves a mark; call it for the Pythons that started."""
    folder, seen, watch = tmp_path / "hostile", tmp_path / "starts.jsonl", tmp_path / "watch"
    for name in SHADOWS:
        plant(folder / f"{name}.py", tmp_path / "marks")
    for package in (
        "q1lab",
        "labs",
        "labs/checks",
        "q1lab/train",
        "q1lab/train/weights_and_biases",
    ):
        for name in ("__init__.py", "__main__.py", "train.py", "probe.py", "runner.py", "relay.py"):
            plant(folder / package / name, tmp_path / "marks")
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(WATCH)
    monkeypatch.setenv("SEEN_STARTS", str(seen))
    monkeypatch.setenv("PYTHONPATH", f"{watch}{os.pathsep}{ROOT}")
    monkeypatch.chdir(folder)

    def starts() -> list[dict[str, Any]]:
        marks = (tmp_path / "marks").read_text() if (tmp_path / "marks").exists() else ""
        assert not marks, f"code of the current folder ran: {marks}"
        return [json.loads(line) for line in seen.read_text().splitlines()]

    return starts


def plant(file: Path, marks: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"with open({str(marks)!r}, 'a') as out: out.write(__file__ + '\\n')\n"
        "raise SystemExit('code of the current folder ran')\n"
    )


def call(*arguments: str, code: int | None = 0) -> str:
    done = subprocess.run(
        [*SAFE, *arguments], capture_output=True, text=True, timeout=150, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    if code is not None:
        assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def test_no_child_runs_code_of_the_current_folder(
    hostile: Callable[[], list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    model = tmp_path / "mine.py"
    model.write_text(paths.models_dir().joinpath("rmsnorm.py").read_text())
    with WandbServer() as server:
        for name, value in lab.environment(server.url).items():
            if name in ("WANDB_BASE_URL", "WANDB_API_KEY", "NETRC", "HOME"):
                monkeypatch.setenv(name, value)
        call("doctor", code=None)
        call("check", str(model), "--for", "rmsnorm", code=None)
        words = tiny(tmp_path, str(model), iters=20)
        words[words.index("disabled")] = "offline"
        call(*words, "--unchecked", "--baseline", "baseline")
        call("sync")
        call("compare", "--plot", str(tmp_path / "plots.svg"))
    starts = hostile()
    modules = {
        word for start in starts for word in start["argv"] if re.match(r"q1lab|labs|wandb", word)
    }
    assert {
        "q1lab",
        "labs.probe",
        "labs.checks",
        "labs.train",
        "q1lab.train.runner",
        "wandb",
        "q1lab.train.weights_and_biases.relay",
    } <= modules
    open_ones = [start["argv"] for start in starts if not start["safe"]]
    figures(
        "a current folder in which every module is hostile",
        "no child process runs its code",
        f"{len(starts)} Python processes, {len(open_ones)} not isolated, 0 of its files ran",
    )
    assert not open_ones


# ── who ends with whom

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LOOPS = {
    "lets others run": "while True: pass",
    "lets no thread run": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
}


def marked(mark: str) -> list[int]:
    """Living processes whose environment holds ``mark``."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and mark.encode() in (entry / "environ").read_bytes():
                pids.append(int(entry.name))
    return pids


def looping(tmp_path: Path, how: str) -> tuple[Path, Path]:
    """A model file that never comes back from forward, and the file that says it got there."""
    arrival_file = tmp_path / "there"
    lines = f"    open({str(arrival_file)!r}, 'w').close()\n    {LOOPS[how]}\n"
    text = paths.models_dir().joinpath("baseline.py").read_text()
    file = tmp_path / "mine.py"
    file.write_text(
        f"{text}\n\ndef forward(self, idx, targets=None):\n{lines}\nGPT.forward = forward\n"
    )
    return file, arrival_file


@needs_proc
@pytest.mark.parametrize("how", LOOPS)
@pytest.mark.parametrize("kind", ["probe", "check"])
def test_what_a_killed_viewer_asked_ends_with_it(
    tmp_path: Path, kind: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, arrival_file = looping(tmp_path, how)
    mark = f"ORPHAN={tmp_path}"
    monkeypatch.setenv("ORPHAN", str(tmp_path))
    words = {
        "probe": [*tiny(tmp_path, str(file)), "--unchecked", "--baseline", "baseline"],
        "check": ["check", str(file), "--for", "baseline"],
    }[kind]
    asker = subprocess.Popen(
        [*SAFE, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(arrival_file.exists)
        assert len(marked(mark)) > 1
        asker.kill()
        asker.wait()
        wait_for(lambda: not marked(mark), seconds=10)
    finally:
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@needs_proc
def test_an_upload_ends_with_the_sync_that_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = lab.plan(wandb="offline")
    lab.train_all(study)
    monkeypatch.setenv("ORPHAN", str(tmp_path))
    with WandbServer("stall") as server:
        for name, value in lab.environment(server.url).items():
            monkeypatch.setenv(name, value)
        asker = subprocess.Popen([*SAFE, "sync"], stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: server.requests)
        asker.kill()
        asker.wait()
        wait_for(lambda: not marked(f"ORPHAN={tmp_path}"), seconds=30)


@needs_proc
def test_a_child_has_limits_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asker that is stopped asks for nothing any more, and lives on."""
    monkeypatch.setattr(child_processes, "MARGIN", 0)
    wall = [*child_processes.python_module("timeit"), "-n", "1", "import time; time.sleep(600)"]
    busy = [*child_processes.python_module("timeit"), "-n", "1", "while True: pass"]
    with child_processes.running_child(wall, seconds=1) as child:
        assert child.wait(timeout=60) == -signal.SIGKILL
    with child_processes.guarded_command(busy, seconds=1, threads=1) as (command, _):
        at = command.index("--seconds")
        command[at + 1], command[command.index("--fd") + 1] = "0", "-1"
        assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGXCPU

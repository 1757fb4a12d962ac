"""What the fault tests share: studies to be hurt, processes to be killed, and figures to be
kept."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labs import report
from q1lab.ground import git_command, write_intents
from q1lab.ground.errors import Problem
from q1lab.journal import ingest_events
from q1lab.journal.store import Store
from q1lab.study import liveness, studies
from q1lab.study.studies import Study
from q1lab.train import launch
from tests.kit.places import KIT, ROOT

Q1LAB = [sys.executable, "-m", "q1lab"]
TINY = {"n_layer": 1, "n_embd": 16, "n_head": 2, "block_size": 16, "batch_size": 4}
"""A real model that trains a thousand iters in a second or two."""


def tiny(
    folder: Path, variant: str = "rope", *, seeds: int = 1, iters: int = 400, **settings: Any
) -> list[str]:
    """The words that train it on a small text, which goes into ``folder``."""
    words = ["run", variant, "--preset", "quick", "--dtype", "fp32", "--wandb", "disabled"]
    words += ["--data", str(corpus(folder)), "--seeds", str(seeds), "--max-iters", str(iters)]
    for name, value in {**TINY, **settings}.items():
        words += ["--set", f"{name}={value}"]
    return words


def figures(fault: str, passes_when: str, measured: str) -> None:
    """Print a row of what survives, and append it to ``FIGURES`` for tools/docs/faults.py."""
    print(f"{fault}: {measured}")
    if os.environ.get("FIGURES"):
        with Path(os.environ["FIGURES"]).open("a") as out:
            out.write(json.dumps([fault, passes_when, measured]) + "\n")


def corpus(folder: Path) -> Path:
    """A small text to train on."""
    file = folder / "corpus.txt"
    file.write_text("".join(f"{i * 7919 % 1009} is not {i}; " for i in range(700)))
    return file


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a child that kills itself at the given step: before or after a write, a rename
    or a call of git. False when it came to its end."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            count()
            result = call(*args, **kwargs)
            count()
            return result

        return stepped

    git_command.run = around(git_command.run)
    write_intents.record_intent = around(write_intents.record_intent)
    write_intents.replace_file = around(write_intents.replace_file)
    os.fsync = around(os.fsync)
    Path.replace = around(Path.replace)  # type: ignore[method-assign]
    code = 1
    try:
        act()
        code = 0
    finally:
        os._exit(code)


def group(study: Study) -> list[int]:
    """Living processes of the study's group, its runner first (Linux)."""
    leader = liveness.last_launch(study.files).get("pid", 0)
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] not in "ZX":
            pids.append(int(folder.name))
    return sorted(pids, key=lambda pid: (pid != leader, pid))


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def unfinished(study: Study) -> list[str]:
    return [
        r.name
        for r in study.runs
        if report.state(read(study, r.name)) not in ("finished", "diverged")
    ]


def read(study: Study, run: str) -> list[dict[str, Any]]:
    return report.read(study.files.run(run).events)


def tables(file: Path | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """The index of the runs as a database has it after taking in all files."""
    with Store(file) as store:
        for study_id in studies.ids():
            ingest_events.ingest_study(store, studies.load(study_id))
        assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return {
            table: sorted(
                (tuple(row) for row in store.db.execute(f"SELECT * FROM {table}")), key=repr
            )
            for table in ("studies", "runs", "metrics")
        }


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Puts fault_trainer.py in place; call it with FAULTS's settings. It returns the folder of
    acknowledgements."""
    acks = tmp_path / "acks"
    acks.mkdir()

    def behave(**how: Any) -> Path:
        monkeypatch.setenv("Q1LAB_TRAINER", f"{sys.executable} {KIT / 'fault_trainer.py'}")
        monkeypatch.setenv("FAULTS", json.dumps({"acks": str(acks), **how}))
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{KIT}")
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        if how.get("fake"):
            monkeypatch.setenv("Q1LAB_PROBE", f"{sys.executable} {KIT / 'fake_probe.py'}")
        return acks

    yield behave
    for study_id in studies.ids():  # whatever a test found, nothing of it goes on
        with contextlib.suppress(Problem):
            launch.stop_study(studies.load(study_id), grace=0.2)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Q1LAB_HOME on a file system of 4 MB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux, to mount a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "q1lab-test", str(mount)], check=False
    )
    if done.returncode:
        pytest.skip("cannot mount a small file system here")
    monkeypatch.setenv("Q1LAB_HOME", str(mount / "home"))
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)

"""Each command that writes into q1lab's home, or where a person wants it, killed at any step of its
writes: the same command does it afterwards, and nothing half written is left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.ground.files import PARTIAL_PREFIX
from tests.kit.commands import q1lab
from tests.kit.faults import figures, killed_at

WRITES = {
    "a setting": "config course false",
    "the corpus": "data text.txt",
    "the journal": "predict rope --direction lower --size 0.02 --matters 0.01 --sure 70",
    "a file of the week": "take gates.py",
}


def files(folder: Path) -> dict[str, bytes]:
    """What is whole."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.endswith((".lock", "-wal", "-shm"))
        and not path.name.startswith(PARTIAL_PREFIX)
    }


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("by", [3, pytest.param(1, marks=pytest.mark.long)])
def test_a_kill_at_any_step_of_a_write(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str, by: int
) -> None:
    words = WRITES[write].split()

    def begin() -> Path:
        shutil.rmtree(paths.home(), ignore_errors=True)
        folder = tmp_path / "here"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "text.txt").write_text("To be, or not to be. " * 200)
        monkeypatch.chdir(folder)
        return folder

    begin()
    q1lab(*words)  # reads the week, once in a process, and keeps its texts in the home of then
    folder = begin()
    q1lab(*words)
    whole, home_files = files(folder), set(files(paths.home()))
    step = 0
    while True:
        step += by
        folder = begin()
        was_killed = killed_at(step, lambda: os._exit(q1lab(*words).returncode))
        q1lab(*words)
        assert files(folder) == whole, step
        assert set(files(paths.home())) == home_files, step
        for path in paths.home().rglob(f"{PARTIAL_PREFIX}*"):
            os.utime(path, (0, 0))
        q1lab("delete", "--empty", "--yes")
        assert not list(paths.home().rglob(f"{PARTIAL_PREFIX}*")), step
        if not was_killed:
            break
    figures(
        f"`kill -9` at any step of writing {write}",
        "the same command makes it whole; nothing half-written stays",
        f"{step} steps, each of them killed",
    )
    assert step >= by

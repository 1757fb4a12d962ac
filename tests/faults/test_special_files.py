"""Reading what a person or a folder names, and writing where a person wants it: never a wait, never
a device replaced."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as main
from q1lab.documents import change as documents
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import (
    kind_of_non_file,
    open_private,
    open_regular,
    read_bytes,
    read_json,
    read_text,
    write_atomic,
)
from q1lab.ground.log_tail import LogTail
from q1lab.ground.write_intents import write_output
from q1lab.judgment.tables import found_runs, sources
from q1lab.study import corpora, liveness, studies, variants
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.events import last_event, read_new_events
from q1lab.study.own_model.run_checks import run_checks
from tests.kit import wandb_study as lab
from tests.kit.commands import without_torch
from tests.kit.places import ROOT
from tests.kit.repos import begun, of_its_own


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def endless(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def huge(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(1 << 40)
    return path


def listening(path: Path) -> Path:
    cwd = Path.cwd()
    os.chdir(path.parent)  # a socket's name is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(cwd)
    return path


SPECIAL: dict[str, Callable[[Path], Path]] = {
    "a named pipe": pipe,
    "a folder": folder,
    "/dev/zero": endless,
    "a terabyte": huge,
    "a socket": listening,
}


def within(seconds: float, act: Callable[[], object]) -> object:
    """What ``act`` gave or raised; a failure when it is still waiting."""
    results: list[object] = []

    def go() -> None:
        try:
            results.append(act())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, "it waits"
    return results[0]


@pytest.mark.parametrize("kind", SPECIAL)
def test_nothing_but_a_plain_file_is_read(tmp_path: Path, kind: str) -> None:
    path = SPECIAL[kind](tmp_path / "it")
    for read in (read_bytes, read_text, read_json):
        error = within(20, lambda read=read: read(path))  # type: ignore[misc]
        assert isinstance(error, OSError)
        assert error.filename == str(path)
    if path.is_file():  # a terabyte of events is read in parts
        return
    assert within(20, lambda: read_new_events(path)) == ([], 0, 0)


def test_what_is_no_file_is_said_in_words(tmp_path: Path) -> None:
    assert kind_of_non_file(pipe(tmp_path / "p")) == "a named pipe"
    assert kind_of_non_file(tmp_path) == "a folder"
    assert kind_of_non_file(Path("/dev/null")) == "a device"
    assert kind_of_non_file(tmp_path / "none") is None
    assert kind_of_non_file(Path("nul\0")) is None
    with pytest.raises(OSError, match="this name"):
        open_regular(Path("nul\0"))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(tmp_path / "deep.json")


def test_every_reader_of_a_name_is_bounded(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these waited for ever, or read until the memory was full. They read in one way (see
    below), which knows the other kinds."""
    path = pipe(tmp_path / "it.py")
    csv = pipe(tmp_path / "runs.csv")
    study = lab.plan(wandb="disabled")
    for file in (study.files.plan, study.files.launch):
        file.unlink(missing_ok=True)
        pipe(file)
    run = study.files.run("baseline-seed0")
    run.root.mkdir(parents=True, exist_ok=True)
    pipe(run.events)
    readers: dict[str, Callable[[], object]] = {
        "run FILE": lambda: variants.find_variant(str(path)),
        "check FILE": lambda: run_checks(path, "rope").unusable,
        "--data FILE": lambda: corpora.prepare_corpus(str(path), 8),
        "judge FILE": lambda: sources.found_in_sources([str(csv)], found_runs.TableOptions()),
        "study.json": lambda: studies.load(study.id),
        "launch.json": lambda: liveness.last_launch(study.files),
        "a document": lambda: documents.read_document(path),
        "last event": lambda: last_event(run.events),
        "a log": lambda: LogTail(path).read_new(),
        "netrc": wandb_state.key_configured,
        "netrc, for the client": lambda: wandb_state.wandb_environment(study.files.root),
    }
    monkeypatch.setenv("NETRC", str(path))
    for name, read in readers.items():
        outcome = within(60, read)
        if isinstance(outcome, Problem):
            assert "\n" not in str(outcome), name
        else:
            assert not isinstance(outcome, Exception) or isinstance(outcome, OSError), (
                name,
                outcome,
            )
        if name == "netrc":
            assert outcome is False
        elif name == "netrc, for the client":
            assert isinstance(outcome, dict)
            assert outcome["NETRC"] == os.devnull


OTHER_READERS = {
    "q1lab/ground/files.py": "the one way",
    "q1lab/week/own_model/model_file.py": "what git merged, in a folder of ours",
    "q1lab/app/editing.py": "a temporary file of ours",
    "q1lab/ground/file_systems.py": "the kernel's list of mounts",
    "q1lab/study/corpora.py": "Python's own library",
    "q1lab/study/bundle.py": "what it has just received, into a folder of ours",
    "q1lab/train/finished_runs.py": "labs' own modules",
    "q1lab/commands/take.py": "files of the package",
    "q1lab/documents/html_page.py": "a style sheet of the package",
    "q1lab/ground/write_intents.py": "q1lab's own record",
}
"""Modules that read files in another way, and what they read so."""


def test_files_are_opened_in_one_way() -> None:
    raw = re.compile(r"\.read_text\(|\.read_bytes\(|\.open\((\"r?b?\")?\)|(json|tomllib)\.load\(")
    modules = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "q1lab").rglob("*.py")
        if raw.search(file.read_text())
    }
    assert modules <= set(OTHER_READERS), (
        "use q1lab.ground.files.read_bytes, read_text, read_json or open_regular"
    )


# ── writing


def test_a_pipe_or_a_folder_is_not_replaced(tmp_path: Path) -> None:
    for name in ("a named pipe", "a folder", "a socket"):
        path = SPECIAL[name](tmp_path / name.replace(" ", "-"))
        before = path.stat().st_mode
        with pytest.raises(Problem, match=f"{name}, not"):
            write_atomic(path, "text")
        assert path.stat().st_mode == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-folder", "a-named-pipe", "a-socket"]


def test_a_link_to_a_device_is_written_through(tmp_path: Path) -> None:
    link = tmp_path / "out.csv"
    link.symlink_to("/dev/null")
    write_output(link, "text")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert link.is_symlink()


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    error = within(20, lambda: write_output(pipe(tmp_path / "p"), "text"))
    assert isinstance(error, Problem)
    assert "no process reads" in str(error)


def test_a_pipe_that_somebody_reads_gets_it_all(tmp_path: Path) -> None:
    path, text = pipe(tmp_path / "p"), "x" * 1_000_000
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(path.read_text()), daemon=True)
    reader.start()
    while isinstance(within(20, lambda: write_output(path, text)), Problem):
        pass  # until the reader is there
    reader.join(20)
    assert got == [text]


def test_an_output_makes_no_folders(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no folder"):
        write_output(tmp_path / "slip" / "of.csv", "text")
    assert not (tmp_path / "slip").exists()


def test_a_log_is_a_plain_file(tmp_path: Path) -> None:
    error = within(20, lambda: open_private(pipe(tmp_path / "log")))
    assert isinstance(error, OSError)


def test_stdout_can_be_the_output(fake_trainer: Callable[..., None]) -> None:
    words = ("--preset", "quick", "--max-iters", "4", "--seeds", "1", "--wandb", "disabled")
    assert main(["run", "rope", *words]) == 0
    command = [sys.executable, "-m", "q1lab", "export", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("study,created")
    assert len(done.stdout.splitlines()) == 3, "the table alone"
    assert done.stderr == ""
    assert paths.home().exists()


PLAN = "studies/rope-1/study.json"
EVENTS = "studies/rope-1/runs/modified-seed1/events.jsonl"


@pytest.fixture(scope="module")
def ended_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with q1lab's home, in which a study has ended, and with the study in the folder
    ``kept``."""
    folder = tmp_path_factory.mktemp("ended")
    words = ["run", "rope", "--seeds", "2", "--preset", "quick", "--max-iters", "20", "--json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Q1LAB_HOME", str(folder / "home"))
        without_torch(patch)
        of_its_own(folder, patch)
        patch.chdir(begun(folder / "repo"))
        assert main(words) == 0
        assert main(["export", "rope-1", "kept"]) == 0
    (folder / "home" / "q1lab.db").unlink()
    return folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "a link") for name in ("acts.jsonl", PLAN, EVENTS, "bundle.json")),
        *((name, "too large") for name in ("acts.jsonl", PLAN, "bundle.json")),
    ],
)
def test_what_q1lab_wrote_itself_is_read_as_it_wrote_it(
    name: str,
    kind: str,
    ended_study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = shutil.copytree(ended_study, tmp_path / "here")
    home, kept_folder = here / "home", here / "repo" / "kept"
    monkeypatch.setenv("Q1LAB_HOME", str(home))
    of_its_own(here, monkeypatch)
    monkeypatch.chdir(here / "repo")
    file = kept_folder / name if name == "bundle.json" else home / name
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    before = elsewhere.read_bytes()
    if kind == "a link":
        file.symlink_to(elsewhere)
    else:
        huge(file)
    capsys.readouterr()
    look = ["compare", "rope-1"]
    if name == "bundle.json":
        look = ["verify", str(kept_folder), "--cells", "0"]
    assert within(60, lambda: main(look)) == (0 if name == EVENTS else 1)
    *_, message = capsys.readouterr().err.splitlines()  # (the copy was taken up, too)
    assert str(file.parent if name == "bundle.json" else file) in message
    too_large = "can be read" if name == "bundle.json" else "larger than"
    assert (too_large if kind == "too large" else f"{kind}, not a file") in message
    assert elsewhere.read_bytes() == before

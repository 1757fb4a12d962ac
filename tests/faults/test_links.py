"""Links where q1lab keeps its files, or in the learner's repository: what they lead to is never
written and never deleted."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as main
from q1lab.documents.change import save_files
from q1lab.ground import paths
from q1lab.ground.errors import NOTICES, Problem
from q1lab.ground.files import is_locked, prove_inside, remove_inside
from q1lab.ground.git_repository import Repository
from q1lab.study import studies
from tests.kit.bundles import kept_folder
from tests.kit.lab_home import leave_weights
from tests.kit.places import KIT
from tests.kit.repos import begun, git, of_its_own
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

SMALL = ("--preset", "quick", "--max-iters", "20", "--wandb", "@", "--json")

PLACES = (
    *("studies", "data", "scratch", "q1lab.db", "acts.jsonl", "written.json"),
    *("trash", "bases"),
    *("plan.lock", "studies/rope-1", "studies/rope-1/study.json"),
    *("studies/rope-1/source", "studies/rope-1/runs", "studies/rope-1/claims"),
    *("studies/rope-1/lock", "studies/rope-1/launch.json", "studies/rope-1/runner.log"),
    *("studies/rope-1/wandb", "studies/rope-1/wandb/runs.json", "studies/rope-1/relay.log"),
    *(f"studies/rope-1/runs/baseline-seed0{name}" for name in (
        "", "/checkpoints", "/events.jsonl", "/model.pt", "/run.log", "/lock",
    )),
    "studies/rope-1/runs/modified-seed1/events.jsonl",
)  # fmt: skip
"""The places below q1lab's home, files or folders, that can be a link instead."""

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("compare", "rope-1"),
    ("run", "rope", "--seeds", "3", *SMALL),
    ("run", "swiglu", "--seeds", "1", *SMALL),
    ("stop", "rope-1"),
    ("sync", "rope-1"),
    ("export", "rope-1", "a.zip"),
    ("restore", "kept.zip", "--name", "again-1"),
    ("delete", "rope-1", "--yes"),
    ("delete", "--empty", "--yes"),
)


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder: contents of files, targets of links, None for folders."""
    contents: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            contents[name] = str(path.readlink())
        else:
            contents[name] = None if path.is_dir() else path.read_bytes()
    return contents


def mode(place: str) -> str:
    """The runs' state at W&B: a relay takes its time, so it is there only where it matters."""
    return "offline" if "wandb" in place or "relay" in place else "disabled"


@pytest.fixture(scope="module")
def furnished_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with q1lab's home, in which a study has ended and every place of ``PLACES`` is, and
    with an archive of the study; made once for each way to stand to W&B."""

    @functools.cache
    def make(how: str) -> Path:
        folder = tmp_path_factory.mktemp(how)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("Q1LAB_HOME", str(folder / "home"))
            patch.setenv("Q1LAB_TRAINER", f"{sys.executable} {KIT / 'fake_train.py'}")
            patch.setenv("Q1LAB_PROBE", f"{sys.executable} {KIT / 'fake_probe.py'}")
            patch.setenv("FAKE_TRAIN", "{}")
            patch.chdir(folder)
            assert main(["run", "rope", "--seeds", "2", *(w.replace("@", how) for w in SMALL)]) == 0
            relay = studies.load("rope-1").files.wandb / "relay.lock"
            wait_for(lambda: how == "disabled" or (relay.exists() and not is_locked(relay)))
            assert main(["export", "rope-1", "kept.zip"]) == 0
            furnish(paths.home())
        return folder

    return make


def furnish(home: Path) -> None:
    for name in PLACES:
        place = home / name
        if not place.exists():
            folder = place if "." not in place.name and place.name != "lock" else place.parent
            folder.mkdir(parents=True, exist_ok=True)
            if folder is not place:
                place.touch()
    study = studies.load("rope-1")
    leave_weights(study)
    (home / "scratch" / "mine.txt").write_text("mine")
    (home / "data" / f"{'0' * 64}.txt").write_text("mine")
    old = time.time() - 10_000
    for path in home.rglob("*"):
        os.utime(path, (old, old), follow_symlinks=False)


@pytest.fixture
def trained(
    request: pytest.FixtureRequest,
    furnished_folder: Callable[[str], Path],
    fake_trainer: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A test's own copy of that home, and an archive in the current folder."""
    how = mode(request.getfixturevalue("place") if "place" in request.fixturenames else "")
    shutil.copytree(furnished_folder(how), tmp_path / "here")
    home = tmp_path / "here" / "home"
    monkeypatch.setenv("Q1LAB_HOME", str(home))
    monkeypatch.chdir(tmp_path / "here")
    return home


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_written_or_deleted_through_a_link(
    trained: Path, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere" / Path(place).name
    elsewhere.parent.mkdir()
    shutil.move(trained / place, elsewhere)
    (trained / place).symlink_to(elsewhere)
    before = tree(elsewhere.parent)
    capsys.readouterr()
    for command in COMMANDS:
        code = main([word.replace("@", mode(place)) for word in command])
        assert code in (0, 1, 2), command
        assert tree(elsewhere.parent) == before, command
        NOTICES.clear()


@pytest.mark.parametrize("where", ["studies", "studies/rope-1", "studies/rope-1/study.json"])
@pytest.mark.parametrize("commit", [True, False])
def test_a_kept_study_stays_in_the_repository(
    trained: Path, where: str, commit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    repo = begun(tmp_path / "repo", {"model.py": "x = 1\n"})
    outside = tmp_path / "outside"
    outside.mkdir()
    link = repo / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / "it" if where.endswith(".json") else outside)
    monkeypatch.chdir(repo)
    with pytest.raises(Problem):
        kept_folder(commit=commit)
    assert list(outside.iterdir()) == []
    assert "study" not in git(repo, "log", "--name-only")


def test_a_link_to_a_place_inside_is_none_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    repo = begun(tmp_path / "repo", {"model.py": "x = 1\n"})
    (repo / "real").mkdir()
    (repo / "posts").symlink_to(repo / "real")
    for where in (Repository.discover(repo), None):
        with pytest.raises(Problem, match="is a link"):
            save_files({repo / "posts" / "a.md": b"a\n"}, "docs", where, root=repo)
    assert list((repo / "real").iterdir()) == []


def test_what_is_proved(tmp_path: Path) -> None:
    root, outside = tmp_path / "by-link", tmp_path / "outside"
    (tmp_path / "real" / "a").mkdir(parents=True)
    outside.mkdir()
    (outside / "f").write_text("mine")
    root.symlink_to(tmp_path / "real")
    assert prove_inside(root / "a" / "new", root) == root / "a" / "new"
    (root / "a" / "out").symlink_to(outside)
    for path in (root / "a" / "out", root / "a" / "out" / "f", root / ".." / "x", outside, root):
        with pytest.raises(Problem):
            prove_inside(path, root)
    with pytest.raises(Problem):
        remove_inside(root / "a" / "out" / "f", root)
    remove_inside(root / "a" / "out", root)  # the link itself
    assert not (root / "a" / "out").is_symlink()
    assert (outside / "f").read_text() == "mine"

"""Studies over the months: deleted with a record, archived and restored."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands.cli import run_command_line as main
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_file
from q1lab.journal import delete_restore, on_record, study_names, trash
from q1lab.journal.store import Store
from q1lab.study import bundle, studies
from q1lab.train import launch
from tests.kit import lab_home
from tests.kit import wandb_study as lab
from tests.kit.commands import without_torch
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

SMALL = ("--preset", "quick", "--max-iters", "20", "--seeds", "2", "--wandb", "disabled", "--json")


@pytest.fixture(scope="module")
def home_with_a_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that has ended, with a weight and a checkpoint in each run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        without_torch(patch)
        patch.setenv("Q1LAB_HOME", str(folder))
        assert main(["run", "rope", *SMALL]) == 0
        study = studies.load("rope-1")
        lab_home.leave_weights(study)
        wait_for(lambda: not launch.is_alive(study.files))
    return folder


@pytest.fixture
def trained(
    home_with_a_study: Path,
    fake_trainer: Callable[..., None],
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """The study's name, in a copy of that home."""
    shutil.copytree(home_with_a_study, home, dirs_exist_ok=True)
    capsys.readouterr()
    return "rope-1"


def results(capsys: pytest.CaptureFixture[str], name: str) -> Any:
    capsys.readouterr()
    assert main(["compare", name, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def delete(name: str) -> None:
    with Store() as store:
        delete_restore.delete_study(store, name)


def tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def away() -> list[on_record.DeletedStudy]:
    with Store() as store:
        return on_record.absent_studies(store)


def name(study: str, given: str) -> None:
    with Store() as store:
        study_names.give_name(store, study, given)


def name_of(study: str) -> str:
    with Store() as store:
        return study_names.name_of(store, study)


# ── delete


def test_a_deleted_study_leaves_its_plan_and_its_ends(
    trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = studies.load(trained).to_dict()
    assert main(["delete", trained, "--dry-run"]) == 0
    assert paths.study_dir(trained).is_dir()
    assert "nothing was deleted" in capsys.readouterr().out
    assert main(["delete", trained]) == 2, "nobody is there to ask"
    assert paths.study_dir(trained).is_dir()
    assert main(["delete", trained, "--yes"]) == 0
    assert list(paths.studies_dir().iterdir()) == []
    (record,) = away()
    assert record.id == trained
    assert record.study
    assert record.study.to_dict() == plan
    assert {run["state"] for run in record.runs.values()} == {"finished"}
    assert all(isinstance(run["val_loss"], float) for run in record.runs.values())
    assert main(["status"]) == 0
    assert "No study yet" in capsys.readouterr().out
    assert main(["run", "rope", *SMALL]) == 0
    assert studies.ids() == ["rope-2"], "the name of a deleted study is not given again"


def test_a_running_study_is_not_deleted(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = lab.plan("quick-1", wandb="disabled")
    with lab.alive(study):
        assert main(["delete", trained, study.id, "--yes"]) == 1
        assert "is running" in capsys.readouterr().err
        assert trained in studies.ids(), "all of them are deleted, or none"
        for words in (["delete", study.id, "--yes"], ["export", study.id, "a.zip"]):
            assert main(words) == 1
            assert "is running" in capsys.readouterr().err
    assert studies.load(study.id) == study
    assert away() == []


def test_a_relay_that_is_about_to_end_is_waited_for(trained: str) -> None:
    """As that of a command's failed try, when the printed cure is typed at once."""
    held = lab_home.hold(paths.study_dir(trained) / "wandb" / "relay.lock")
    threading.Timer(0.3, os.close, [held]).start()
    delete(trained)
    assert studies.ids() == []


def test_what_a_later_study_reused_is_said(
    trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "swiglu", *SMALL]) == 0
    before = results(capsys, "swiglu-1")
    assert main(["delete", trained, "--yes"]) == 0
    assert "swiglu-1 reused" in capsys.readouterr().out
    assert results(capsys, "swiglu-1")["verdict"] == before["verdict"]


def test_a_damaged_study_and_a_link_can_be_deleted(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies.load(trained).files.plan.write_text("{")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(paths.study_dir(trained), elsewhere)
    (paths.studies_dir() / "linked-1").symlink_to(elsewhere)
    assert main(["delete", trained, "linked-1", "--yes"]) == 0
    assert "can't be read" in capsys.readouterr().out
    assert [deletion.study for deletion in away()] == [None, None]
    assert elsewhere.is_dir(), "what a link leads to is not q1lab's"
    assert main(["delete", "..", "--yes"]) == 2
    assert main(["delete", "nope-1", "--yes"]) == 2


def test_a_deletion_that_was_cut_off(trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the record, and in the middle of the removal: whole or gone, and said once."""
    real = Path.rename

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        delete(trained)
    assert away() == [], "it is still here"
    assert studies.load(trained)
    monkeypatch.setattr(Path, "rename", real)
    delete(trained)
    assert studies.ids() == []
    assert [place.parent for place in trash.list_trash()] == [paths.trash_dir()]
    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            trash.empty(trash.list_trash())
    assert delete_restore.trashed_folder(trained) is None, "half a study does not come back"
    trash.empty(trash.list_trash())
    assert trash.list_trash() == []
    assert len(away()) == 1


def acts_on_record() -> list[str]:
    with Store() as store:
        rows = store.db.execute("SELECT body FROM acts ORDER BY id").fetchall()
    return [json.loads(body)["act"] for (body,) in rows]


def test_a_study_that_the_disk_keeps_is_not_on_record_as_deleted(
    trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = acts_on_record(), trash.move_away

    def moved_but_not_synced(source: Path, target: Path) -> None:
        real(source, target)
        raise Problem("no space left")

    monkeypatch.setattr(trash, "move_away", moved_but_not_synced)
    with pytest.raises(Problem, match="no space left"):
        delete(trained)
    assert acts_on_record() == before
    assert studies.ids() == [trained]


def test_a_deletion_that_stops_says_what_is_gone(
    trained: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "swiglu", *SMALL]) == 0
    monkeypatch.setattr(delete_restore, "RELAY_SECONDS", 0.1)
    held = lab_home.hold(paths.study_dir("swiglu-1") / "wandb" / "relay.lock")
    capsys.readouterr()
    assert main(["delete", trained, "swiglu-1", "--yes"]) == 1
    os.close(held)
    said = capsys.readouterr().err
    assert "the relay of swiglu-1 is still at work" in said
    assert f"deleted before that: {trained}" in said
    assert studies.ids() == ["swiglu-1"]


@pytest.mark.parametrize("broken", ["bundle.restore", "on_record.record_begin"])
def test_a_restore_that_fails_leaves_neither_the_study_nor_its_record(
    broken: str,
    trained: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_home: Callable[[], Path],
) -> None:
    assert main(["export", trained, str(tmp_path / "a.zip")]) == 0
    monkeypatch.setenv("Q1LAB_HOME", str(new_home()))

    def refuse(*_: Any) -> None:
        raise Problem("no space left")

    module, name_in_module = broken.split(".")
    with monkeypatch.context() as disk:
        disk.setattr({"bundle": bundle, "on_record": on_record}[module], name_in_module, refuse)
        assert main(["restore", str(tmp_path / "a.zip")]) == 2
    assert (studies.ids(), acts_on_record()) == ([], [])
    assert main(["restore", str(tmp_path / "a.zip")]) == 0
    assert (studies.ids(), acts_on_record()) == ([trained], ["begin"])


def test_a_restore_under_another_name_that_was_cut_off_left_the_first_one(
    trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete(trained)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(trash, "move_away", killed)
        main(["restore", trained, "--name", "other-1"])
    assert studies.ids() == []
    assert main(["restore", trained]) == 0
    assert [studies.load(name).id for name in studies.ids()] == [trained]


def test_a_deleted_study_comes_back_whole(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    name(trained, "warm")
    before, files = results(capsys, trained), tree(paths.study_dir(trained))
    assert main(["delete", trained, "--yes"]) == 0
    assert f"`q1lab restore {trained}` brings it back" in capsys.readouterr().out
    capsys.readouterr()
    assert main(["restore", "rope"]) == 1
    assert "rope: no such file or folder, and no study of that name" in capsys.readouterr().err
    assert main(["restore", trained]) == 0
    assert tree(paths.study_dir(trained)) == files
    assert (results(capsys, trained), name_of(trained)) == (before, "warm")
    assert away() == []
    assert main(["delete", trained, "--yes"]) == 0
    assert main(["restore", trained, "--name", "../other"]) == 2, "a name is no path"
    assert "'../other' is not a study's name" in capsys.readouterr().err
    assert main(["restore", trained, "--name", "other-1"]) == 0
    assert studies.load("other-1").id == "other-1"
    assert [deletion.id for deletion in away()] == [trained], "the name stays its own"


def test_a_plan_that_was_changed_in_the_trash_leaves_the_study_there(
    trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    delete(trained)
    place = delete_restore.trashed_folder(trained)
    assert place is not None
    plan = place / "study.json"
    kept = plan.read_bytes()
    plan.write_bytes(kept.replace(b'"max_iters": 20', b'"max_iters": 30'))
    capsys.readouterr()
    assert main(["restore", trained]) == 1
    assert "was changed after it was declared" in capsys.readouterr().err
    assert place.is_dir(), "a refused restore took the study out of the trash"
    assert not paths.study_dir(trained).exists(), "a refused restore left the study half there"
    plan.write_bytes(kept)
    assert main(["restore", trained]) == 0


def test_emptying_the_trash_says_how_much(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["delete", trained, "--yes"]) == 0
    capsys.readouterr()
    assert main(["delete", "--empty", "--yes", "--json"]) == 0
    freed = json.loads(capsys.readouterr().out)
    assert freed["bytes"] > 4 * 3000
    assert [item["name"] for item in freed["items"]] == [trained]
    assert list(paths.trash_dir().iterdir()) == []
    assert main(["restore", trained]) == 1
    assert [deletion.id for deletion in away()] == [trained]


@pytest.mark.parametrize("how", ["a link", "a damaged plan", "no plan"])
def test_whatever_was_deleted_comes_back(
    trained: str, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = paths.study_dir(trained)
    if how == "a link":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    elif how == "no plan":
        (folder / "study.json").unlink()
    else:
        (folder / "study.json").write_text("{")
    assert main(["delete", trained, "--yes"]) == 0
    assert not folder.is_symlink()
    assert not folder.exists()
    main(["restore", trained])
    assert len(tree(folder)) > 10
    assert folder.is_symlink() == (how == "a link")


def test_emptying_removes_leftovers_and_nothing_else(
    trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, files = results(capsys, trained), tree(paths.study_dir(trained))
    old = time.time() - 2 * trash.OLD
    for folder in (paths.studies_dir() / "half-1", paths.home() / ".take-in-x"):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 500)
        os.utime(folder, (old, old))
    (paths.studies_dir() / "being-made-1").mkdir()
    assert main(["delete", "--empty", "--dry-run", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["bytes"], listed["freed"]) == (1000, False)
    assert main(["delete", "--empty"]) == 2, "nobody is there to ask"
    assert (paths.studies_dir() / "half-1").is_dir()
    assert main(["delete", "--empty", "--yes"]) == 0
    assert sorted(p.name for p in paths.studies_dir().iterdir()) == ["being-made-1", trained]
    assert tree(paths.study_dir(trained)) == files
    assert results(capsys, trained) == before
    assert main(["delete", "--empty", "--yes"]) == 0
    assert "the trash is empty" in capsys.readouterr().out
    for words in (["--empty", trained], []):
        assert main(["delete", *words, "--yes"]) == 2


def test_a_study_without_its_plan_is_no_leftover(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its events are losses that were trained for; a plan can come back."""
    study = studies.load(trained)
    study.files.plan.rename(tmp_path / "study.json")
    os.utime(study.files.root, (0, 0))
    text = paths.home() / study.data.file
    assert main(["delete", "--empty", "--yes"]) == 0
    capsys.readouterr()
    assert all(study.files.run(run.name).events.is_file() for run in study.runs)
    assert all(study.files.run(run.name).model.is_file() for run in study.runs)
    assert text.is_file(), "it trains on that"
    assert main(["compare", trained]) == 1
    assert f"q1lab delete {trained}" in capsys.readouterr().err
    (tmp_path / "study.json").rename(study.files.plan)
    assert studies.load(trained) == study


def test_the_name_of_a_study_that_was_removed_by_hand_is_not_given_again(trained: str) -> None:
    """Its question and its documents are on record under that name."""
    name(trained, "warm")
    shutil.rmtree(paths.study_dir(trained))
    assert main(["run", "rope", *SMALL]) == 0
    assert studies.ids() == ["rope-2"]
    assert name_of("rope-2") == ""


# ── archive and restore


@pytest.mark.parametrize("place", ["one.zip", "one"])
def test_a_study_as_one_file_or_folder_and_back(
    trained: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name(trained, "warm")
    before = results(capsys, trained)
    files = {
        str(p.relative_to(paths.study_dir(trained))): sha256_file(p)
        for p in paths.study_dir(trained).rglob("*")
        if p.name in ("study.json", "events.jsonl", "model.pt") or p.suffix == ".py"
    }
    target = tmp_path / place
    archive = ["export", trained, str(target)]
    assert main(archive) == 0
    assert main(archive) == 2, "not even its own is overwritten without a word"
    assert main([*archive, "--overwrite"]) == 0
    assert main(["restore", str(target)]) == 2, "it is here"
    assert main(["delete", trained, "--yes"]) == 0
    shutil.rmtree(paths.data_dir())
    assert main(["restore", str(target)]) == 0
    assert away() == []
    restored_files = {name: sha256_file(paths.study_dir(trained) / name) for name in files}
    assert restored_files == files
    restored_results = results(capsys, trained)
    assert restored_results == before
    study = studies.load(trained)
    assert (paths.home() / study.data.file).is_file(), "it can go on"
    assert name_of(trained) == "warm"
    assert main(["restore", str(target), "--name", "copy-1"]) == 0
    assert studies.load("copy-1").id == "copy-1"
    assert sorted(studies.ids()) == ["copy-1", trained]
    mode = {p.stat().st_mode & 0o077 for p in paths.studies_dir().rglob("*")}
    assert mode == {0}


def test_an_archive_from_before_an_extension_is_called_older(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = str(tmp_path / "a.zip")
    assert main(["export", trained, archive]) == 0
    assert main(["run", trained, "--seeds", "3", "--json"]) == 0
    older = (
        f"{trained}: this is the study before it was extended; the one on record has 2 runs more"
    )
    for is_here in (True, False):
        capsys.readouterr()
        assert main(["restore", archive]) == 1
        said = capsys.readouterr().err
        assert older in said
        assert "changed" not in said
        if is_here:
            delete(trained)
    assert main(["restore", archive, "--name", "before-1"]) == 0
    assert len(studies.load("before-1").runs) == 4


def test_a_folder_of_other_files_is_not_written_over(trained: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["export", trained, str(tmp_path), "--overwrite"]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
    out = tmp_path / "out"
    for _ in range(2):
        assert main(["export", trained, str(out), "--overwrite"]) == 0
    (out / "source" / "notes.txt").write_text("mine")
    assert main(["export", trained, str(out), "--overwrite"]) == 2
    assert (out / "source" / "notes.txt").exists()
    shutil.rmtree(out)
    assert main(["restore", str(tmp_path)]) == 1
    assert main(["export", trained, trained]) == 2, "that is a study"


def test_a_changed_file_of_a_folder_is_refused(trained: str, tmp_path: Path) -> None:
    assert main(["export", trained, str(tmp_path / "out")]) == 0
    weights = next((tmp_path / "out").rglob("model.pt"))
    weights.write_bytes(b"changed")
    assert main(["restore", str(tmp_path / "out"), "--name", "again-1"]) == 1
    assert studies.ids() == [trained]


def held_by(target: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """An archive's files by their names, and its list."""
    with zipfile.ZipFile(target) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    return contents, json.loads(contents.pop(bundle.LIST_NAME))


def as_zip(out: Path, contents: dict[str, bytes], listed: dict[str, Any]) -> Path:
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in {bundle.LIST_NAME: json.dumps(listed).encode(), **contents}.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if data == b"LINK" else 0o644) << 16
            packed.writestr(info, data)
    return out


HOSTILE: dict[str, Callable[[dict[str, bytes], dict[str, Any]], object]] = {
    "missing": lambda contents, listed: contents.pop("study.json"),
    "changed": lambda contents, listed: contents.update({"study.json": b"{}"}),
    "newer": lambda contents, listed: listed.update(v=2),
    "no list of files": lambda contents, listed: listed.pop("files"),
    "another study's plan": lambda contents, listed: listed.update(study="other-1"),
}
ADDED = {
    "../x.py": b"x",
    "/tmp/x.py": b"x",
    "source/x.py": b"LINK",
    "runs/../events.jsonl": b"x",
    "lock": b"",
}
"""Files that no archive may hold."""


@pytest.mark.parametrize("how", [*HOSTILE, *ADDED, "cut off", "garbled", "no archive", "empty"])
def test_a_hostile_archive_leaves_nothing(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = lab_home.make_study()
    lab_home.finish(study)
    target = tmp_path / "a.zip"
    bundle.export_bundle(study.id, target, {}, "")
    delete(study.id)
    contents, listed = held_by(target)
    if how in HOSTILE or how in ADDED:
        if how in ADDED:
            contents[how], listed["files"][how] = ADDED[how], "0"
        else:
            HOSTILE[how](contents, listed)
        bad = as_zip(tmp_path / "changed.zip", contents, listed)
    else:
        data = as_zip(tmp_path / "same.zip", contents, listed).read_bytes()
        changed = {
            "cut off": data[: len(data) // 2],
            "garbled": data[:200] + bytes(50) + data[250:],
            "no archive": b"hello " * 1000,
            "empty": b"",
        }[how]
        bad = tmp_path / "bad.zip"
        bad.write_bytes(changed)
    before = sorted(p.name for p in paths.home().rglob("*"))
    assert main(["restore", str(bad)]) in (1, 2)
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1, error
    assert sorted(p.name for p in paths.home().rglob("*")) == before
    assert studies.ids() == []
    assert not (tmp_path / "x.py").exists()
    with bundle.taken_in(target) as received:
        bundle.restore(received, target)
    assert studies.ids() == [study.id]


def test_an_archive_of_too_many_files_is_refused_by_its_list(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as packed:
        for number in range(bundle.MOST_FILES + 1):
            packed.writestr(f"runs/modified-seed{number}/events.jsonl", b"")
    home = paths.ensure_home()
    before = sorted(home.iterdir())
    with (
        pytest.raises(Problem, match="more than 50,000 files"),
        bundle.taken_in(tmp_path / "many.zip"),
    ):
        pass
    assert sorted(home.iterdir()) == before


def test_restoring_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(Problem), bundle.taken_in(path):
            pass


def test_a_pattern_deletes_what_it_matches_and_restore_says_so_as_json(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = str(tmp_path / "one.zip")
    assert main(["export", trained, archive]) == 0
    capsys.readouterr()
    copy = ("restore", archive, "--name")
    for name in ("quick-1", "quick-2"):
        assert main([*copy, name, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"study": name, "runs": 4}
    assert main(["delete", "quick-*", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "quick-1: " in shown
    assert "quick-2: " in shown
    assert "rope-1" not in shown
    assert main(["delete", "quick-*", "quick-1", "--yes", "--json"]) == 0
    deleted = json.loads(capsys.readouterr().out)
    assert [row["study"] for row in deleted] == ["quick-1", "quick-2"]
    assert studies.ids() == [trained]
    assert main(["delete", "quick-*", "--yes"]) == 2
    assert "no study matches 'quick-*'" in capsys.readouterr().err

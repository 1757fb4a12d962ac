"""Deleting studies and bringing them back.

Nothing here is done to a study that is alive. A study that is deleted is moved into the trash as a
whole, and from there back, or away for good: so a kill leaves it here or there. What is on record
of it and the move are one act: where one fails, neither happened.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import (
    is_locked,
    private_folder,
    prove_inside,
    remove_inside,
    try_lock,
    write_atomic,
)
from q1lab.journal import ingest_events, on_record, seen, trash
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.study.liveness import is_alive

RELAY_SECONDS = 30.0
"""Seconds that a relay has to end after its study."""


@dataclass(frozen=True)
class DeletePreview:
    """The effects of deleting a study."""

    id: str
    bytes: int
    reused_by: tuple[str, ...]
    """Studies that took runs from it. They have copies of their own."""
    unreadable: bool


def match_names(typed: Iterable[str]) -> list[str]:
    """The studies that were typed, each once: names as they are, and for a pattern such as
    ``quick-*`` all studies of such names, oldest first. Problem for a pattern that matches none."""
    names: list[str] = []
    on_disk = [*studies.ids(), *studies.ids_without_plan()]
    for word in typed:
        is_pattern = any(letter in word for letter in "*?[")
        matches = [name for name in on_disk if fnmatchcase(name, word)] if is_pattern else [word]
        if not matches:
            raise Problem(f"no study matches {word!r}", next="`q1lab status` lists them")
        names += matches
    return list(dict.fromkeys(names))


def preview_delete(store: Store, study_id: str) -> DeletePreview:
    """Preview the deletion of this study. Problem if there is no such study."""
    folder = _folder(study_id)
    unreadable = study_id in studies.load_each([study_id])[1]
    takers = sorted(taker for taker, origin in _copied_runs(store) if origin == study_id)
    return DeletePreview(study_id, trash.size_of(folder), tuple(takers), unreadable)


def _copied_runs(store: Store) -> set[tuple[str, str]]:
    """(a study, the study that one of its runs was copied from)."""
    ingest_events.ingest_all(store)
    rows = store.db.execute("SELECT study_id, reused_from FROM runs WHERE reused_from <> ''")
    return {(row["study_id"], row["reused_from"].partition("/")[0]) for row in rows}


def refuse_running(names: Iterable[str]) -> None:
    """Problem where one of the studies is running, so that none of them is deleted."""
    for name in names:
        folder = _folder(name)
        if not folder.is_symlink() and is_alive(paths.StudyPaths(folder)):
            raise _running(name)


def _running(study_id: str) -> Problem:
    return Problem(f"{study_id} is running", FAILED, next=f"`q1lab stop {study_id}` ends it first")


def _wait_for_relay(study_id: str, relay_lock: Path) -> None:
    """Wait until the relay of a study that has ended has ended, too. Problem if it goes on."""
    if not is_locked(relay_lock):
        return
    held = try_lock(relay_lock, wait=RELAY_SECONDS)
    if held is None:
        raise Problem(
            f"the relay of {study_id} is still at work", FAILED, next="try again in a moment"
        )
    os.close(held)


def delete_study(store: Store, study_id: str) -> Path:
    """Move a study into the trash, after recording its plan and how its runs ended; returns its new
    place. Problem if there is no such study, if it is alive, or if the disk refuses.
    """
    folder = _folder(study_id)
    lock = None
    if not folder.is_symlink():
        # a launcher's job may hold it without any process here
        alive = is_alive(paths.StudyPaths(folder))
        lock = None if alive else try_lock(folder / "lock", wait=1.0)
        if lock is None:
            raise _running(study_id)
    try:
        _wait_for_relay(study_id, folder / "wandb" / "relay.lock")
        plan, runs = None, {}
        with contextlib.suppress(Problem):
            study = studies.load(study_id)
            plan = study.to_dict()
            ingest_events.ingest_study(store, study)
            for row in store.runs(study_id):
                name = studies.run_name(row["arm"], row["seed"])
                runs[name] = {
                    **{key: row[key] for key in ("state", "val_loss", "ended")},
                    "seen": seen.shows_number(row),
                }
        prove_inside(folder.parent, paths.home())
        private_folder(paths.trash_dir())
        place, number = paths.trash_dir() / study_id, 1
        while place.exists() or place.is_symlink():
            place, number = place.with_name(f"{study_id}.{number + 1}"), number + 1
        with _moved_back(folder, place), store.act() as add:
            add("delete", study=study_id, plan=plan, runs=runs)
            trash.move_away(folder, place)
        return place
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def _moved_back(source: Path, target: Path) -> Iterator[None]:
    """Where the block fails after it moved a folder, the folder goes back."""
    try:
        yield
    except BaseException:
        if not source.exists():
            with contextlib.suppress(OSError):
                target.rename(source)
        raise


def trashed_folder(name: str) -> Path | None:
    """The place of a deleted study while it can be brought back."""
    place = paths.trash_dir() / name
    return place if studies.is_id(name) and (place.is_dir() or place.is_symlink()) else None


def restore_study(store: Store, place: Path, name: str | None = None) -> str:
    """Move a study out of the trash, under ``name`` if given, and put it on record; returns its
    name. Problem when there is one of that name, or its plan is not the one on record: then it
    stays in the trash."""
    prove_inside(place.parent, paths.home())
    plan, study = paths.StudyPaths(place).plan, None
    with contextlib.suppress(OSError, ValueError, Problem):
        study = studies.from_dict(studies.read_plan(plan))
    own_name = place.name
    if study and own_name.startswith(f"{study.id}."):
        own_name = study.id
    name = name or own_name
    target = studies.free_folder(name)
    private_folder(target.parent)
    with _moved_back(place, target), store.act():
        if study:
            on_record.record_begin(store, replace(study, id=name))
        if study and name != study.id:  # also where a restore under another name was cut off
            write_atomic(plan, studies.encode_plan(replace(study, id=name)))
        if name != own_name:
            remove_inside(place / "wandb")  # its runs are those of the study with the old name
        trash.move_away(place, target)
    return name


def _folder(study_id: str) -> Path:
    if not studies.is_id(study_id):
        raise Problem(f"{study_id!r} is not a study's name", next="`q1lab status` lists them")
    folder = paths.study_dir(study_id)
    if not folder.is_dir():
        raise Problem(f"no study called {study_id!r}", next="`q1lab status` lists them")
    return folder

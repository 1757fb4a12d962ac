"""Deleting studies, bringing them back, and freeing the room of files that are not needed any more.

Nothing here is done to a study that is alive. A study that is deleted is moved into the trash as a
whole, and from there back, or away for good: so a kill leaves it here or there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem, notice
from q1lab.ground.files import (
    PARTIAL_PREFIX,
    file_size,
    is_locked,
    os_errors_as_problems,
    private_folder,
    prove_inside,
    remove_inside,
    sync_folder,
    try_lock,
    write_atomic,
)
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.record import questions
from q1lab.study import studies
from q1lab.study.events import has_ended
from q1lab.study.identity import FIRST_LOSSES
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study

OLD = 3600.0
"""Seconds after which an unfinished folder is a leftover."""


@dataclass(frozen=True)
class Reclaimable:
    """Something that can be freed: ``kind`` is trash, checkpoints, models, data or leftovers."""

    kind: str
    description: str
    paths: tuple[Path, ...]
    bytes: int


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
    takers = sorted(taker for taker, origin in _reused(store) if origin == study_id)
    return DeletePreview(study_id, _size([folder]), tuple(takers), unreadable)


def refuse_running(names: Iterable[str]) -> None:
    """Problem where one of the studies is running, so that none of them is deleted."""
    for name in names:
        folder = _folder(name)
        if not folder.is_symlink() and is_alive(paths.StudyPaths(folder)):
            raise _running(name)


def _running(study_id: str) -> Problem:
    return Problem(f"{study_id} is running", FAILED, next=f"`q1lab stop {study_id}` ends it first")


def delete_study(store: Store, study_id: str) -> Path:
    """Move a study into the trash, after recording its plan and how its runs ended; returns its new
    place. Problem if there is no such study, if it is alive, or if the disk refuses.
    """
    folder = _folder(study_id)
    lock = None
    if not folder.is_symlink():
        # an engine may have it without any process here
        alive = is_alive(paths.StudyPaths(folder))
        lock = None if alive else try_lock(folder / "lock", wait=1.0)
        if lock is None:
            raise _running(study_id)
    try:
        if is_locked(folder / "wandb" / "relay.lock"):
            raise Problem(
                f"the relay of {study_id} is still at work", FAILED, next="try again in a moment"
            )
        plan, runs = None, {}
        with contextlib.suppress(Problem):
            study = studies.load(study_id)
            plan = study.to_dict()
            ingest_events.ingest_study(store, study)
            for row in store.runs(study_id):
                name = studies.run_name(row["arm"], row["seed"])
                ended = {"state": row["state"], "val_loss": row["val_loss"]}
                seen = questions.shows_result(row, questions.tenth_of(study))
                iters = questions.farthest_iter(row)
                runs[name] = {**ended, "seen": seen, "iter": iters, "first": {}}
            for row in questions.read_first_losses(store, FIRST_LOSSES, study_id):
                name = studies.run_name(row["arm"], row["seed"])
                runs[name]["first"][row["iter"]] = row["value"]
        store.add("delete", study=study_id, plan=plan, runs=runs)
        prove_inside(folder.parent, paths.home())
        private_folder(paths.trash_dir())
        place, number = paths.trash_dir() / study_id, 1
        while place.exists() or place.is_symlink():
            place, number = place.with_name(f"{study_id}.{number + 1}"), number + 1
        _move(folder, place)
        return place
    finally:
        if lock is not None:
            os.close(lock)


def trashed_folder(name: str) -> Path | None:
    """The place of a deleted study while it can be brought back."""
    place = paths.trash_dir() / name
    return place if studies.is_id(name) and (place.is_dir() or place.is_symlink()) else None


def restore_study(place: Path, name: str | None = None) -> str:
    """Move a study out of the trash, under ``name`` if given; returns its name. Problem when there
    is one of that name."""
    prove_inside(place.parent, paths.home())
    plan, study = paths.StudyPaths(place).plan, None
    with contextlib.suppress(OSError, ValueError, Problem):
        study = studies.from_dict(studies.read_plan(plan))
    name = name or (study.id if study else place.name)
    target = paths.study_dir(name)
    if not studies.is_id(name):
        raise Problem(f"{name!r} is not a study's name: letters, digits, dots, hyphens")
    if target.exists() or target.is_symlink():
        raise Problem(f"there is a study called {name} already", next="restore it with --name NAME")
    if study and name != study.id:
        write_atomic(plan, studies.encode_plan(replace(study, id=name)))
        remove_inside(place / "wandb")  # the runs there are those of the study with the old name
    private_folder(target.parent)
    _move(place, target)
    return name


def _move(source: Path, target: Path) -> None:
    with os_errors_as_problems(f"cannot move {source} to {target}"):
        source.rename(target)
        sync_folder(target.parent)
        sync_folder(source.parent)


def _folder(study_id: str) -> Path:
    if not studies.is_id(study_id):
        raise Problem(f"{study_id!r} is not a study's name", next="`q1lab status` lists them")
    folder = paths.study_dir(study_id)
    if not folder.is_dir():
        raise Problem(f"no study called {study_id!r}", next="`q1lab status` lists them")
    return folder


# ── freeing room


def list_reclaimable(*, models: bool = False, days: float = 30.0) -> list[Reclaimable]:
    """The disk space that can be freed: the trash, checkpoints of runs that have ended, corpora
    that no study trains on, and leftovers; on demand the weights of finished runs that are older
    than ``days``. Studies that are alive are left out."""
    items = [
        Reclaimable("trash", f"{path.name} (deleted)", (path,), _size([path]))
        for path in _entries(paths.trash_dir(), "")
    ]
    items += _leftovers()
    needed: set[str] = set()
    without_plan = studies.ids_without_plan()
    for name in without_plan:
        notice(
            f"{name} has runs and no study.json: it is kept, and so are all texts. Put a good copy "
            f"there, or give the study up: q1lab delete {name}"
        )
    all_readable = not without_plan
    before = time.time() - days * 86_400
    for study_id in studies.ids():
        try:
            study = studies.load(study_id)
        except Problem:
            all_readable = False
            continue
        needed.add(study.data.sha256)
        if is_alive(study.files):
            continue
        ended = [run for run in study.runs if has_ended(study.files.run(run.name).events)]
        folders = [study.files.run(run.name).checkpoints for run in ended]
        files = [p for folder in folders if _is_ours(folder) for p in folder.glob("*.pt")]
        if files:
            items.append(
                Reclaimable(
                    "checkpoints", f"of ended runs of {study.id}", tuple(files), _size(files)
                )
            )
        if models and _time_of(study) < before:
            weights = [study.files.run(run.name).model for run in ended]
            files = [file for file in weights if file.is_file() and _is_ours(file)]
            if files:
                items.append(
                    Reclaimable("models", f"weights of {study.id}", tuple(files), _size(files))
                )
    if all_readable and paths.data_dir().is_dir() and _is_ours(paths.data_dir()):
        for file in sorted(paths.data_dir().glob("*.txt")):
            if file.stem not in needed and file.lstat().st_mtime < time.time() - OLD:
                items.append(
                    Reclaimable(
                        "data", f"a text of no study ({file.name[:12]}…)", (file,), file_size(file)
                    )
                )
    return items


def delete_items(items: Iterable[Reclaimable]) -> None:
    """Free the items. Problem if the disk refuses."""
    for item in items:
        for path in item.paths:
            if path.parent == paths.trash_dir():  # half a study is not to be brought back
                _move(path, path.with_name(".going"))
                path = path.with_name(".going")
            remove_inside(path)


def reuse_warnings(store: Store, items: Iterable[Reclaimable]) -> list[str]:
    """Sentences on what a later study took from studies whose weights are going."""
    going = {
        item.description.removeprefix("weights of ") for item in items if item.kind == "models"
    }
    pairs = sorted((origin, taker) for taker, origin in _reused(store) if origin in going)
    return [f"{taker} reused runs of {origin}: it has copies of its own" for origin, taker in pairs]


def _reused(store: Store) -> set[tuple[str, str]]:
    """(a study, the study that one of its runs was copied from)."""
    ingest_events.ingest_all(store)
    rows = store.db.execute("SELECT study_id, reused_from FROM runs WHERE reused_from <> ''")
    return {(row["study_id"], row["reused_from"].partition("/")[0]) for row in rows}


def _leftovers() -> Iterator[Reclaimable]:
    """The files that killed processes left: of writes, deletions, restores, imports, pulls, rescues
    of the database, checks of a bundle or an engine, and what children wrote where they stood."""
    old = time.time() - OLD
    candidates = [*_entries(paths.scratch_dir(), ""), *_entries(paths.home() / "engine-check", "")]
    for folder, prefixes in (
        (paths.home(), (".take-in-", ".import-", ".pull-", ".rescue-")),
        (paths.studies_dir(), (".deleted-", ".restore-")),
    ):
        candidates += [path for prefix in prefixes for path in _entries(folder, prefix)]
    home = paths.home()
    for folder in (home, paths.data_dir(), home / "bases", *_entries(paths.studies_dir(), "")):
        candidates += _entries(folder, PARTIAL_PREFIX)
    candidates += [
        folder
        for folder in _entries(paths.studies_dir(), "")
        if studies.is_id(folder.name)
        and folder.is_dir()
        and not (folder / "study.json").exists()
        and not studies.has_runs(folder)
        and not is_alive(paths.StudyPaths(folder))
    ]
    for path in candidates:
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime < old:
                yield Reclaimable("leftovers", path.name, (path,), _size([path]))


def _entries(folder: Path, prefix: str) -> list[Path]:
    home = paths.home()
    if not folder.is_dir() or (folder != home and not _is_ours(folder)):
        return []
    return sorted(path for path in folder.iterdir() if path.name.startswith(prefix))


def _time_of(study: Study) -> float:
    """The time at which it was planned or imported, in seconds since the epoch; now if it can't be
    read."""
    try:
        moment = datetime.fromisoformat(study.origin.imported_at or study.created)
    except ValueError:
        return time.time()
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _size(files: Iterable[Path]) -> int:
    """Bytes of files and of all that is in folders; links count as nothing."""
    total = 0
    for path in files:
        if path.is_symlink():
            continue
        if path.is_dir():
            for root, _, names in os.walk(path):
                total += sum(
                    file_size(Path(root, n)) for n in names if not Path(root, n).is_symlink()
                )
        else:
            total += file_size(path)
    return total


def _is_ours(path: Path) -> bool:
    """True if ``path`` may be deleted; a notice where a link is in the way."""
    try:
        prove_inside(path, paths.home())
        return True
    except Problem as problem:
        notice(str(problem))
        return False

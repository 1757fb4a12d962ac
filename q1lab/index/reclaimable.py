"""Files that are not needed any more, and the room that they take.

Nothing here touches a study that is alive. What goes is moved to another name first, so a kill
leaves it here or gone.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import Problem, notice
from q1lab.ground.files import (
    PARTIAL_PREFIX,
    file_size,
    os_errors_as_problems,
    prove_inside,
    remove_inside,
    sync_folder,
)
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.study import studies
from q1lab.study.events import has_ended
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


def list_reclaimable(*, models: bool = False, days: float = 30.0) -> list[Reclaimable]:
    """The disk space that can be freed: the trash, checkpoints of runs that have ended, corpora
    that no study trains on, and leftovers; on demand the weights of finished runs that are older
    than ``days``. Studies that are alive are left out."""
    items = [
        Reclaimable("trash", f"{path.name} (deleted)", (path,), size_of([path]))
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
                    "checkpoints", f"of ended runs of {study.id}", tuple(files), size_of(files)
                )
            )
        if models and _time_of(study) < before:
            weights = [study.files.run(run.name).model for run in ended]
            files = [file for file in weights if file.is_file() and _is_ours(file)]
            if files:
                items.append(
                    Reclaimable("models", f"weights of {study.id}", tuple(files), size_of(files))
                )
    if all_readable and paths.data_dir().is_dir() and _is_ours(paths.data_dir()):
        for file in sorted(paths.data_dir().glob("*.txt")):
            if file.stem not in needed and file.lstat().st_mtime < time.time() - OLD:
                items.append(
                    Reclaimable(
                        "data",
                        f"a text of no study ({file.name[:12]}…)",
                        (file,),
                        file_size(file),
                    )
                )
    return items


def delete_items(items: Iterable[Reclaimable]) -> None:
    """Free the items. Problem if the disk refuses."""
    for item in items:
        for path in item.paths:
            if path.parent == paths.trash_dir():  # half a study is not to be brought back
                move_away(path, path.with_name(".going"))
                path = path.with_name(".going")
            remove_inside(path)


def reuse_warnings(store: Store, items: Iterable[Reclaimable]) -> list[str]:
    """Sentences on what a later study took from studies whose weights are going."""
    going = {
        item.description.removeprefix("weights of ") for item in items if item.kind == "models"
    }
    pairs = sorted((origin, taker) for taker, origin in copied_runs(store) if origin in going)
    return [f"{taker} reused runs of {origin}: it has copies of its own" for origin, taker in pairs]


def copied_runs(store: Store) -> set[tuple[str, str]]:
    """(a study, the study that one of its runs was copied from)."""
    ingest_events.ingest_all(store)
    rows = store.db.execute("SELECT study_id, reused_from FROM runs WHERE reused_from <> ''")
    return {(row["study_id"], row["reused_from"].partition("/")[0]) for row in rows}


def _leftovers() -> Iterator[Reclaimable]:
    """The files that killed processes left: of writes, deletions, restores, checks of
    a bundle, and what children wrote where they stood."""
    old = time.time() - OLD
    candidates = [*_entries(paths.scratch_dir(), "")]
    for folder, prefixes in (
        (paths.home(), (".take-in-",)),
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
                yield Reclaimable("leftovers", path.name, (path,), size_of([path]))


def _entries(folder: Path, prefix: str) -> list[Path]:
    home = paths.home()
    if not folder.is_dir() or (folder != home and not _is_ours(folder)):
        return []
    return sorted(path for path in folder.iterdir() if path.name.startswith(prefix))


def _time_of(study: Study) -> float:
    """The time at which it was planned or imported, in seconds since the epoch; now if it can't be
    read."""
    try:
        moment = datetime.fromisoformat(study.created)
    except ValueError:
        return time.time()
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def size_of(files: Iterable[Path]) -> int:
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


def move_away(source: Path, target: Path) -> None:
    with os_errors_as_problems(f"cannot move {source} to {target}"):
        source.rename(target)
        sync_folder(target.parent)
        sync_folder(source.parent)

"""A study as one file, and back: ``rope-1.q1lab.tar.gz``.

The archive is a plain gzipped tar: a manifest (``q1lab-archive.json``) with the SHA-256 of every
file, then the files as they lie in the study's folder, and the text it trains on as ``data/…txt``.
Restoring trusts nothing: names, kinds, sizes and hashes are checked, and the study appears whole or
not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from q1lab import __version__, paths
from q1lab.errors import FAILED, Problem
from q1lab.files import (
    not_a_file,
    open_regular,
    os_reason,
    private_folder,
    sha256_file,
    size_of,
    sync_folder,
    try_lock,
    utc_now,
    write_atomic,
)
from q1lab.study import studies
from q1lab.study.alive import is_alive
from q1lab.study.events import last_event
from q1lab.study.states import ENDED
from q1lab.study.studies import Study

MANIFEST = "q1lab-archive.json"
SUFFIX = ".q1lab.tar.gz"

MOST_FILES, MOST_MANIFEST = 50_000, 16 << 20
"""Files of an archive, and bytes of its manifest."""

WRONG = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
"""What reading a list or a header with senseless values raises."""

_PART = r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}"
NAMES = re.compile(
    rf"study\.json|labels\.json|wandb/runs\.json|source(?:/{_PART}){{1,3}}\.py|data/[0-9a-f]{{64}}\.txt"
    rf"|runs/{_PART}/(?:events\.jsonl|run\.log|model\.pt|checkpoints/{_PART}\.pt)"
)
"""What an archive may hold. Locks, logs of processes and W&B's own folders stay behind."""


def pack(
    study_id: str, target: Path, *, models: bool = True, labels: dict[str, Any] | None = None
) -> int:
    """Write a study into ``target``; returns its bytes. ``models=False`` leaves weights out.

    Problem when it is alive, when ``target`` is there already, or when the disk refuses.
    """
    study = studies.load(study_id)
    what = not_a_file(target)
    if what is not None or target.exists():
        raise Problem(f"{target} is {what or 'already there'}; give another --output")
    if not target.parent.is_dir():
        raise Problem(
            f"there is no folder {target.parent}; make it first, or give another --output"
        )
    lock = None if is_alive(study.files) else try_lock(study.files.lock, wait=1.0)
    if lock is None:
        raise Problem(f"{study_id} is running; archive it when it has ended", FAILED)
    try:
        members = _members(study, models)
        if labels:
            write_atomic(study.files.labels, json.dumps(labels) + "\n")
            members["labels.json"] = study.files.labels
        manifest = {
            "v": 1,
            "study": study_id,
            "q1lab": __version__,
            "made": utc_now(),
            "source_mtime_ns": study.files.source.stat().st_mtime_ns,
            "files": {name: sha256_file(file) for name, file in members.items()},
        }
        return _write(target, manifest, members)
    except OSError as error:
        raise Problem(f"cannot write {target}: {os_reason(error)}", FAILED) from None
    finally:
        os.close(lock)
        study.files.labels.unlink(missing_ok=True)


def _members(study: Study, models: bool) -> dict[str, Path]:
    """Name in the archive → file. Checkpoints only of runs that can still go on."""
    root = study.files.root
    wanted = [root / "study.json", study.files.wandb / "runs.json"]
    wanted += sorted(study.files.source.rglob("*.py"))
    for run in study.runs:
        files = study.files.run(run.name)
        wanted += [files.events, files.log, *([files.model] if models else [])]
        end = last_event(files.events)
        if end is None or end["type"] != "exit" or end.get("state") not in ENDED:
            wanted += sorted(files.checkpoints.glob("*.pt"))
    found = {
        str(file.relative_to(root)): file
        for file in wanted
        if file.is_file() and not file.is_symlink()
    }
    found = {name: file for name, file in found.items() if NAMES.fullmatch(name)}
    corpus = paths.data_dir() / f"{study.data.sha256}.txt"
    if re.fullmatch(r"[0-9a-f]{64}", study.data.sha256 or "") and corpus.is_file():
        found[f"data/{corpus.name}"] = corpus
    return found


def _write(target: Path, manifest: dict[str, Any], members: dict[str, Path]) -> int:
    fd, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    try:
        with os.fdopen(fd, "wb") as out:
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as tar:
                text = json.dumps(manifest, indent=1).encode()
                head = tarfile.TarInfo(MANIFEST)
                head.size, head.mode = len(text), 0o600
                tar.addfile(head, io.BytesIO(text))
                for member, file in members.items():
                    info = tarfile.TarInfo(member)
                    info.size, info.mode = size_of(file), 0o600
                    info.mtime = int(file.stat().st_mtime)
                    with open_regular(file) as content:
                        tar.addfile(info, content)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    return size_of(target)


def unpack(file: Path, new_id: str | None = None) -> Study:
    """Bring a study back from an archive, under ``new_id`` if given; returns it.

    Problem for what is no archive of q1lab, is damaged, leads elsewhere, or is there already.
    """
    private_folder(paths.studies_dir())
    staging = Path(tempfile.mkdtemp(prefix=".restore-", dir=paths.studies_dir()))
    try:
        manifest = _extract(file, staging)
        return _publish(staging, manifest, new_id)
    except (tarfile.TarError, EOFError, zlib.error, *WRONG) as error:
        raise Problem(
            f"{file} is no sound archive of a study: {str(error)[:200]}", FAILED
        ) from None
    except OSError as error:
        raise Problem(f"cannot restore {file}: {os_reason(error)}", FAILED) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract(file: Path, staging: Path) -> dict[str, Any]:
    """Every member into ``staging``, each checked; returns the manifest."""
    room = shutil.disk_usage(staging).free - (64 << 20)
    with open_regular(file) as stream, tarfile.open(fileobj=stream, mode="r|gz") as tar:
        first = tar.next()
        if first is None or not first.isreg() or first.name != MANIFEST:
            raise ValueError("it does not begin with q1lab's list of files")
        if first.size > MOST_MANIFEST:
            raise ValueError("its list of files is too long")
        head = tar.extractfile(first)
        assert head is not None
        try:
            manifest: dict[str, Any] = json.loads(head.read(MOST_MANIFEST))
        except RecursionError:
            raise ValueError("its list is nested too deeply") from None
        wanted = dict(manifest["files"])
        if manifest["v"] != 1:
            raise ValueError("it is of a newer q1lab")
        if len(wanted) > MOST_FILES:
            raise ValueError(f"more than {MOST_FILES:,} files")
        while (member := tar.next()) is not None:
            if not member.isreg() or not NAMES.fullmatch(member.name) or member.name not in wanted:
                raise ValueError(f"it holds {member.name[:100]!r}, which is no file of a study")
            room -= member.size
            if room < 0:
                raise ValueError("there is no room for what it holds")
            content = tar.extractfile(member)
            assert content is not None
            if _keep(content, staging / member.name) != wanted.pop(member.name):
                raise ValueError(f"{member.name} is damaged")
    if wanted:
        raise ValueError(f"{next(iter(wanted))[:100]!r} is missing")
    return manifest


def _keep(content: IO[bytes], target: Path) -> str:
    """Write a member; returns its SHA-256."""
    private_folder(target.parent)
    digest = hashlib.sha256()
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as out:
        while block := content.read(1 << 20):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _publish(staging: Path, manifest: dict[str, Any], new_id: str | None) -> Study:
    study = studies.from_dict(studies.read(staging / "study.json"))
    if study.id != manifest["study"] or not studies.is_id(study.id):
        raise ValueError("its plan is of another study")
    name = new_id or study.id
    if not studies.is_id(name):
        raise Problem(f"{name!r} is no study's name: letters, digits, dots, hyphens")
    target = paths.study_dir(name)
    if target.exists() or target.is_symlink():
        raise Problem(f"there is a study called {name} already; restore it with --as NAME")
    if name != study.id:
        study = replace(study, id=name)
        text = json.dumps(study.to_dict(), indent=1, ensure_ascii=False) + "\n"
        write_atomic(staging / "study.json", text)
        # the runs at W&B are those of the study with the old name
        shutil.rmtree(staging / "wandb", ignore_errors=True)
    for corpus in (staging / "data").glob("*.txt"):
        kept = paths.data_dir() / corpus.name
        if manifest["files"][f"data/{corpus.name}"] != corpus.stem:
            raise ValueError("its text is not the one that its name says")
        if not kept.exists():
            private_folder(kept.parent)
            corpus.replace(kept)
    shutil.rmtree(staging / "data", ignore_errors=True)
    private_folder(staging / "source")
    stamp = manifest.get("source_mtime_ns")
    if isinstance(stamp, int) and 0 < stamp < 1 << 62:
        with contextlib.suppress(OSError):
            os.utime(staging / "source", ns=(stamp, stamp))
    staging.chmod(0o700)
    staging.rename(target)
    sync_folder(target.parent)
    return study

"""One study as one folder, to take it away from this machine and to bring it back.

::

    bundle.json                   the list: SHA-256 of every other file, by its name
    study.json                    the plan, as declared
    source/<arm>/<name>.py        both model files as they trained; uncommitted.diff, of a command
    runs/<run>/events.jsonl       the runs' events; run.log, model.pt, checkpoints/ if wanted
    data/<sha256>.txt             the text, if wanted
    labels.json, wandb/runs.json  the learner's note and tags, the runs at W&B
    declarations.jsonl            what the journal shows of the studies up to its own line

The list also holds the study's claim (verdict/claim.py) and the versions that trained it.

A bundle is a plain folder in a learner's repository (`q1lab keep`), or a zip (`q1lab export`, and a
notebook's results). Reading trusts nothing: names, kinds, sizes and hashes are checked, and a study
appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from q1lab import __version__
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import (
    kind_of_non_file,
    open_regular,
    os_errors_as_problems,
    os_reason,
    printable,
    private_folder,
    read_bytes,
    read_json,
    read_printable_json,
    sha256_file,
    sync_folder,
    try_lock,
    utc_now,
    write_atomic,
)
from q1lab.study import studies
from q1lab.study.events import has_ended
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study

LIST_NAME = "bundle.json"
DECLARATIONS = "declarations.jsonl"
"""The public lines of the journal up to the study's own."""
FORMAT = 1
MOST_FILES, LARGEST_LIST, LARGEST_FILE = 50_000, 16 << 20, 256 << 20
"""Files of a bundle, bytes of its list, and of one file that is read in one piece."""

_PART = r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}"
FILE_NAMES = re.compile(
    rf"study\.json|labels\.json|declarations\.jsonl|journal\.jsonl|wandb/runs\.json|source(?:/{_PART}){{1,3}}\.py|source/uncommitted\.diff|data/[0-9a-f]{{64}}\.txt"
    rf"|runs/{_PART}/(?:events\.jsonl|run\.log|model\.pt|checkpoints/{_PART}\.pt)"
)
"""Names that a bundle may hold. Locks, logs of processes and W&B's own folders stay behind."""

DAMAGE_ERRORS = (
    *(ValueError, KeyError, TypeError, AttributeError, ArithmeticError, IndexError),
    *(zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError),
    *(struct.error, zlib.error, lzma.LZMAError),
)
"""Exceptions that a damaged or forged list or archive may raise when it is read."""

Content = Path | bytes


@dataclass(frozen=True)
class Provenance:
    """The facts by which a stranger checks a study, in addition to its files: more keys of the
    list, and the public lines of the journal."""

    about: Mapping[str, Any] = field(default_factory=dict)
    declarations: bytes = b""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files were read and match its list. ``files`` are the paths by the names in
    the bundle; ``has_list`` is False for a study's plain folder, which may lack files."""

    study: Study
    files: Mapping[str, Path]
    has_list: bool
    labels: Any = None
    """The object in labels.json, unchecked."""
    planned: int = 0
    """The time at which the study was planned (ns since the epoch), which orders studies; 0 if
    unknown."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """The list's record, unchecked; empty where there is no list."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Name of each file that doesn't match the list → the fault, where faults were collected."""


# ── writing


def core_files(
    study: Study, *, plan: Study | None = None, events: Iterable[str] = ()
) -> dict[str, Content]:
    """A study's essential files by their names in a bundle: the plan (the study's, or ``plan``),
    both model files, and the events of these runs as far as they exist. Problem when a model file
    can't be read."""
    content_by_name: dict[str, Content] = {
        "study.json": studies.encode_plan(plan or study).encode()
    }
    for arm in study.arms.values():
        if arm.source:
            with os_errors_as_problems(f"the model files of {study.id} can't be read"):
                content_by_name[arm.source] = read_bytes(study.files.root / arm.source)
    for run in events:
        file = study.files.run(run).events
        if file.is_file() and not file.is_symlink():
            content_by_name[f"runs/{run}/events.jsonl"] = file
    return content_by_name


def all_files(study: Study, labels: Mapping[str, Any], evidence: Provenance) -> dict[str, Content]:
    """All files of a study. Checkpoints only of runs that can still go on."""
    files = study.files
    candidates = [files.plan, files.wandb / "runs.json", *sorted(files.source.rglob("*.py"))]
    candidates += files.source.glob("*.diff")
    for run in study.runs:
        run_files = files.run(run.name)
        candidates += [run_files.events, run_files.log, run_files.model]
        if not has_ended(run_files.events):
            candidates += sorted(run_files.checkpoints.glob("*.pt"))
    content_by_name: dict[str, Content] = {
        str(file.relative_to(files.root)): file
        for file in candidates
        if file.is_file() and not file.is_symlink()
    }
    if labels:
        content_by_name["labels.json"] = json.dumps(labels, ensure_ascii=False).encode()
    if evidence.declarations:
        content_by_name[DECLARATIONS] = evidence.declarations
    text = paths.data_dir() / f"{study.data.sha256}.txt"
    if text.is_file():
        content_by_name[f"data/{text.name}"] = text
    return {
        name: content for name, content in content_by_name.items() if FILE_NAMES.fullmatch(name)
    }


def encode_list(study: Study, files: Mapping[str, Content], **about: Any) -> bytes:
    """The list of a bundle of these files, as JSON. ``about`` holds its other keys."""
    hashes = {name: _hash(content) for name, content in sorted(files.items())}
    record = {"v": FORMAT, "study": study.id, **about, "files": hashes}
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def _hash(content: Content) -> str:
    if isinstance(content, Path):
        return sha256_file(content)
    return hashlib.sha256(content).hexdigest()


def write_zip(out: IO[bytes], files: Mapping[str, Content]) -> None:
    """Files by their names, as a zip. OSError where one can't be read or written."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in sorted(
            files.items(), key=lambda item: (item[0] != LIST_NAME, item[0])
        ):
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            with packed.open(info, "w", force_zip64=True) as member:
                if isinstance(content, bytes):
                    member.write(content)
                else:
                    with open_regular(content) as source:
                        shutil.copyfileobj(source, member, 1 << 20)


def write_archive(
    study_id: str,
    target: Path,
    labels: Mapping[str, Any],
    evidence: Provenance,
    *,
    force: bool = False,
) -> None:
    """Write a study into ``target``, over a file only with ``force``.

    Problem when it is alive, when ``target`` is there already, or when the disk refuses.
    """
    study = studies.load(study_id)
    obstacle = kind_of_non_file(target)
    if obstacle is not None or (target.exists() and not force):
        instead = "another --output" + " or --overwrite" * (obstacle is None)
        raise Problem(
            f"{target} is {obstacle or 'already there'}", next=f"give {instead}", file=target
        )
    if not target.parent.is_dir():
        raise Problem(
            f"there is no folder {target.parent}",
            next="make it first, or give another --output",
            file=target.parent,
        )
    lock = None if is_alive(study.files) else try_lock(study.files.lock, wait=1.0)
    if lock is None:
        raise Problem(f"{study_id} is running", FAILED, next="archive it when it has ended")
    try:
        with os_errors_as_problems(f"cannot write {target}"):
            files = all_files(study, labels, evidence)
            planned = study.files.source.stat().st_mtime_ns
            about = {"q1lab": __version__, "made": utc_now(), "source_mtime_ns": planned}
            files = {LIST_NAME: encode_list(study, files, **about, **evidence.about), **files}
            write_atomic(target, lambda out: write_zip(out, files), through=True)
    finally:
        os.close(lock)


# ── reading


def is_archive(file: Path) -> bool:
    """True if a file is a packed bundle, that is, a zip."""
    with contextlib.suppress(OSError), open_regular(file) as stream:
        return stream.read(2) == b"PK" or file.suffix == ".zip"
    return False


@contextlib.contextmanager
def unpacked(file: Path, *, collect_faults: bool = False) -> Iterator[Bundle]:
    """Unpack an archive into q1lab's home for the length of a block. Problem if the file is not an
    archive, is damaged, is larger than it declares or than the disk, or has paths that lead
    elsewhere (``collect_faults``: see ``read_bundle``)."""
    home = paths.ensure_home()
    with tempfile.TemporaryDirectory(prefix=".take-in-", dir=home) as name:
        try:
            hashes = _extract_members(file, Path(name))
        except OSError as error:
            raise Problem(
                f"{file} can't be unpacked: {os_reason(error)}", FAILED, file=file
            ) from None
        except DAMAGE_ERRORS as error:
            why = printable(str(error))[:200] or type(error).__name__
            raise Problem(f"{file} can't be unpacked ({why})", FAILED, file=file) from None
        yield read_bundle(Path(name), str(file), hashes, collect_faults=collect_faults)


def _extract_members(file: Path, into: Path) -> dict[str, str]:
    """Extract every member into a folder; returns their hashes by name. Nothing is written of an
    archive whose list of members is not that of a study."""
    hash_by_name: dict[str, str] = {}
    with open_regular(file) as stream, zipfile.ZipFile(stream) as packed:
        members = packed.infolist()
        if len(members) > MOST_FILES:
            raise ValueError(f"it holds more than {MOST_FILES:,} files")
        for info in members:
            plain_file = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
            if not (
                plain_file and (FILE_NAMES.fullmatch(info.filename) or info.filename == LIST_NAME)
            ):
                raise ValueError(f"it holds {info.filename[:100]!r}, not a file of a study")
        if sum(info.file_size for info in members) >= shutil.disk_usage(into).free:
            raise ValueError("there is no room for what it holds")
        for info in members:
            with packed.open(info) as content:
                target = into / info.filename
                hash_by_name[info.filename] = _write_member(content, target, info.file_size)
    return hash_by_name


def _write_member(content: IO[bytes], target: Path, size: int) -> str:
    """Write a member, which has ``size`` bytes; returns its SHA-256. It is synced when it is taken
    in (``adopt_study``)."""
    private_folder(target.parent)
    digest = hashlib.sha256()
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as out:
        while block := content.read(1 << 20):
            size -= len(block)
            if size < 0:
                raise ValueError(f"{target.name} is larger than it says")
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def read_bundle(
    folder: Path,
    origin: str,
    hashes: Mapping[str, str] | None = None,
    *,
    collect_faults: bool = False,
) -> Bundle:
    """Read the bundle in a folder: one with a list, or a study's folder in q1lab's home. ``origin``
    names it in messages; ``hashes`` are those of the files, if known. Problem for a plan that can't
    be read, and for files that don't match the list (with ``collect_faults`` these are returned in
    ``faults``)."""
    fault_by_name: dict[str, str] = {}
    try:
        files = _find_files(folder) if hashes is None else {name: folder / name for name in hashes}
        record = _read_list(folder)
        if record is not None:
            fault_by_name = _find_faults(record, files, hashes)
            if fault_by_name and not collect_faults:
                raise ValueError(next(iter(fault_by_name.values())))
            files = {name: folder / name for name in record["files"] if name in files}
        study = studies.from_dict(studies.read_plan(folder / "study.json"))
        if record is not None and (record["study"] != study.id or not studies.is_id(study.id)):
            raise ValueError("its plan is of another study")
        labels, planned = None, (record or {}).get("source_mtime_ns")
        if "labels.json" in files:
            with contextlib.suppress(OSError, ValueError):
                labels = read_printable_json(folder / "labels.json", 1 << 20)
                labels = labels if isinstance(labels, dict) else None
    except FileNotFoundError as error:
        missing = str(error.filename).removeprefix(f"{folder}/")
        raise Problem(f"{origin} is not a study of q1lab: {missing} is missing", FAILED) from None
    except OSError as error:
        raise Problem(f"cannot read {origin}: {os_reason(error)}", FAILED) from None
    except DAMAGE_ERRORS as error:
        raise Problem(f"{origin} is damaged ({printable(str(error))[:200]})", FAILED) from None
    if not isinstance(planned, int) or not 0 < planned < 1 << 62:
        planned = 0
    return Bundle(study, files, record is not None, labels, planned, record or {}, fault_by_name)


def _find_files(folder: Path) -> dict[str, Path]:
    """The files below a folder that a bundle may hold; links are not followed."""
    path_by_name = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            name_in_bundle = path.relative_to(folder).as_posix()
            if FILE_NAMES.fullmatch(name_in_bundle) and path.is_file() and not path.is_symlink():
                path_by_name[name_in_bundle] = path
    return path_by_name


def _read_list(folder: Path) -> dict[str, Any] | None:
    """Read the list of the bundle in a folder; None where there is no list. ValueError for a
    damaged one."""
    file = folder / LIST_NAME
    if not os.path.lexists(file):
        return None
    record = read_json(file, LARGEST_LIST, refuse_link=True)
    if not isinstance(record, dict) or not isinstance(record.get("files"), dict):
        raise ValueError("its list names no files")
    if record["v"] != FORMAT:
        raise ValueError("it is of a newer q1lab; upgrade q1lab to open it")
    return record


def _find_faults(
    record: Mapping[str, Any], path_by_name: Mapping[str, Path], hashes: Mapping[str, str] | None
) -> dict[str, str]:
    """Compare the files with the list. Returns the fault by the file's name; empty if exactly the
    listed files are there, unchanged."""
    fault_by_name = {}
    for name, sha256 in record["files"].items():
        if name not in path_by_name:
            fault_by_name[name] = f"{name[:100]!r} is missing"
            continue
        accepted_hashes = possible_hashes(path_by_name[name]) if hashes is None else {hashes[name]}
        if sha256 not in accepted_hashes:
            fault_by_name[name] = f"{name} is not what its list has: it is damaged, or was changed"
        elif name.startswith("data/") and name != f"data/{sha256}.txt":
            fault_by_name[name] = "its text is not the one that its name says"
    for name in sorted(set(hashes or ()) - {*record["files"], LIST_NAME}):
        fault_by_name[name] = f"it holds {name[:100]!r}, which its list does not name"
    return fault_by_name


def possible_hashes(file: Path) -> set[str]:
    """The hashes that a list may have of a file: of its bytes, and of its text with git's line
    ends."""
    data = read_bytes(file, LARGEST_FILE)
    return {hashlib.sha256(variant).hexdigest() for variant in (data, with_git_line_ends(data))}


def with_git_line_ends(text: bytes) -> bytes:
    """A text with LF line ends, as git stores it; the work tree may have CRLF
    (``core.autocrlf``)."""
    return text.replace(b"\r\n", b"\n")


# ── adding to the studies of this machine


def adopt_study(
    study: Study, files: Mapping[str, Content], names: Iterable[str], planned: int = 0
) -> Study:
    """Add a study to q1lab's home under the first of ``names`` that is free; returns it with that
    name. It appears whole or not at all.

    Bytes are written, a file is moved (it lies in q1lab's home); a text of ``data/`` goes to the
    others. Problem when no name is free.
    """
    home = paths.ensure_home()
    private_folder(paths.studies_dir())
    with tempfile.TemporaryDirectory(prefix=".take-in-", dir=home) as scratch:
        draft = Path(scratch) / "study"
        for folder in (draft, draft / "source", draft / "runs"):
            folder.mkdir(mode=0o700)
        for name, content in files.items():
            if name.startswith("data/"):
                target = paths.data_dir() / Path(name).name
                if target.exists():
                    continue
            elif name in ("study.json", "labels.json", DECLARATIONS, "journal.jsonl"):
                continue
            else:
                target = draft / name
            if isinstance(content, Path):
                private_folder(target.parent)
                with content.open("rb") as received:
                    os.fsync(received.fileno())
                content.replace(target)
            else:
                write_atomic(target, content)
        if planned:
            with contextlib.suppress(OSError):
                os.utime(draft / "source", ns=(planned, planned))
        for name in names:
            renamed, target = replace(study, id=name), paths.study_dir(name)
            if target.exists() or target.is_symlink():
                continue
            write_atomic(draft / "study.json", studies.encode_plan(renamed))
            if name != study.id:  # its runs at W&B belong to the study with the old name
                shutil.rmtree(draft / "wandb", ignore_errors=True)
            try:
                draft.rename(target)
            except OSError as error:
                if target.exists():
                    continue
                raise Problem(
                    f"cannot write {target}: {os_reason(error)}", FAILED, file=target
                ) from error
            sync_folder(target.parent)
            return renamed
    raise Problem(f"there is a study called {name} already", next="restore it with --name NAME")


def restore(received: Bundle, file: Path, name: str | None = None) -> Study:
    """Restore a study from an unpacked archive, under ``name`` if given. Problem for a folder
    without a list, and when there is such a study already."""
    name = name or received.study.id
    if not received.has_list:
        raise Problem(
            f"{file} is not a study's archive",
            file=file,
        )
    if not studies.is_id(name):
        raise Problem(f"{name!r} is not a study's name: letters, digits, dots, hyphens")
    return adopt_study(received.study, received.files, [name], received.planned)

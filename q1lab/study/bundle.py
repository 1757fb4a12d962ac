"""One study as one folder, to take it away from this machine and to bring it back.

::

    bundle.json                   the list: SHA-256 of every other file, by its name
    study.json                    the plan, as declared
    source/<arm>/<name>.py        both model files as they trained; uncommitted.diff, of a command
    runs/<run>/events.jsonl       the runs' events; run.log, model.pt, checkpoints/ if wanted
    data/<sha256>.txt             the text, if wanted
    wandb/runs.json               the runs at W&B

The list also holds the study's claim (verdict/claim.py), the versions that trained it, and the
learner's name for it.

`q1lab export` writes it as a folder, or as a zip of that; `q1lab modification` commits a folder
beside its document, without what is too large or too private for a repository. Reading trusts
nothing: names, kinds, sizes and hashes are checked, and a study appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, BinaryIO

from q1lab import __version__
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import (
    PARTIAL_PREFIX,
    file_size,
    kind_of_non_file,
    open_regular,
    os_errors_as_problems,
    os_reason,
    printable,
    private_folder,
    read_bytes,
    read_json,
    sha256_file,
    sync_folder,
    try_lock,
    utc_now,
    write_atomic,
)
from q1lab.study import studies
from q1lab.study.corpora import LARGEST_CORPUS
from q1lab.study.events import has_ended
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study

LIST_NAME = "bundle.json"
FORMAT = 1
ZIP_SUFFIX = ".zip"
GIT_ATTRIBUTES = b"* -text\n"
"""A folder's ``.gitattributes``: git must not change line ends, since the list has hashes of
bytes."""
MOST_FILES, LARGEST_LIST, LARGEST_FILE = 50_000, 16 << 20, 256 << 20
"""Files of a bundle, bytes of its list, and of one file that is read in one piece."""

MOST_BYTES, MOST_LINES = 2 << 30, 2_000_000
"""Bytes of all files of a bundle but its weights, and lines of all its events.
Without these bounds an archive of some kilobytes fills the disk, the memory or the day of whoever
opens it."""

MOST_EXPANSION = 100
"""Weights hold at most this many times the bytes of their archive: real ones hardly shrink."""

_PART = r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}"
FILE_NAMES = re.compile(
    rf"study\.json|wandb/runs\.json|source(?:/{_PART}){{1,3}}\.py|source/uncommitted\.diff|data/[0-9a-f]{{64}}\.txt"
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
class Bundle:
    """A bundle whose files were read and match its list. ``files`` are the paths by the names in
    the bundle; ``has_list`` is False for a study's plain folder, which may lack files."""

    study: Study
    files: Mapping[str, Path]
    has_list: bool
    learners_name: str = ""
    """The learner's name for the study; "" where there is none."""
    planned: int = 0
    """The time at which the study was planned (ns since the epoch), which orders studies; 0 if
    unknown."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """The list's record, unchecked; empty where there is no list."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Name of each file that doesn't match the list → the fault, where faults were collected."""


# ── writing


def bundle_files(
    study: Study,
    provenance: Mapping[str, Any],
    *,
    published: Study | None = None,
    learners_name: str = "",
) -> dict[str, Content]:
    """The files of a study's bundle by their names, with its list. Problem when a model file can't
    be read.

    ``provenance`` are more keys of the list, by which a stranger checks the study. ``published`` is
    the plan for a repository. Its bundle is small and the same each time: without weights, logs,
    the text, the runs at W&B, and the events of runs that have not ended.
    """
    root, about = study.files.root, dict(provenance)
    plan = studies.encode_plan(published or study)
    content_by_name: dict[str, Content] = {"study.json": plan.encode()}
    with os_errors_as_problems(f"the model files of {study.id} can't be read"):
        for name in study.model_files.values():
            content_by_name[name] = read_bytes(root / name)
    if published:
        events = (study.files.run(run.name).events for run in study.runs)
        candidates = [file for file in events if has_ended(file)]
    else:
        candidates = _all_files(study)
        text = paths.data_dir() / f"{study.data.sha256}.txt"
        if text.is_file():
            content_by_name[f"data/{text.name}"] = text
        planned = study.files.source.stat().st_mtime_ns
        about |= {"q1lab": __version__, "made": utc_now(), "source_mtime_ns": planned}
    for file in candidates:
        if file.is_file() and not file.is_symlink():
            content_by_name.setdefault(str(file.relative_to(root)), file)
    content_by_name = {
        name: content for name, content in content_by_name.items() if FILE_NAMES.fullmatch(name)
    }
    if learners_name:
        about["name"] = learners_name
    return {LIST_NAME: encode_list(study, content_by_name, **about), **content_by_name}


def _all_files(study: Study) -> list[Path]:
    """The files that a study may have on this machine, but for its plan and its text."""
    files = study.files
    found = []
    for run in study.runs:
        run_files = files.run(run.name)
        found += [run_files.events, run_files.log, run_files.model]
        if not has_ended(run_files.events):  # it can still go on
            found += sorted(run_files.checkpoints.glob("*.pt"))
    return [
        *found,
        files.wandb / "runs.json",
        *files.source.rglob("*.py"),
        *files.source.glob("*.diff"),
    ]


def encode_list(study: Study, files: Mapping[str, Content], **about: Any) -> bytes:
    """The list of a bundle of these files, as JSON. ``about`` holds its other keys."""
    hashes = {name: _hash(content) for name, content in sorted(files.items())}
    record = {"v": FORMAT, "study": study.id, **about, "files": hashes}
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def _hash(content: Content) -> str:
    if isinstance(content, Path):
        return sha256_file(content)
    return hashlib.sha256(content).hexdigest()


def export_bundle(
    study_id: str,
    target: Path,
    provenance: Mapping[str, Any],
    learners_name: str,
    *,
    force: bool = False,
) -> None:
    """Write a study's bundle: a zip where ``target`` ends in ``.zip``, else a folder.

    Problem when the study is running, when ``target`` is there already (``force`` writes over a
    file, and over a folder that is a bundle), or when the disk refuses.
    """
    study = studies.load(study_id)
    is_zip = target.suffix.lower() == ZIP_SUFFIX
    _prove_free(target, is_zip=is_zip, force=force)
    lock = None if is_alive(study.files) else try_lock(study.files.lock, wait=1.0)
    if lock is None:
        raise Problem(f"{study_id} is running", FAILED, next="export it when it has ended")
    try:
        with os_errors_as_problems(f"cannot write {target}"):
            files = bundle_files(study, provenance, learners_name=learners_name)
            on_disk = {name: path for name, path in files.items() if isinstance(path, Path)}
            try:
                _check_files_on_disk(on_disk)
            except ValueError as error:
                raise Problem(f"{study_id} can't be exported: {error}", FAILED) from None
            if is_zip:
                write_atomic(target, lambda out: _write_zip(out, files), through=True)
            else:
                _write_folder(target, files)
    finally:
        os.close(lock)


def _prove_free(target: Path, *, is_zip: bool, force: bool) -> None:
    """Problem where no bundle can be written to ``target``."""
    if not target.parent.is_dir():
        raise Problem(
            f"there is no folder {target.parent}",
            next="make it first, or give another place",
            file=target.parent,
        )
    obstacle = kind_of_non_file(target)
    if not is_zip and target.is_dir() and not target.is_symlink():
        if not any(target.iterdir()):
            return
        obstacle = None if _holds_only_a_bundle(target) else "a folder with other files"
    elif not is_zip and os.path.lexists(target):
        obstacle = obstacle or "a file"
    if obstacle is not None or (target.exists() and not force):
        instead = "another place" + " or --overwrite" * (obstacle is None)
        raise Problem(
            f"{target} is {obstacle or 'already there'}", next=f"give {instead}", file=target
        )


def _holds_only_a_bundle(folder: Path) -> bool:
    own = {folder / LIST_NAME, folder / ".gitattributes", *_find_files(folder).values()}
    return is_bundle(folder) and all(path in own for path in folder.rglob("*") if not path.is_dir())


def _write_zip(out: IO[bytes], files: Mapping[str, Content]) -> None:
    """Files by their names, as a zip. OSError where one can't be read or written."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            with packed.open(info, "w", force_zip64=True) as member, _open(content) as source:
                shutil.copyfileobj(source, member, 1 << 20)


def _write_folder(target: Path, files: Mapping[str, Content]) -> None:
    """Write files into a folder, which appears whole or not at all, in the place of the one that is
    there. OSError where one can't be read or written."""
    with tempfile.TemporaryDirectory(prefix=PARTIAL_PREFIX, dir=target.parent) as scratch:
        draft, old = Path(scratch, "new"), Path(scratch, "old")
        for name, content in {**files, ".gitattributes": GIT_ATTRIBUTES}.items():
            file = draft / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as out, _open(content) as source:
                shutil.copyfileobj(source, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())
        if target.exists():
            target.rename(old)
        draft.rename(target)
        sync_folder(target.parent)


def _open(content: Content) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else open_regular(content)


# ── reading


def is_archive(file: Path) -> bool:
    """True if a file is a packed bundle, that is, a zip."""
    with contextlib.suppress(OSError), open_regular(file) as stream:
        return stream.read(2) == b"PK" or file.suffix == ZIP_SUFFIX
    return False


def is_bundle(place: Path) -> bool:
    """True if ``place`` is an archive, or a folder with a bundle's list."""
    return (place / LIST_NAME).is_file() if place.is_dir() else is_archive(place)


@contextlib.contextmanager
def taken_in(place: Path, *, collect_faults: bool = False) -> Iterator[Bundle]:
    """Take an archive, or a bundle's folder, into q1lab's home for the length of a block. Problem
    if it is neither, is damaged, is larger than it declares or than the disk, or has paths that
    lead elsewhere (``collect_faults``: see ``read_bundle``)."""
    home = paths.ensure_home()
    with tempfile.TemporaryDirectory(prefix=".take-in-", dir=home) as name:
        try:
            if place.is_dir():
                _copy_files(place, Path(name))
            else:
                _extract_members(place, Path(name))
        except OSError as error:
            raise Problem(
                f"{place} can't be read: {os_reason(error)}", FAILED, file=place
            ) from None
        except DAMAGE_ERRORS as error:
            why = printable(str(error))[:200] or type(error).__name__
            raise Problem(f"{place} can't be read ({why})", FAILED, file=place) from None
        yield read_bundle(Path(name), str(place), collect_faults=collect_faults)


def _copy_files(folder: Path, into: Path) -> None:
    """Copy the files that a bundle may hold; links are not followed."""
    for name, file in _find_files(folder).items():
        with open_regular(file, refuse_link=True) as source, _new_file(into / name) as out:
            shutil.copyfileobj(source, out, 1 << 20)


def _extract_members(file: Path, into: Path) -> None:
    """Extract every member into a folder. Nothing is written of an archive whose list of members is
    not that of a study."""
    with open_regular(file) as stream, zipfile.ZipFile(stream) as packed:
        members = packed.infolist()
        info_by_name = {info.filename: info for info in members}
        if len(info_by_name) < len(members):
            raise ValueError("it holds two files of one name")
        for info in members:
            plain_file = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
            if not (
                plain_file and (FILE_NAMES.fullmatch(info.filename) or info.filename == LIST_NAME)
            ):
                raise ValueError(f"it holds {info.filename[:100]!r}, not a file of a study")
            # (zipfile unpacks a block of the other kinds in one piece, however large that becomes)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{info.filename[:100]} is packed in a way that q1lab doesn't use")
        _check_bounds(
            {name: info.file_size for name, info in info_by_name.items()},
            lambda name: packed.open(info_by_name[name]),
        )
        weights = sum(info.file_size for info in members if info.filename.endswith(".pt"))
        if weights > MOST_EXPANSION * os.fstat(stream.fileno()).st_size:
            raise ValueError(f"its weights are {MOST_EXPANSION} times as large as it is")
        if sum(info.file_size for info in members) >= shutil.disk_usage(into).free:
            raise ValueError("there is no room for what it holds")
        for info in members:
            with packed.open(info) as content:
                _write_member(content, into / info.filename, info.file_size)


def _check_bounds(sizes: Mapping[str, int], open_file: Callable[[str], IO[bytes]]) -> None:
    """Check the files of a bundle, given by name with their bytes, against the bounds, before any
    of them is written or parsed. ValueError with the first one that is not kept."""
    if len(sizes) > MOST_FILES:
        raise ValueError(f"it holds more than {MOST_FILES:,} files")
    for name, size in sizes.items():
        most = _most_bytes(name)
        if size > most:
            raise ValueError(f"{name} has {size:,} bytes; at most {most:,} can be read")
    if sum(size for name, size in sizes.items() if not name.endswith(".pt")) > MOST_BYTES:
        raise ValueError(f"its files have more than {MOST_BYTES:,} bytes without the weights")
    lines = 0
    for name in sizes:
        if not name.endswith(".jsonl"):
            continue
        with open_file(name) as content:
            while block := content.read(1 << 20):
                lines += block.count(b"\n")
                if lines > MOST_LINES:
                    raise ValueError(f"its events have more than {MOST_LINES:,} lines")


def _most_bytes(name: str) -> int:
    """The most bytes that a file of a bundle may have, by its name."""
    if name.endswith(".pt"):
        return 1 << 40
    if name.startswith("data/"):
        return LARGEST_CORPUS
    return LARGEST_FILE if name.startswith("runs/") else LARGEST_LIST


def _check_files_on_disk(path_by_name: Mapping[str, Path]) -> None:
    """``_check_bounds`` for files in a folder."""
    _check_bounds(
        {name: path.stat().st_size for name, path in path_by_name.items()},
        lambda name: open_regular(path_by_name[name]),
    )


def _write_member(content: IO[bytes], target: Path, size: int) -> None:
    """Write a member, which has ``size`` bytes. It is synced when it is taken in
    (``adopt_study``)."""
    with _new_file(target) as out:
        while block := content.read(1 << 20):
            size -= len(block)
            if size < 0:
                raise ValueError(f"{target.name} is larger than it says")
            out.write(block)


def _new_file(path: Path) -> IO[bytes]:
    """Open a file of q1lab's home for writing, private to the user."""
    private_folder(path.parent)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(fd, "wb")


def read_bundle(folder: Path, origin: str, *, collect_faults: bool = False) -> Bundle:
    """Read the bundle in a folder: one with a list, or a study's folder in q1lab's home. ``origin``
    names it in messages. Files that the list does not name are no part of it. Problem for a plan
    that can't be read, and for files that don't match the list (with ``collect_faults`` these are
    returned in ``faults``)."""
    fault_by_name: dict[str, str] = {}
    try:
        files = _find_files(folder)
        _check_files_on_disk(files)
        record = _read_list(folder)
        if record is not None:
            fault_by_name = _find_faults(record, files)
            if fault_by_name and not collect_faults:
                raise ValueError(next(iter(fault_by_name.values())))
            files = {name: folder / name for name in record["files"] if name in files}
        study = studies.from_dict(studies.read_plan(folder / "study.json"))
        if record is not None and (record["study"] != study.id or not studies.is_id(study.id)):
            raise ValueError("its plan is of another study")
    except FileNotFoundError as error:
        missing = str(error.filename).removeprefix(f"{folder}/")
        raise Problem(f"{origin} is not a study of q1lab: {missing} is missing", FAILED) from None
    except OSError as error:
        raise Problem(f"cannot read {origin}: {os_reason(error)}", FAILED) from None
    except DAMAGE_ERRORS as error:
        raise Problem(f"{origin} is damaged ({printable(str(error))[:200]})", FAILED) from None
    about = record or {}
    planned, name = about.get("source_mtime_ns"), about.get("name")
    if not isinstance(planned, int) or not 0 < planned < 1 << 62:
        planned = 0
    name = name if isinstance(name, str) else ""
    return Bundle(study, files, record is not None, name, planned, about, fault_by_name)


def _find_files(folder: Path) -> dict[str, Path]:
    """The files below a folder that a bundle may hold; links are not followed."""
    path_by_name = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            name_in_bundle = path.relative_to(folder).as_posix()
            belongs = name_in_bundle == LIST_NAME or FILE_NAMES.fullmatch(name_in_bundle)
            if belongs and path.is_file() and not path.is_symlink():
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


def _find_faults(record: Mapping[str, Any], path_by_name: Mapping[str, Path]) -> dict[str, str]:
    """Compare the files with the list. Returns the fault by the file's name; empty if the listed
    files are there, unchanged."""
    fault_by_name = {}
    for name, sha256 in record["files"].items():
        if name not in path_by_name:
            fault_by_name[name] = f"{name[:100]!r} is missing"
        elif sha256 not in possible_hashes(path_by_name[name]):
            fault_by_name[name] = f"{name} is not what its list has: it is damaged, or was changed"
        elif name.startswith("data/") and name != f"data/{sha256}.txt":
            fault_by_name[name] = "its text is not the one that its name says"
    return fault_by_name


def possible_hashes(file: Path) -> set[str]:
    """The hashes that a list may have of a file: of its bytes, and of its text with git's line
    ends."""
    if file_size(file) > LARGEST_FILE:  # no text
        return {sha256_file(file)}
    data = read_bytes(file, LARGEST_FILE)
    return {hashlib.sha256(variant).hexdigest() for variant in (data, with_git_line_ends(data))}


def with_git_line_ends(text: bytes) -> bytes:
    """A text with LF line ends, as git stores it; the work tree may have CRLF
    (``core.autocrlf``)."""
    return text.replace(b"\r\n", b"\n")


# ── adding to the studies of this machine


def adopt_study(study: Study, files: Mapping[str, Path], name: str, planned: int = 0) -> Study:
    """Add a study to q1lab's home under ``name``; returns it with that name. It appears whole or
    not at all. The files, which lie in q1lab's home, are moved; a text of ``data/`` goes to the
    others. Problem when the name is taken."""
    home = paths.ensure_home()
    private_folder(paths.studies_dir())
    renamed, place = replace(study, id=name), studies.free_folder(name)
    with tempfile.TemporaryDirectory(prefix=".take-in-", dir=home) as scratch:
        draft = Path(scratch) / "study"
        for folder in (draft, draft / "source", draft / "runs"):
            folder.mkdir(mode=0o700)
        for file_name, file in files.items():
            if file_name in (LIST_NAME, "study.json"):
                continue
            target = draft / file_name
            if file_name.startswith("data/"):
                target = paths.data_dir() / file.name
                if target.exists():
                    continue
            private_folder(target.parent)
            with file.open("rb") as received:
                os.fsync(received.fileno())
            file.replace(target)
        if planned:
            with contextlib.suppress(OSError):
                os.utime(draft / "source", ns=(planned, planned))
        write_atomic(draft / "study.json", studies.encode_plan(renamed))
        if name != study.id:  # its runs at W&B belong to the study with the old name
            shutil.rmtree(draft / "wandb", ignore_errors=True)
        try:
            draft.rename(place)
        except OSError as error:
            studies.free_folder(name)  # another process was faster
            raise Problem(
                f"cannot write {place}: {os_reason(error)}", FAILED, file=place
            ) from error
        sync_folder(place.parent)
    return renamed


def restore(received: Bundle, place: Path, name: str | None = None) -> Study:
    """Restore a study from a bundle that was taken in, under ``name`` if given. Problem for a
    folder without a list, and when there is such a study already."""
    name = name or received.study.id
    if not received.has_list:
        raise Problem(f"{place} is neither a study's folder nor its archive", file=place)
    return adopt_study(received.study, received.files, name, received.planned)

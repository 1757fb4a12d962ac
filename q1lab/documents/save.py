"""Write documents into the learner's repository and commit exactly them, or leave everything as it
was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from q1lab import written
from q1lab.documents import regions
from q1lab.documents.templates import Rendered
from q1lab.errors import FAILED, Problem
from q1lab.files import os_reason, proved, read_bytes
from q1lab.repository import CommitResult, NeedsYes, Repository


@dataclass(frozen=True)
class Draft:
    """What a document would become. ``old`` is None for a new file; ``edited`` are regions that the
    learner changed and that stay as they are (unless it was made with ``overwrite``)."""

    path: Path
    old: bytes | None
    new: bytes
    changed: tuple[str, ...]
    edited: tuple[str, ...]
    edited_diff: str
    diff: str

    @property
    def differs(self) -> bool:
        return self.old != self.new


@dataclass(frozen=True)
class Saved:
    """``written`` files, the commit (None without one), and where the text before is kept, if it
    is."""

    written: tuple[Path, ...]
    commit: CommitResult | None
    copy: Path | None = None

    @property
    def sha(self) -> str | None:
        """The commit's name, None where nothing was committed."""
        return self.commit.sha if self.commit and self.commit.committed else None


def draft(
    path: Path, rendered: Rendered, *, overwrite: bool = False, add_missing: bool = False
) -> Draft:
    """The document refreshed in memory. A learner's own file without any region gets all of them at
    its end; one that has some gets a missing one only with ``add_missing``: it may have been
    deleted on purpose."""
    old = read(path)
    if old is None or not old.strip():
        new = rendered.text.encode()
        return Draft(
            path,
            old,
            new,
            tuple(rendered.regions),
            (),
            "",
            regions.unified(old or b"", new, path.name),
        )
    has_some = bool(regions.find(old, path.name))
    done = regions.refresh(
        old,
        rendered.regions,
        where=path.name,
        overwrite=overwrite,
        append=add_missing or not has_some,
    )
    kept = () if overwrite else done.edited
    return Draft(
        path,
        old,
        done.data,
        (*(name for name in done.changed if name in done.diffs), *done.added),
        kept,
        "".join(done.diffs[name] for name in kept),
        regions.unified(old, done.data, path.name),
    )


def read(path: Path) -> bytes | None:
    """A document's bytes, None when there is none. Problem for what is no plain, readable file."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise Problem(f"{path} is not a plain file: q1lab writes plain files only")
        return read_bytes(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(f"cannot read {path}: {os_reason(error)}", FAILED) from None


def save(
    files: Mapping[Path, bytes],
    message: str,
    repo: Repository | None,
    *,
    root: Path | None = None,
    confirmed: bool = False,
    dry_run: bool = False,
) -> Saved:
    """Write ``files``, which lie below ``root`` (by default the repository's, else where each one
    is), and with a repository commit exactly them. One act: when the commit is
    refused, the files are put back as they were; when it is cut off by a kill, the next call knows
    q1lab's own bytes from the learner's edits. NeedsYes (before anything is written) where only a
    person's yes is missing."""
    if dry_run:
        before = {path: read(path) for path in files}
        _prove(files, repo, root)
        if repo is not None:
            repo.check(files, confirmed=True, dry_run=True)
        return Saved(tuple(path for path in files if before[path] != files[path]), None)
    git_dir = repo.git_dir if repo is not None else None
    with written.writing(git_dir):
        before = {path: read(path) for path in files}
        _prove(files, repo, root)
        ours = [path for path in files if written.ours(path, before[path])]
        checked = repo.check(files, confirmed=confirmed, ours=ours) if repo is not None else None
        changed = {path: data for path, data in files.items() if before[path] != data}
        made = [folder for path in changed for folder in _new_folders(path)]
        done: list[Path] = []
        # Without a repository nobody asks whose the rest of an existing file is.
        whole = [path for path in files if repo or before[path] is None or path in ours]
        written.mean({path: files[path] for path in whole})
        try:
            for path, data in changed.items():
                if read(path) != before[path]:
                    raise Problem(
                        f"{path} changed while q1lab worked on it; run the command again", FAILED
                    )
                written.put(path, data, mode=public_mode(), git_dir=git_dir)
                done.append(path)
            result = None
            if repo is not None and checked is not None:
                result = repo.commit(checked, message)
        except BaseException:
            moved = repo is not None and checked is not None and repo.head() != checked.head
            if repo is not None and moved and all(map(repo.holds, done)):
                raise  # cut off after the commit: it has them
            for path in done:
                _put_back(path, before[path], changed[path], git_dir)
            for folder in reversed(made):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            written.mean({path: before[path] or b"" for path in ours})
            raise
        return Saved(tuple(changed), result)


def _prove(files: Mapping[Path, bytes], repo: Repository | None, root: Path | None) -> None:
    """Problem where one of ``files`` would be written elsewhere, through a link."""
    root = root if repo is None else repo.root
    for path in files:
        proved(path, path.parent if root is None else root)


def _put_back(path: Path, old: bytes | None, ours: bytes, git_dir: Path | None) -> None:
    """Undo our writing, unless somebody (a hook) has changed the file since."""
    with contextlib.suppress(OSError, Problem):
        if read_bytes(path) != ours:
            return
        if old is None:
            path.unlink()
        else:
            written.put(path, old, mode=public_mode(), git_dir=git_dir)


def _new_folders(path: Path) -> list[Path]:
    """The folders that writing ``path`` would make, outermost first."""
    found = []
    folder = path.parent
    while not folder.exists():
        found.append(folder)
        folder = folder.parent
    return found[::-1]


def public_mode() -> int:
    """The permissions that any program of this person gives a new file (q1lab's own files are
    private instead)."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


__all__ = ["Draft", "NeedsYes", "Saved", "draft", "public_mode", "read", "save"]

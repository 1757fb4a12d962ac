"""A change of the learner's files: shown first, then written and committed as shown.

``document_change`` makes the change that brings one document up to date: its template is rendered,
its regions are refreshed, every other byte stays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.documents import managed_regions
from q1lab.documents.templates import Rendered
from q1lab.ground import write_intents
from q1lab.ground.errors import FAILED, Problem, notice
from q1lab.ground.files import os_reason, prove_inside, read_bytes
from q1lab.ground.git_repository import CommitResult, Repository
from q1lab.ground.text_formats import plural
from q1lab.journal.store import Store
from q1lab.study import kept_folder


@dataclass(frozen=True)
class SavedChange:
    """``written`` files, the commit (None without one), and where the text before is kept, if it
    is."""

    written: tuple[Path, ...]
    commit: CommitResult | None
    copy: Path | None = None

    @property
    def sha(self) -> str | None:
        """The commit's name, None where nothing was committed."""
        return self.commit.sha if self.commit and self.commit.committed else None


@dataclass(frozen=True)
class Change:
    """Files to be written whole, and the message of the commit that holds exactly them.

    ``repo`` is None where nothing is committed. ``changed`` and ``edited`` name regions: those that
    get new text, and those that the learner edited and that stay. ``after`` is what the store notes
    once it is done.
    """

    files: Mapping[Path, bytes]
    message: str
    repo: Repository | None
    diff: str
    root: Path | None = None
    """Without a repository, the folder outside of which nothing is written."""
    is_new: bool = False
    """True if the document did not exist."""
    changed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    edited_diff: str = ""
    warnings: tuple[str, ...] = ()
    """Sentences to read before it is committed."""
    after: Callable[[Store, SavedChange], None] | None = None
    keep_copy: Callable[[], Path] | None = None
    """Keeps the text that is replaced, where nothing else has it, and returns where."""

    def describe_paths(self, paths: Iterable[Path]) -> str:
        """Some of its files by their paths in the repository, separated by commas; those of a
        study's folder count as one."""
        root = self.repo.root if self.repo is not None else self.root
        places: dict[str, list[str]] = {}
        for path in paths:
            inside = root is not None and path.is_relative_to(root)
            name = path.relative_to(root or path).as_posix() if inside else path.name
            head, *rest = name.split("/")
            label = (
                f"{head}/{rest[0]}"
                if head == kept_folder.STUDIES_FOLDER and len(rest) > 1
                else name
            )
            places.setdefault(label, []).append(name)
        return ", ".join(
            f"{place} ({len(names)} files)" if len(names) > 1 else names[0]
            for place, names in places.items()
        )

    def pending(self) -> tuple[Path, ...]:
        """The files that saving would change, on disk or in the repository."""
        return tuple(
            path
            for path, data in self.files.items()
            if read_document(path) != data
            or (self.repo is not None and not self.repo.has_committed(path))
        )

    def save(self, store: Store, *, confirmed: bool = False, dry_run: bool = False) -> SavedChange:
        """Write and commit, and note it. Raises NeedsYes and Problem as ``save_files`` does, and
        Problem where a hook changed a kept study."""
        before: dict[Path, bytes | None] = {}
        copy = None
        if self.keep_copy is not None and not dry_run:
            before = {path: read_document(path) for path in self.files}
            copy = self.keep_copy()
        try:
            saved = save_files(
                self.files,
                self.message,
                self.repo,
                root=self.root,
                confirmed=confirmed,
                dry_run=dry_run,
            )
        except BaseException:
            if copy is not None:
                if before == {path: read_document(path) for path in self.files}:
                    copy.unlink(missing_ok=True)  # there is nothing to go back to
                else:
                    notice(f"{self.describe_paths(self.files)} as it was before: {copy}")
            raise
        saved = replace(saved, copy=copy)
        if self.after is not None and not dry_run:
            try:
                self.after(store, saved)
            except Problem:
                done = "written" + (f" and committed ({saved.sha[:7]})" if saved.sha else "")
                names = self.describe_paths(self.files)
                verb = "are" if len(self.files) > 1 else "is"
                notice(f"{names} {verb} {done}; only the journal has no note of it")
                raise
        if saved.commit is not None:
            _refuse_changed_studies(saved.commit)
        return saved


def _refuse_changed_studies(commit: CommitResult) -> None:
    """Problem where a hook changed files of a kept study, whose hashes are in its list."""
    folder = f"{kept_folder.STUDIES_FOLDER}/"
    changed = [
        name for name in commit.changed_by_hook if name.startswith(folder) and name.count("/") > 1
    ]
    if changed:
        more = f" and {plural(len(changed) - 1, 'more file')}" if len(changed) > 1 else ""
        raise Problem(
            f"a hook of this repository changed {changed[0]}{more} while commit "
            f"{str(commit.sha)[:7]} was made, so the kept study is damaged",
            FAILED,
            next=f"keep the hook away from {folder}, then `q1lab modification` writes it again",
        )


def document_change(
    path: Path,
    rendered: Rendered,
    repo: Repository | None = None,
    root: Path | None = None,
    *,
    overwrite: bool = False,
    other_heads: Iterable[bytes] = (),
) -> Change:
    """The change that brings a document up to date, still without a message. A learner's own file
    without any region gets all of them at its end; one that has some gets no missing one, which the
    learner may have deleted on purpose. What stands above the regions is renewed where it is one of
    ``other_heads``, which q1lab wrote there before something was chosen or changed."""
    old = read_document(path)
    if old is None or not old.strip():
        new = rendered.text.encode()
        diff = managed_regions.document_diff(old or b"", new, path.name)
        return Change({path: new}, "", repo, diff, root, old is None, tuple(rendered.regions))
    refreshed = managed_regions.refresh_regions(
        old,
        rendered.regions,
        where=path.name,
        overwrite=overwrite,
        append=not managed_regions.find_regions(old, path.name),
    )
    edited = () if overwrite else refreshed.edited
    new = refreshed.data
    if not new.startswith(rendered.head):
        written = next(filter(new.startswith, other_heads), None)
        new = new if written is None else rendered.head + new.removeprefix(written)
    return Change(
        {path: new},
        "",
        repo,
        managed_regions.document_diff(old, new, path.name),
        root,
        changed=(
            *(name for name in refreshed.changed if name in refreshed.diffs),
            *refreshed.added,
        ),
        edited=edited,
        edited_diff="".join(refreshed.diffs[name] for name in edited),
    )


def read_document(path: Path) -> bytes | None:
    """A document's bytes, None when there is none. Problem unless it is a plain, readable file."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise Problem(f"{path} is not a plain file: q1lab writes plain files only", file=path)
        return read_bytes(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(f"cannot read {path}: {os_reason(error)}", FAILED, file=path) from None


def save_files(
    files: Mapping[Path, bytes],
    message: str,
    repo: Repository | None,
    *,
    root: Path | None = None,
    confirmed: bool = False,
    dry_run: bool = False,
) -> SavedChange:
    """Write ``files``, which lie below ``root`` (by default the repository's, else where each one
    is), and with a repository commit exactly them. Where the commit is refused or cut off, what was
    written stays, and the next call knows q1lab's own bytes from the learner's edits. NeedsYes
    (before anything is written) where only a person's yes is missing."""
    git_dir = repo.git_dir if repo is not None else None
    with contextlib.nullcontext() if dry_run else write_intents.single_writer(git_dir):
        before = {path: read_document(path) for path in files}
        for path in files:  # written elsewhere, through a link, it would not be the document
            prove_inside(path, (repo.root if repo is not None else root) or path.parent)
        ours = [path for path in files if write_intents.is_last_written(path, before[path])]
        if repo is not None:
            repo.check(files, confirmed=confirmed or dry_run, ours=ours)
        changed = {path: data for path, data in files.items() if before[path] != data}
        if dry_run:
            return SavedChange(tuple(changed), None)
        # Without a repository nobody asks whose the rest of an existing file is.
        q1labs_own = [path for path in files if repo or before[path] is None or path in ours]
        write_intents.record_intent({path: files[path] for path in q1labs_own})
        for path, data in changed.items():
            if read_document(path) != before[path]:
                raise Problem(
                    f"{path} changed while q1lab worked on it",
                    FAILED,
                    next="run the command again",
                    file=path,
                )
            write_intents.replace_file(path, data, git_dir)
        result = repo.commit(files, message) if repo is not None else None
        return SavedChange(tuple(changed), result)

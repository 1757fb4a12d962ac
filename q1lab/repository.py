"""Every git act of q1lab, and nothing else does git.

q1lab is a guest in the learner's repository. So: only named paths are committed (``git commit
--only``), what the learner has staged or left unstaged stays as it is, hooks run, nothing is
pushed, and git never prompts, opens an editor or a pager. Where git would do something a person did
not mean (commit onto a half-done rebase, invent an identity), q1lab looks first and refuses with
one line.

git is run through GitPython's command object, ``repo.git``. GitPython's own index and commit
objects are not used: they take staged work along and make up an author.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.errors import FAILED, Problem
from q1lab.files import read_bytes

if TYPE_CHECKING:
    import git

# What keeps git quiet. GIT_OPTIONAL_LOCKS: a look never rewrites the index. GPG_TTY: a passphrase
# can't be asked for on the terminal; signing with an agent, or with a key that has none, works.
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GPG_TTY": "",
}
# Set by a caller (a hook, a wrapper), these point git at another repository than the one on disk.
_MISLEADING = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
)

_WHO = "\x01"
"""What stands before an author's name and address in what ``git log`` prints here."""

_LOCK_TRIES, _LOCK_PAUSE_S = 6, 0.25

_LOCKED = re.compile(r"Unable to create '([^']+\.lock)': File exists")

_IN_PROGRESS = (
    # file or folder in the git directory, what it means, how to end it
    ("rebase-merge", "a rebase", "git rebase --continue (or --abort)"),
    ("rebase-apply/applying", "an am (patches being applied)", "git am --continue (or --abort)"),
    ("rebase-apply", "a rebase", "git rebase --continue (or --abort)"),
    ("MERGE_HEAD", "a merge", "git merge --continue (or --abort)"),
    ("CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue (or --abort)"),
    ("REVERT_HEAD", "a revert", "git revert --continue (or --abort)"),
    (
        "sequencer",
        "a cherry-pick or revert of several commits",
        "git cherry-pick --abort (or git revert --abort)",
    ),
    ("BISECT_LOG", "a bisect", "git bisect reset"),
)


class NoRepository(Problem):
    """The folder is in no git repository. ``folder`` is where one could be made with ``init``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is in no git repository: "
            f"give one with --repo PATH, or make one with `git init {folder}`"
        )
        self.folder = folder


class NeedsYes(Problem):
    """The act is possible, but a person must say yes first (``confirmed=True``, ``--yes``).

    ``reasons`` are plain sentences; ``diff`` shows the learner's own edits that would be committed
    with ours.
    """

    def __init__(self, reasons: Sequence[str], diff: str) -> None:
        super().__init__("; ".join(reasons) + ". Nothing was changed; --yes goes on")
        self.reasons = tuple(reasons)
        self.diff = diff


@dataclass(frozen=True)
class Head:
    """Where HEAD is: ``sha`` is None before the first commit, ``branch`` is None when HEAD is
    detached."""

    sha: str | None
    branch: str | None

    @property
    def detached(self) -> bool:
        return self.branch is None


@dataclass(frozen=True)
class CommitResult:
    """What a commit did, or with ``dry_run`` would do.

    ``files`` are the committed paths (relative, as git names them), ``extra`` those that a hook
    added on its own, ``diff`` the change of the named paths against the old HEAD, ``notes``
    sentences worth showing.
    """

    committed: bool
    sha: str | None
    branch: str | None
    message: str
    files: tuple[str, ...]
    extra: tuple[str, ...]
    diff: str
    notes: tuple[str, ...]
    dry_run: bool = False


class Repository:
    """A git work tree. Make one with ``Repository.discover``."""

    def __init__(self, root: Path, git_dir: Path, superproject: Path | None) -> None:
        self.root = root
        self.git_dir = git_dir
        self._superproject = superproject

    # ── finding

    @classmethod
    def discover(cls, path: Path | str = ".") -> Repository:
        """The repository whose work tree holds ``path`` (a folder or a file, which need not exist
        yet).

        Raises NoRepository when there is none; Problem for a bare repository, a place inside
        ``.git``, a folder that is gone, one that git does not trust, or a ``GIT_DIR`` and its like
        in the environment.
        """
        set_ = [name for name in _MISLEADING if os.environ.get(name)]
        if set_:
            raise Problem(
                f"{set_[0]} is set, so git would work on another repository: unset it and try again"
            )
        given = Path(path).expanduser().absolute()
        folder = given if given.is_dir() else given.parent
        if not folder.is_dir():
            raise Problem(f"there is no folder {given}: check --repo, or the configured repository")
        found, out, err = _run(
            folder, "rev-parse", "--is-bare-repository", "--is-inside-git-dir", "--absolute-git-dir"
        )
        if found != 0:
            if "not a git repository" in err:
                raise NoRepository(folder)
            raise Problem(f"git cannot use {folder}: {_first_line(err)}", FAILED)
        bare, inside, git_dir = out.rstrip("\n").split("\n", 2)
        if bare == "true":
            raise Problem(
                f"{git_dir} is a bare repository, without a work tree to write in: clone it first"
            )
        if inside == "true":
            raise Problem(f"{folder} is inside git's own folder: give the work tree with --repo")
        code, top, err = _run(folder, "rev-parse", "--show-toplevel")
        if code != 0:
            raise Problem(f"git cannot use {folder}: {_first_line(err)}", FAILED)
        _, above, _ = _run(folder, "rev-parse", "--show-superproject-working-tree")
        above = above.rstrip("\n")
        return cls(Path(top.rstrip("\n")), Path(git_dir), Path(above) if above else None)

    @classmethod
    def around(cls, path: Path | str) -> Repository | None:
        """As ``discover``, but None where there is none."""
        try:
            return cls.discover(path)
        except NoRepository:
            return None

    # ── looking

    def head(self) -> Head:
        """The commit and branch that HEAD points at."""
        code, sha, _ = self._git("rev-parse", "--verify", "-q", "HEAD")
        named, branch, _ = self._git("symbolic-ref", "-q", "--short", "HEAD")
        return Head(sha.strip() if code == 0 else None, branch.strip() if named == 0 else None)

    def is_dirty(self, path: Path | str | None = None) -> bool:
        """Whether ``path`` (or anything tracked, when None) differs from HEAD; a new ``path``
        does."""
        args = [
            "status",
            "--porcelain=v2",
            "-z",
            f"--untracked-files={'no' if path is None else 'all'}",
        ]
        if path is not None:
            args += ["--", _literal(self._relative(Path(path)))]
        return bool(self._must(*args))

    def diff(self, path: Path | str) -> str:
        """The unified diff of ``path``, HEAD to work tree. A new file is shown whole; "" when
        equal."""
        return self._diff(self._relative(Path(path)))

    def tracked(self, pattern: str) -> tuple[str, ...]:
        """Tracked files whose name matches a git glob such as ``*.ipynb``, at any depth."""
        out = self._must("ls-files", "-z", "--", _glob(pattern))
        return tuple(name for name in out.split("\0") if name)

    def added_by_me(self, pattern: str) -> tuple[str, ...]:
        """The ``tracked`` files that this person's own commits added, wherever they were moved
        since and by whom."""
        me = self._me()
        _, out, _ = self._git(
            "log",
            "--reverse",
            "-z",
            "--name-status",
            "--find-renames",
            f"--format={_WHO}%an{_WHO}%ae",
            "--",
            _glob(pattern),
        )
        words = iter(filter(None, (word.lstrip("\n") for word in out.split("\0"))))
        mine, added = False, set()
        for word in words:
            if word.startswith(_WHO):
                mine = not me.isdisjoint(word.split(_WHO)[1:])
            elif word == "A":
                name = next(words)
                added.discard(name)
                added |= {name} if mine else set()
            elif word[0] in "RC":
                old, new = next(words), next(words)
                added |= {new} if old in added else set()
            else:
                next(words)
        return tuple(name for name in self.tracked(pattern) if name in added)

    def is_mine_at_origin(self) -> bool:
        """Whether this person has a commit at ``origin``, as far as this clone knows it: else it is
        somebody else's project. So it is where nothing was ever fetched from or pushed to it."""
        code, out, _ = self._git("log", "--remotes=origin", f"--format=%an{_WHO}%ae", "-z")
        authors = set(filter(None, out.split("\0")))
        me = self._me()
        return code != 0 or not authors or any(not me.isdisjoint(w.split(_WHO)) for w in authors)

    def _me(self) -> frozenset[str]:
        """The name and the address that this person commits with here; empty where git knows
        none."""
        code, ident, _ = self._git("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
        found = re.match(r"(.*) <(.*)>", ident)
        return frozenset(found.groups()) if code == 0 and found else frozenset()

    def holds(self, path: Path | str) -> bool:
        """Whether the last commit has ``path`` as it is now."""
        name = self._relative(Path(path))
        return self._blob(self.head(), name) is not None and not self.is_dirty(path)

    def versions(self, path: Path | str, most: int = 500) -> Iterator[bytes]:
        """The contents that ``path`` had in the commits of all branches, newest first, each once;
        of ``most`` commits that changed it."""
        name = self._relative(Path(path))
        code, out, _ = self._git(
            "log",
            "--all",
            f"--max-count={most}",
            "--format=",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "--diff-merges=first-parent",
            "-z",
            "--",
            _literal(name),
        )
        if code != 0:  # no commit yet
            return
        seen: set[str] = set()
        for mode, blob in re.findall(r":\d+ (\d+) [0-9a-f]+ ([0-9a-f]+) ", out):
            if blob not in seen and mode in ("100644", "100755"):
                seen.add(blob)
                yield os.fsencode(self._must("cat-file", "blob", blob))

    def web_url(self) -> str | None:
        """The address of ``origin`` for a browser, without credentials; None without a public
        remote."""
        code, out, _ = self._git("config", "--get", "remote.origin.url")
        return _browsable(out.strip()) if code == 0 else None

    # ── committing

    def check(
        self,
        paths: Iterable[Path | str],
        *,
        confirmed: bool = False,
        ours: Iterable[Path] = (),
    ) -> None:
        """Raise Problem when ``commit`` of these paths would be refused. Changes nothing.

        Call it before writing a document, with the paths as they are on disk. ``ours`` are those
        that hold no uncommitted edit of the learner's, whatever git says. NeedsYes means that only
        a person's yes is missing.
        """
        names = self._names(paths)
        self._refuse_states(names)
        reasons, diffs = self._questions(names, {}, ours)
        if reasons and not confirmed:
            raise NeedsYes(reasons, "".join(diffs))

    def commit(
        self,
        paths: Iterable[Path | str],
        message: str,
        *,
        dry_run: bool = False,
        confirmed: bool = False,
        before: Mapping[Path, bytes | None] | None = None,
        ours: Iterable[Path] = (),
    ) -> CommitResult:
        """Commit the work-tree content of exactly ``paths``.

        ``before`` holds what each file held before q1lab wrote it (None: it did not exist): what
        differs from HEAD there is the learner's own and needs ``confirmed``. Without ``before``,
        any uncommitted change of a tracked file counts as the learner's. ``ours`` are paths whose
        earlier content was q1lab's own, though it was not committed. ``confirmed`` also allows
        a commit on a detached HEAD or in a submodule. With ``dry_run`` nothing changes and the
        result says what would be done. When nothing differs from HEAD, nothing is committed and
        ``committed`` is False.

        Raises Problem, having changed nothing, in every state that ``check`` knows and when a hook
        refuses.
        """
        if not message.strip() or "\0" in message:
            raise Problem("a commit needs a message")
        names = self._names(paths)
        self._refuse_states(names)
        for name in names:
            if not os.path.lexists(self.root / name):
                raise Problem(f"there is no file {self.root / name} to commit")
        reasons, diffs = self._questions(names, before, ours)
        if reasons and not confirmed:
            raise NeedsYes(reasons, "".join(diffs))
        old = self.head()
        changed = [name for name in names if self._diff(name)]
        diff = "".join(self._diff(name) for name in changed)
        if dry_run or not changed:
            notes = () if changed else ("nothing to commit: the files are as in the last commit",)
            return CommitResult(
                False, old.sha, old.branch, message, tuple(changed), (), diff, notes, dry_run
            )
        return self._commit(changed, message, old, diff)

    def _commit(self, names: list[str], message: str, old: Head, diff: str) -> CommitResult:
        # a look at every file, twice: worth it only where a hook may have touched others
        status_before = self._status_of_others(names) if self._has_hooks() else None
        contents = {name: read_bytes(self.root / name) for name in names}
        index = self.git_dir / "index"
        index_before = index.read_bytes() if index.exists() else None
        untracked = [name for name in names if not self._index_entry(name)]
        specs = [_literal(name) for name in names]
        if untracked:
            self._unlocked("add", "-N", "--", *(_literal(name) for name in untracked))
        index_ours = index.read_bytes() if index.exists() else None
        arguments = (
            "commit",
            "--only",
            "--quiet",
            "--cleanup=whitespace",
            f"--message={message}",
            "--",
            *specs,
        )
        try:
            code, out, err = self._patient(*arguments)
        except BaseException:
            self._undo_add(index, index_before, index_ours, untracked)
            raise
        now = self.head()
        if code != 0 and now.sha == old.sha:
            self._undo_add(index, index_before, index_ours, untracked)
            raise self._commit_failure(out + err, contents)
        notes: list[str] = []
        if code != 0:
            notes.append(f"git reported after the commit: {_first_line(err)}")
        files = self._files_of(now.sha, old.sha)
        extra = tuple(name for name in files if name not in names)
        if extra:
            notes.append("a hook of this repository also committed: " + ", ".join(extra))
            notes += self._mend_index(extra, old)
        notes += [
            f"a hook of this repository changed {name}"
            for name, content in contents.items()
            if not (self.root / name).exists() or read_bytes(self.root / name) != content
        ]
        if status_before is not None and self._status_of_others([*names, *extra]) != [
            line for line in status_before if not any(_mentions(line, name) for name in extra)
        ]:
            notes.append(
                "other files changed while the commit ran (a hook, or another program): "
                "see `git status`"
            )
        return CommitResult(
            True, now.sha, now.branch, message, tuple(files), extra, diff, tuple(notes)
        )

    def _commit_failure(self, output: str, contents: Mapping[str, bytes]) -> Problem:
        """Say why git refused, from its own words."""
        text = output.strip()
        low = text.lower()
        touched = [
            name
            for name, content in contents.items()
            if not (self.root / name).exists() or read_bytes(self.root / name) != content
        ]
        tail = f" (the hook changed {', '.join(touched)})" if touched else ""
        if _LOCKED.search(text):
            return self._locked_problem(text)
        if "no space left" in low:
            return Problem(
                "the disk is full, so nothing was committed: free some space and try again", FAILED
            )
        if (
            "gpg failed to sign" in low
            or "failed to write commit object" in low
            or "ssh-keygen" in low
        ):
            return Problem(
                "git could not sign the commit (commit.gpgsign is set), so nothing was committed: "
                f"unlock your key and try again, or use --no-commit. git said: {_first_line(text)}",
                FAILED,
            )
        hooks = [
            name
            for name in ("pre-commit", "prepare-commit-msg", "commit-msg")
            if self._has_hook(name)
        ]
        said = _last_lines(text)
        if hooks:
            return Problem(
                f"a hook of this repository ({' or '.join(hooks)}) refused the commit, "
                "so nothing was "
                f"committed{tail}: mend what it says, or use --no-commit. It said: "
                f"{said or 'nothing'}",
                FAILED,
            )
        return Problem(
            f"git could not commit, and nothing was changed{tail}. It said: {said or 'nothing'}",
            FAILED,
        )

    # ── what stands in the way

    def _refuse_states(self, names: Sequence[str]) -> None:
        if not self.root.is_dir() or not self.git_dir.is_dir():
            raise Problem(f"the repository {self.root} is gone: give another with --repo")
        for marker, what, how in _IN_PROGRESS:
            if (self.git_dir / marker).exists():
                raise Problem(
                    f"{what} is in progress in {self.root}, and a commit now would land inside it: "
                    f"end it first with {how}"
                )
        unmerged = self._must("ls-files", "-u", "-z")
        if unmerged:
            raise Problem(
                f"{self.root} has unresolved conflicts: resolve them first (git status lists them)"
            )
        for name in names:
            self._refuse_path(name)
            self._refuse_ignored(name)
        self._wait_for_lock()
        for kind in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            code, _, err = self._git("-c", "user.useConfigOnly=true", "var", kind)
            if code != 0:
                what = "name and e-mail" if "name" not in _first_line(err) else "name"
                raise Problem(
                    f"git does not know who you are ({what} missing): "
                    'git config --global user.name "Your Name"; '
                    "git config --global user.email you@example.org"
                )

    def _refuse_path(self, name: str) -> None:
        full = self.root / name
        parts = Path(name).parts
        if any(part.lower() == ".git" for part in parts):
            raise Problem(f"{full} is inside git's own folder")
        for depth in range(1, len(parts) + 1):
            above = "/".join(parts[:depth])
            entry = self._index_entry(above)
            if any(line.startswith("160000 ") for line in entry):
                raise Problem(
                    f"{full} is in the submodule {above}: "
                    f"give that repository with --repo {self.root / above}"
                )
            if depth < len(parts) and ((self.root / above) / ".git").exists():
                raise Problem(
                    f"{full} is in a repository of its own: "
                    f"give that with --repo {self.root / above}"
                )
        with contextlib.suppress(FileNotFoundError):
            mode = full.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise Problem(
                    f"{full} is a symbolic link: q1lab writes and commits plain files only"
                )
            if not stat.S_ISREG(mode):
                raise Problem(f"{full} is not a plain file")

    def _refuse_ignored(self, name: str) -> None:
        if self._index_entry(name):
            return
        code, out, _ = self._git(
            "check-ignore",
            "-z",
            "-v",
            "--stdin",
            stdin=name.encode(errors="surrogateescape") + b"\0",
        )
        if code == 0:
            source, line, pattern, *_ = [*out.split("\0"), "", "", ""]
            raise Problem(
                f"git ignores {self.root / name} ({source}:{line}: {pattern}): take the rule out, "
                "choose another file, or use --no-commit"
            )

    def _questions(
        self,
        names: Sequence[str],
        before: Mapping[Path, bytes | None] | None,
        ours: Iterable[Path] = (),
    ) -> tuple[list[str], list[str]]:
        """What a person must say yes to, and the diffs that go with it."""
        reasons: list[str] = []
        diffs: list[str] = []
        head = self.head()
        if head.detached:
            reasons.append(
                "HEAD is detached, so the commit would belong to no branch (git switch BRANCH "
                "first)"
            )
        if self._superproject is not None:
            reasons.append(
                f"{self.root} is a submodule of {self._superproject}, "
                "which would then show it as changed"
            )
        old = {self._relative(path): content for path, content in (before or {}).items()}
        own = {self._relative(path) for path in ours}
        for name in names:
            tree = self._blob(head, name)
            staged = self._staged(name)
            known = tree is not None or staged is not None
            mine = False
            if name in own:
                pass
            elif name in old or before is not None:
                full = self.root / name
                content = (
                    old[name] if name in old else (read_bytes(full) if full.is_file() else None)
                )
                mine = content is not None and self._hash(name, content) != tree
                mine = mine or (content is None and known)
            elif known:
                mine = bool(self._diff(name))
            if staged != tree:
                full = self.root / name
                added = name in own and full.is_file()
                mine = not added or staged != self._hash(name, read_bytes(full))
            if mine:
                reasons.append(
                    f"{name} holds edits of yours that are not committed, and they would go along"
                )
                diffs.append(self._diff(name))
        return reasons, diffs

    def _wait_for_lock(self) -> None:
        lock = self.git_dir / "index.lock"
        for _ in range(_LOCK_TRIES):
            if not lock.exists():
                return
            time.sleep(_LOCK_PAUSE_S)
        raise self._locked_problem()

    def _locked_problem(self, said: str = "") -> Problem:
        named = _LOCKED.search(said)
        lock = Path(named[1]) if named else self.git_dir / "index.lock"
        age = ""
        with contextlib.suppress(OSError):
            age = f", {max(0, round(time.time() - lock.stat().st_mtime))} s old"
        return Problem(
            f"another git is at work: {lock}{age}. Try again when it is done; if no git runs, "
            "it was left by "
            "a crash and you can remove it. Nothing was changed",
            FAILED,
        )

    # ── the index

    def _undo_add(
        self, index: Path, old: bytes | None, ours: bytes | None, untracked: Sequence[str]
    ) -> None:
        """Take back ``add -N``: the very bytes of before, unless another has written the index
        since."""
        if not untracked:
            return
        lock = index.with_name("index.lock")
        current = index.read_bytes() if index.exists() else None
        if current == ours:
            with contextlib.suppress(OSError):
                # The index is replaced as git itself does it: whoever makes index.lock owns the
                # index.
                fd = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
                try:
                    if old is None:
                        os.close(fd)
                        index.unlink(missing_ok=True)
                        lock.unlink()
                    else:
                        with os.fdopen(fd, "wb") as file:
                            file.write(old)
                            file.flush()
                            os.fsync(file.fileno())
                        lock.chmod(stat.S_IMODE(index.stat().st_mode))
                        lock.replace(index)
                except BaseException:
                    lock.unlink(missing_ok=True)
                    raise
                return
        self._git("rm", "--cached", "-q", "--", *(_literal(name) for name in untracked))

    def _mend_index(self, extra: Sequence[str], old: Head) -> list[str]:
        """A file that a hook adds under ``--only`` is in the commit but not in the index, so that
        the next commit would delete it again. Where the learner had nothing staged in it, the index
        gets it too."""
        notes = []
        for name in extra:
            if self._staged(name) == self._blob(old, name):
                self._git("reset", "-q", "--", _literal(name))
            else:
                notes.append(
                    f"{name} has staged edits of yours; "
                    "compare it with `git diff --cached` before you commit"
                )
        return notes

    # ── plumbing

    def _names(self, paths: Iterable[Path | str]) -> list[str]:
        names = list(dict.fromkeys(self._relative(Path(path)) for path in paths))
        if not names:
            raise Problem("no file was named to commit")
        return names

    def _relative(self, path: Path) -> str:
        """``path`` as git names it from the root; relative paths start at the root. Problem when
        outside."""
        full = path if path.is_absolute() else self.root / path
        root = self.root.resolve()
        resolved = full.parent.resolve() / full.name
        if full.name in ("", "..") or resolved == root or not resolved.is_relative_to(root):
            raise Problem(
                f"{path} is not a file inside the repository {self.root}: "
                "nothing outside it is written"
            )
        return resolved.relative_to(root).as_posix()

    def _diff(self, name: str) -> str:
        head = self.head()
        full = self.root / name
        # Nothing of the person's own settings for reading diffs, and no rewriting of the index on
        # the way.
        settings = (
            "diff.autoRefreshIndex=false",
            "diff.noprefix=false",
            "diff.mnemonicPrefix=false",
        )
        quiet = [word for setting in settings for word in ("-c", setting)]
        quiet += ["diff", "--no-color", "--no-ext-diff", "--no-textconv"]
        if not self._index_entry(name) and self._blob(head, name) is None:
            if not full.is_file():
                return ""
            if full.stat().st_size == 0:
                return f"new empty file {name}\n"
            _, out, _ = self._git(*quiet, "--no-index", "--", "/dev/null", _dashless(name))
            return out
        if head.sha is None:
            base = self._must("hash-object", "-t", "tree", "--stdin").strip()
            # the empty tree, a fixed object
            self._must("hash-object", "-t", "tree", "--stdin", "-w")
        else:
            base = head.sha
        out = self._must(*quiet, base, "--", _literal(name))
        if not out and self._blob(head, name) != self._staged(name):
            return self._must(*quiet, "--cached", base, "--", _literal(name))
        return out

    def _blob(self, head: Head, name: str) -> str | None:
        """The object id of ``name`` in HEAD, or None."""
        if head.sha is None:
            return None
        code, out, _ = self._git("rev-parse", "--verify", "-q", f"{head.sha}:{name}")
        return out.strip() if code == 0 else None

    def _staged(self, name: str) -> str | None:
        """The object id of ``name`` in the index, or None (also when it is only intended to be
        added)."""
        for line in self._index_entry(name):
            mode, sha, _ = line.split(" ", 2)
            empty = self._must("hash-object", "--stdin").strip()
            if sha == empty and mode != "160000" and self._intended(name):
                return None
            return sha
        return None

    def _intended(self, name: str) -> bool:
        out = self._must("diff", "--name-only", "--diff-filter=A", "-z", "--", _literal(name))
        return bool(out)

    def _hash(self, name: str, content: bytes) -> str:
        """The object id that ``content`` would have as ``name``, line-ending filters applied."""
        return self._must("hash-object", f"--path={name}", "--stdin", stdin=content).strip()

    def _index_entry(self, name: str) -> list[str]:
        out = self._must("ls-files", "-s", "-z", "--", _literal(name))
        # A folder's name matches what lies below it: only exact names count.
        return [line for line in out.split("\0") if line and line.split("\t", 1)[1] == name]

    def _status_of_others(self, names: Sequence[str]) -> list[str]:
        out = self._must("status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no")
        return [
            line
            for line in out.split("\0")
            if line and not any(_mentions(line, name) for name in names)
        ]

    def _files_of(self, sha: str | None, old: str | None) -> list[str]:
        assert sha is not None
        ends = [old, sha] if old else ["--root", sha]
        out = self._must(
            "diff-tree", "-r", "-z", "--name-only", "--no-commit-id", "--no-renames", *ends
        )
        return [name for name in out.split("\0") if name]

    def _has_hooks(self) -> bool:
        """Whether any hook can run here; also when nobody can say."""
        code, out, _ = self._git("rev-parse", "--git-path", "hooks")
        folder = self.root / out.rstrip("\n")
        try:
            files = list(folder.iterdir()) if code == 0 and folder.is_dir() else []
        except OSError:
            return True
        return code != 0 or any(
            file.suffix != ".sample" and os.access(file, os.X_OK) for file in files
        )

    def _has_hook(self, name: str) -> bool:
        code, out, _ = self._git("rev-parse", "--git-path", f"hooks/{name}")
        return code == 0 and os.access(self.root / out.rstrip("\n"), os.X_OK)

    def _patient(self, *arguments: str) -> tuple[int, str, str]:
        """Run git, trying again for a moment while another git holds the index."""
        result = self._git(*arguments)
        for _ in range(_LOCK_TRIES):
            if result[0] == 0 or not _LOCKED.search(result[2]):
                break
            time.sleep(_LOCK_PAUSE_S)
            result = self._git(*arguments)
        return result

    def _unlocked(self, *arguments: str) -> None:
        code, out, err = self._patient(*arguments)
        if code != 0:
            if _LOCKED.search(err):
                raise self._locked_problem(err)
            raise Problem(
                f"git {arguments[0]} failed, and nothing was changed: {_first_line(err or out)}",
                FAILED,
            )

    def _must(self, *arguments: str, stdin: bytes | None = None) -> str:
        code, out, err = self._git(*arguments, stdin=stdin)
        if code != 0:
            raise Problem(
                f"git {arguments[0]} failed in {self.root}: {_first_line(err or out)}", FAILED
            )
        return out

    def _git(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        return _run(self.root, *arguments, stdin=stdin)


def init(path: Path | str) -> Repository:
    """Make a new repository in ``path`` (the last folder may be new), never inside or around
    another one."""
    folder = Path(path).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise Problem(f"{folder} is not a folder")
    if not folder.exists() and not folder.parent.is_dir():
        raise Problem(f"there is no folder {folder.parent} to make {folder.name} in")
    try:
        above = Repository.discover(folder)
    except NoRepository:
        pass
    else:
        raise Problem(
            f"{folder} is already in the repository {above.root}: "
            "q1lab does not put one inside another"
        )
    for parent in folder.resolve().parents:  # git itself stops looking where a file system ends
        if (parent / ".git" / "HEAD").exists() or (parent / ".git").is_file():
            raise Problem(
                f"{folder} is already in the repository {parent}: "
                "q1lab does not put one inside another"
            )
    if folder.resolve() in (Path.home().resolve(), Path(folder.anchor)):
        raise Problem(
            f"{folder} holds everything you have: make a folder for this work and give that"
        )
    if folder.is_dir():
        below = sorted(child.parent.name for child in folder.glob("*/.git"))
        if below:
            raise Problem(
                f"{folder} holds repositories ({', '.join(below[:3])}): "
                "give one of them with --repo"
            )
    created = not folder.exists()
    folder.mkdir(exist_ok=True)
    code, out, err = _run(folder, "init", "-q")
    if code != 0:
        if created:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise Problem(f"git init failed in {folder}: {_first_line(err or out)}", FAILED)
    return Repository.discover(folder)


def merge_file(
    ours: bytes,
    base: bytes,
    theirs: bytes,
    names: tuple[str, str, str] = ("ours", "base", "theirs"),
) -> tuple[bytes, int]:
    """``base`` → ``theirs`` applied to ``ours``, three ways: (the result, how many conflicts it
    has).

    Conflicts stand in the result between git's markers, under ``names``. Works without any
    repository.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="q1lab-merge-") as folder:
        files = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for file, content in zip(files, (ours, base, theirs), strict=True):
            file.write_bytes(content)
        labels = [part for name in names for part in ("-L", name)]
        code, _, err = _run(
            Path(folder), "merge-file", "-q", *labels, *(file.name for file in files)
        )
        if not 0 <= code < 128:  # otherwise the number of conflicts, 127 at most
            raise Problem(
                f"git could not merge {names[2]} into {names[0]}: {_first_line(err)}", FAILED
            )
        return files[0].read_bytes(), code


def _run(folder: Path, *arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    """Run git in ``folder``; (status, stdout, stderr). No prompt, editor, pager or optional
    lock."""
    import tempfile

    repo_git = _git_of(folder)
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {}
        if stdin is not None:
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(stdin)
            file.seek(0)
            options["istream"] = file
        try:
            status, out, err = repo_git.execute(
                ["git", *arguments],
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                env=_QUIET,
                # no controlling terminal: nothing below git can ask on it either
                start_new_session=True,
                **options,
            )
        except ValueError as error:  # a NUL byte in an argument
            raise Problem(f"git cannot take this name or message: {error}") from error
    return int(status), os.fsdecode(out), err if isinstance(err, str) else os.fsdecode(err)


def _git_of(folder: Path) -> git.Git:
    try:
        import git
    except ImportError as error:
        raise Problem(
            "git is not installed, or not on PATH: install it, or use --no-commit", FAILED
        ) from error
    return git.Git(str(folder))


def _literal(name: str) -> str:
    """A pathspec that means exactly this name, whatever it holds."""
    return f":(top,literal){name}"


def _glob(pattern: str) -> str:
    """A pathspec that means the files whose name matches, at any depth."""
    return f":(glob)**/{pattern}"


def _dashless(name: str) -> str:
    return f"./{name}"


def _mentions(line: str, name: str) -> bool:
    """Whether a line of ``status --porcelain=v2 -z`` is about ``name``."""
    if line[:2] in ("? ", "! "):
        return line[2:] == name
    return line.split(" ", 8)[-1] == name if line[:2] == "1 " else line.split(" ", 10)[-1] == name


def _first_line(text: str) -> str:
    from q1lab.files import plain

    lines = [line.strip() for line in plain(text).splitlines() if line.strip()]
    chosen = next(
        (line for line in lines if line.startswith(("fatal:", "error:"))),
        lines[0] if lines else "no reason",
    )
    return chosen.removeprefix("fatal: ").removeprefix("error: ")


def _last_lines(text: str, count: int = 6) -> str:
    from q1lab.files import plain

    lines = [line.strip() for line in plain(text).splitlines() if line.strip()]
    return " / ".join(lines[-count:])


def _browsable(url: str) -> str | None:
    """``git@host:a/b.git`` and its kin as ``https://host/a/b``, credentials dropped; None for a
    path."""
    from urllib.parse import urlsplit

    scp = re.fullmatch(r"(?:[^@/]+@)?([\w.-]+\.\w+):(?!/)(.+)", url)
    if scp:
        return f"https://{scp[1]}/{scp[2].removesuffix('.git')}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return None
    return f"https://{parts.hostname}{parts.path.removesuffix('.git')}"


__all__ = ["CommitResult", "Head", "NeedsYes", "NoRepository", "Repository", "init"]

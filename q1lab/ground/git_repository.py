"""The git operations of q1lab in the learner's repository.

Its history is read by git_history.py, a stranger's commits by foreign_commits.py.

q1lab is a guest in the learner's repository. So: only named paths are committed (``git commit
--only``), what the learner has staged or left unstaged stays as it is, hooks run, nothing is
pushed, and git never prompts, opens an editor or a pager. Where git would do something a person did
not mean (commit onto a half-done rebase, invent an identity), q1lab refuses with one line.

One ``git status`` of the named paths gives their complete state. GitPython's index and commit
objects are not used: they commit staged work along and invent an author.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.ground import git_command
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import expand_user, read_bytes
from q1lab.ground.git_command import error_line, output_lines

# Diffs and logs to read, whatever a person has set for their own eyes: colors, a viewer, a check
# of signatures, which starts a program.
_PLAIN_DIFF = (
    *("-c", "diff.noprefix=false"),
    *("-c", "diff.mnemonicPrefix=false"),
    *("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
)
_DIFF = ("-c", "diff.autoRefreshIndex=false", *_PLAIN_DIFF)
"""The same, without rewriting the index on the way."""
_PLAIN_LOG = ("-c", "log.showRoot=true", "log", "--no-show-signature", "--no-color")

_WHO = "\x01"
"""The marker before an author's name and address in the formats of ``git log`` here."""

_LOCK_TRIES, _LOCK_PAUSE_S = 6, 0.25

_LOCKED = re.compile(r"Unable to create '([^']+\.lock)': File exists")

_IN_PROGRESS = (
    # file or folder in the git directory, what it means
    ("rebase-merge", "a rebase"),
    ("rebase-apply/applying", "an am (patches being applied)"),
    ("rebase-apply", "a rebase"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("sequencer", "a cherry-pick or revert of several commits"),
    ("BISECT_LOG", "a bisect"),
)
_SAME, _UNKNOWN, _UNTRACKED, _IGNORED, _UNMERGED = "..", "--", "??", "!!", "UU"
"""States of a path, in addition to the two letters of git status for a change (index, work tree):
as committed; unknown to git and not on disk; untracked; ignored; in conflict."""


class NoRepository(Problem):
    """The folder is in no git repository. ``git init`` could make one in ``folder``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is in no git repository: ",
            next=f"give one with --repo PATH, or make one with `git init {folder}`",
            file=folder,
        )
        self.folder = folder


class NeedsYes(Problem):
    """The act is possible, but a person must say yes first (``confirmed=True``, ``--yes``).

    ``reasons`` are sentences; ``diff`` shows the learner's own edits that the commit would
    include.
    """

    def __init__(self, reasons: Sequence[str], diff: str) -> None:
        super().__init__(f"{'; '.join(reasons)}. Nothing was changed", next="--yes continues")
        self.reasons = tuple(reasons)
        self.diff = diff


@dataclass(frozen=True)
class Head:
    """The position of HEAD: ``sha`` is None before the first commit, ``branch`` is None when HEAD
    is detached."""

    sha: str | None
    branch: str | None


@dataclass(frozen=True)
class CheckedPaths:
    """The result of ``Repository.check``, before any write: HEAD, the state of each path, the paths
    whose index entry lags, and the content of each (None: no file)."""

    head: Head
    states: Mapping[str, str]
    lagging: Sequence[str]
    contents: Mapping[str, bytes | None]


@dataclass(frozen=True)
class CommitResult:
    """The result of a commit: ``files`` are the committed paths (relative, as git names them; those
    that a hook added, too), ``notes`` sentences worth showing, ``changed_by_hook`` the paths whose
    content a hook changed."""

    committed: bool
    sha: str | None
    branch: str | None
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()
    changed_by_hook: tuple[str, ...] = ()


class Repository:
    """A git work tree. Make one with ``Repository.discover``."""

    def __init__(self, root: Path, git_dir: Path, hooks: Path, superproject: str) -> None:
        self.root = root
        self.git_dir = git_dir
        self._hooks = hooks
        self._superproject = superproject

    # ── discovery

    @classmethod
    def discover(cls, path: Path | str = ".") -> Repository:
        """The repository whose work tree holds ``path`` (a folder or a file, which need not exist
        yet).

        Raises NoRepository when there is none; Problem for a bare repository, a place inside
        ``.git``, a folder that is gone, one that git does not trust, or a ``GIT_DIR`` and its like
        in the environment.
        """
        git_command.refuse_misleading_environment()
        location = expand_user(path).absolute()
        folder = location if location.is_dir() else location.parent
        if not folder.is_dir():
            raise Problem(
                f"there is no folder {location}: ",
                next="check --repo, or the configured repository",
            )
        # rev-parse prints a flag that it doesn't know as it is: a line between the answers, which
        # may be empty or hold line breaks
        code, out, err = git_command.run(
            folder,
            "rev-parse",
            "--is-bare-repository",
            "--is-inside-git-dir",
            "--absolute-git-dir",
            *("--next", "--git-path", "hooks"),
            *("--next", "--show-superproject-working-tree"),
            *("--next", "--show-toplevel"),
        )
        if not out:
            if "not a git repository" in err:
                raise NoRepository(folder)
            raise Problem(f"git cannot use {folder}: {error_line(err)}", FAILED, file=folder)
        flags, *places = [answer.removesuffix("\n") for answer in out.split("--next\n")]
        bare, inside, git_dir = flags.split("\n", 2)
        if bare == "true":
            raise Problem(
                f"{git_dir} is a bare repository, without a work tree to write in: ",
                next="clone it first",
            )
        if inside == "true":
            raise Problem(
                f"{folder} is inside git's own folder: ",
                next="give the work tree with --repo",
                file=folder,
            )
        if code != 0:
            raise Problem(f"git cannot use {folder}: {error_line(err)}", FAILED, file=folder)
        hooks, superproject, top = places
        return cls(Path(top), Path(git_dir), folder / hooks, superproject)

    @classmethod
    def around(cls, path: Path | str) -> Repository | None:
        """As ``discover``, but None where there is none."""
        try:
            return cls.discover(path)
        except NoRepository:
            return None

    # ── reading

    def head(self) -> Head:
        """The commit and branch that HEAD points at."""
        return self._look([".git"])[0]  # no commit has this name, so git reads no file

    def added_by_me(self, pattern: str) -> tuple[str, ...]:
        """The ``tracked`` files that this person's own commits added, followed through renames by
        anyone."""
        my_names = self._me()
        _, out, _ = self._git(
            *_PLAIN_LOG,
            "--reverse",
            "-z",
            "--name-status",
            "--find-renames",
            f"--format={_WHO}%an{_WHO}%ae",
            "--",
            _glob(pattern),
        )
        fields = iter(filter(None, (field.lstrip("\n") for field in out.split("\0"))))
        by_me, added = False, set()
        for field in fields:
            if field.startswith(_WHO):
                by_me = not my_names.isdisjoint(field.split(_WHO)[1:])
            elif field == "A":
                name = next(fields)
                added.discard(name)
                added |= {name} if by_me else set()
            elif field[0] in "RC":
                old, new = next(fields), next(fields)
                added |= {new} if old in added else set()
            else:
                next(fields)
        return tuple(name for name in self.tracked(pattern) if name in added)

    def is_mine_at_origin(self) -> bool:
        """True if this person has a commit at ``origin``, as far as this clone knows, or nothing
        was ever fetched from or pushed to it. False means another person's project."""
        code, out, _ = self._git(*_PLAIN_LOG, "--remotes=origin", f"--format=%an{_WHO}%ae", "-z")
        authors = set(filter(None, out.split("\0")))
        my_names = self._me()
        return (
            code != 0 or not authors or any(not my_names.isdisjoint(w.split(_WHO)) for w in authors)
        )

    def _me(self) -> frozenset[str]:
        """The name and the address that this person commits with here; empty if git knows
        neither."""
        code, ident, _ = self._git("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
        identity = re.match(r"(.*) <(.*)>", ident)
        return frozenset(identity.groups()) if code == 0 and identity else frozenset()

    def has_committed(self, path: Path | str) -> bool:
        """True if the last commit has ``path`` with its current content."""
        name = self._relative(Path(path))
        return self._look([name])[1][name] == _SAME

    def tracked(self, pattern: str) -> tuple[str, ...]:
        """Tracked files whose name matches a git glob such as ``*.ipynb``, at any depth."""
        return _names(self._must("ls-files", "-z", "--", _glob(pattern)))

    def uncommitted_diff(self) -> str:
        """The uncommitted changes of tracked files as a patch; empty without changes."""
        return self._must(*_PLAIN_DIFF, "HEAD") if self.head().sha else ""

    def versions(self, path: Path | str) -> Iterator[bytes]:
        """The contents that ``path`` had in the commits of all branches, newest first, each
        once."""
        from q1lab.ground import git_history

        return git_history.versions(self.root, self._relative(Path(path)))

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
        dry_run: bool = False,
    ) -> CheckedPaths:
        """Check ``paths`` before a document is written there; pass the result to ``commit``.
        Changes nothing.

        Raises Problem where they can't be committed, and NeedsYes where only a person's yes is
        missing (``confirmed``): for edits of the learner's that are in no commit, a detached HEAD,
        a submodule. ``ours`` are paths that hold q1lab's own text, though it was not committed.
        ``dry_run``: no commit follows that would tell of conflicts and of what git ignores.
        """
        names = list(dict.fromkeys(self._relative(Path(path)) for path in paths))
        if not names:
            raise Problem("no file was named to commit")
        self._refuse_operations()
        for name in names:
            self._refuse_path(name)
        head, states = self._look(names)
        if dry_run or _UNMERGED in states.values():
            self._refuse_conflicts()
        if dry_run or _IGNORED in states.values():
            self._refuse_ignored(names)
        reasons = []
        if head.branch is None:
            reasons.append(
                "HEAD is detached, so the commit would belong to no branch (git switch BRANCH "
                "first)"
            )
        if self._superproject:
            reasons.append(
                f"{self.root} is a submodule of {self._superproject}, "
                "which would then show it as changed"
            )
        lagging = [name for name in names if self._lags(name, states[name])]
        our_names = {self._relative(path) for path in ours}
        edited_names = [
            name
            for name in names
            if _is_mine(states[name], name in our_names)
            and not (name in our_names and name in lagging)
        ]
        # an empty diff: git reports a modification, but only the line ends differ
        diffs = {
            name: diff
            for name in edited_names
            if not confirmed and (diff := self._diff(name, states[name]))
        }
        reasons += [
            f"{name} holds edits of yours that are not committed, and they would go along"
            for name in diffs
        ]
        if reasons and not confirmed:
            raise NeedsYes(reasons, "".join(diffs.values()))
        return CheckedPaths(head, states, lagging, {name: self._content(name) for name in names})

    def commit(self, checked: CheckedPaths, message: str) -> CommitResult:
        """Commit the work-tree content of exactly the paths of ``check``. When nothing differs from
        HEAD, nothing is committed and ``committed`` is False.

        Raises Problem, with the index as it was to the byte, when git or a hook refuses.
        """
        if not message.strip() or "\0" in message:
            raise Problem("a commit needs a message")
        contents = {name: self._content(name) for name in checked.contents}
        if gone := next((name for name, content in contents.items() if content is None), None):
            raise Problem(f"there is no file {self.root / gone} to commit", file=self.root / gone)
        if self._catch_up(checked.lagging):
            raise self._locked_problem()
        # Paths missing in HEAD are new; paths that were clean and have not changed need no diff.
        states = checked.states
        to_compare = [
            name
            for name, content in contents.items()
            if not _is_new(states[name])
            and (states[name] != _SAME or content != checked.contents[name])
        ]
        differ = self._differ(to_compare) if to_compare else []
        names = [name for name in contents if _is_new(states[name]) or name in differ]
        if not names:
            note = "nothing to commit: the files are as in the last commit"
            return CommitResult(False, checked.head.sha, checked.head.branch, (), (note,))
        self._refuse_conflicts()
        fresh = [name for name in names if states[name] in (_UNKNOWN, _UNTRACKED, "D.")]
        return self._commit({name: contents[name] for name in names}, fresh, message, checked.head)

    def _commit(
        self,
        contents: Mapping[str, bytes | None],
        fresh: Sequence[str],
        message: str,
        old_head: Head,
    ) -> CommitResult:
        """``fresh`` are names that the index hasn't got.

        git commits from a copy of the index, and the real index catches up afterwards: when git
        or a hook refuses or is killed, there is nothing to undo.
        """
        import tempfile

        names = list(contents)
        self._wait_for_lock()
        with tempfile.TemporaryDirectory(prefix="q1lab-index-") as folder:
            index = Path(folder, "index")
            with contextlib.suppress(FileNotFoundError):
                # with its mtime: git rereads files that are as new as the index
                shutil.copy2(self.git_dir / "index", index)
            try:
                code, out, err = self._commit_from(index, names, fresh, message)
                notes = self._catch_up(names) if code == 0 else []
            except BaseException:
                with git_command.interrupts_wait():
                    if self.head().sha != old_head.sha:
                        self._catch_up(names)
                raise
        if code != 0 and self.head().sha == old_head.sha:
            if fresh:
                self._refuse_ignored(fresh)
            raise self._refusal(out + err, contents)
        if code != 0 and not self._is_in_head(names):
            raise Problem(
                f"another git committed in {self.root} meanwhile, so nothing was committed here",
                FAILED,
                next="try again",
            )
        if code != 0:
            notes = [f"git reported after the commit: {error_line(err)}"]
        options = ("--root", "-r", "-z", "--name-only", "--no-renames")
        sha, *files = _names(self._must("diff-tree", *options, "HEAD"))
        extra = [name for name in files if name not in names]
        staged = self._staged(extra, old_head) if extra else ()
        if extra:
            notes.append("a hook of this repository also committed: " + ", ".join(extra))
        notes += [
            f"{name} has staged edits of yours; "
            "compare it with `git diff --cached` before you commit"
            for name in staged
        ]
        notes += self._catch_up([name for name in extra if name not in staged])
        touched = self._touched(contents)
        notes += [f"a hook of this repository changed {name}" for name in touched]
        return CommitResult(True, sha, old_head.branch, tuple(files), tuple(notes), tuple(touched))

    def _commit_from(
        self, index: Path, names: Sequence[str], fresh: Sequence[str], message: str
    ) -> tuple[int, str, str]:
        """Commit only these files of ``index``."""
        if fresh:  # a commit takes only what the index names
            code, out, err = self._git("add", "-N", "--", *map(_literal, fresh), index=index)
            if code != 0:
                return code, out, err
        return self._git(
            *("-c", "user.useConfigOnly=true"),
            *("commit", "--only", "--quiet", "--cleanup=whitespace", f"--message={message}"),
            *("--", *map(_literal, names)),
            index=index,
        )

    def _is_in_head(self, names: Sequence[str]) -> bool:
        """True if HEAD has the current content of these files: our commit moved it, not another
        process's."""
        states = self._look(names)[1]
        self._catch_up([name for name in names if self._lags(name, states[name])])
        return not any(_is_new(states[name]) for name in names) and not self._differ(names)

    def _staged(self, names: Sequence[str], old_head: Head) -> tuple[str, ...]:
        """Those of ``names``, which a hook committed, in which the learner had something staged. In
        the others the index has to catch up, or the next commit would delete them again."""
        base = old_head.sha or self._no_file()
        options = (*_DIFF, "--cached", "--name-only", "-z", base)
        return _names(self._must(*options, "--", *map(_literal, names)))

    def _no_file(self) -> str:
        """The empty tree, the base for diffs before the first commit."""
        return self._must("hash-object", "-t", "tree", "/dev/null").strip()

    def _lags(self, name: str, state: str) -> bool:
        """True if the index still has ``name`` as before the last commit: q1lab was killed before
        the index caught up."""
        if state[0] not in "MD":
            return False
        code, _, _ = self._git("rev-parse", "--verify", "--quiet", "HEAD~")
        base = "HEAD~" if code == 0 else self._no_file()
        options = (*_DIFF, "--cached", "--quiet", base, "--", _literal(name))
        return self._git(*options)[0] == 0

    def _catch_up(self, names: Sequence[str]) -> list[str]:
        """Reset the index to HEAD for these files; returns a note if another git has locked it."""
        if not names:
            return []
        code, _, err = self._git("reset", "-q", "--", *map(_literal, names))
        return [] if code == 0 else [f"the index could not catch up: {error_line(err)}"]

    def _refusal(self, output: str, contents: Mapping[str, bytes | None]) -> Problem:
        """The Problem for a refused commit, derived from git's output."""
        text = output.strip()
        lowered = text.lower()
        if _LOCKED.search(text):
            return self._locked_problem(text)
        if "tell me who you are" in lowered or "auto-detection is disabled" in lowered:
            return Problem(
                "git does not know who you are, so nothing was committed: ",
                next=(
                    'git config --global user.name "Your Name"; '
                    "git config --global user.email you@example.org"
                ),
            )
        if "no space left" in lowered:
            return Problem(
                "the disk is full, so nothing was committed: ",
                FAILED,
                next="free some space and try again",
            )
        signing = ("gpg failed to sign", "failed to write commit object", "ssh-keygen")
        if any(words in lowered for words in signing):
            return Problem(
                "git could not sign the commit (commit.gpgsign is set), so nothing was committed: ",
                FAILED,
                next="unlock your key and try again, or use --no-commit. "
                f"git said: {error_line(text)}",
            )
        touched = ", ".join(self._touched(contents))
        tail = f" (the hook changed {touched})" if touched else ""
        last_lines = " / ".join(output_lines(text)[-6:]) or "nothing"
        kinds = ("pre-commit", "prepare-commit-msg", "commit-msg")
        if hooks := [name for name in kinds if os.access(self._hooks / name, os.X_OK)]:
            return Problem(
                f"a hook of this repository ({' or '.join(hooks)}) refused the commit, so nothing "
                f"was committed{tail}: ",
                FAILED,
                next=f"fix what it says, or use --no-commit. It said: {last_lines}",
            )
        return Problem(
            f"git could not commit, and nothing was changed{tail}. It said: {last_lines}", FAILED
        )

    def _touched(self, contents: Mapping[str, bytes | None]) -> list[str]:
        return [name for name, content in contents.items() if self._content(name) != content]

    # ── obstacles to a commit

    def _refuse_operations(self) -> None:
        if not self.root.is_dir() or not self.git_dir.is_dir():
            raise Problem(
                f"the repository {self.root} is gone: ",
                next="give another with --repo",
                file=self.root,
            )
        for marker, operation in _IN_PROGRESS:
            if (self.git_dir / marker).exists():
                raise Problem(
                    f"{operation} is in progress in {self.root}, and a commit now would land "
                    "inside it: ",
                    next="end it first (git status says how)",
                    file=self.root,
                )

    def _refuse_path(self, name: str) -> None:
        full = self.root / name
        if any(part.lower() == ".git" for part in Path(name).parts):
            raise Problem(f"{full} is inside git's own folder")
        for above in reversed(Path(name).parents[:-1]):
            if (self.root / above / ".git").exists():
                raise Problem(
                    f"{full} is in {above}, a repository of its own (a submodule, perhaps): ",
                    next=f"give that with --repo {self.root / above}",
                )
        with contextlib.suppress(FileNotFoundError):
            mode = full.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise Problem(
                    f"{full} is a symbolic link: q1lab writes and commits plain files only"
                )
            if not stat.S_ISREG(mode):
                raise Problem(f"{full} is not a plain file")

    def _refuse_ignored(self, names: Sequence[str]) -> None:
        code, out, _ = self._git("check-ignore", "-v", "--", *(f":(top){name}" for name in names))
        if code == 0:
            rule, _, name = out.splitlines()[0].rpartition("\t")
            raise Problem(
                f"git ignores {name.replace(':(top)', '', 1)} in {self.root} ({rule}): ",
                next="take that rule out, choose another file, or use --no-commit",
                file=self.root,
            )

    def _refuse_conflicts(self) -> None:
        if self._must("ls-files", "--unmerged"):
            raise Problem(
                f"{self.root} has unresolved conflicts: ",
                next="resolve them first (git status lists them)",
                file=self.root,
            )

    def _wait_for_lock(self) -> None:
        lock = self.git_dir / "index.lock"
        for _ in range(_LOCK_TRIES):
            if not lock.exists():
                return
            time.sleep(_LOCK_PAUSE_S)
        raise self._locked_problem()

    def _locked_problem(self, output: str = "") -> Problem:
        match = _LOCKED.search(output)
        lock = Path(match[1]) if match else self.git_dir / "index.lock"
        age = ""
        with contextlib.suppress(OSError):
            age = f", {max(0, round(time.time() - lock.stat().st_mtime))} s old"
        return Problem(
            f"another git is at work: {lock}{age}. ",
            FAILED,
            next=(
                "Try again when it is done; if no git runs, "
                "it was left by a crash and you can remove it. Nothing was changed"
            ),
        )

    # ── plumbing

    def _look(self, names: Sequence[str]) -> tuple[Head, dict[str, str]]:
        """HEAD, and the state of each of ``names`` (``_SAME`` …)."""
        states = {name: _SAME if os.path.lexists(self.root / name) else _UNKNOWN for name in names}
        out = self._must(
            *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "--no-renames"),
            *("--untracked-files=all", "--ignored=matching", "--", *map(_literal, names)),
        )
        headers: dict[str, str] = {}
        for line in _names(out):
            kind, _, rest = line.partition(" ")
            if kind == "#":
                key, _, value = rest.partition(" ")
                headers[key] = value
            elif kind == "!":  # the file, or a folder above it
                below = [name for name in names if f"{name}/".startswith(f"{rest.rstrip('/')}/")]
                states.update(dict.fromkeys(below, _IGNORED))
            elif kind == "?":
                if states.get(rest) != "D.":  # after `git rm --cached` it is removed, and untracked
                    states[rest] = _UNTRACKED
            else:
                fields = rest.split(" ", 9 if kind == "u" else 7)
                states[fields[-1]] = _UNMERGED if kind == "u" else fields[0]
        sha, branch = headers.get("branch.oid"), headers.get("branch.head")
        head = Head(None if sha == "(initial)" else sha, None if branch == "(detached)" else branch)
        return head, {name: states[name] for name in names}

    def _diff(self, name: str, state: str) -> str:
        """The unified diff of ``name`` from HEAD to the work tree, or to the index where the work
        tree is back at HEAD. A new file is shown whole."""
        if not _is_new(state):
            text = self._must(*_DIFF, "HEAD", "--", _literal(name))
        else:
            text = self._git(*_DIFF, "--no-index", "--", "/dev/null", f"./{name}")[1]
        return text or self._must(*_DIFF, "--cached", "--", _literal(name))

    def _differ(self, names: Sequence[str]) -> list[str]:
        """The ``names`` whose content differs from HEAD, apart from line ends that settings
        convert: only a diff that counts lines compares contents."""
        out = self._must(*_DIFF, "--numstat", "-z", "HEAD", "--", *map(_literal, names))
        return [record.split("\t", 2)[2] for record in _names(out)]

    def _content(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return read_bytes(self.root / name)
        return None

    def _relative(self, path: Path) -> str:
        """``path`` as git names it from the root; relative paths start at the root. Problem when
        outside."""
        full = path if path.is_absolute() else self.root / path
        root = self.root.resolve()
        resolved = full.parent.resolve() / full.name
        if full.name in ("", "..") or resolved == root or not resolved.is_relative_to(root):
            raise Problem(
                f"{path} is not a file inside the repository {self.root}: "
                "nothing outside it is written",
                file=path,
            )
        return resolved.relative_to(root).as_posix()

    def _must(self, *arguments: str) -> str:
        code, out, err = self._git(*arguments)
        if code != 0:
            if _LOCKED.search(err):
                raise self._locked_problem(err)
            raise Problem(
                f"git failed in {self.root}: {error_line(err or out)}",
                FAILED,
                file=self.root,
            )
        return out

    def _git(self, *arguments: str, index: Path | None = None) -> tuple[int, str, str]:
        """git in the work tree; ``index`` is used in place of the repository's own."""
        settings = {} if index is None else {"GIT_INDEX_FILE": str(index)}
        return git_command.run(self.root, *arguments, settings=settings)


def init_repository(path: Path | str) -> Repository:
    """Make a new repository in ``path`` (the last folder may be new), never inside or around
    another one."""
    folder = expand_user(path).absolute()
    if folder.exists() and not folder.is_dir():
        raise Problem(f"{folder} is not a folder", file=folder)
    outer_roots = [around.root] if (around := Repository.around(folder)) else []
    for parent in folder.resolve().parents:  # git itself stops looking where a file system ends
        if (parent / ".git" / "HEAD").exists() or (parent / ".git").is_file():
            outer_roots.append(parent)
    if outer_roots:
        raise Problem(
            f"{folder} is already in the repository {outer_roots[0]}: "
            "q1lab does not put one inside another",
            file=folder,
        )
    if folder.resolve() in (Path.home().resolve(), Path(folder.anchor)):
        raise Problem(
            f"{folder} holds everything you have: ",
            next="make a folder for this work and give that",
            file=folder,
        )
    if inner_names := sorted(child.parent.name for child in folder.glob("*/.git")):
        raise Problem(
            f"{folder} holds repositories ({', '.join(inner_names[:3])}): ",
            next="give one of them with --repo",
            file=folder,
        )
    created = not folder.exists()
    folder.mkdir(exist_ok=True)
    code, out, err = git_command.run(folder, "init", "-q")
    if code != 0:
        if created:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise Problem(
            f"git init failed in {folder}: {error_line(err or out)}",
            FAILED,
            file=folder,
        )
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
        code, _, err = git_command.run(
            Path(folder), "merge-file", "-q", *labels, *(file.name for file in files)
        )
        if not 0 <= code < 128:  # otherwise the number of conflicts, 127 at most
            raise Problem(
                f"git could not merge {names[2]} into {names[0]}: {error_line(err)}",
                FAILED,
            )
        return files[0].read_bytes(), code


def _is_new(state: str) -> bool:
    """True if HEAD lacks a path in this state."""
    return state in (_UNKNOWN, _UNTRACKED, _IGNORED, ".A") or state[0] == "A"


def _is_mine(state: str, is_ours: bool) -> bool:
    """True if a path holds uncommitted edits of the learner, on disk or staged. ``is_ours``: the
    file on disk is q1lab's own text, so that only staged edits can be the learner's."""
    if state in (_SAME, _UNKNOWN, _IGNORED):
        return False
    return not is_ours or state[0] == "D" or (state[0] not in ".?" and state[1] != ".")


def _literal(name: str) -> str:
    """A pathspec that matches exactly this name, special characters included."""
    return f":(top,literal){name}"


def _names(out: str) -> tuple[str, ...]:
    """The items of git's output with -z."""
    return tuple(filter(None, out.split("\0")))


def _glob(pattern: str) -> str:
    """A pathspec for files whose name matches, at any depth."""
    return f":(glob)**/{pattern}"


def _browsable(url: str) -> str | None:
    """``git@host:a/b.git`` and similar as ``https://host/a/b``, credentials dropped; None for a
    path."""
    from urllib.parse import urlsplit

    scp = re.fullmatch(r"(?:[^@/]+@)?([\w.-]+\.\w+):(?!/)(.+)", url)
    if scp:
        return f"https://{scp[1]}/{scp[2].removesuffix('.git')}"
    try:
        parts = urlsplit(url)
    except ValueError:  # http://[::1
        return None
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return None
    return f"https://{parts.hostname}{parts.path.removesuffix('.git')}"


def repository_facts(folder: Path, dirty: Callable[[Repository], bool]) -> dict[str, Any] | None:
    """The git repository that a folder lies in, its commit, and whether it is ``dirty``."""
    try:
        repo = Repository.discover(folder)
        return {"path": str(repo.root), "commit": repo.head().sha, "dirty": dirty(repo)}
    except Problem:
        return None

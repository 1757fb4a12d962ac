"""Commits of q1lab in the learner's repository.

q1lab is a guest there. So: only named files are committed (``git commit --only``), what the learner
has staged or left unstaged stays as it is, hooks run, nothing is pushed, and git never prompts,
opens an editor or a pager. Git's own words say why a commit was refused; q1lab itself refuses only
what git would do though a person did not mean it (commit onto a half-done rebase).

GitPython's index and commit objects are not used: they commit staged work along and invent an
author. The history is read by git_history.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.ground import git_command
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import expand_user, read_bytes

# A diff to read, whatever a person has set for their own eyes (colors, a viewer), and without
# rewriting the index on the way.
_DIFF = (
    *("-c", "diff.autoRefreshIndex=false"),
    *("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "--no-renames"),
    *("--untracked-files=all", "--ignored"),
)
_COMMIT = ("-c", "user.useConfigOnly=true", "commit", "--only", "--quiet", "--cleanup=whitespace")
"""useConfigOnly: git invents no author."""

_IN_PROGRESS = (
    *("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"),
    *("sequencer", "BISECT_LOG"),
)
"""Files of git's folder in the middle of a rebase and its like."""

_UNTRACKED = "??"
"""The state of a file that git does not know, ignored or not. The state of another that is not as
in the last commit are the two letters of git status: of the index, and of the file on disk."""


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
class CommitResult:
    """The result of a commit: ``files`` are the committed paths (relative, as git names them; those
    that a hook added, too), ``notes`` sentences worth showing, ``changed_by_hook`` the paths whose
    content a hook changed, and those that it committed a change of."""

    committed: bool
    sha: str | None
    branch: str | None
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    changed_by_hook: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repository:
    """A git work tree. Make one with ``Repository.discover``."""

    root: Path
    git_dir: Path

    @classmethod
    def discover(cls, path: Path | str = ".") -> Repository:
        """The repository whose work tree holds ``path`` (a folder or a file, which need not exist
        yet).

        Raises NoRepository when there is none; Problem where git finds no work tree (a bare
        repository, a place inside ``.git``, a folder that git does not trust).
        """
        location = expand_user(path).absolute()
        folder = location if location.is_dir() else location.parent
        if not folder.is_dir():
            raise Problem(
                f"there is no folder {location}: ",
                next="check --repo, or the configured repository",
            )
        code, out, err = git_command.run(
            folder, "rev-parse", "--show-toplevel", "--absolute-git-dir", settings={"LC_ALL": "C"}
        )
        if code != 0 and "not a git repository" in err:
            raise NoRepository(folder)
        if code != 0:
            raise Problem(
                f"git cannot use {folder} ({git_command.said(err)}): ",
                next="fix what it says, or choose another with --repo",
                file=folder,
            )
        return cls(*map(Path, out.split("\n")[:2]))

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

    def has_committed(self, path: Path | str) -> bool:
        """True if the last commit has ``path`` with its current content."""
        name = self.name_of(Path(path))
        return (self.root / name).exists() and name not in self._look([name])[1]

    def uncommitted_diff(self) -> str:
        """The uncommitted changes of tracked files as a patch; empty before the first commit."""
        return self._output(*_DIFF, "HEAD") if self.head().sha else ""

    def name_of(self, path: Path) -> str:
        """``path`` as git names it from the root; relative paths start at the root. Problem when
        the repository can't hold it."""
        full = path if path.is_absolute() else self.root / path
        root = self.root.resolve()
        resolved = full.parent.resolve() / full.name
        if full.name in ("", "..") or resolved == root or not resolved.is_relative_to(root):
            raise Problem(f"{path} is not a file inside the repository {self.root}", file=path)
        name = resolved.relative_to(root)
        for folder in name.parents[:-1]:
            if folder.name.lower() == ".git" or (root / folder / ".git").exists():
                raise Problem(
                    f"{path} is in {folder}, which is no part of the repository {self.root}: ",
                    next="give the repository of that folder with --repo",
                    file=path,
                )
        return name.as_posix()

    # ── committing

    def check(
        self, paths: Iterable[Path], *, confirmed: bool = False, ours: Iterable[Path] = ()
    ) -> None:
        """Check ``paths`` before they are written to be committed. Changes nothing.

        Raises Problem in the middle of a rebase and its like, and NeedsYes where only a person's
        yes is missing (``confirmed``): for edits of the learner's that are in no commit, and a
        detached HEAD. ``ours`` are paths that hold q1lab's own text, though it was not committed.
        """
        if marker := next((name for name in _IN_PROGRESS if (self.git_dir / name).exists()), None):
            raise Problem(
                f"{self.root} is in the middle of a merge, a rebase or the like ({marker}), and a "
                "commit now would land inside it: ",
                next="end it first (git status says how)",
                file=self.root,
            )
        names = [self.name_of(path) for path in paths]
        if confirmed:
            return
        head, states = self._look(names)
        our_names = {self.name_of(path) for path in ours}
        # an empty diff: only line ends differ, which git converts
        diffs = {
            name: diff
            for name, state in states.items()
            if not (name in our_names and _is_as_written(state))
            if (diff := self._diff(name, state))
        }
        reasons = [
            f"{name} holds edits of yours that are not committed, and they would go along"
            for name in diffs
        ]
        if head.branch is None:
            reasons.append(
                "HEAD is detached, so the commit would belong to no branch (git switch BRANCH "
                "first)"
            )
        if reasons:
            raise NeedsYes(reasons, "".join(diffs.values()))

    def commit(self, paths: Iterable[Path], message: str) -> CommitResult:
        """Commit exactly ``paths`` as they are on disk. When they are as in the last commit,
        nothing is committed.

        Problem with git's own words when git or a hook refuses. What was staged stays so.
        """
        names = [self.name_of(path) for path in paths]
        pathspec = ("--", *map(_literal, names))
        head, states = self._look(names)
        # a commit takes only what the index names; .A: a command was cut off here
        new = [name for name, state in states.items() if state in (_UNTRACKED, ".A", "D.")]
        differ = (
            new or not head.sha or (states and self._output(*_DIFF, "--numstat", "HEAD", *pathspec))
        )
        if not differ:
            return CommitResult(False, head.sha, head.branch)
        staged = set(git_command.names(self._output(*_DIFF, "--cached", "--name-only", "-z")))
        contents = {name: self._content(name) for name in names}
        try:
            if new:
                self._try(contents, "add", "-N", "--", *map(_literal, new))
            self._try(contents, *_COMMIT, f"--message={message}", *pathspec)
        except BaseException:
            self._reset(new)
            raise
        options = ("--root", "-r", "-z", "--name-status", "--no-renames")
        sha, *fields = git_command.names(self._output("diff-tree", *options, "HEAD"))
        files = dict(zip(fields[1::2], fields[::2], strict=True))
        added = [name for name in files if name not in names]
        # Left alone, the learner's next commit would take back what a hook did to these files.
        self._reset([*names, *(set(added) - staged)])
        notes = [f"a hook of this repository also committed: {', '.join(added)}"] if added else []
        changed = self._changed(contents)
        notes += [f"a hook of this repository changed {name}" for name in changed]
        changed += [name for name in added if files[name] != "A"]
        return CommitResult(True, sha, head.branch, tuple(files), tuple(notes), tuple(changed))

    def _try(self, contents: dict[str, bytes | None], *arguments: str) -> None:
        """Run git. Problem with what it and its hooks say when it fails."""
        code, out, err = git_command.run(self.root, *arguments)
        if code == 0:
            return
        changed = ", ".join(self._changed(contents))
        raise Problem(
            f"git or a hook of {self.root} refused: all is written, but nothing was committed"
            + (f", and a hook changed {changed}: " if changed else ": "),
            FAILED,
            next=(f"keep the hook away from {changed}" if changed else "fix what it says")
            + f" and try again, or use --no-commit. It said: {git_command.said(out + err)}",
            file=self.root,
        )

    def _reset(self, names: Sequence[str]) -> None:
        """Let the index have these files as the last commit has them."""
        if names:
            git_command.run(self.root, "reset", "-q", "--", *map(_literal, names))

    def _look(self, names: Sequence[str]) -> tuple[Head, dict[str, str]]:
        """HEAD, and the states of those of ``names`` that are not as in the last commit."""
        head: dict[str, str] = {}
        states: dict[str, str] = {}
        out = self._output(*_STATUS, "--", *map(_literal, names))
        for line in git_command.names(out):
            kind, _, rest = line.partition(" ")
            if kind == "#":
                key, _, head[key] = rest.partition(" ")
            elif kind in "?!":
                states.setdefault(rest, _UNTRACKED)  # after `git rm --cached` it is removed, too
            else:
                state, *_, name = rest.split(" ", 9 if kind == "u" else 7)
                states[name] = state
        sha, branch = head["branch.oid"], head["branch.head"]
        return Head(
            None if sha == "(initial)" else sha, None if branch == "(detached)" else branch
        ), states

    def _output(self, *arguments: str) -> str:
        return git_command.output(self.root, *arguments)

    def _diff(self, name: str, state: str) -> str:
        """The staged changes of ``name``, and the others. A new file is shown whole."""
        if state == _UNTRACKED:
            new = ("--no-index", "--", "/dev/null", f"./{name}")
            return git_command.run(self.root, *_DIFF, *new).out
        sides = (("--cached",), ())
        pathspec = ("--", _literal(name))
        return "".join(self._output(*_DIFF, *side, *pathspec) for side in sides)

    def _content(self, name: str) -> bytes | None:
        with contextlib.suppress(OSError):
            return read_bytes(self.root / name)
        return None

    def _changed(self, contents: dict[str, bytes | None]) -> list[str]:
        return [name for name, data in contents.items() if self._content(name) != data]


def _is_as_written(state: str) -> bool:
    """True if nothing is staged of a file that differs from what q1lab wrote there."""
    return state[0] != "D" and (state[0] in ".?" or state[1] == ".")


def _literal(name: str) -> str:
    """A pathspec that matches exactly this name, special characters included."""
    return f":(top,literal){name}"


def init_repository(path: Path | str) -> Repository:
    """Make a new repository in ``path`` (the last folder may be new), never inside or around
    another one."""
    folder = expand_user(path).absolute()
    if folder.exists() and not folder.is_dir():
        raise Problem(f"{folder} is not a folder", file=folder)
    if around := Repository.around(folder):
        raise Problem(
            f"{folder} is already in the repository {around.root}: "
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
    folder.mkdir(exist_ok=True)
    git_command.output(folder, "init", "-q")
    return Repository.discover(folder)


def repository_facts(folder: Path, dirty: Callable[[Repository], bool]) -> dict[str, Any] | None:
    """The git repository that a folder lies in, its commit, and whether it is ``dirty``."""
    try:
        repo = Repository.discover(folder)
        return {"path": str(repo.root), "commit": repo.head().sha, "dirty": dirty(repo)}
    except Problem:
        return None

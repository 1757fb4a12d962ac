"""Commits of a repository that someone else may have set up, read without running what it names."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground import git_command
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import MOST, os_reason, read_bytes
from q1lab.ground.git_command import Limits, said

_NO_SETTINGS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_DIR": ".",
}
"""For a repository of q1lab's own that reads another's objects: git reads no settings, runs no
programs and fetches nothing."""

LOOK_SECONDS = 60.0
"""Seconds that git may take for all looks at one repository."""


@dataclass(frozen=True)
class ForeignCommits:
    """The commits around a folder, in a repository that someone else may have set up. ``place`` is
    the folder below the work tree, ``bare`` a repository of q1lab's own that reads the objects,
    all looks within the same ``limits``: a file there may be a pipe that never ends, and a small
    commit may hold any number of lines."""

    place: Path
    bare: Path
    limits: Limits

    @classmethod
    @contextlib.contextmanager
    def around(cls, folder: Path) -> Iterator[ForeignCommits | None]:
        """For a block, those of the repository that holds ``folder``; None where there is none.

        Its settings can name programs for much of what git does (signatures, missing objects, looks
        at the work tree), and nothing switches them all off. So git never works in it: a fresh
        repository without settings borrows its objects, and has refs to the same commits. Problem
        where its refs can't be read.
        """
        import tempfile

        git_folders = _git_folders(folder)
        if git_folders is None:
            yield None
            return
        root, *git_dirs = git_folders
        objects = git_dirs[-1] / "objects"
        with tempfile.TemporaryDirectory(prefix="q1lab-commits-") as name:
            bare = Path(name)
            try:
                tips = _tips(git_dirs)
                form = "sha256" if any(len(tip) == 64 for tip in tips) else "sha1"
                limits = Limits(time.monotonic() + LOOK_SECONDS, MOST)
                commits = cls(folder.resolve().relative_to(root), bare, limits)
                commits._must("init", "--bare", "-q", "--template=", f"--object-format={form}")
                refs = "".join(f"{tip} refs/tips/{tip}\n" for tip in sorted(tips))
                (bare / "packed-refs").write_text(refs)
                # quoted as C does: the name of a folder may hold anything
                path = re.sub(rb'(["\\\\])', rb"\\\1", os.fsencode(objects)).replace(b"\n", rb"\n")
                (bare / "objects" / "info").mkdir(exist_ok=True)
                (bare / "objects" / "info" / "alternates").write_bytes(b'"%s"\n' % path)
                shallow = git_dirs[-1] / "shallow"  # commits whose parents are missing
                if shallow.exists():
                    (bare / "shallow").write_text("".join(f"{sha}\n" for sha in _shas(shallow)))
            except OSError as error:
                raise Problem(f"cannot read {git_dirs[-1]}: {os_reason(error)}", FAILED) from None
            yield commits

    def of_folder(self) -> list[str]:
        """The commits of all branches that change the folder, newest first. Problem where a
        branch's commits can't be read."""
        options = ("--all", "--format=%H")
        return self._must("log", *options, "--", self.place.as_posix()).split()

    def versions_of(self, name: str) -> list[bytes]:
        """Every version of every file of this name, in whatever folder and on whatever branch."""
        listed = self._must("rev-list", "--all", "--objects").splitlines()
        blobs = [line.split(" ", 1)[0] for line in listed if line.endswith(f"/{name}")]
        return [os.fsencode(self._must("cat-file", "blob", blob)) for blob in blobs]

    def content_at(self, commit: str, name: str) -> bytes | None:
        """The content of a file of the folder in a commit; None if the commit lacks it. Problem
        where the repository lacks the object, as a partial clone may."""
        path = (self.place / name).as_posix()
        listed = self._must("ls-tree", "-z", commit, "--", path)
        entry = re.match("[0-7]+ blob ([0-9a-f]+)\t", listed)
        return None if entry is None else os.fsencode(self._must("cat-file", "blob", entry[1]))

    def _must(self, *arguments: str) -> str:
        code, out, err = git_command.run(
            self.bare, *arguments, settings=_NO_SETTINGS, limits=self.limits
        )
        if code != 0:
            raise Problem(f"git cannot read them: {said(err)}", FAILED)
        return out


def _git_folders(folder: Path) -> tuple[Path, Path, Path] | None:
    """(work tree, its git folder, that of all its work trees) around ``folder``, as git finds
    them."""
    start = folder.resolve()
    for root in (start, *start.parents):
        git_dir = root / ".git"
        with contextlib.suppress(OSError, ValueError):
            if git_dir.is_file():  # of a further work tree, or of a submodule
                git_dir = root / _line_of(git_dir).removeprefix("gitdir:").strip()
            shared = git_dir / "commondir"
            common = git_dir / _line_of(shared) if shared.is_file() else git_dir
            if (git_dir / "HEAD").exists() and (common / "objects").is_dir():
                return root, git_dir.resolve(), common.resolve()
    return None


def _line_of(file: Path) -> str:
    return os.fsdecode(read_bytes(file, 1 << 16)).strip()


def _tips(git_dirs: Iterable[Path]) -> list[str]:
    """The commits, each once, that HEAD and all refs in these git folders name."""
    tips: dict[str, None] = {}
    for folder in dict.fromkeys(git_dirs):
        if (folder / "reftable").is_dir():
            raise Problem(
                f"{folder} keeps its refs as a reftable, which q1lab does not read", file=folder
            )
        below = (
            Path(parent, name) for parent, _, names in os.walk(folder / "refs") for name in names
        )
        for file in (folder / "HEAD", folder / "packed-refs", *below):
            if file.is_file() and not file.is_symlink():
                tips |= dict.fromkeys(_shas(file))
    return list(tips)


def _shas(file: Path) -> list[str]:
    """The hashes with which lines of a file begin."""
    text = os.fsdecode(read_bytes(file))
    return re.findall(r"(?m)^((?:[0-9a-f]{24})?[0-9a-f]{40})\b", text)

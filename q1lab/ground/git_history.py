"""The learner's own history, read through GitPython.

It obeys a repository's settings, so it never reads a stranger's (``ForeignCommits`` in
git_repository.py does). It reads contents of commits and nothing else: its diffs and its look at
the work tree start programs that a setting names, and it starts a process for each commit that it
compares. It is imported inside functions: that takes half as long as a whole `q1lab status`.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path


def versions(root: Path, name: str, most: int = 500) -> Iterator[bytes]:
    """The contents that the file ``name`` had in the commits of all branches, newest first, each
    once; of ``most`` commits that changed it. None where there is no commit yet, or one that
    GitPython can't read (SHA-256)."""
    import git

    seen = set()
    try:
        with git.Repo(root) as repo:
            changed = f":(top,literal){name}"
            for commit in repo.iter_commits(all=True, max_count=most, paths=changed):
                try:
                    blob = commit.tree / name
                except KeyError:  # the commit that removed it
                    continue
                if stat.S_ISREG(blob.mode) and blob.hexsha not in seen:
                    seen.add(blob.hexsha)
                    yield blob.data_stream.read()
    except (ValueError, git.GitError):
        return

"""The learner's own history, read through GitPython.

GitPython obeys a repository's settings, so q1lab never opens a stranger's repository with it
(foreign_commits.py reads those). It is used for contents of commits only: its diffs and work-tree
checks start programs that a setting names, and one process per commit compared.
Functions import it late, because the import takes half as long as a whole `q1lab status`.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path


def versions(root: Path, name: str, most: int = 500) -> Iterator[bytes]:
    """The contents that the file ``name`` had in the commits of all branches, newest first, each
    once; at most ``most`` commits that changed the file are read. Yields nothing where there is no
    commit yet, or GitPython can't read them (SHA-256)."""
    import git

    yielded_hashes = set()
    try:
        with git.Repo(root) as repo:
            changed = f":(top,literal){name}"
            for commit in repo.iter_commits(all=True, max_count=most, paths=changed):
                try:
                    blob = commit.tree / name
                except KeyError:  # the commit that removed it
                    continue
                if stat.S_ISREG(blob.mode) and blob.hexsha not in yielded_hashes:
                    yielded_hashes.add(blob.hexsha)
                    yield blob.data_stream.read()
    except (ValueError, git.GitError):
        return

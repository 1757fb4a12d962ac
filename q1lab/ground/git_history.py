"""The learner's own history: whose commits are there, and where it is published.

Remotes are read through GitPython. It is used for nothing else: its diffs and work-tree checks
start programs that a setting names, and one process per commit compared. It is imported late,
because the import takes half as long as a whole `q1lab status`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from q1lab.ground import git_command
from q1lab.ground.git_repository import Repository

# A log to read, whatever a person has set for their own eyes: colors, and a check of signatures,
# which starts a program.
_LOG = ("-c", "log.showRoot=true", "log", "--no-show-signature", "--no-color")
_WHO = "\x01"
"""The marker before an author's name and address in the formats of ``git log`` here."""


def added_by_me(repo: Repository, pattern: str) -> tuple[str, ...]:
    """The tracked files whose name matches a git glob such as ``*.ipynb``, at any depth, and that
    this person's own commits added, followed through renames by anyone."""
    my_names = _me(repo)
    matching = ("--", f":(glob)**/{pattern}")
    options = ("--reverse", "-z", "--name-status", "--find-renames", f"--format={_WHO}%an{_WHO}%ae")
    out = git_command.run(repo.root, *_LOG, *options, *matching).out
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
    tracked = git_command.output(repo.root, "ls-files", "-z", *matching)
    return tuple(name for name in git_command.names(tracked) if name in added)


def is_mine_at_origin(repo: Repository) -> bool:
    """True if this person has a commit at ``origin``, as far as this clone knows, or nothing was
    ever fetched from or pushed to it. False means another person's project."""
    options = ("--remotes=origin", f"--format=%an{_WHO}%ae", "-z")
    code, out, _ = git_command.run(repo.root, *_LOG, *options)
    authors, my_names = git_command.names(out), _me(repo)
    return (
        code != 0 or not authors or any(not my_names.isdisjoint(who.split(_WHO)) for who in authors)
    )


def _me(repo: Repository) -> frozenset[str]:
    """The name and the address that this person commits with here; empty if git knows neither."""
    author = ("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    code, ident, _ = git_command.run(repo.root, *author)
    identity = re.match(r"(.*) <(.*)>", ident)
    return frozenset(identity.groups()) if code == 0 and identity else frozenset()


def web_url(repo: Repository) -> str | None:
    """The address of ``origin`` for a browser (``git@host:a/b.git`` as ``https://host/a/b``),
    without credentials; None without a public remote."""
    import git

    try:
        with git.Repo(repo.root) as opened:
            url = opened.remote("origin").url.strip()
    except (ValueError, git.GitError):
        return None
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

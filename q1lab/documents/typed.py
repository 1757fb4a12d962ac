"""What a typed command (``q1lab retro``) would write and commit, for the app to show before it
does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from q1lab.documents import merging, proposals
from q1lab.documents import roadmap as roadmaps
from q1lab.documents.change import Change, read
from q1lab.errors import Problem
from q1lab.index.store import Store
from q1lab.repository import Repository
from q1lab.study import studies
from q1lab.week.model import Week

COMMANDS = ("modification", "retro", "post new", "post refresh", "keep")
WITH_A_WORD = ("keep", "merge", "roadmap --tick")
"""Those that take one word more."""
COMMIT = (*COMMANDS, "merge", "roadmap --tick", "roadmap --untick")
"""Every command that commits, by its first words."""
LOOKING = frozenset({"--dry-run", "--stdout", "--no-commit", "--help"})
"""With one of these no command commits."""


def is_one(argv: Sequence[str]) -> bool:
    """Whether ``of_command`` knows the command: one that commits, without options."""
    words, before = " ".join(argv[1:]), " ".join(argv[1:-1])
    named = before in WITH_A_WORD and not argv[-1].startswith("-")
    return list(argv[:1]) == ["q1lab"] and (words in COMMANDS or named)


def commits(argv: Sequence[str]) -> bool:
    """Whether the command commits something."""
    words = " ".join(argv[1:]) + " "
    return (
        list(argv[:1]) == ["q1lab"]
        and any(words.startswith(name + " ") for name in COMMIT)
        and not LOOKING & set(argv)
    )


def of_command(argv: Sequence[str], store: Store, week: Week, folder: Path) -> Change | None:
    """What ``argv`` (``q1lab retro``) would write and commit when it is typed in ``folder``; None
    for a command that does not commit, and for one with options."""
    if not is_one(argv):
        return None
    words = " ".join(argv[1:])
    if argv[1] == "merge":
        return merging.typed(argv[2], folder, week.label)
    repo = Repository.around(folder)
    root = repo.root if repo else folder
    if argv[1] == "keep":
        return proposals.keep(
            studies.load(argv[2] if len(argv) > 2 else studies.latest()), root, repo
        )
    if words == "modification":
        return proposals.modification(store, week, root, repo)
    if words == "retro":
        return proposals.retro(store, week, root, repo)
    if words.startswith("roadmap"):
        return _ticked(argv[3], week.label, root / roadmaps.FILE, repo)
    return proposals.post(store, week, root, repo, new=words == "post new")


def _ticked(numbers: str, label: str, path: Path, repo: Repository | None) -> Change:
    """The roadmap with those of the week's boxes ticked."""
    data = read(path)
    if data is None:
        raise Problem(f"there is no {path}; the roadmap's boxes are ticked in that file")
    chosen = roadmaps.choose(roadmaps.boxes(data, label), (numbers,))
    return proposals.roadmap(path, data, label, chosen, (), repo)[0]

"""What a command that commits (``q1lab retro``) would write and commit, for the app to show before
it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from q1lab import acts
from q1lab.documents import merging, proposals
from q1lab.documents import roadmap as roadmaps
from q1lab.documents.change import Change, read
from q1lab.errors import Problem
from q1lab.index.store import Store
from q1lab.repository import Repository
from q1lab.study import studies
from q1lab.week.model import Week

LOOKING = frozenset({"dry_run", "no_commit"})
"""With one of these no command commits."""


def is_one(argv: Sequence[str]) -> bool:
    """Whether ``of_command`` knows the command, with all of its options."""
    asked = _commit(argv)
    return asked is not None and asked.given <= _TAKES[asked.act.name]


def commits(argv: Sequence[str]) -> bool:
    """Whether the command commits something."""
    return _commit(argv) is not None


def _commit(argv: Sequence[str]) -> acts.Asked | None:
    """What is asked for, of a command that commits; None for any other."""
    if list(argv[:1]) != ["q1lab"]:
        return None
    try:
        asked = acts.parse(argv[1:])
    except Problem:
        return None
    listing = asked.act.name == "roadmap" and not asked.given & {"tick", "untick"}
    if asked.help or listing or not asked.act.commits or asked.given & LOOKING:
        return None
    return asked


def of_command(argv: Sequence[str], store: Store, week: Week, folder: Path) -> Change | None:
    """What ``argv`` (``q1lab retro``) would write and commit when it is typed in ``folder``; None
    for a command that does not commit, and for one with options that the app does not know."""
    asked = _commit(argv)
    if asked is None or not is_one(argv):
        return None
    if asked.act.name == "merge":
        return merging.typed(str(asked.values["file"]), folder, week.label)
    repo = Repository.around(folder)
    root = repo.root if repo else folder
    make = _MAKERS[asked.act.name]
    return make(store, week, root, repo, **{name: asked.values[name] for name in asked.given})


def _keep(store: Store, week: Week, root: Path, repo: Repository | None, **given: Any) -> Change:
    return proposals.keep(store, studies.load(given.get("study") or studies.latest()), root, repo)


def _new(store: Store, week: Week, root: Path, repo: Repository | None, **given: Any) -> Change:
    return proposals.post(store, week, root, repo, new=True, **given)


def _renew(store: Store, week: Week, root: Path, repo: Repository | None, **given: Any) -> Change:
    return proposals.post(store, week, root, repo, new=False, **given)


def _ticked(
    store: Store, week: Week, root: Path, repo: Repository | None, tick: tuple[str, ...]
) -> Change:
    """The roadmap with those of the week's boxes ticked."""
    path = root / roadmaps.FILE
    data = read(path)
    if data is None:
        raise Problem(f"there is no {path}; the roadmap's boxes are ticked in that file", file=path)
    chosen = roadmaps.choose(roadmaps.boxes(data, week.label), tick)
    return proposals.roadmap(path, data, week.label, chosen, (), repo)[0]


_MAKERS: dict[str, Callable[..., Change]] = {
    "modification": proposals.modification,
    "retro": proposals.retro,
    "post new": _new,
    "post refresh": _renew,
    "keep": _keep,
    "roadmap": _ticked,
}
_TAKES = {
    "modification": {"overwrite", "add_missing", "keep_study"},
    "retro": {"overwrite", "add_missing"},
    "post new": {"title"},
    "post refresh": {"overwrite"},
    "keep": {"study"},
    "merge": {"file"},
    "roadmap": {"tick"},
}
"""The fields that the app knows what to do with."""

"""What a command that commits (``q1lab retro``) would write and commit, for the app to show before
it does."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from q1lab.documents import merge_change, proposals
from q1lab.documents import roadmap as roadmaps
from q1lab.documents.change import Change, read_document
from q1lab.ground import command_table
from q1lab.ground.errors import Problem
from q1lab.ground.git_repository import Repository
from q1lab.index.store import Store
from q1lab.study import studies
from q1lab.week.syllabus import Week

NOT_COMMITTING = frozenset({"dry_run", "no_commit"})
"""With one of these no command commits."""


def can_preview(argv: Sequence[str]) -> bool:
    """Whether ``of_command`` knows the command, with all of its options."""
    asked = _commit(argv)
    return asked is not None and asked.given <= _fields(asked.act)


def commits(argv: Sequence[str]) -> bool:
    """Whether the command commits something."""
    return _commit(argv) is not None


def _commit(argv: Sequence[str]) -> command_table.Asked | None:
    """What is asked for, of a command that commits; None for any other."""
    if list(argv[:1]) != ["q1lab"]:
        return None
    try:
        asked = command_table.parse(argv[1:])
    except Problem:
        return None
    listing = asked.act.name == "roadmap" and not asked.given & {"tick", "untick"}
    if asked.help or listing or not asked.act.commits or asked.given & NOT_COMMITTING:
        return None
    return asked


def preview_change(argv: Sequence[str], store: Store, week: Week, folder: Path) -> Change | None:
    """What ``argv`` (``q1lab retro``) would write and commit when it is typed in ``folder``; None
    for a command that does not commit, and for one with options that the app does not know."""
    asked = _commit(argv)
    if asked is None or not can_preview(argv):
        return None
    repo = Repository.around(folder)
    root = repo.root if repo else folder
    typed = {name: asked.values[name] for name in asked.given}
    given = {key: folder / one if isinstance(one, Path) else one for key, one in typed.items()}
    return _maker(asked.act)(store, week, root, repo, **given)


def _maker(act: command_table.Act) -> Callable[..., Change]:
    module, _, function = act.commits.partition(":")
    make: Callable[..., Change] = getattr(importlib.import_module(module), function)
    return make


def _fields(act: command_table.Act) -> set[str]:
    """The fields of a command that its maker takes."""
    given = inspect.signature(_maker(act)).parameters.values()
    return {one.name for one in given if one.kind is one.KEYWORD_ONLY}


def keep_study(
    store: Store, week: Week, root: Path, repo: Repository | None, *, study: str | None = None
) -> Change:
    return proposals.propose_kept_study(store, studies.load(study or studies.latest()), root, repo)


def merge_file(
    store: Store, week: Week, root: Path, repo: Repository | None, *, file: Path
) -> Change:
    return merge_change.propose_typed_merge(file, week.label)


def begin_post(
    store: Store, week: Week, root: Path, repo: Repository | None, *, title: str | None = None
) -> Change:
    return proposals.propose_post(store, week, root, repo, new=True, title=title)


def renew_post(
    store: Store, week: Week, root: Path, repo: Repository | None, *, overwrite: bool = False
) -> Change:
    return proposals.propose_post(store, week, root, repo, new=False, overwrite=overwrite)


def tick_roadmap(
    store: Store, week: Week, root: Path, repo: Repository | None, *, tick: tuple[str, ...]
) -> Change:
    """The roadmap with those of the week's boxes ticked."""
    path = root / roadmaps.FILE
    data = read_document(path)
    if data is None:
        raise Problem(f"there is no {path}; the roadmap's boxes are ticked in that file", file=path)
    chosen = roadmaps.choose_boxes(roadmaps.boxes(data, week.label), tick)
    return proposals.propose_roadmap(path, data, week.label, chosen, (), repo)[0]

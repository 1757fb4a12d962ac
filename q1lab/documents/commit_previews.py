"""Previews of the commands that commit (``q1lab retro``): the app shows the change before it is
written."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from q1lab.documents import document_changes, merge_change
from q1lab.documents import roadmap as roadmaps
from q1lab.documents.change import Change, read_document
from q1lab.ground import command_table
from q1lab.ground.act import Act
from q1lab.ground.errors import Problem
from q1lab.ground.git_repository import Repository
from q1lab.index.store import Store
from q1lab.study import studies
from q1lab.week.syllabus import Week

NOT_COMMITTING = frozenset({"dry_run", "no_commit"})
"""With one of these no command commits."""


def can_preview(argv: Sequence[str]) -> bool:
    """True if ``preview_change`` knows the command, with all of its options."""
    parsed = _commit(argv)
    return parsed is not None and parsed.typed <= _fields(parsed.act)


def commits(argv: Sequence[str]) -> bool:
    """True if the command commits something."""
    return _commit(argv) is not None


def _commit(argv: Sequence[str]) -> command_table.ParsedCommand | None:
    """The parsed command, if it commits; None for any other."""
    if list(argv[:1]) != ["q1lab"]:
        return None
    try:
        parsed = command_table.parse_command(argv[1:])
    except Problem:
        return None
    listing = parsed.act.name == "course roadmap" and not parsed.typed & {"tick", "untick"}
    if parsed.help or listing or not parsed.act.commits or parsed.typed & NOT_COMMITTING:
        return None
    return parsed


def preview_change(argv: Sequence[str], store: Store, week: Week, folder: Path) -> Change | None:
    """The change that ``argv`` (``q1lab retro``) would make when typed in ``folder``; None for a
    command that does not commit, or with options that the app does not know."""
    parsed = _commit(argv)
    if parsed is None or not can_preview(argv):
        return None
    repo = Repository.around(folder)
    root = repo.root if repo else folder
    typed = {name: parsed.values[name] for name in parsed.typed}
    options = {
        key: folder / value if isinstance(value, Path) else value for key, value in typed.items()
    }
    return _maker(parsed.act)(store, week, root, repo, **options)


def _maker(act: Act) -> Callable[..., Change]:
    module, _, function = act.commits.partition(":")
    make: Callable[..., Change] = getattr(importlib.import_module(module), function)
    return make


def _fields(act: Act) -> set[str]:
    """The fields of a command that its maker takes."""
    parameters = inspect.signature(_maker(act)).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def keep_study(
    store: Store, week: Week, root: Path, repo: Repository | None, *, study: str | None = None
) -> Change:
    return document_changes.kept_study_change(
        store, studies.load(study or studies.latest()), root, repo
    )


def merge_file(
    store: Store, week: Week, root: Path, repo: Repository | None, *, file: Path
) -> Change:
    return merge_change.typed_merge_change(file, week.label)


def begin_post(
    store: Store, week: Week, root: Path, repo: Repository | None, *, title: str | None = None
) -> Change:
    return document_changes.post_change(store, week, root, repo, new=True, title=title)


def renew_post(
    store: Store, week: Week, root: Path, repo: Repository | None, *, overwrite: bool = False
) -> Change:
    return document_changes.post_change(store, week, root, repo, new=False, overwrite=overwrite)


def tick_roadmap(
    store: Store, week: Week, root: Path, repo: Repository | None, *, tick: tuple[str, ...]
) -> Change:
    """The roadmap with those of the week's boxes ticked."""
    path = root / roadmaps.FILE
    data = read_document(path)
    if data is None:
        raise Problem(f"there is no {path}; the roadmap's boxes are ticked in that file", file=path)
    chosen = roadmaps.choose_boxes(roadmaps.boxes(data, week.label), tick)
    return document_changes.roadmap_change(path, data, week.label, chosen, (), repo)[0]

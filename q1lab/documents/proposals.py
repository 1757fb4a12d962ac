"""What a document command is about to write and commit, before it does: for commands and the app
alike.

Each function looks at the store, the week and the learner's files and returns a ``Proposal``.
Nothing is written until ``Proposal.save``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path

from q1lab.documents import counted, reproduce
from q1lab.documents import modification as modifications
from q1lab.documents import post as posts
from q1lab.documents import retro as retros
from q1lab.documents import roadmap as roadmaps
from q1lab.documents import save as saving
from q1lab.documents.known import quarter_of
from q1lab.documents.regions import find, unified
from q1lab.documents.save import Draft, Saved, draft
from q1lab.errors import Problem
from q1lab.files import utc_now
from q1lab.index import learned
from q1lab.index.store import Store
from q1lab.journal import choice, evidence, predictions
from q1lab.journal import posts as published
from q1lab.repository import Repository
from q1lab.study import kept, studies
from q1lab.study.studies import Study
from q1lab.week import progress
from q1lab.week.model import Week

After = Callable[[Store, Saved], None]


@dataclass(frozen=True)
class Proposal:
    """Files to be written whole, and the message of the commit that holds exactly them.

    ``repo`` is None where nothing is committed. ``changed`` and ``edited`` name regions: those that
    get new text, and those that the learner edited and that stay. ``after`` is what the store notes
    once it is done.
    """

    files: Mapping[Path, bytes]
    message: str
    repo: Repository | None
    diff: str
    root: Path | None = None
    """The folder that nothing is written outside of, where there is no repository."""
    changed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    edited_diff: str = ""
    claims: tuple[str, ...] = ()
    """What the document says about the learner's work, a sentence each: to be read before it is
    committed."""
    notes: tuple[str, ...] = ()
    """What else is good to know before it is written, a sentence each."""
    unsettled: str = ""
    """What the learner has to settle in it, and why nothing is committed; else empty."""
    after: After | None = None

    @property
    def text(self) -> str:
        """The first file as it would be."""
        return next(iter(self.files.values())).decode(errors="replace")

    def named(self, paths: Iterable[Path]) -> str:
        """Some of its files by their paths in the repository, separated by commas; those of a
        study's folder are told as one."""
        root = self.repo.root if self.repo is not None else self.root
        places: dict[str, list[str]] = {}
        for path in paths:
            inside = root is not None and path.is_relative_to(root)
            name = path.relative_to(root or path).as_posix() if inside else path.name
            head, *rest = name.split("/")
            one = f"{head}/{rest[0]}" if head == kept.FOLDER and len(rest) > 1 else name
            places.setdefault(one, []).append(name)
        return ", ".join(
            f"{place} ({len(held)} files)" if len(held) > 1 else held[0]
            for place, held in places.items()
        )

    def pending(self) -> tuple[Path, ...]:
        """The files of which saving would change anything: the file, or what is committed of it."""
        return tuple(
            path
            for path, data in self.files.items()
            if saving.read(path) != data or (self.repo is not None and not self.repo.holds(path))
        )

    def save(self, store: Store, *, confirmed: bool = False, dry_run: bool = False) -> Saved:
        """Write and commit, and note it. NeedsYes and Problem as ``save.save`` has them."""
        done = saving.save(
            self.files,
            self.message,
            self.repo,
            root=self.root,
            confirmed=confirmed,
            dry_run=dry_run,
        )
        if self.after is not None and not dry_run:
            self.after(store, done)
        return done


def _of_draft(
    made: Draft,
    message: str,
    root: Path,
    repo: Repository | None,
    after: After | None,
    more: Mapping[Path, bytes] | None = None,
) -> Proposal:
    return Proposal(
        files={made.path: made.new, **(more or {})},
        message=message,
        repo=repo,
        root=root,
        diff=made.diff,
        changed=made.changed,
        edited=made.edited,
        edited_diff=made.edited_diff,
        after=after,
    )


def modification(
    store: Store,
    week: Week,
    root: Path,
    repo: Repository | None,
    *,
    variant: str | None = None,
    overwrite: bool = False,
    add_missing: bool = False,
    keep_study: bool = True,
) -> Proposal:
    """The document of the chosen modification in ``root``, or of ``variant``, which is then chosen:
    MODIFICATION.md (``choice.document_of``), new or refreshed. Committing it locks the prediction.

    ``keep_study``: with it goes the folder of the study that it tells of, where that trained a file
    of the learner's: without the files, nobody could train it again.
    """
    record = modifications.gather(store, week, variant, root=root)
    folder: dict[Path, bytes] = {}
    left: tuple[str, ...] = ()
    if repo is not None:
        record = modifications.about_to_be_locked(record, utc_now())
        study = studies.load(record.study.id) if record.study and keep_study else None
        if study is not None and reproduce.own_file(study):
            folder, left = reproduce.files(study, root)
            if folder:
                record = replace(record, reproduce=reproduce.told(study, root, keeps=True))
    made = draft(
        choice.document_of(store, week.label, record.variant, root / modifications.FILE),
        modifications.document(record, week.root),
        overwrite=overwrite,
        add_missing=add_missing,
    )
    made = _with_head(made, modifications.with_head_of(record, week, made.new))

    def after(store: Store, done: Saved) -> None:
        if variant in {one.name for one in week.variants}:
            progress.choose(store, week, record.variant)
        told = record.variant if record.chosen else None
        held = record.prediction if "prediction" not in made.edited else None
        choice.note_document(
            store,
            week.label,
            told,
            made.path,
            committed=repo is not None,
            prediction=held.number if held else None,
        )
        if repo is not None and held is not None:
            predictions.lock(store, record.variant, modifications.LOCKED_BY_COMMIT, week.label)

    proposal = _of_draft(made, _modification_message(made, record), root, repo, after, folder)
    diff = proposal.diff + _diff_of_files(folder, root)
    return replace(proposal, diff=diff, claims=(*proposal.claims, *left))


def _with_head(made: Draft, new: bytes) -> Draft:
    return replace(made, new=new, diff=unified(made.old or b"", new, made.path.name))


def keep(study: Study, root: Path, repo: Repository | None) -> Proposal:
    """The folder of a study below ``root``, from which anybody can train it again."""
    folder, left = reproduce.files(study, root)
    if not folder:
        raise Problem(left[0])
    message = f"docs: keep the files of study {study.id}"
    return Proposal(folder, message, repo, _diff_of_files(folder, root), root)


def _diff_of_files(files: Mapping[Path, bytes], root: Path) -> str:
    """The diff of a study's folder. A new file is one line: it holds what trained and what came
    out, and hundreds of lines would push the document itself out of sight."""

    def shown(path: Path, data: bytes) -> str:
        name, old = str(path.relative_to(root)), saving.read(path)
        if old is None:
            lines = data.count(b"\n")
            what = ", the file as it trained" if path.suffix == ".py" else ""
            return f"--- /dev/null\n+++ {name} (new: {lines} lines{what})\n"
        return unified(old or b"", data, name)

    return "".join(starmap(shown, files.items()))


def _modification_message(made: Draft, record: modifications.Modification) -> str:
    name = made.path.name
    if made.old is None:
        return f"docs: add {name}" + f" for {record.variant}" * record.chosen
    if "comparison" in made.changed:
        outcome = f" ({record.study.verdict})" if record.study else ""
        return f"docs: record the {record.variant} comparison in {name}{outcome}"
    if "prediction" in made.changed:
        return f"docs: record the prediction for {record.variant} in {name}"
    return f"docs: update {_regions(made)} in {name}"


def _regions(made: Draft) -> str:
    return ", ".join(made.changed[:3]) or "text"


def retro(
    store: Store,
    week: Week,
    root: Path,
    repo: Repository | None,
    *,
    looking: Repository | None = None,
    overwrite: bool = False,
    add_missing: bool = False,
) -> Proposal:
    """The quarter's retrospective in ``root``, new or refreshed. ``looking`` is the repository that
    is counted from, where nothing is committed to it."""
    name = retros.file_name(quarter_of(week.label))
    seen = repo or looking
    record = retros.gather(store, week, seen, ticked=retro_ticks(root, week))
    made = draft(
        root / name,
        retros.document(record, week.root),
        overwrite=overwrite,
        add_missing=add_missing,
    )
    told = f"docs: add {name}" if made.old is None else f"docs: update {_regions(made)} in {name}"

    def after(store: Store, done: Saved) -> None:
        holds = done.commit.sha if done.commit is not None else None
        learned.note_retro(store, week.label, str(made.path), holds)

    claims = (
        *retros.claims(record, counted.kpi_lines(store, week, seen)),
        *evidence.look(store, week).gone,
    )
    return replace(_of_draft(made, told, root, repo, after), claims=claims)


def retro_ticks(root: Path, week: Week) -> frozenset[str]:
    """The boxes that are ticked in the retrospective itself: a tick made in the file counts."""
    name = retros.file_name(quarter_of(week.label))
    data = saving.read(root / name) or b""
    bodies = [region.body for region in find(data, name) if region.name == "calibration"]
    return frozenset(title for body in bodies for title in retros.ticked_in(body))


def post(
    store: Store,
    week: Week,
    root: Path,
    repo: Repository | None,
    *,
    new: bool,
    title: str | None = None,
    overwrite: bool = False,
) -> Proposal:
    """The draft of the post below ``root``, with its chart: ``new``, or refreshed."""
    path = posts.path_of(store, week, root)
    if new and path.exists():
        raise Problem(
            f"{path} is there already: `q1lab post refresh` renews what comes from your runs"
        )
    if not new and not path.exists():
        raise Problem(f"there is no draft {path}: `q1lab post new` makes one")
    record = posts.gather(store, week, title=title)
    made = draft(path, posts.document(record, week.root), overwrite=overwrite)
    chart = {path.parent / record.figure: posts.chart(store, week)} if record.figure else None
    what = f" with the {record.variant} results ({record.verdict})" if record.study else ""
    told = f"docs: {'draft' if new else 'refresh'} the retrospective post{what}"

    def after(store: Store, done: Saved) -> None:
        published.save_post(store, week.label, record.title, str(path))

    return _of_draft(made, told, root, repo, after, chart)


def roadmap(
    path: Path,
    data: bytes,
    label: str,
    chosen: Sequence[roadmaps.Box],
    opened: Sequence[roadmaps.Box],
    repo: Repository | None,
) -> tuple[Proposal, list[roadmaps.Box]]:
    """The roadmap with the ``chosen`` boxes ticked and the ``opened`` ones open again, and those
    boxes that this changes."""
    if {box.number for box in chosen} & {box.number for box in opened}:
        raise Problem("a box can't be ticked and opened at once")
    new = roadmaps.tick(roadmaps.tick(data, chosen), opened, done=False)
    changed = [box for box in chosen if not box.ticked] + [box for box in opened if box.ticked]
    if len(changed) == 1:
        act = "open" if changed[0].ticked else "tick"
        told = f"docs: {act} “{changed[0].title[:50]}” in {path.name}"
    else:
        told = f"docs: tick {len(changed)} boxes of {label} in {path.name}"

    def after(store: Store, done: Saved) -> None:
        if chosen:
            evidence.note_roadmap(store, label, path)

    diff = unified(data, new, path.name)
    return Proposal({path: new}, told, repo, diff, after=after), changed

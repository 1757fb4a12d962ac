"""The change that each document command makes, for commands and the app alike.

Each function looks at the store, the week and the learner's files and returns a ``Change``.
Nothing is written until ``Change.save``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import starmap
from pathlib import Path

from q1lab.compare import claim
from q1lab.documents import modification as modifications
from q1lab.documents import post as posts
from q1lab.documents import reproduce, study_picture
from q1lab.documents import retro as retros
from q1lab.documents import roadmap as roadmaps
from q1lab.documents.change import Change, SavedChange, document_change, read_document
from q1lab.documents.comparison_tables import StudyFacts
from q1lab.documents.document_data import quarter_of
from q1lab.documents.managed_regions import document_diff, find_regions
from q1lab.ground.files import utc_now
from q1lab.ground.git_repository import Repository
from q1lab.ground.text_formats import plural
from q1lab.journal import acts, predictions
from q1lab.journal.store import Store
from q1lab.study import kept_folder, studies
from q1lab.week import chosen_variant, evidence, progress
from q1lab.week.lists import posts as published
from q1lab.week.syllabus import Week


def modification_change(
    store: Store,
    week: Week,
    root: Path,
    repo: Repository | None,
    variant: str | None = None,
    *,
    overwrite: bool = False,
    keep_study: bool = True,
) -> Change:
    """The document of the chosen modification in ``root``, or of ``variant``, which is then chosen:
    MODIFICATION.md (``chosen_variant.document_path``), new or refreshed. Committing it locks the
    prediction.

    ``keep_study``: with it goes the folder of the study that it tells of, where that trained a file
    or command of the learner's: without the folder, it could not be trained again.
    """
    record = modifications.gather_modification(store, week, variant, root=root)
    choosing = variant in {offered.name for offered in week.variants}
    if choosing:  # as it reads once it is written
        record = replace(record, chosen_on=record.chosen_on or utc_now())
    folder: dict[Path, bytes] = {}
    warnings: tuple[str, ...] = ()
    if repo is not None:
        record = modifications.locked_by_commit(record, utc_now())
        study = studies.load(record.study.id) if record.study and keep_study else None
        if study is not None and reproduce.needs_folder(study):
            folder, warnings = reproduce.bundle_files(
                study, root, claim.make_provenance(store, study)
            )
            if folder and record.reproduce is not None:
                reproduction = reproduce.reproduction_of(study, root, keeps=True)
                record = replace(record, reproduce=reproduction)
    path = chosen_variant.document_path(
        store, week.label, record.variant, root / modifications.FILE
    )
    change = document_change(
        path,
        modifications.modification_document(record, week.root),
        repo,
        root,
        overwrite=overwrite,
        other_heads=modifications.other_heads(record, week),
    )

    pictures = _pictures(store, change, record.study)

    def after(store: Store, done: SavedChange) -> None:
        if choosing:
            progress.choose_modification(store, week, record.variant)
        reproduction = record.variant if record.chosen else None
        prediction = record.prediction if "prediction" not in change.edited else None
        chosen_variant.note_document_written(
            store,
            week.label,
            reproduction,
            path,
            committed=repo is not None,
            prediction=prediction.number if prediction else None,
        )
        if repo is not None and prediction is not None:
            predictions.lock_prediction(
                store, record.variant, modifications.LOCKED_BY_COMMIT, week.label
            )

    return replace(
        change,
        files={**change.files, **pictures, **folder},
        message=_modification_message(change, record, path.name),
        diff=change.diff + _diff_of_files({**pictures, **folder}, root),
        warnings=warnings,
        after=after,
    )


def _pictures(store: Store, change: Change, study: StudyFacts | None) -> dict[Path, bytes]:
    """The picture that the document of a change shows."""
    (document, text), *_ = change.files.items()
    return study_picture.picture_files(store, document, text, study.id) if study else {}


def _diff_of_files(files: Mapping[Path, bytes], root: Path) -> str:
    """The diff of a study's folder and picture. A picture, and a new file beside the plan, is one
    line: it holds what trained or what came out, and hundreds of lines would push the document
    itself out of sight."""

    def shown(path: Path, data: bytes) -> str:
        name, old = str(path.relative_to(root)), read_document(path)
        if path.suffix == ".svg" and old is not None:
            return "" if old == data else f"--- {name}\n+++ {name} (drawn again)\n"
        if old is None and path.name != kept_folder.PLAN_NAME:
            lines = plural(data.count(b"\n"), "line")
            note = {".py": ", the file as it trained", ".svg": ", a picture"}.get(path.suffix, "")
            return f"--- /dev/null\n+++ {name} (new: {lines}{note})\n"
        return document_diff(old or b"", data, name)

    return "".join(starmap(shown, files.items()))


def _modification_message(change: Change, record: modifications.Modification, name: str) -> str:
    if change.is_new:
        return f"docs: add {name}" + f" for {record.variant}" * record.chosen
    if "comparison" in change.changed:
        outcome = f" ({record.study.verdict})" if record.study else ""
        return f"docs: record the {record.variant} comparison in {name}{outcome}"
    if "prediction" in change.changed:
        return f"docs: record the prediction for {record.variant} in {name}"
    return _update(change, name)


def _update(change: Change, name: str) -> str:
    return f"docs: update {', '.join(change.changed[:3]) or 'text'} in {name}"


def retro_change(
    store: Store,
    week: Week,
    root: Path,
    repo: Repository | None,
    looking: Repository | None = None,
    *,
    overwrite: bool = False,
) -> Change:
    """The quarter's retrospective in ``root``, new or refreshed. ``looking`` is the repository that
    is counted from, where nothing is committed to it."""
    name = retros.file_name(quarter_of(week.label))
    counted_repo = repo or looking
    record = retros.gather_retro(store, week, counted_repo, ticked=retro_ticks(root, week))
    change = document_change(
        root / name,
        retros.retro_document(record, week.root),
        repo,
        root,
        overwrite=overwrite,
        other_heads=retros.other_heads(record, week.root),
    )

    def after(store: Store, done: SavedChange) -> None:
        holds = done.commit.sha if done.commit is not None else None
        evidence.note_written(store, week.label, "retro", root / name, holds)

    message = f"docs: add {name}" if change.is_new else _update(change, name)
    return replace(change, message=message, after=after)


def retro_ticks(root: Path, week: Week) -> frozenset[str]:
    """The boxes that are ticked in the retrospective itself: a tick made in the file counts."""
    name = retros.file_name(quarter_of(week.label))
    data = read_document(root / name) or b""
    bodies = [region.body for region in find_regions(data, name) if region.name == "calibration"]
    return frozenset(title for body in bodies for title in retros.ticked_in(body))


def post_change(
    store: Store,
    week: Week,
    root: Path,
    repo: Repository | None,
    *,
    title: str | None = None,
    overwrite: bool = False,
) -> Change:
    """The draft of the post below ``root``, with its chart, new or refreshed."""
    path = posts.draft_path(store, week, root)
    record = posts.gather_post(store, week, title=title)
    change = document_change(
        path, posts.post_document(record, week.root), repo, root, overwrite=overwrite
    )
    pictures = _pictures(store, change, record.study)
    message = f"docs: {'begin' if change.is_new else 'refresh'} the retrospective post"
    if record.verdict not in ("", "no verdict"):
        message += f" with the {record.modification.variant} results ({record.verdict})"

    def after(store: Store, done: SavedChange) -> None:
        published.save_post(store, week.label, record.title, str(path))

    return replace(
        change,
        files={**change.files, **pictures},
        message=message,
        diff=change.diff + _diff_of_files(pictures, root),
        after=after,
    )


def roadmap_change(
    path: Path,
    data: bytes,
    label: str,
    boxes: Sequence[roadmaps.Box],
    lines: Sequence[int],
    repo: Repository | None,
) -> Change:
    """The roadmap with the boxes in these lines ticked."""
    acts.refuse_agents("roadmap")
    new = roadmaps.tick(data, boxes, lines)
    titles = [box.title for box in boxes if box.line in lines]
    what = f"“{titles[0][:50]}”" if len(titles) == 1 else f"{len(titles)} boxes of {label}"

    def after(store: Store, done: SavedChange) -> None:
        evidence.note_written(store, label, "roadmap", path, done.sha)

    message = f"docs: tick {what} in {path.name}"
    return Change({path: new}, message, repo, document_diff(data, new, path.name), after=after)

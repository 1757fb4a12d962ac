"""The baseline of a model file: the file that it was made from.

A file that `q1lab new` made says so in its first line (origin_line.py), with the hash of its
parent's text; q1lab's home remembers the same, for a file whose line was taken out. That text is
looked for where it lies, then among the texts that q1lab keeps, then in the history of the
learner's repository: the comparison is always with what the file was made from, even when the
parent has changed since, a merge of this very file included.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import open_regular, read_bytes, read_json, sha256_text, write_atomic
from q1lab.study import variants
from q1lab.study.model_source import LARGEST_MODEL_FILE
from q1lab.study.variants import Variant
from q1lab.week.own_model import origin_line

MODEL = "model.py"
"""The learner's own model, by convention as in nanoGPT."""


@dataclass(frozen=True)
class Pair:
    """Two model files to compare. ``note`` says what a person should know about the choice of the
    baseline, or nothing."""

    baseline: Variant
    modified: Variant
    note: str = ""


def find_pair(variant: str, baseline: str | None, command: str = "run") -> Pair:
    """The two files that ``variant`` and ``baseline`` name, as a person types them.

    ``baseline`` None means what the variant was made from; for one of q1lab's own, and for a file
    of which nothing is known, that is q1lab's baseline. Problem when there is a model.py of the
    learner's that it might be, or the parent can't be read: a comparison with the wrong file looks
    like any other. ``command`` is the one to choose with (`q1lab COMMAND …`).
    """
    modified = variants.find_variant(variant)
    if baseline is not None:
        return Pair(variants.find_variant(baseline), modified)
    if not modified.is_learners:
        return Pair(variants.find_variant("baseline"), modified)
    parent = parent_of(modified.path)
    if parent is not None:
        return Pair(parent.variant, modified, parent.note)
    learners_model = _own_model(modified.path)
    if learners_model is not None:
        choose = f"q1lab {command} {shlex.quote(variant)} --baseline"
        raise Problem(
            f"{modified.path.name} does not say what it was made from, "
            f"and there is your {_told(learners_model)}. ",
            next=(
                f"Choose: `{choose} {shlex.quote(_told(learners_model))}` compares with yours, "
                f"`{choose} baseline` with q1lab's own"
            ),
        )
    return Pair(variants.find_variant("baseline"), modified)


@dataclass(frozen=True)
class Parent:
    """The text that a file was made from. ``name`` is the parent's file name; ``variant`` reads
    the text itself, wherever it was found."""

    name: str
    variant: Variant
    note: str = ""


def parent_of(file: Path) -> Parent | None:
    """The parent of ``file``; None if neither its first lines nor q1lab's home name one.

    Problem if the parent's text is lost.
    """
    marker = origin_of(file)
    if marker is None:
        return None
    is_baseline = marker.source == origin_line.BASELINE
    source_file = (
        paths.models_dir() / "baseline.py"
        if is_baseline
        else file.parent / Path(marker.source).name
    )
    origin = "baseline" if is_baseline else str(source_file.absolute())
    name = source_file.name
    now = _read(source_file) if source_file != file else None
    if now is not None and _sha(now) == marker.sha256:
        return Parent(name, variants.read_variant(source_file, source_file.stem, origin))
    stored_base = base_path(marker.sha256)
    if not stored_base.is_file():
        past = None if is_baseline else _in_history(source_file, marker.sha256)
        if past is None:
            change = "has changed" if now is not None else "is gone"
            source_name = "q1lab's baseline" if is_baseline else name
            raise Problem(
                f"{source_name} {change} since {file.name} was made from it, and there "
                f"is no copy of the earlier text: ",
                next="say what to compare with, --baseline FILE or --baseline baseline",
            )
        save_base(past)
    if is_baseline:
        note = "q1lab's baseline has changed since; compared with the earlier one"
    elif now is None:
        note = f"{name} is gone; compared with what it was when {file.name} was made from it"
    else:
        note = (
            f"{name} has changed since {file.name} was made from it; compared with what it was "
            f"then (--baseline {shlex.quote(_told(source_file))} compares with today's)"
        )
    return Parent(name, variants.read_variant(stored_base, source_file.stem, origin), note)


def parent_or_baseline(file: Path) -> Parent:
    """As ``parent_of``, but the baseline where the parent is unknown or lost. For display; never
    raises."""
    try:
        parent = parent_of(file)
    except Problem:
        parent = None
    return parent or Parent("baseline.py", variants.find_variant("baseline"))


def same_code(variant: Variant, other: Variant) -> bool:
    """True if two files are equal but for q1lab's line on top."""
    return sha256_text(origin_line.strip_marker_text(variant.text)) == sha256_text(
        origin_line.strip_marker_text(other.text)
    )


def variant_trained_by(study: str) -> str | None:
    """The modification that the file which a study trained was made for, by its first line; None
    where that does not say, as in q1lab's own."""
    copies = (paths.study_dir(study) / "source" / "modified").glob("*.py")
    marker = next(
        (copy_marker for copy_marker in map(_marker_of, sorted(copies)) if copy_marker is not None),
        None,
    )
    return marker.variant if marker else None


def remember_origin(file: Path, marker: origin_line.Marker) -> None:
    """Save the content of a new file's first line, in case that line is taken out."""
    write_atomic(_memory(file), json.dumps(asdict(marker)) + "\n")


def origin_of(file: Path) -> origin_line.Marker | None:
    """A file's origin, from its first lines, else from q1lab's home. None for a file that `q1lab
    new` did not make."""
    marker = _marker_of(file)
    if marker is not None or not file.is_file():
        return marker
    try:
        remembered = origin_line.Marker(**read_json(_memory(file), 100_000))
    except (OSError, ValueError, TypeError):
        return None
    return (
        remembered
        if origin_line.read_marker(f"{origin_line.marker_line(remembered)}\n".encode())
        == remembered
        else None
    )


def _memory(file: Path) -> Path:
    return paths.home() / "bases" / f"{sha256_text(str(file.absolute()))[:32]}.json"


def save_base(text: bytes) -> str:
    """Keep a text that a file was made from; returns its SHA-256, under which it is found again."""
    sha = _sha(text)
    path = base_path(sha)
    if not path.is_file():
        write_atomic(path, text)
    return sha


def base_path(sha: str) -> Path:
    """The path at which a text with this SHA-256 is saved, if it is."""
    return paths.home() / "bases" / f"{sha}.py"


def _sha(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _read(file: Path) -> bytes | None:
    try:
        return read_bytes(file, LARGEST_MODEL_FILE)
    except OSError:
        return None


def _marker_of(file: Path) -> origin_line.Marker | None:
    try:
        with open_regular(file) as stream:
            return origin_line.read_marker(stream.read(origin_line.SEARCHED_BYTES))
    except OSError:
        return None


def _in_history(file: Path, sha: str) -> bytes | None:
    """The version of ``file`` with this hash, out of the commits of its repository."""
    from q1lab.ground import git_history
    from q1lab.ground.git_repository import Repository

    try:
        versions = git_history.versions(Repository.discover(file), file)
        return next((text for text in versions if _sha(text) == sha), None)
    except Problem:
        return None


def _own_model(file: Path) -> Path | None:
    """The learner's model.py that ``file`` may have been made from: beside it, or at the root of
    its repository."""
    sibling = file.parent / MODEL
    if sibling.is_file():
        return sibling if sibling != file else None
    from q1lab.ground.git_repository import Repository

    try:
        top = Repository.discover(file).root / MODEL
    except Problem:
        return None
    return top if top.is_file() and top != file else None


def _told(file: Path) -> str:
    """A file's path as one types it in the current folder: relative below it, else absolute."""
    folder = Path.cwd()
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)

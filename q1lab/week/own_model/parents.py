"""What a model file is compared with: the file that it was made from.

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
    learner's that it might be, or the parent can't be had: a comparison with the wrong file looks
    like any other. ``command`` is the one to choose with (`q1lab COMMAND …`).
    """
    modified = variants.find_variant(variant)
    if baseline is not None:
        return Pair(variants.find_variant(baseline), modified)
    if not modified.is_learners:
        return Pair(variants.find_variant("baseline"), modified)
    found = parent_of(modified.path)
    if found is not None:
        return Pair(found.variant, modified, found.note)
    own = _own_model(modified.path)
    if own is not None:
        choose = f"q1lab {command} {shlex.quote(variant)} --baseline"
        raise Problem(
            f"{modified.path.name} does not say what it was made from, "
            f"and there is your {_told(own)}. ",
            next=(
                f"Choose: `{choose} {shlex.quote(_told(own))}` compares with yours, "
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
    """What ``file`` was made from; None when neither its first lines nor q1lab's home say.

    Problem when that text is nowhere to be had.
    """
    made = origin_of(file)
    if made is None:
        return None
    own = made.source == origin_line.BASELINE
    lies = paths.models_dir() / "baseline.py" if own else file.parent / Path(made.source).name
    origin = "baseline" if own else str(lies.absolute())
    name = lies.name
    now = _read(lies) if lies != file else None
    if now is not None and _sha(now) == made.sha256:
        return Parent(name, variants.read_variant(lies, lies.stem, origin))
    kept = base_path(made.sha256)
    if not kept.is_file():
        past = None if own else _in_history(lies, made.sha256)
        if past is None:
            what = "has changed" if now is not None else "is gone"
            told = "q1lab's baseline" if own else name
            raise Problem(
                f"{told} {what} since {file.name} was made from it, and the text of then is kept "
                f"nowhere: ",
                next="say what to compare with, --baseline FILE or --baseline baseline",
            )
        save_base(past)
    if own:
        note = "q1lab's baseline is another one by now; compared with the one of then"
    elif now is None:
        note = f"{name} is gone; compared with what it was when {file.name} was made from it"
    else:
        note = (
            f"{name} has changed since {file.name} was made from it; compared with what it was "
            f"then (--baseline {shlex.quote(_told(lies))} compares with today's)"
        )
    return Parent(name, variants.read_variant(kept, lies.stem, origin), note)


def parent_or_baseline(file: Path) -> Parent:
    """As ``of``, for looking only: the baseline where the parent is not known or can't be had.
    Never raises."""
    try:
        found = parent_of(file)
    except Problem:
        found = None
    return found or Parent("baseline.py", variants.find_variant("baseline"))


def same_code(one: Variant, other: Variant) -> bool:
    """Whether two files differ in nothing but q1lab's line on top."""
    return sha256_text(origin_line.strip_marker_text(one.text)) == sha256_text(
        origin_line.strip_marker_text(other.text)
    )


def variant_trained_by(study: str) -> str | None:
    """The modification that the file which a study trained was made for, by its first line; None
    where that does not say, as in q1lab's own."""
    copies = (paths.study_dir(study) / "source" / "modified").glob("*.py")
    found = next((made for made in map(_marker_of, sorted(copies)) if made is not None), None)
    return found.variant if found else None


def remember_origin(file: Path, made: origin_line.Marker) -> None:
    """Keep what a new file's first line says, for when that line is gone."""
    write_atomic(_memory(file), json.dumps(asdict(made)) + "\n")


def origin_of(file: Path) -> origin_line.Marker | None:
    """What a file's first lines say of how `q1lab new` made it; without them, what was remembered
    when it did. None for a file that it did not make."""
    found = _marker_of(file)
    if found is not None or not file.is_file():
        return found
    try:
        known = origin_line.Marker(**read_json(_memory(file), 100_000))
    except (OSError, ValueError, TypeError):
        return None
    return (
        known
        if origin_line.read_marker(f"{origin_line.marker_line(known)}\n".encode()) == known
        else None
    )


def _memory(file: Path) -> Path:
    return paths.home() / "bases" / f"{sha256_text(str(file.absolute()))[:32]}.json"


def save_base(text: bytes) -> str:
    """Keep a text that a file was made from; returns its SHA-256, under which it is found again."""
    sha = _sha(text)
    kept = base_path(sha)
    if not kept.is_file():
        write_atomic(kept, text)
    return sha


def base_path(sha: str) -> Path:
    """Where the text with this SHA-256 is kept, if it is."""
    return paths.home() / "bases" / f"{sha}.py"


def _sha(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _read(file: Path) -> bytes | None:
    try:
        return read_bytes(file, variants.LARGEST_MODEL_FILE)
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
    from q1lab.ground.git_repository import Repository

    try:
        versions = Repository.discover(file).versions(file)
        return next((text for text in versions if _sha(text) == sha), None)
    except Problem:
        return None


def _own_model(file: Path) -> Path | None:
    """The learner's model.py that ``file`` may have been made from: beside it, or at the root of
    its repository."""
    beside = file.parent / MODEL
    if beside.is_file():
        return beside if beside != file else None
    from q1lab.ground.git_repository import Repository

    try:
        top = Repository.discover(file).root / MODEL
    except Problem:
        return None
    return top if top.is_file() and top != file else None


def _told(file: Path) -> str:
    """A file as it is typed where one stands: from here if it is below, else by its full path."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)

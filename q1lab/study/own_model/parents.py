"""The baseline of a model file: the file that it was made from.

A file that `q1lab new` made says so in its first line (origin_line.py), with the hash of its
parent's text. That text is looked for where it lies, then among the texts that q1lab keeps: the
comparison is always with what the file was made from, even when the parent has changed since, a
merge of this very file included. A file without the line is compared with the model.py beside it.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import open_regular, read_bytes, write_atomic
from q1lab.study import variants
from q1lab.study.model_source import LARGEST_MODEL_FILE
from q1lab.study.own_model import origin_line
from q1lab.study.variants import Variant

MODEL = "model.py"
"""The learner's own model, by convention as in nanoGPT."""


@dataclass(frozen=True)
class Pair:
    """Two model files to compare. ``note`` says what a person should know about the choice of the
    baseline, or nothing."""

    baseline: Variant
    modified: Variant
    note: str = ""

    def prove_different_code(self, *, is_kept: bool) -> None:
        """Problem for two files of the same code, unless they are one file, or were kept as a
        study of one: that asks for the noise floor."""
        modified, baseline = self.modified, self.baseline
        texts = [origin_line.strip_marker_text(file.text) for file in (modified, baseline)]
        is_one = modified.path == baseline.path or is_kept
        if texts[0] == texts[1] and not (is_one and modified.sha256 == baseline.sha256):
            raise Problem(
                f"{modified.path.name} and {baseline.name}.py hold the same code; there is nothing "
                "to compare"
            )


def find_pair(variant: str, baseline: str | None, command: str = "run") -> Pair:
    """The two files that ``variant`` and ``baseline`` name, as a person types them.

    ``baseline`` None means q1lab's baseline for one of q1lab's own, and for a file of the learner's
    what its first line names, else the model.py beside it. Problem where neither is there, or the
    parent can't be read. ``command`` is the one to choose with (`q1lab COMMAND …`).
    """
    modified = variants.find_variant(variant)
    if baseline is not None:
        return Pair(variants.find_variant(baseline), modified)
    if not modified.is_learners:
        return Pair(variants.find_variant("baseline"), modified)
    parent = parent_of(modified.path)
    if parent is not None:
        return Pair(parent.variant, modified, parent.note)
    choose = f"`q1lab {command} {shlex.quote(variant)} --baseline"
    name, beside = modified.path.name, modified.path.parent / MODEL
    if name != MODEL and beside.is_file():
        note = (
            f"{name} does not say what it was made from; compared with the {MODEL} beside it "
            f"({choose} baseline` compares with q1lab's own)"
        )
        return Pair(variants.find_variant(str(beside)), modified, note)
    raise Problem(
        f"{name} does not say what it was made from: ",
        next=f"{choose} FILE` compares with a file, {choose} baseline` with q1lab's own",
    )


@dataclass(frozen=True)
class Parent:
    """The text that a file was made from. ``name`` is the parent's file name; ``variant`` reads
    the text itself, wherever it was found."""

    name: str
    variant: Variant
    note: str = ""


def parent_of(file: Path) -> Parent | None:
    """The parent of ``file``; None if its first lines name none.

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
        change = "has changed" if now is not None else "is gone"
        source_name = "q1lab's baseline" if is_baseline else name
        raise Problem(
            f"{source_name} {change} since {file.name} was made from it, and there "
            f"is no copy of the earlier text: ",
            next="say what to compare with, --baseline FILE or --baseline baseline",
        )
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


def variant_trained_by(study: str) -> str | None:
    """The modification that the file which a study trained was made for, by its first line; None
    where that does not say, as in q1lab's own."""
    copies = (paths.study_dir(study) / "source" / "modified").glob("*.py")
    marker = next(
        (copy_marker for copy_marker in map(origin_of, sorted(copies)) if copy_marker is not None),
        None,
    )
    return marker.variant if marker else None


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


def origin_of(file: Path) -> origin_line.Marker | None:
    """A file's origin, by its first lines; None for a file that `q1lab new` did not make."""
    try:
        with open_regular(file) as stream:
            return origin_line.read_marker(stream.read(origin_line.SEARCHED_BYTES))
    except OSError:
        return None


def _told(file: Path) -> str:
    """A file's path as one types it in the current folder: relative below it, else absolute."""
    folder = Path.cwd()
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)

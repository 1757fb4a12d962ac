"""The learner's own model files: made from theirs or from the baseline, helped along by hints,
merged back.

A file that `q1lab new` makes is an untouched copy under a new name, with one comment line on top
that says what it was made from. The text it was made from is kept in q1lab's home under its hash:
it is the base of the three-way merge, whatever has become of the original since. Nothing here
overwrites a file that the learner wrote.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground import git_command, paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import (
    os_errors_as_problems,
    os_reason,
    read_bytes,
    utc_now,
    write_atomic,
)
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.study import variants
from q1lab.study.model_source import LARGEST_MODEL_FILE
from q1lab.study.own_model import origin_line, parents
from q1lab.week.own_model import diffs

SETTLE = "settle what is between <<<<<<< and >>>>>>>"
"""The learner's task after a merge with conflicts."""
STAGES = ("Question", "Place", "Idea", "Outline", "Solution")
"""The stages of a hint, from 1, each of which tells more: a question, the place in the file, the
formula, the new code with its steps in words, the reference's diff."""


# ── new


VIDEO_NAMES = ("gpt", "bigram", "v2", "transformer")
"""Names that people give the file that they type along a video."""


def require_modification(name: str) -> None:
    """Problem unless q1lab has a modification of this name."""
    names = variants.modifications()
    if name not in names:
        raise Problem(f"no modification called {name!r}", next=f"there is: {', '.join(names)}")


@dataclass(frozen=True)
class NewFile:
    """A new file. ``source`` is its origin: a path, or "baseline"."""

    path: Path
    source: str
    sha256: str


def new_model_file(
    variant: str,
    folder: Path,
    source: Path | None = None,
    name: str | None = None,
    noted: str = "",
) -> NewFile:
    """Put ``<variant>.py`` (or ``name``) into ``folder``: a copy of ``source`` under a header line.

    ``source`` None means the folder's model.py where there is one, else the baseline. Raises
    Problem for an unknown variant, a source that can't be read, and a file that is already there,
    unless a killed call left it: it is of this variant, and not the file that is ``noted``.
    """
    require_modification(variant)
    if source is None and (folder / "model.py").is_file():
        source = folder / "model.py"
    text = _read(source or paths.models_dir() / "baseline.py")
    marker = origin_line.Marker(
        variant, source.name if source else origin_line.BASELINE, parents.save_base(text)
    )
    newline = b"\r\n" if b"\r\n" in text[:10_000] else b"\n"
    header = origin_line.marker_line(marker).encode() + newline
    first, rest = _after_shebang(text)
    path = folder / (name or f"{variant}.py")
    is_unnoted = path.is_file() and str(path.absolute()) != noted
    left = parents.origin_of(path) if is_unnoted else None
    if left and left.variant == variant:
        marker = left
    else:
        _create(path, first + header + rest)
    return NewFile(path, str(source.absolute()) if source else "baseline", marker.sha256)


def new_baseline(folder: Path, name: str = "model.py") -> NewFile:
    """Put the baseline into ``folder`` as the learner's own model. Problem when the file is already
    there."""
    text = _read(paths.models_dir() / "baseline.py")
    path = folder / name
    _create(path, text)
    return NewFile(path, "baseline", parents.save_base(text))


def make_folder(folder: Path) -> None:
    """Make a folder for a model, in one that is there."""
    with os_errors_as_problems(f"cannot make {folder}"):
        folder.mkdir()


def note_file(store: Store, week: str, variant: str, new_file: NewFile) -> None:
    """Remember the file that carries the week's modification, and its source. The modification is
    chosen by that if none was chosen; another choice stays as it is."""
    file = str(new_file.path.absolute())
    store.add("file", week=week, variant=variant, file=file, base=new_file.source)


def _after_shebang(text: bytes) -> tuple[bytes, bytes]:
    """(what must stay the first line: a #! line or a byte order mark, the rest)."""
    if text.startswith(b"#!"):
        end = text.find(b"\n") + 1 or len(text)
        return text[:end], text[end:]
    byte_order_mark = b"\xef\xbb\xbf"
    return (byte_order_mark, text[3:]) if text.startswith(byte_order_mark) else (b"", text)


def _read(path: Path) -> bytes:
    try:
        data = read_bytes(path, LARGEST_MODEL_FILE)
        data.decode("utf-8")
        return data
    except UnicodeDecodeError:
        raise Problem(f"{path}: not UTF-8 text", file=path) from None
    except OSError as error:
        raise Problem(f"cannot read {path}: {os_reason(error)}", file=path) from None


def _create(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet."""
    if not path.parent.is_dir():
        raise Problem(
            f"there is no folder {path.parent}: ",
            next="make it, or give a repository with --repo",
            file=path.parent,
        )
    if os.path.lexists(path):
        raise Problem(
            f"{path} is already there, and stays as it is",
            next="give another name with --name",
            file=path,
        )
    write_atomic(path, content, mode=0o644)


# ── hints

_CHECKS = re.compile(r"<!-- checks: (.+?) -->\s*")
"""The first line of a stage: the modification's checks that it helps with, separated by ``;``."""


@dataclass(frozen=True)
class Hint:
    """One stage of help. ``stage`` counts from 1; ``text`` is Markdown, a diff for the last
    stage. ``checks`` are those that it helps with when they fail."""

    variant: str
    stage: int
    title: str
    text: str
    checks: tuple[str, ...] = ()


def hints_for(variant: str, content: Path | None = None) -> tuple[Hint, ...]:
    """The stages for a variant that have a text: question, place, idea, outline, solution.

    ``content``: the week's folder; the shipped hints stand in where it has none. Problem for an
    unknown variant.
    """
    sections = _sections(variant, content)
    texts = [*(sections.get(title, "") for title in STAGES[:-1]), reference_diff(variant)]
    hints = []
    for stage, (title, text) in enumerate(zip(STAGES, texts, strict=True), 1):
        checks_line = _CHECKS.match(text)
        names = checks_line[1].split(";") if checks_line else ()
        checks = tuple(f"{variant}: {name.strip()}" for name in names)
        if text:
            hints.append(Hint(variant, stage, title, _CHECKS.sub("", text), checks))
    return tuple(hints)


def hint_files(content: Path | None) -> dict[str, Path]:
    """The hint files by modification: those of the week's folder before those that ship."""
    folders = [folder for folder in (paths.content_dir(), content) if folder is not None]
    return {file.stem: file for folder in folders for file in (folder / "hints").glob("*.md")}


def notes_after_passing(variant: str, content: Path | None = None) -> str:
    """Markdown for learners who have passed, on right files that differ from the reference."""
    return _sections(variant, content).get("After", "")


def reference_diff(variant: str) -> str:
    """The unified diff from the baseline to the reference variant."""
    old, new_ = (
        _read(paths.models_dir() / f"{name}.py").decode() for name in ("baseline", variant)
    )
    return diffs.unified_diff(old, new_, "baseline.py", f"{variant}.py")


@dataclass(frozen=True)
class ReferenceDiff:
    """A diff that shows the reference to a learner who has passed. ``of_file``: it ends at their
    file; else it leads from the baseline to the reference."""

    diff: str
    of_file: bool


def compare_with_reference(variant: str, file: Path) -> ReferenceDiff:
    """The diff from the reference variant to the learner's file, without the header line. Where
    that would be most of the file, since it was made from other code than q1lab's baseline, the
    diff from that baseline to the reference."""
    reference_text = _read(paths.models_dir() / f"{variant}.py").decode()
    learners_text = origin_line.strip_marker(_read(file)).decode()
    diff = diffs.unified_diff(reference_text, learners_text, f"reference/{variant}.py", file.name)
    if 2 * diffs.count_changed_lines(diff)[1] > len(
        diffs.code_without_docstring(reference_text).splitlines()
    ):
        return ReferenceDiff(reference_diff(variant), False)
    return ReferenceDiff(diff, True)


def open_hints(
    store: Store, week: str, content: Path, variant: str, failing: Collection[str] = ()
) -> list[Hint]:
    """The hints that are open. First the next one: the first that answers one of the
    ``failing`` checks; without one, or when that was used, the first that was not used yet (the
    last one when all were). Then the others up to the highest of it and of those that were used, by
    stage. Problem: no such hints."""
    ladder = hints_for(variant, content)
    used = learner_tables.used_hints(store, week, variant)
    unused = [rung for rung in ladder if rung.stage not in used]
    fitting = [rung for rung in unused if set(failing) & set(rung.checks)]
    hint = [*fitting, *unused, ladder[-1]][0]
    last = max([hint.stage, *used])
    return [hint, *(rung for rung in ladder[:last] if rung is not hint)]


def _sections(variant: str, content: Path | None) -> dict[str, str]:
    """The parts of a hint file, by their headings (##)."""
    files = hint_files(content)
    if variant not in variants.modifications() or variant not in files:
        raise Problem(
            f"no hints for {variant!r}", next=f"there are some for {', '.join(sorted(files))}"
        )
    parts = re.split(r"^## (.+)$", _read(files[variant]).decode(), flags=re.MULTILINE)
    return {
        title.strip(): text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


# ── merge


@dataclass(frozen=True)
class ModelMerge:
    """A modification applied to a file, in memory. ``conflicts`` counts places that git could not
    decide."""

    file: Path
    into: Path
    variant: str
    old: bytes
    new: bytes
    conflicts: int
    diff: str


def merge_into(file: Path, into: Path, base: Path | None = None) -> ModelMerge:
    """Apply the changes of ``file`` since it was made to ``into``: a three-way merge. Nothing is
    written.

    The base is the text that the file's header line names; ``base`` gives one by hand. Raises
    Problem when there is no base, or a file can't be read.
    """
    if file.absolute() == into.absolute():
        raise Problem(
            f"{file.name} can't be merged into itself: ", next="say which file with --into"
        )
    if not into.exists():
        raise Problem(
            f"there is no {into}: ",
            next="`q1lab new --baseline` makes one, or name it with --into",
            file=into,
        )
    script = file.with_name(f"{file.name}.py")
    if not file.exists() and script.is_file():
        raise Problem(
            f"there is no {file}, but {script.name} is: ", next=f"q1lab merge {script}", file=file
        )
    raw, old = _read(file), _read(into)
    if re.search(rb"^<{7} .*^>{7} ", old, re.MULTILINE | re.DOTALL):
        raise Problem(
            f"{into} still holds what an earlier merge could not decide: {SETTLE} first", file=into
        )
    marker = parents.origin_of(file)
    if base is not None:
        base_text = origin_line.strip_marker(_read(base))
    elif marker is None:
        raise Problem(
            f"{file}:1: the line that says what it was made from is gone",
            next="name that file with --base",
            file=file,
            line=1,
        )
    else:
        base_text = _base_of(file, marker)
    variant = marker.variant if marker else file.stem
    merged, conflicts = merge_file(
        old,
        base_text,
        origin_line.strip_marker(raw),
        (into.name, f"{file.name} as it was made", file.name),
    )
    diff = diffs.unified_diff(
        old.decode(),
        merged.decode("utf-8", "replace"),
        into.name,
        f"{into.name} with {variant}",
        code_only=False,
    )
    return ModelMerge(file, into, variant, old, merged, conflicts, diff)


def merge_file(
    ours: bytes,
    base: bytes,
    theirs: bytes,
    names: tuple[str, str, str] = ("ours", "base", "theirs"),
) -> tuple[bytes, int]:
    """``base`` → ``theirs`` applied to ``ours``, three ways: (the result, how many conflicts it
    has).

    Conflicts stand in the result between git's markers, under ``names``. Works without any
    repository.
    """
    with tempfile.TemporaryDirectory(prefix="q1lab-merge-") as folder:
        files = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for file, content in zip(files, (ours, base, theirs), strict=True):
            file.write_bytes(content)
        labels = [part for name in names for part in ("-L", name)]
        code, _, err = git_command.run(
            Path(folder), "merge-file", "-q", *labels, *(file.name for file in files)
        )
        if not 0 <= code < 128:  # otherwise the number of conflicts, 127 at most
            raise Problem(
                f"git could not merge {names[2]} into {names[0]}: {git_command.said(err)}",
                FAILED,
            )
        return files[0].read_bytes(), code


def _base_of(file: Path, marker: origin_line.Marker) -> bytes:
    """The text that ``file`` was made from."""
    try:
        parent = parents.parent_of(file)
        assert parent is not None
    except Problem:
        raise Problem(
            f"there is no copy of the text that {file.name} was made from ({marker.source})",
            next="name it with --base",
        ) from None
    return _read(parent.variant.path)


@dataclass(frozen=True)
class WayToBegin:
    """A command that makes a model file, with its effect in words."""

    command: tuple[str, ...]
    purpose: str


def ways_to_begin(file: Path, variant: str | None = None) -> list[WayToBegin]:
    """The ways to a model file that is not there: for ``variant``, a copy of the baseline; for the
    baseline, q1lab's own, or one's file that was typed along a video."""
    if variant in variants.modifications():
        return [WayToBegin(("q1lab", "new", variant), "copies your model.py, to be changed there")]
    typed = sorted(path.name for path in file.parent.glob("*.py") if path.stem in VIDEO_NAMES)
    which = f"{typed[0]}, which lies beside it," if typed else "a file typed along a video"
    return [
        WayToBegin(("q1lab", "new", "--baseline"), "writes a model.py that learns"),
        WayToBegin(
            ("q1lab", "take", "from_the_video.py"),
            f"shows how {which} becomes a model file in five steps",
        ),
    ]


def ways_in_words(file: Path, variant: str | None = None) -> str:
    """The ways to a model file that is not there, for the end of a message."""
    ways = ways_to_begin(file, variant)
    return ", ".join(f"`{' '.join(way.command)}` {way.purpose}" for way in ways)


def save_copy(merge: ModelMerge) -> Path:
    """Keep the text that a merge is about to replace, in q1lab's home; returns where.

    Problem when the file has changed since the merge was planned: it is the learner's, and newer.
    """
    if _read(merge.into) != merge.old:
        raise Problem(
            f"{merge.into} changed while q1lab worked on it",
            FAILED,
            next="run the command again",
            file=merge.into,
        )
    stamp = re.sub(r"[^0-9]", "", utc_now())[:14]
    folder = paths.home() / "copies"
    for number in range(1000):
        suffix = f"-{number}" if number else ""
        path = (
            folder / f"{merge.into.stem}-before-{merge.variant}-{stamp}{suffix}{merge.into.suffix}"
        )
        if not path.exists():
            write_atomic(path, merge.old)
            return path
    raise Problem(f"too many copies in {folder}", FAILED, next="clear it out", file=folder)

"""Sources of runs: files, folders and patterns of files. Each file is read by the reader of its
form, and all of them together are one set of runs, by arm and seed.

Everything here is untrusted data: it is bounded, and links inside a folder are not followed.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.ground.text_formats import plural
from q1lab.judgment.tables import number_table
from q1lab.judgment.tables.found_runs import Found, TableOptions
from q1lab.judgment.tables.outside_run import MAX_FILES, WANDB, RunFiles
from q1lab.judgment.tables.readers import (
    DELIMITED,
    FORMS,
    PRINTED,
    fits,
    form_of,
    sheets,
    text_files,
)
from q1lab.judgment.tables.runs_in_files import found_in_files
from q1lab.judgment.tables.table_rows import read

MOST_ENTRIES = 200_000
"""Entries of a folder and all below it."""

NUMBERS = re.compile(r"[^=:]+[=:](?P<them>-?[0-9.]+(?:,-?[0-9.]+)+)")
"""An arm as a person may write it: ``base=1.9,1.8``."""

Pull = Callable[[str], list[RunFiles]]
"""Reads the runs of a project at Weights & Biases into files."""


def found_in_sources(
    sources: Sequence[str], options: TableOptions, *, pull: Pull | None = None
) -> Found:
    """All runs of the sources; ``pull`` reads those that are projects at W&B. Problem, with the
    place, for what can't be read or understood."""
    patterns = [*((None, source) for source in sources), *options.arms]
    if [source for _, source in patterns] == ["-"]:
        return number_table.found_in_text(read("-"), "standard input", options)
    notes: list[str] = []
    every = [piece for label, source in patterns for piece in _pieces(label, source, notes, pull)]
    pieces = _once(grouped(every), notes)
    first = patterns[0][1]
    is_path = len(patterns) == 1 and (first.startswith(WANDB) or os.path.lexists(first))
    name = first if is_path else plural(len(pieces), "file")
    if len(pieces) == 1 and not (options.arms or options.pattern or pieces[0].form):
        (file,) = pieces[0].files
        if file.suffix.lower() in sheets.ENDINGS:
            return number_table.found_in_rows(sheets.read(file), options)
        text, is_table = read(str(file)), file.suffix.lower() in DELIMITED
        if not is_table:
            is_table = not text_files.is_printed(file, text)
        if is_table:
            return number_table.found_in_text(text, str(file), options)
    result = found_in_files(name, pieces, options)
    result.notes[:0] = notes
    return result


# ── files


def _pieces(label: str | None, source: str, notes: list[str], pull: Pull | None) -> list[RunFiles]:
    """The files that a file, a folder, a pattern or a project names."""
    if source.startswith(WANDB):
        if pull is None:
            raise Problem(f"{printable(source)} is read by `q1lab judge` alone")
        return [replace(piece, label=label) for piece in pull(source)]
    path = Path(source).expanduser()
    if not os.path.lexists(path) and glob.has_magic(source):
        paths = glob.iglob(str(path), recursive=True)  # noqa: PTH207 (a pattern with its folder)
        matches = list(islice(paths, MAX_FILES + 1))
        if not matches:
            raise Problem(f"no file fits {printable(source)!r}")
        if len(matches) > MAX_FILES:
            raise Problem(f"more than {MAX_FILES:,} files fit {printable(source)!r}")
        return [piece for match in sorted(matches) for piece in _at(label, Path(match), notes)]
    return _at(label, path, notes)


def _at(label: str | None, path: Path, notes: list[str]) -> list[RunFiles]:
    if not path.exists():
        more = "give a file, a folder or a pattern"
        if numbers := NUMBERS.fullmatch(str(path)):
            more = f"an arm's numbers go like this: --baseline {numbers['them']} --modified …"
        raise Problem(f"{path} doesn't exist", next=more, file=path)
    if path.is_dir():
        return _in_folder(label, path, notes)
    if path.suffix.lower() == ".parquet":
        raise Problem(
            f"{path} is Parquet, which isn't read",
            next='make it CSV: python -c "import pandas; '
            f"pandas.read_parquet({str(path)!r}).to_csv('runs.csv')\"",
            file=path,
        )
    return [RunFiles((path,), label, form_of(path))]


def _in_folder(label: str | None, folder: Path, notes: list[str]) -> list[RunFiles]:
    """The logs below a folder, of the first form that any file there has. Those of another form may
    be of the same runs."""
    files = list(files_below(folder))
    forms = logs_by_form(files, label)
    for title, logs in list(forms.items())[1:]:
        notes.append(f"{folder}: {plural(len(logs), 'file')} with {title} not read")
    for logs in forms.values():
        _check_number(logs, folder)
        return logs
    printed = sorted(file for file in files if file.suffix.lower() in PRINTED)
    arms = {file: file.relative_to(folder).parts[0] for file in printed}
    if label is None and len(set(arms.values())) > 1 and not any(f.parent == folder for f in arms):
        _check_number(printed, folder)
        return [RunFiles((file,), arms[file]) for file in printed]
    if any(file.name == "events.jsonl" for file in files):
        raise Problem(
            f"{folder} holds runs of q1lab", next="`q1lab compare` judges them", file=folder
        )
    raise Problem(
        f"{folder} holds no log that is known by its name ({', '.join(FORMS)})",
        next=f"name the files of each arm: --arm base='{folder}/base*' --arm new='{folder}/new*'",
        file=folder,
    )


def logs_by_form(files: Sequence[Path], label: str | None = None) -> dict[str, list[RunFiles]]:
    """Each file that is of a form by its name, by the form's name; forms without a file are left
    out."""
    return {
        title: [RunFiles((file,), label, form) for file in of_form]
        for title, form in FORMS.items()
        if (of_form := sorted(file for file in files if fits(form, file.name)))
    }


def _check_number(logs: Sequence[object], folder: Path) -> None:
    if len(logs) > MAX_FILES:
        raise Problem(f"{folder} holds more than {MAX_FILES:,} logs", file=folder)


def files_below(folder: Path) -> Iterator[Path]:
    """The plain files below a folder."""
    count = 0
    for root, _, names in os.walk(folder, followlinks=False):
        for name in names:
            count += 1
            if count > MOST_ENTRIES:
                raise Problem(
                    f"{folder} holds more than {MOST_ENTRIES:,} files",
                    next="give the folder of the runs",
                    file=folder,
                )
            file = Path(root, name)
            if not file.is_symlink():
                yield file


def grouped(pieces: Iterable[RunFiles]) -> list[RunFiles]:
    """The same with the files of one run together."""
    runs: dict[object, RunFiles] = {}
    for piece in pieces:
        if piece.form is not None and piece.form.by_folder:
            folder = piece.files[0].parent
            is_part = piece.form.parts and fnmatchcase(folder.name, piece.form.parts)
            key = piece.label, folder.parent if is_part else folder
            before = runs.get(key, piece)
            more = [file for file in piece.files if file not in before.files]
            runs[key] = replace(before, files=(*before.files, *more))
        else:
            runs[len(runs)] = piece
    return list(runs.values())


def _once(pieces: Iterable[RunFiles], notes: list[str]) -> list[RunFiles]:
    """Each run once, also where a link or a second pattern names it again."""
    seen: dict[object, RunFiles] = {}
    for piece in pieces:
        real = tuple(os.path.realpath(file) for file in piece.files)
        other = seen.setdefault(real, piece)
        if other.label != piece.label:
            first, second = other.label or "no arm", piece.label or "no arm"
            raise Problem(
                f"{piece.where} is named for {first} and for {second}", next="leave one out"
            )
        if other is not piece:
            notes.append(f"{piece.where} is {other.where} once more, and is used once")
    return list(seen.values())

"""Hand-ins as a class makes them: each person runs, exports or keeps a study in a home and a
repository of their own, by the real commands, with the trainer that needs no torch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit import repos
from tests.kit.bundles import SHORT, TEXT
from tests.kit.commands import q1lab, without_torch


@dataclass(frozen=True)
class Person:
    """Somebody with their luck; ``model`` is the text of their own file, None for q1lab's rope."""

    name: str
    effect: float
    noise: float = 0.01
    model: str | None = None
    seeds: str = "0,1,2"
    more: Sequence[str] = ()
    times: int = 1
    """The number of studies; the last one is handed in."""
    keeps: bool = False
    """Hands in a repository with the kept study instead of an archive."""


def hand_in(person: Person, work: Path, into: Path) -> None:
    """Make a person's study, and put it into the folder of the class."""
    folder, theirs = work / person.name, into / person.name
    folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        without_torch(patch, effect=person.effect, noise=person.noise)
        files = {"text.txt": TEXT}
        if person.model is not None:
            files["mine.py"] = person.model.encode()
        repos.prepare(folder, files, patch)
        file = ("./mine.py", "--unchecked") if person.model else ("rope",)
        for number in range(person.times):
            again = ("--fresh",) if number else ()
            q1lab("run", *file, *SHORT, "--seeds", person.seeds, *person.more, *again)
        if person.keeps:
            q1lab("keep", _study(person), "--yes")
            shutil.copytree(folder / "mine", theirs, dirs_exist_ok=True)
        else:
            theirs.mkdir(parents=True, exist_ok=True)
            archive = theirs / f"{_study(person)}.q1lab.zip"
            q1lab("export", _study(person), "--format", "archive", "--output", str(archive))
            if person.model is not None:
                shutil.copy(folder / "mine" / "mine.py", theirs)


def _study(person: Person) -> str:
    return f"{'rope' if person.model is None else 'mine'}-{person.times}"

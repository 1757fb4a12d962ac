"""Bundles as honest people hand them out, and as forgers make them: every hash, chain and claim can be
made anew by q1lab's own writers."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from q1lab.compare import claim
from q1lab.documents.change import Change
from q1lab.ground import paths
from q1lab.ground.git_repository import Repository
from q1lab.journal.store import Store
from q1lab.study import bundle, studies
from q1lab.study.kept_folder import files_to_keep
from tests.kit.commands import q1lab

TEXT = b"To be, or not to be, that is the question.\n" * 200
ON_TEXT = ("--data", "text.txt")
SHORT = (*ON_TEXT, "--set", "max_iters=20")


def verify(place: Path | str, *more: str, code: int | None) -> dict[str, Any]:
    done = q1lab("verify", str(place), "--number", "7", "--json", *more, code=code)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def archived(name: str = "rope-1") -> Path:
    file = Path.cwd() / f"{name}.zip"
    q1lab("export", name, str(file), "--overwrite")
    return file


def kept_folder(name: str = "rope-1", *, commit: bool = True) -> Path:
    """The folder of a study in this repository, as `q1lab modification` writes and commits it."""
    root = Path.cwd()
    with Store() as store:
        study = studies.load(name)
        files = files_to_keep(study, root, claim.make_provenance(store, study))
        repo = Repository.discover(root) if commit else None
        Change(files, "docs: keep", repo, "", root).save(store, confirmed=True)
    return root / "studies" / name


def opened(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def sealed(file: Path, files: dict[str, bytes], *, hashes: bool = True) -> None:
    """Write the files as an archive, ``hashes`` with a list that has them as they are now."""
    record = json.loads(files[bundle.LIST_NAME])
    if hashes:
        record["files"] = {
            name: hashlib.sha256(data).hexdigest()
            for name, data in files.items()
            if name != bundle.LIST_NAME
        }
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in {**files, bundle.LIST_NAME: json.dumps(record).encode()}.items():
            packed.writestr(name, data)


def plan_of(study: str) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((paths.study_dir(study) / "study.json").read_text())
    return plan


def edit(run: str, change: Callable[[dict[str, Any]], None], study: str = "rope-1") -> None:
    """Change each event of a run where it lies."""
    file = studies.load(study).files.run(run).events
    events = [json.loads(line) for line in file.read_text().splitlines()]
    for event in events:
        change(event)
    file.write_text("".join(json.dumps(event) + "\n" for event in events))

"""A study's folder, a bundle (bundle.py), from which anyone can train it again; in the learner's
repository it is ``studies/rope-1``.

`q1lab run studies/rope-1` reads such a folder and trains the same again: files, every
hyperparameter, data, seeds, device, number format and number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import (
    absolute_path,
    expand_user,
    printable,
    read_bytes,
)
from q1lab.ground.options import KEPT_FOLDER
from q1lab.ground.paths import StudyPaths
from q1lab.study import bundle, command_line, corpora, kinds
from q1lab.study.command_line import Request
from q1lab.study.events import final_loss
from q1lab.study.origin import TypedOptions
from q1lab.study.studies import ARMS, Data, Study
from q1lab.study.trainer import OWN
from q1lab.study.typed_seeds import TypedSeeds

STUDIES_FOLDER = "studies"
"""The folder of kept studies in the learner's repository."""

PLAN_NAME = "study.json"


@dataclass(frozen=True)
class KeptStudy:
    """A study as read from its kept folder. ``values`` are the metric that each run ended with."""

    folder: Path
    study: Study
    values: Mapping[str, float]

    def file(self, arm: str) -> Path:
        """The model file of an arm."""
        return self.folder.absolute() / self.study.arms[arm].source

    def command_for_files(self, request: Request) -> str:
        """The command for another study of the same two files, with the options of ``request``."""
        names = {arm: str(self.folder / self.study.arms[arm].source) for arm in ARMS}
        return command_line.command_text(
            replace(request, variant=names["modified"], baseline=names["baseline"])
        )


def folder_name(study: Study) -> str:
    """``studies/rope-1``: the study's folder, relative to the repository's root."""
    return f"{STUDIES_FOLDER}/{study.id}"


def is_kept_folder(typed: str) -> bool:
    """True if ``typed`` is the folder of a kept study."""
    return (expand_user(typed) / bundle.LIST_NAME).is_file()


# ── writing


def files_to_keep(
    study: Study, root: Path, provenance: Mapping[str, Any] | None = None
) -> dict[Path, bytes]:
    """The folder's files, by their paths below the repository ``root``, with their contents.
    Problem when a model file can't be read."""
    folder = root / folder_name(study)
    published = _plan_for_publication(study, root)
    files = bundle.bundle_files(study, provenance or {}, published=published)
    content_by_name = {
        name: content if isinstance(content, bytes) else read_bytes(content)
        for name, content in files.items()
    }
    content_by_name[".gitattributes"] = bundle.GIT_ATTRIBUTES
    return {folder / name: data for name, data in content_by_name.items()}


def _plan_for_publication(study: Study, root: Path) -> Study:
    """The plan without facts about its machine: paths, the repository, the launcher."""
    arms = {name: replace(arm, origin=Path(arm.origin).name) for name, arm in study.arms.items()}
    origin = Path(study.origin.typed.data if study.origin.typed else "")
    data = str(origin.relative_to(root)) if origin.is_relative_to(root) else ""
    return replace(
        study,
        arms=arms,
        trainer=study.trainer.for_publication(root),
        origin=study.origin.for_publication(TypedOptions(data)),
    )


def final_values(study: Study, root: Path | None = None) -> dict[str, float]:
    """The final metric of the runs that finished, by run, to the last bit; ``root`` is
    where their folder lies, if elsewhere than here."""
    files = StudyPaths(root or study.files.root)
    losses = {run.name: final_loss(files.run(run.name).events) for run in study.runs}
    return {name: loss for name, loss in losses.items() if loss is not None}


# ── reading


def load_kept_study(folder: Path) -> KeptStudy:
    """Read a kept study. Problem if it can't be read, or its files are not those that trained."""
    received = bundle.read_bundle(folder, str(folder), collect_faults=True)
    study = received.study
    kept_study = KeptStudy(folder, study, final_values(study, folder))
    for arm in study.model_files:
        path = kept_study.file(arm)
        if path.is_file() and study.arms[arm].sha256 not in bundle.possible_hashes(path):
            raise Problem(
                f"{path} is not the file that trained in {study.id}. "
                f"To train it as it is now: {kept_study.command_for_files(Request(str(folder)))}",
                file=path,
            )
    for fault in received.faults.values():
        raise Problem(f"{folder} is damaged ({printable(fault)[:200]})", file=folder)
    return kept_study


# ── training it again


def retraining_request(kept_study: KeptStudy, request: Request) -> Request:
    """The request that trains the study again. Problem for options that would make another study of
    it."""
    free = command_line.options_with(KEPT_FOLDER)
    free_options = {name: getattr(request, name) for name in free}
    if request != replace(Request(request.variant), **free_options):
        raise another_study(kept_study, request)
    study, again = kept_study.study, kinds.request(kept_study.study)
    if study.trainer.kind == OWN:
        variant, baseline = (str(kept_study.file(arm)) for arm in reversed(ARMS))
        again = replace(again, variant=variant, baseline=baseline)
        free_options["data"] = find_data(kept_study, request.data)
        free_options["unchecked"] = request.unchecked or study.trainer.unchecked
    else:
        root = kept_study.folder.absolute().parent.parent
        folder = str(absolute_path(str(root / study.trainer.loop.folder)))
        again = replace(again, loop=replace(study.trainer.loop, folder=folder))
    return replace(again, **free_options)


def another_study(kept_study: KeptStudy, request: Request) -> Problem:
    """The Problem for a request with options that the kept study decides."""
    return Problem(
        f"{request.variant} says by itself what it trains: ",
        next="leave the other options out. For another study of its files: "
        f"{kept_study.command_for_files(request)}",
    )


def trained_seeds(kept_study: KeptStudy) -> TypedSeeds:
    """The seeds with which the study trains again: those that it trained."""
    seeds = kept_study.study.seeds
    many = len(seeds)
    if seeds == tuple(range(many)):
        return TypedSeeds(seeds, many)
    return TypedSeeds(seeds, many, fresh=many, are_drawn=True)


def find_data(kept_study: KeptStudy, typed_data: str) -> str:
    """The data to train on: as typed, else as kept. Problem if it can't be found."""
    data, typed_then = kept_study.study.data, kept_study.study.origin.typed
    if typed_data or data.name in corpora.BUILT_IN:
        return typed_data or data.name
    inside = Path(typed_then.data if typed_then else "")
    if inside.parts and not inside.is_absolute() and ".." not in inside.parts:
        file = kept_study.folder.absolute().parent.parent / inside
        if file.is_file():
            return str(file)
    taken_along = kept_study.folder.absolute() / "data" / f"{data.sha256}.txt"
    if taken_along.is_file():
        return str(taken_along)
    cached = corpora.cached_corpus(data.sha256)
    if cached is not None and cached.is_file():
        return str(cached)
    raise Problem(
        f"{kept_study.study.id} was trained on {data.name} "
        f"(SHA-256 {data.sha256[:12]}…), which is not here: ",
        next="give the file with --data",
    )


def check_same_data(kept_study: KeptStudy, data: Data) -> None:
    """Raise a Problem if these are not the data that the study was trained on."""
    recorded = kept_study.study.data
    if data.sha256 == recorded.sha256:
        return
    why = ""
    if recorded.name == "stdlib":
        why = (
            f"; stdlib is the running Python's own source, and the study ran on Python "
            f"{kept_study.study.trainer.versions.get('python', '?')}"
        )
    raise Problem(
        f"{data.name} is not the text that {kept_study.study.id} was trained on (SHA-256 "
        f"{data.sha256[:12]}…, not {recorded.sha256[:12]}…){why}"
    )


def version_differences(kept_study: KeptStudy, versions: Mapping[str, str]) -> str:
    """The versions that differ from those that trained the study: ``torch 2.9.1, then 2.8.0``."""
    recorded = kept_study.study.trainer.versions
    return "; ".join(
        f"{name} {versions.get(name, '?')}, then {recorded[name]}"
        for name in ("q1lab", "torch", "trainer", "platform")
        if name in recorded and versions.get(name) != recorded[name]
    )


def compare_values(kept_study: KeptStudy, study: Study) -> str:
    """Compare the losses with those on record, in a sentence; empty when there is nothing to
    compare."""
    values = final_values(study)
    shared_runs = [name for name in kept_study.values if name in values]
    if not shared_runs:
        return ""
    equal_runs = [name for name in shared_runs if values[name] == kept_study.values[name]]
    if len(equal_runs) == len(shared_runs):
        determiner = "All" if len(shared_runs) > 1 else "The"
        count_text = f"{len(shared_runs)} losses are" if len(shared_runs) > 1 else "one loss is"
        return (
            f"{determiner} {count_text} equal to the record in {kept_study.folder}, "
            "to the last bit."
        )
    most = max(abs(values[name] - kept_study.values[name]) for name in shared_runs)
    versions = version_differences(kept_study, study.trainer.versions)
    return (
        f"{len(equal_runs)} of {len(shared_runs)} losses are equal to the record in "
        f"{kept_study.folder}; the others differ by up to {most:.2g}{study.metric.suffix}"
        + (f" ({versions})" if versions else "")
        + "."
    )

"""A study kept in the learner's repository, so that anybody trains it again: one folder with both
model files as they trained, and ``study.toml`` with everything that was decided.

`q1lab run studies/rope-1` reads such a folder. What trains is what trained: the same files, every
hyperparameter, data, seeds, device, number format and number of threads.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from q1lab import records
from q1lab.errors import FAILED, Problem
from q1lab.files import expanded, os_reason, read_bytes, read_text, sha256_text
from q1lab.records import whole
from q1lab.study import command, corpora, studies, variants
from q1lab.study.command import Wish
from q1lab.study.events import last_event
from q1lab.study.states import State
from q1lab.study.studies import ARMS, Data, Study

FOLDER = "studies"
"""Where the folders lie in the learner's repository."""

FILE = "study.toml"
FORMAT = 1
HEAD = """\
# Everything that was decided for the study {id} before its first run, and the losses that came out.
# `q1lab run {folder}`, typed at the root of this repository, trains it again.
"""
OPEN = ("data", "jobs", "fresh", "unchecked", "wandb", "engine", "engine_options")
"""What a person may still ask for beside a kept study: none of it changes what trains."""


@dataclass(frozen=True)
class Kept:
    """A folder as it was read. ``values`` are the final validation losses in nats, by run."""

    folder: Path
    study: str
    files: Mapping[str, Path]
    """The model file of each arm."""
    seeds: tuple[int, ...]
    preset: str
    config: dict[str, Any]
    data: str
    data_sha256: str
    data_file: Path | None
    """Where the repository holds the data itself, if it does."""
    device: str
    dtype: str
    threads: int
    headline: str
    unchecked: bool
    versions: dict[str, str]
    values: dict[str, float]

    def of_its_files(self, asked: Wish) -> str:
        """The command for another study of the same two files, with the options that were asked
        for."""
        names = {arm: str(self.folder / path.name) for arm, path in self.files.items()}
        return command.text(replace(asked, variant=names["modified"], baseline=names["baseline"]))


def folder_of(study: Study) -> str:
    """``studies/rope-1``: the study's folder, relative to the repository's root."""
    return f"{FOLDER}/{study.id}"


def is_one(given: str) -> bool:
    """Whether what a person typed names the folder of a kept study."""
    return (expanded(given) / FILE).is_file()


def in_repository(root: Path) -> list[Path]:
    """The folders of kept studies below a repository's root, by name."""
    return sorted(file.parent for file in (root / FOLDER).glob(f"*/{FILE}"))


# ── writing


def files(study: Study, root: Path) -> dict[Path, bytes]:
    """The folder's files, by their paths below the repository ``root``, with their contents."""
    import tomlkit

    folder = root / folder_of(study)
    names = {arm: Path(study.arms[arm].source).name for arm in ARMS}
    if names["baseline"] == names["modified"]:
        names = {arm: f"{arm}_{name}" for arm, name in names.items()}
    try:
        found = {
            folder / names[arm]: read_bytes(
                study.files.root / study.arms[arm].source, variants.LARGEST
            )
            for arm in ARMS
        }
    except OSError as error:
        raise Problem(
            f"the model files of {study.id} can't be read: {os_reason(error)}", FAILED
        ) from None
    head = HEAD.format(id=study.id, folder=folder_of(study))
    record = tomlkit.dumps(_record(study, names, root)).rstrip()
    return {folder / FILE: f"{head}{record}\n".encode(), **found}


def _record(study: Study, names: Mapping[str, str], root: Path) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": study.data.name,
        "sha256": study.data.sha256,
        "characters": study.data.characters,
        "vocab_size": study.data.vocab_size,
    }
    origin = study.asked.data if study.asked else ""
    if origin not in corpora.BUILT_IN and Path(origin).is_relative_to(root):
        data["file"] = str(Path(origin).relative_to(root))
    record: dict[str, Any] = {
        "format": FORMAT,
        "study": study.id,
        "created": study.created,
        "seeds": list(study.seeds),
        "headline": study.headline,
        "preset": study.preset,
        "device": study.device,
        "dtype": study.dtype,
        "threads": study.threads,
        "unchecked": study.unchecked,
    }
    for arm in ARMS:
        record[arm] = {
            "name": study.arms[arm].variant,
            "file": names[arm],
            "sha256": study.arms[arm].sha256,
            "parameters": study.arms[arm].n_params,
        }
    values = values_of(study)
    return {
        **record,
        "data": data,
        "config": dict(study.config),
        "versions": dict(study.versions),
        **({"val_loss": values} if values else {}),
    }


def values_of(study: Study) -> dict[str, float]:
    """The final validation losses of the runs that finished, by run, to the last bit."""
    found = {}
    for run in study.runs:
        event = last_event(study.files.run(run.name).events)
        if event is None or event["type"] != "exit" or event.get("state") != State.FINISHED:
            continue
        value = event.get("val_loss")
        if isinstance(value, float):
            found[run.name] = value
    return found


# ── reading


def load(folder: Path) -> Kept:
    """Read a folder. Problem when it can't be read, or its model files are not those that
    trained."""
    file = folder / FILE
    try:
        record = tomllib.loads(read_text(file))
        if record["format"] > FORMAT:
            raise Problem(f"{file} is of a newer q1lab; upgrade q1lab to run it", FAILED)
        kept = _kept(folder, record)
    except OSError as error:
        raise Problem(f"cannot read {file}: {os_reason(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(f"{file} is damaged ({type(error).__name__}: {error})") from None
    for arm, path in kept.files.items():
        text = variants.read(path, path.stem, str(path)).text
        if sha256_text(text) != record[arm]["sha256"]:
            raise Problem(
                f"{path} is not the file that trained in {kept.study}. To train it as it is now: "
                f"{kept.of_its_files(Wish(str(folder)))}"
            )
    return kept


def _seeds(value: tuple[int, ...]) -> tuple[int, ...]:
    studies.distinct(value)
    return value


@dataclass(frozen=True)
class Numbers:
    """The numbers of a ``study.toml``, checked (records.py)."""

    seeds: Annotated[tuple[Annotated[int, whole()], ...], _seeds]
    threads: Annotated[int, whole(1, 4097)]
    val_loss: dict[str, float] = field(default_factory=dict)


def _kept(folder: Path, record: dict[str, Any]) -> Kept:
    """The folder as its ``study.toml`` has it; ValueError for what is of the wrong kind."""
    files = {}
    for arm in ARMS:
        name = record[arm]["file"]
        if Path(name).name != name:
            raise ValueError(f"{arm} is {name!r}, not a file of this folder")
        files[arm] = folder.absolute() / name
    data = record["data"]
    inside = data.get("file")
    if inside is not None and (Path(inside).is_absolute() or ".." in Path(inside).parts):
        raise ValueError(f"the data {inside!r} are not in this repository")
    numbers = records.load(Numbers, record)
    config = records.anything(dict(record["config"]), "config")
    for key, value in config.items():
        studies.hyperparameter(key, value)
    return Kept(
        folder=folder,
        study=str(record["study"]),
        files=files,
        seeds=numbers.seeds,
        preset=str(record["preset"]),
        config=config,
        data=str(data["name"]),
        data_sha256=str(data["sha256"]),
        data_file=folder.absolute().parent.parent / inside if inside else None,
        device=str(record["device"]),
        dtype=str(record["dtype"]),
        threads=numbers.threads,
        headline=str(record["headline"]),
        unchecked=record["unchecked"] is True,
        versions={str(key): str(value) for key, value in record["versions"].items()},
        values=numbers.val_loss,
    )


# ── training it again


def wish(kept: Kept, asked: Wish) -> Wish:
    """What trains the study again. Problem when more was asked for than ``OPEN``: then it would be
    another study."""
    plain = replace(Wish(asked.variant), **{name: getattr(asked, name) for name in OPEN})
    if asked != plain:
        raise Problem(
            f"{asked.variant} says by itself what it trains: leave the other options out. For "
            "another study of its files: "
            f"{kept.of_its_files(asked)}"
        )
    return replace(
        asked,
        variant=str(kept.files["modified"]),
        baseline=str(kept.files["baseline"]),
        seeds=command.seeds_text(kept.seeds),
        preset=kept.preset,
        data=_data(kept, asked.data),
        device=kept.device,
        dtype=kept.dtype,
        headline=kept.headline,
        overrides=command.overrides_of(kept.preset, kept.config),
        unchecked=asked.unchecked or kept.unchecked,
    )


def _data(kept: Kept, asked: str) -> str:
    """What to train on: as asked for, else as kept. Problem where neither is to be had."""
    if asked or kept.data in corpora.BUILT_IN:
        return asked or kept.data
    own = corpora.kept(kept.data_sha256)
    for file in (kept.data_file, own):
        if file is not None and file.is_file():
            return str(file)
    raise Problem(
        f"{kept.study} was trained on {kept.data} (SHA-256 {kept.data_sha256[:12]}…), which is not "
        "here: give the file with --data"
    )


def same_data(kept: Kept, data: Data) -> None:
    """Problem when these are other data than those that the study was trained on."""
    if data.sha256 == kept.data_sha256:
        return
    why = ""
    if kept.data == "stdlib":
        why = (
            f"; stdlib is the running Python's own source, and the study ran on Python "
            f"{kept.versions.get('python', '?')}"
        )
    raise Problem(
        f"{data.name} is not the text that {kept.study} was trained on (SHA-256 "
        f"{data.sha256[:12]}…, not {kept.data_sha256[:12]}…){why}"
    )


def differing(kept: Kept, versions: Mapping[str, str]) -> str:
    """What is another version here than when the study trained: ``torch 2.9.1, then 2.8.0``."""
    names = ("q1lab", "torch", "trainer", "platform")
    return "; ".join(
        f"{name} {versions.get(name, '?')}, then {kept.versions[name]}"
        for name in names
        if name in kept.versions and versions.get(name) != kept.versions[name]
    )


def outcome(kept: Kept, study: Study) -> str:
    """How the losses compare with those on record, in a sentence; empty when there is nothing to
    compare."""
    now = values_of(study)
    both = [name for name in kept.values if name in now]
    if not both:
        return ""
    equal = [name for name in both if now[name] == kept.values[name]]
    if len(equal) == len(both):
        what = "All" if len(both) > 1 else "The"
        many = f"{len(both)} losses are" if len(both) > 1 else "one loss is"
        return f"{what} {many} equal to the record in {kept.folder}, to the last bit."
    most = max(abs(now[name] - kept.values[name]) for name in both)
    other = differing(kept, study.versions)
    return (
        f"{len(equal)} of {len(both)} losses are equal to the record in {kept.folder}; the others "
        f"differ by up to {most:.2g} nats" + (f" ({other})" if other else "") + "."
    )

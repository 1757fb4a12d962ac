"""Study, Arm and Run: what was planned, as frozen records, and ``study.json``, which keeps them."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePath
from typing import Any

from q1lab import paths
from q1lab.errors import FAILED, Problem
from q1lab.files import os_reason, private_folder, read_json, write_atomic

FORMAT = 1
LARGEST = 32 << 20
"""Bytes of a study.json at most: one of 1,000 runs has 100 KB."""
ARMS = ("baseline", "modified")


def run_name(arm: str, seed: int) -> str:
    """``baseline-seed0``: the name of a run's folder, and of the run in W&B."""
    return f"{arm}-seed{seed}"


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: a model file, copied into the study before the first run."""

    variant: str
    """Name for people: ``rope``, or the stem of the learner's file."""
    title: str
    source: str
    """The copy that trains, relative to the study's folder."""
    sha256: str
    origin: str
    """Where the file came from, as the learner gave it."""
    n_params: int
    flops_per_token: int
    """Forward pass, two per multiply-add, matrix products only."""


@dataclass(frozen=True)
class Data:
    """A corpus, kept by its content. Runs on different data are never compared."""

    name: str
    sha256: str
    file: str
    """Relative to q1lab's home."""
    characters: int
    vocab_size: int
    train_tokens: int
    val_tokens: int


@dataclass(frozen=True)
class Run:
    """One cell of the grid arm × seed."""

    arm: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        """See ``run_name``."""
        return run_name(self.arm, self.seed)


@dataclass(frozen=True)
class Study:
    """One variant against a baseline over seeds: everything that was decided before the first
    run."""

    id: str
    created: str
    arms: dict[str, Arm]
    looks: tuple[tuple[int, ...], ...]
    """The seeds, batch by batch: one batch means that n was fixed before the runs."""
    preset: str
    config: dict[str, Any]
    data: Data
    device: str
    dtype: str
    jobs: int
    threads: int
    headline: str
    """``paired`` or ``welch``: which interval decides, declared here."""
    versions: dict[str, str]
    prediction: dict[str, Any] | None = None
    repo: dict[str, Any] | None = None
    unchecked: bool = False
    wandb: str = "disabled"
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for look in self.looks for seed in look)

    @property
    def variant(self) -> str:
        return self.arms["modified"].variant

    @property
    def baseline(self) -> str:
        return self.arms["baseline"].variant

    @property
    def runs(self) -> tuple[Run, ...]:
        """Interleaved by seed: half a study already holds pairs, and a machine's drift hits both
        arms."""
        return tuple(Run(arm, self.arms[arm].variant, seed) for seed in self.seeds for arm in ARMS)

    @property
    def max_iters(self) -> int:
        return int(self.config["max_iters"])

    @property
    def files(self) -> paths.StudyPaths:
        return paths.StudyPaths(paths.study_dir(self.id))

    def to_dict(self) -> dict[str, Any]:
        return {"v": FORMAT, **asdict(self)}


def from_dict(record: dict[str, Any]) -> Study:
    """The study that ``to_dict`` wrote. Unknown keys are kept out, so that a newer file still
    opens."""

    def pick(cls: type, part: dict[str, Any]) -> dict[str, Any]:
        known = {f.name for f in fields(cls)}
        return {key: value for key, value in part.items() if key in known}

    if record.get("v", FORMAT) > FORMAT:
        raise Problem("study.json is of a newer q1lab; upgrade q1lab to open it", FAILED)
    values = pick(Study, record)
    values["arms"] = {name: Arm(**pick(Arm, record["arms"][name])) for name in ARMS}
    values["data"] = Data(**pick(Data, record["data"]))
    values["looks"] = tuple(tuple(int(seed) for seed in look) for look in record["looks"])
    study = Study(**values)
    _check(study)
    return study


def _check(study: Study) -> None:
    """ValueError for what would lead out of the study's folder, or stop a viewer. study.json is
    data: it may come from elsewhere, or from a bad disk."""
    for name in (*(arm.source for arm in study.arms.values()), study.data.file):
        parts = PurePath(name)
        if parts.is_absolute() or ".." in parts.parts or "\0" in name:
            raise ValueError(f"it names a file outside its folder: {name!r}")
    if not all(
        isinstance(text, str) for text in (study.created, study.preset, study.device, study.dtype)
    ):
        raise ValueError("a text is missing")
    seeds = study.seeds
    if not seeds or len(set(seeds)) != len(seeds) or not all(0 <= seed < 1 << 53 for seed in seeds):
        raise ValueError("its seeds are not distinct whole numbers")
    for key in ("max_iters", "batch_size", "block_size"):
        value = study.config.get(key, 1) if key != "max_iters" else study.config[key]
        if not isinstance(value, int) or not 1 <= value < 1 << 53:
            raise ValueError(f"{key} is {value!r}")
    if not 1 <= study.jobs <= 1024 or not 1 <= study.threads <= 4096:
        raise ValueError(f"jobs is {study.jobs!r}, threads is {study.threads!r}")


def load(study_id: str) -> Study:
    """Read a study's plan. Problem when there is none or it can't be read."""
    if not is_id(study_id):
        raise Problem(f"{study_id!r} is no study's name; `q1lab status` lists them")
    file = paths.StudyPaths(paths.study_dir(study_id)).plan
    try:
        study = from_dict(read_json(file, LARGEST))
        if study.id != study_id:
            raise ValueError(f"it is the plan of {study.id!r}")
        return study
    except (FileNotFoundError, NotADirectoryError):
        raise Problem(f"no study called {study_id!r}; `q1lab status` lists them") from None
    except OSError as error:
        raise Problem(f"cannot read {file}: {os_reason(error)}", FAILED) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(
            f"{file} is damaged ({type(error).__name__}: {error}); the other studies go on. Put a good copy in its "
            "place, or move the folder away",
            FAILED,
        ) from None


def is_id(text: str) -> bool:
    """Whether ``text`` can be a study's name: one folder's plain name, which never leads
    elsewhere."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", text) is not None


def save(study: Study) -> None:
    """Write the plan atomically."""
    write_atomic(study.files.plan, json.dumps(study.to_dict(), indent=1, ensure_ascii=False) + "\n")


def ids() -> list[str]:
    """All studies on disk, oldest first (by when they were planned, then by name)."""
    found: list[tuple[float, str]] = []
    root = paths.studies_dir()
    if root.is_dir():
        for folder in root.iterdir():
            plan = folder / "study.json"
            if is_id(folder.name) and plan.is_file():
                found.append((_created(folder), folder.name))
    return [name for _, name in sorted(found)]


def stamps() -> dict[str, int]:
    """Every study on disk with its plan's time of change (ns), in no order: one look each, for
    viewers."""
    found: dict[str, int] = {}
    try:
        with os.scandir(paths.studies_dir()) as entries:
            for entry in entries:
                if is_id(entry.name):
                    with contextlib.suppress(OSError):
                        found[entry.name] = os.stat(f"{entry.path}/study.json").st_mtime_ns  # noqa: PTH116  (speed)
    except OSError:
        return {}
    return found


def in_order(names: Iterable[str]) -> list[str]:
    """Some studies, oldest first, as ``ids`` has them."""
    return sorted(names, key=lambda name: (_created(paths.study_dir(name)), name))


def _created(folder: Path) -> float:
    """Birth order without opening every plan: ``source/`` is made once, with the study."""
    try:
        return (folder / "source").stat().st_mtime
    except OSError:
        return folder.stat().st_mtime


def latest() -> str:
    """The study that was planned last. Problem when there is none."""
    known = ids()
    if not known:
        raise Problem("no study yet; start one with `q1lab run rope --seeds 3`")
    return known[-1]


def new_id(variant: str) -> str:
    """The next free ``rope-N``; makes its folder, which is what reserves the name."""
    stem = safe(variant)
    root = paths.studies_dir()
    private_folder(root)
    taken = [
        int(match[1])
        for folder in root.iterdir()
        if (match := re.fullmatch(re.escape(stem) + r"-([0-9]+)", folder.name))
    ]
    number = max(taken, default=0) + 1
    while True:
        try:
            (root / f"{stem}-{number}").mkdir(mode=0o700)
            paths.StudyPaths(root / f"{stem}-{number}").source.mkdir(mode=0o700)
            return f"{stem}-{number}"
        except FileExistsError:
            number += 1


def make_newest(folder: Path) -> None:
    """Date a study's ``source``, whose time stamp orders the studies, later than all others': even
    when the clock was set back since they were planned, the latest study is the latest."""
    others = [other for other in paths.studies_dir().glob("*/source") if other != folder]
    newest = max((other.stat().st_mtime_ns for other in others), default=0)
    if folder.stat().st_mtime_ns <= newest:
        os.utime(folder, ns=(newest + 1_000_000, newest + 1_000_000))


def safe(name: str) -> str:
    """A name that is safe in paths and on a command line."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:40] or "model"

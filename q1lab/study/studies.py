"""Study, Arm and Run: what is declared, as frozen records, and ``study.json``, which keeps them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from q1lab import paths, records
from q1lab.errors import FAILED, Problem, notice
from q1lab.files import os_reason, plain, private_folder, read_shown_json, write_atomic
from q1lab.records import at_most, inside, one_of, text, whole
from q1lab.study.engines.choice import Choice
from q1lab.study.loop import Loop
from q1lab.study.metric import VAL_LOSS, Metric
from q1lab.study.ranges import Range
from q1lab.study.series import Series
from q1lab.study.tuning import Tuned

FORMAT = 2
LARGEST = 32 << 20
"""Bytes of a study.json at most: one of 1,000 runs has 100 KB."""
ARMS = ("baseline", "modified")

OTHER_SEEDS = 10**9
"""What the modified arm's runs add to their seed where both arms are the same file: beyond any seed
that can be typed, so that it is drawn by no other run."""


def run_name(arm: str, seed: int) -> str:
    """``baseline-seed0``: the name of a run's folder, and of the run in W&B."""
    return f"{arm}-seed{seed}"


def tokens_per_iter(config: Mapping[str, Any]) -> int:
    """Tokens of one batch; a study that came from elsewhere may not say (then 1 per iter)."""
    return int(config.get("batch_size", 1) * config.get("block_size", 1))


MOST_SEEDS = 10_000
"""Seeds that a study may plan."""

Sha = Annotated[str, text(64, "[0-9a-f]{0,64}")]
Count = Annotated[int, whole()]
Name = Annotated[str, text(200)]
Line = Annotated[str, text(1000)]
Lines = Annotated[tuple[Annotated[str, text(100_000)], ...], at_most(20_000)]
ArmName = Annotated[str, one_of(*ARMS)]
ByArm = Annotated[dict[ArmName, dict[str, Any]], at_most(2)]


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: a model file, copied into the study before the first run."""

    variant: Annotated[str, text(200, r"(?s).*\S.*")]
    """Name for people: ``rope``, or the stem of the learner's file."""
    title: Line
    source: Annotated[str, inside]
    """The copy that trains, relative to the study's folder."""
    sha256: Sha
    origin: Annotated[str, text(10_000)]
    """Where the file came from, as the learner gave it."""
    n_params: Count
    flops_per_token: Annotated[int, whole(below=1 << 63)]
    """Forward pass, two per multiply-add, matrix products only."""
    code: Sha = ""
    """Hash of its syntax tree (sameness.code_of)."""


@dataclass(frozen=True)
class Data:
    """A corpus, kept by its content. Runs on different data are never compared."""

    name: Line
    sha256: Sha
    file: Name
    """``data/<sha256>.txt``, relative to q1lab's home; empty where there is none. A plan that names
    another file may be somebody else's: the reader's own would go wherever the text goes."""
    characters: Count
    vocab_size: Count
    train_tokens: Count
    val_tokens: Count
    training: Sha = ""
    """Hash of what trains (sameness.training_text)."""

    def __post_init__(self) -> None:
        if self.file not in ("", f"data/{self.sha256}.txt"):
            raise ValueError(f"file is {self.file[:60]!r}, not the text of its sha256")


@dataclass(frozen=True)
class Asked:
    """What was typed, where the rest of the plan doesn't tell."""

    data: Annotated[str, text(4096)] = ""
    """What to type after --data."""
    wandb: Name = "auto"
    baseline: Annotated[str, text(10_000)] | None = None
    """None: what `q1lab run` takes by itself."""


@dataclass(frozen=True)
class Imported:
    """Where runs from elsewhere came from, and what had to be allowed to compare them."""

    source: Annotated[str, text(10_000)] = ""
    study: Line = ""
    time: Annotated[str, text(64)] = ""
    allowed: Lines = ()
    notes: Lines = ()
    runs: Lines = ()


@dataclass(frozen=True)
class Run:
    """One cell of the grid arm × seed."""

    arm: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        return run_name(self.arm, self.seed)


@dataclass(frozen=True)
class Gated:
    """A proposal to a gate: its budget, its number there, and the runs of the grid that train. Its
    losses are shown to nobody until a look has decided."""

    budget: Name
    proposal: Count
    cells: Annotated[tuple[Name, ...], at_most(100)]
    blind: bool = True


def _looks(value: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Batches of seeds: at least one seed, none twice."""
    seeds = [seed for batch in value for seed in batch]
    if len(seeds) > MOST_SEEDS:
        raise ValueError(f"holds more than {MOST_SEEDS:,} seeds")
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError("holds no seed, or one of them twice")
    return value


WHOLE = (
    *("max_iters", "batch_size", "block_size", "n_layer", "n_head", "n_embd"),
    *("eval_interval", "eval_windows", "log_interval"),
)
NUMBERS = (
    *("warmup_iters", "lr_decay_iters", "learning_rate", "min_lr", "weight_decay"),
    *("beta1", "beta2", "grad_clip", "dropout"),
)
"""Hyperparameters that q1lab computes with; others may be anything."""


def hyperparameter(key: str, value: Any) -> Any:
    """``value`` where it is one that q1lab can compute with. ValueError when it isn't."""
    if key == "max_iters" and value == 0:  # not known before they have ended
        return value
    if key in WHOLE and records.load(int, value, key) < 1:
        raise ValueError(f"{key} is {value}, and must be 1 or more")
    if key in NUMBERS:
        records.load(float, value, key)
    if key in (*WHOLE, *NUMBERS) and abs(value) >= records.LARGEST:
        raise ValueError(f"{key} is {value}, and is too large")
    return value


def _config(value: dict[str, Any]) -> dict[str, Any]:
    for key, each in value.items():
        hyperparameter(key, each)
    if "max_iters" not in value:
        raise ValueError("has no max_iters")
    return value


RELEASES = ("q1lab", "python", "torch", "trainer")
"""Whose version a plan names; ``requirements.txt`` and `%pip install` repeat that of torch."""


def is_version(words: str) -> bool:
    """Whether these can be a version, and nothing else on a command line or in a list of
    packages."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,79}", words) is not None


def _versions(value: dict[str, str]) -> dict[str, str]:
    for name in RELEASES:
        if name in value and not is_version(value[name]):
            raise ValueError(f"{name} is {value[name][:60]!r}, not a version")
    return value


def _prediction(value: dict[str, Any]) -> dict[str, Any]:
    for key in ("size", "matters", "confidence"):
        if value.get(key) is not None:
            records.load(float, value[key], key)
    return value


@dataclass(frozen=True)
class Study:
    """One variant against a baseline over seeds: everything that was decided before the first
    run."""

    id: Annotated[str, text(100)]
    created: Annotated[str, text(64, "[0-9T:.+Z -]+")]
    arms: dict[ArmName, Arm]
    looks: Annotated[tuple[tuple[Count, ...], ...], _looks]
    """The seeds, batch by batch: one batch means that n was fixed before the runs."""
    preset: Name
    config: Annotated[dict[str, Any], _config]
    data: Data
    device: Name
    dtype: Name
    jobs: Annotated[int, whole(1, 1025)]
    threads: Annotated[int, whole(1, 4097)]
    headline: Annotated[str, one_of("paired", "welch")]
    """Which interval decides, declared here."""
    versions: Annotated[dict[str, Line], _versions]
    prediction: Annotated[dict[str, Any], _prediction] | None = None
    repo: dict[str, Any] | None = None
    unchecked: bool = False
    wandb: Annotated[str, one_of("disabled", "offline", "online")] = "disabled"
    asked: Asked | None = None
    engine: Choice | None = None
    """Where it trains, unless that is here."""
    range: Range | None = None
    series: Series | None = None
    tuned: Tuned | None = None
    matched: dict[str, Any] = field(default_factory=dict)
    """The modified model's width that gives it as many parameters as its baseline."""
    arm_config: ByArm = field(default_factory=dict)
    """Hyperparameters of one arm that differ from the study's; a trainer reads them."""
    seed_shift: Annotated[dict[ArmName, Annotated[int, whole(below=1 << 40)]], at_most(2)] = field(
        default_factory=dict
    )
    """What an arm's runs add to their seed; a trainer reads it."""
    fresh_seeds: Annotated[int, whole(0, 1001)] = 0
    """How many seeds were asked for that no run had used; 0: they were named or counted."""
    shared_at_start: float | None = None
    """The share of the weights that both arms start with."""
    trainers: Lines = ()
    """Versions of the trainer's code that later runs trained with."""
    overruled: Lines = ()
    """Checks of the learner's file that failed and were overruled."""
    imported: Imported | None = None
    loop: Loop | None = None
    """The command that trains, where that is not q1lab's own loop."""
    gate: Gated | None = None

    def __post_init__(self) -> None:
        if self.loop is None and not self.max_iters:
            raise ValueError("config max_iters is 0, and must be 1 or more")

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
        grid = (Run(arm, self.arms[arm].variant, seed) for seed in self.seeds for arm in ARMS)
        return tuple(run for run in grid if self.gate is None or run.name in self.gate.cells)

    @property
    def is_blind(self) -> bool:
        """Whether its losses are shown to nobody yet."""
        return self.gate is not None and self.gate.blind

    @property
    def is_floor(self) -> bool:
        """Whether both arms are the same file, which is then compared with itself."""
        base, modified = (self.arms[arm].sha256 for arm in ARMS)
        return bool(base) and base == modified

    def drawn_with(self, run: Run) -> int:
        """The seed that a run's weights and batches are drawn with: its own, but in the modified
        arm of a floor, whose pairs are to be independent, ``OTHER_SEEDS`` more.

        The plan says so in ``seed_shift``, which is what a trainer reads, wherever it runs. Runs
        keep the names of their seeds.
        """
        return run.seed + self.seed_shift.get(run.arm, 0)

    @property
    def max_iters(self) -> int:
        """Iters of a run; 0 where nobody knows before one has ended."""
        return int(self.config["max_iters"])

    @property
    def metric(self) -> Metric:
        """What is measured of each run."""
        return VAL_LOSS if self.loop is None else self.loop.measures

    @property
    def tokens_per_iter(self) -> int:
        return tokens_per_iter(self.config)

    @property
    def passes(self) -> float | None:
        """How often a run reads the text that it trains on; None where that is not known."""
        if not self.data.train_tokens or "batch_size" not in self.config:
            return None
        return self.max_iters * self.tokens_per_iter / self.data.train_tokens

    @property
    def files(self) -> paths.StudyPaths:
        return paths.StudyPaths(paths.study_dir(self.id))

    def own_config(self, arm: str) -> dict[str, Any]:
        """The hyperparameters of one arm that differ from the study's."""
        return dict(self.arm_config.get(arm, {}))

    def to_dict(self) -> dict[str, Any]:
        """What study.json holds: JSON's own types."""
        return {"v": FORMAT, **records.dump(self)}


def from_dict(record: Any) -> Study:
    """The study that ``to_dict`` wrote, this version's or one before. ValueError that names the
    place where it doesn't hold what it is meant to."""
    if not isinstance(record, dict):
        raise ValueError("it is not a plan")
    version = record.get("v", FORMAT)
    if not isinstance(version, int):
        raise ValueError("it doesn't say its version")
    if version > FORMAT:
        raise Problem("study.json is of a newer q1lab", FAILED, next="upgrade q1lab to open it")
    if version == 1:
        record = _from_version_1(record)
    study = records.load(Study, record)
    if set(study.arms) != set(ARMS):
        raise ValueError(f"arms holds {', '.join(study.arms) or 'none'}, not {' and '.join(ARMS)}")
    return study


def _from_version_1(record: dict[str, Any]) -> dict[str, Any]:
    """In 0.1.0 everything after ``wandb`` was in one bag, ``extra``."""
    extra = record.get("extra", {})
    if not isinstance(extra, dict):
        raise ValueError("extra is no object")
    moved = (
        *("engine", "range", "series", "tuned", "matched", "arm_config", "seed_shift"),
        *("shared_at_start", "trainers", "overruled"),
    )
    out = {**record, **{key: extra[key] for key in moved if extra.get(key) is not None}}
    if {"data", "wandb", "baseline"} & extra.keys():
        out["asked"] = {key: extra[key] for key in ("data", "wandb") if key in extra}
        out["asked"]["baseline"] = extra.get("baseline")
    if isinstance(found := extra.get("imported"), dict):
        out["imported"] = {**found, "source": found.get("from", "")}
    return out


def read(file: Path) -> dict[str, Any]:
    """What a study.json holds, its texts fit to be shown. OSError; ValueError when it is no JSON
    object."""
    record = read_shown_json(file, LARGEST, own=True)
    if not isinstance(record, dict):
        raise ValueError("it holds no object")
    return record


def identity(study: Study) -> str:
    """What makes two studies the same but for their seeds: files, hyperparameters, data, device,
    number format."""
    what = {
        "sources": [study.arms[arm].sha256 for arm in ARMS],
        "config": study.config,
        "data": study.data.sha256,
        "device": study.device,
        "dtype": study.dtype,
        "headline": study.headline,
        **({"arms": study.arm_config} if study.arm_config else {}),
    }
    return json.dumps(what, sort_keys=True)


def load(study_id: str) -> Study:
    """Read a study's plan. Problem when there is none or it can't be read."""
    if not is_id(study_id):
        raise Problem(f"{study_id!r} is not a study's name", next="`q1lab status` lists them")
    file = paths.StudyPaths(paths.study_dir(study_id)).plan
    try:
        study = from_dict(read(file))
        if study.id != study_id:
            raise ValueError(f"it is the plan of {study.id!r}")
        return study
    except (FileNotFoundError, NotADirectoryError):
        if has_runs(file.parent):
            raise _unusable(file, "is missing") from None
        raise Problem(f"no study called {study_id!r}", next="`q1lab status` lists them") from None
    except OSError as error:
        raise Problem(f"cannot read {file}: {os_reason(error)}", FAILED, file=file) from None
    except (ValueError, RecursionError) as error:
        raise _unusable(file, f"is damaged ({plain(str(error))[:200]})") from None


def _unusable(file: Path, what: str) -> Problem:
    return Problem(
        f"{file} {what}; the runs of {file.parent.name} are kept, and the other studies go on. ",
        FAILED,
        next=f"Put a good copy in its place, or give the study up: q1lab delete {file.parent.name}",
        file=file,
    )


def has_runs(folder: Path) -> bool:
    """Whether a study's folder holds anything of a run: events, weights, a log."""
    return any(file.is_file() for file in folder.glob("runs/*/*"))


def without_plan() -> list[str]:
    """Studies on disk that have runs and no study.json."""
    return sorted(
        folder.name
        for folder in _folders()
        if not (folder / "study.json").is_file() and has_runs(folder)
    )


def _folders() -> Iterator[Path]:
    root = paths.studies_dir()
    return (folder for folder in (root.iterdir() if root.is_dir() else ()) if is_id(folder.name))


def is_id(text: str) -> bool:
    """Whether ``text`` can be a study's name: one folder's plain name, which never leads
    elsewhere."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", text) is not None


def save(study: Study) -> None:
    """Write the plan atomically."""
    write_atomic(study.files.plan, encoded(study))


def encoded(study: Study) -> str:
    return json.dumps(study.to_dict(), indent=1, ensure_ascii=False) + "\n"


def ids() -> list[str]:
    """All studies on disk, oldest first (by when they were planned, then by name)."""
    return in_order(folder.name for folder in _folders() if (folder / "study.json").is_file())


def readable() -> list[Study]:
    """All studies that can be read, oldest first. Each of the others is one notice at the command's
    end, and left out."""
    found, unreadable = sorted_out(ids())
    for study_id, why in unreadable.items():
        notice(f"{study_id} is left out: {why}")
    return found


def newest_first() -> Iterator[Study]:
    """All studies that can be read, each read when it is asked for."""
    for study_id in reversed(ids()):
        yield from sorted_out([study_id])[0]


def sorted_out(names: Iterable[str]) -> tuple[list[Study], dict[str, str]]:
    """Studies that can be read, and why the others can't, by id; both in the order of ``names``."""
    found, unreadable = [], {}
    for study_id in names:
        try:
            found.append(load(study_id))
        except Problem as problem:
            unreadable[study_id] = str(problem)
    return found, unreadable


def stamps() -> dict[str, str] | None:
    """Every study on disk with the stamp of its plan, in no order: one look each, for viewers. None
    when the folder can't be looked into."""
    found: dict[str, str] = {}
    try:
        with os.scandir(paths.studies_dir()) as entries:
            for entry in entries:
                if is_id(entry.name) and (stamp := _stamp(f"{entry.path}/study.json")):
                    found[entry.name] = stamp
    except FileNotFoundError:
        return {}
    except OSError:
        return None
    return found


def stamp(study_id: str) -> str:
    """Changes whenever a study's plan does; empty when there is none."""
    return _stamp(f"{paths.study_dir(study_id)}/study.json")


def _stamp(file: str) -> str:
    try:
        status = os.stat(file)  # noqa: PTH116  (speed)
    except OSError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


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
        raise Problem("no study yet", next="start one with `q1lab run rope --seeds 3`")
    return known[-1]


def next_number(stem: str, names: Iterable[str]) -> int:
    """The number after that of all ``names`` of the form ``stem-N``."""
    form = re.compile(re.escape(stem) + r"-([0-9]{1,9})")
    taken = [int(match[1]) for name in names if (match := form.fullmatch(name))]
    return max(taken, default=0) + 1


def new_id(variant: str, taken: Iterable[str]) -> str:
    """The next free ``rope-N``, past the names that are ``taken``; makes its folder, which is what
    reserves the name."""
    stem = safe(variant)
    root = paths.studies_dir()
    private_folder(root)
    number = next_number(stem, [*(folder.name for folder in root.iterdir()), *taken])
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

"""Study, Arm and Run: the declared plan as frozen records, and ``study.json``, which keeps them."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Annotated, Any

from q1lab.ground import json_records, paths
from q1lab.ground.errors import FAILED, Problem, notice
from q1lab.ground.files import (
    os_reason,
    printable,
    private_folder,
    read_json,
    write_atomic,
)
from q1lab.ground.json_records import max_chars, one_of, whole_number
from q1lab.judgment.metric import Metric
from q1lab.judgment.subject import ARMS as ARMS
from q1lab.study import seed_range
from q1lab.study.command_arms import displayed_command
from q1lab.study.corpus_titles import CORPUS_TITLES
from q1lab.study.design import Design
from q1lab.study.origin import Origin
from q1lab.study.trainer import OWN, Trainer

FORMAT = 2
MOST_PLAN_BYTES = 32 << 20
"""Bytes of a study.json at most: one of 1,000 runs has 100 KB."""


def run_name(arm: str, seed: int) -> str:
    """``baseline-seed0``: the name of a run's folder, and of the run in W&B."""
    return f"{arm}-seed{seed}"


EVALUATION_WORK = 1 / 3
"""Work of evaluating a token, in that of training on one."""


Sha = Annotated[str, max_chars(64, "[0-9a-f]{0,64}")]
Count = Annotated[int, whole_number()]
Name = Annotated[str, max_chars(200)]
Line = Annotated[str, max_chars(1000)]
ArmName = Annotated[str, one_of(*ARMS)]


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: a model file, copied into the study before the first run."""

    variant: Annotated[str, max_chars(200, r".*\S.*")]
    """Name for people: ``rope``, or the stem of the learner's file."""
    title: Line
    source: str
    """The copy that trains, relative to the study's folder."""
    sha256: Sha
    origin: Annotated[str, max_chars(10_000)]
    """The origin of the file, as the learner typed it."""
    n_params: Count
    flops_per_token: Annotated[int, whole_number(below=1 << 63)]
    """Forward pass, two per multiply-add, matrix products only."""
    code: Sha = ""
    """Hash of its syntax tree (identity.code_hash)."""
    same_code: bool = False
    """True of a modified file that differs from the baseline in comments and docstrings alone."""

    def __post_init__(self) -> None:
        path = PurePath(self.source)
        if path.is_absolute() or ".." in path.parts or "\0" in self.source:
            raise ValueError(f"names a file outside its folder: {self.source[:60]!r}")


@dataclass(frozen=True)
class Data:
    """A corpus, kept by its content. Runs on different data are never compared."""

    name: Line
    sha256: Sha
    file: Name
    """``data/<sha256>.txt``, relative to q1lab's home; empty where there is none. A plan that names
    another file is refused: it may be a stranger's, and would send a file of the reader's along
    with the text."""
    characters: Count
    vocab_size: Count
    train_tokens: Count
    val_tokens: Count
    training: Sha = ""
    """Hash of the training part (identity.training_text_hash)."""

    @property
    def title(self) -> str:
        """The text for people who don't know its short name."""
        return CORPUS_TITLES.get(self.name, self.name)

    @property
    def guess_loss(self) -> float | None:
        """The loss of guessing each token of the vocabulary equally often, in nats; None where the
        vocabulary is not known."""
        return math.log(self.vocab_size) if self.vocab_size > 1 else None

    def __post_init__(self) -> None:
        if self.file not in ("", f"data/{self.sha256}.txt"):
            raise ValueError(f"file is {self.file[:60]!r}, not the text of its sha256")


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
class Study:
    """One variant against a baseline over seeds: everything that was decided before the first
    run."""

    id: Annotated[str, max_chars(100)]
    created: Annotated[str, max_chars(64, "[0-9T:.+Z -]+")]
    arms: dict[ArmName, Arm]
    data: Data
    trainer: Trainer
    """The trainer of its runs."""
    design: Design
    """The design: which runs count, and when the study is over."""
    origin: Origin
    """The origin."""
    prediction: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for key in ("size", "matters", "confidence"):
            if self.prediction is not None:
                json_records.checked(float | None, self.prediction.get(key), f"prediction {key}")

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.design.seeds

    @property
    def variant(self) -> str:
        return self.arms["modified"].variant

    @property
    def baseline(self) -> str:
        return self.arms["baseline"].variant

    def displayed_commands(self, runs: Iterable[Run], start: Path | str | None) -> str:
        """The commands to show a person before these runs of a stranger's study train in the folder
        ``start``; empty where q1lab's own loop trains. Problem for a command that can't be
        shown."""
        if self.trainer.kind == OWN:
            return ""
        loop = self.trainer.loop
        shown = {run: displayed_command(loop, run.variant, self.drawn_seed(run)) for run in runs}
        lines = (f"  {run.name}: {line}" for run, line in shown.items())
        return "\n".join([f"starts in {start}, with the rights that you have:", *lines])

    @property
    def runs(self) -> tuple[Run, ...]:
        """Pair by pair, the baseline's run first: half a study already holds pairs."""
        return tuple(Run(arm, self.arms[arm].variant, seed) for seed in self.seeds for arm in ARMS)

    @property
    def runs_as_trained(self) -> tuple[Run, ...]:
        """The runs in the order in which they begin, as ``labs.sharing.planned`` has it: the arm
        that begins a pair alternates."""
        runs = self.runs
        pairs = (runs[at : at + 2] for at in range(0, len(runs), 2))
        return tuple(run for at, pair in enumerate(pairs) for run in pair[:: -1 if at % 2 else 1])

    @property
    def model_files(self) -> dict[str, str]:
        """The copies of both model files that train, by arm and relative to the study's folder;
        none for a trainer of something else."""
        if self.trainer.kind != OWN:
            return {}
        return {arm: self.arms[arm].source for arm in ARMS}

    @property
    def is_floor(self) -> bool:
        """True if both arms are the same file, code or command: an A/A test, which asks nothing
        about a change and claims nothing."""
        base, modified = (self.arms[arm] for arm in ARMS)
        return modified.same_code or base.sha256 == modified.sha256 != ""

    @property
    def counts_as_asking(self) -> bool:
        """True if it counts as an asking of its question: not a single pair, nor an A/A
        test."""
        return len(self.seeds) > 1 and not self.is_floor

    def drawn_seed(self, run: Run) -> int:
        """The seed that a run's weights and batches are drawn with."""
        return self.trainer.drawn_seed(run.arm, run.seed)

    @property
    def metric(self) -> Metric:
        """The metric of each run."""
        return self.trainer.metric

    @property
    def max_iters(self) -> int:
        """Iters of a run; 0 if unknown until one has ended."""
        return int(self.trainer.config.get("max_iters", 0))

    @property
    def tokens_per_iter(self) -> int:
        """Tokens of one batch; a study that came from elsewhere may not say (then 1 per iter)."""
        config = self.trainer.config
        return int(config.get("batch_size", 1) * config.get("block_size", 1))

    @property
    def iters_after_last(self) -> float:
        """The work that follows a run's last iter, in iters: the last evaluation of the curve, and
        that of all validation tokens. 0 for a command, of which it is not known."""
        config, val_tokens = self.trainer.config, self.data.val_tokens
        if "batch_size" not in config:
            return 0.0
        of_curve = config.get("eval_windows", 0) * config.get("block_size", 1)
        evaluated = val_tokens + min(val_tokens, of_curve)
        return float(evaluated * EVALUATION_WORK / self.tokens_per_iter)

    @property
    def passes(self) -> float | None:
        """The number of passes of a run over its training text; None where that is not known."""
        if not self.data.train_tokens or "batch_size" not in self.trainer.config:
            return None
        return self.max_iters * self.tokens_per_iter / self.data.train_tokens

    @property
    def smallest_that_matters(self) -> float | None:
        """δ in the metric's unit; None if it was not predicted before results could be seen."""
        return seed_range.smallest_that_matters(self.prediction)

    def with_trainer(self, **changes: Any) -> Study:
        return replace(self, trainer=replace(self.trainer, **changes))

    def with_design(self, **changes: Any) -> Study:
        return replace(self, design=replace(self.design, **changes))

    def with_origin(self, **changes: Any) -> Study:
        return replace(self, origin=replace(self.origin, **changes))

    @property
    def files(self) -> paths.StudyPaths:
        return paths.StudyPaths(paths.study_dir(self.id))

    def to_dict(self) -> dict[str, Any]:
        """The content of study.json, in JSON's own types."""
        flat = {
            "id": self.id,
            "created": self.created,
            "arms": json_records.to_json(self.arms),
            "data": json_records.to_json(self.data),
            **json_records.to_json(self.trainer),
            **json_records.to_json(self.design),
            **json_records.to_json(self.origin),
            **(
                {}
                if self.prediction is None
                else {"prediction": json_records.to_json(self.prediction)}
            ),
        }
        return {"v": FORMAT, **{key: flat.pop(key) for key in ORDER if key in flat}, **flat}


ORDER = (
    *("id", "created", "kind", "arms", "looks", "preset", "config", "data", "device", "dtype"),
    "jobs",
    *("threads", "versions", "prediction", "repo", "unchecked", "wandb", "asked"),
    *("launcher", "range", "series", "seed_shift", "fresh_seeds"),
    *("trainers", "loop"),
)
"""The order of the keys in study.json: the same study is the same bytes."""


def from_dict(record: Any) -> Study:
    """Rebuild the study that ``to_dict`` wrote. ValueError that names the place of an unfit value;
    Problem for a plan of a newer q1lab."""
    if not isinstance(record, dict):
        raise ValueError("it is not a plan")
    version = record.get("v", FORMAT)
    if not isinstance(version, int):
        raise ValueError("it doesn't say its version")
    if version > FORMAT:
        raise Problem("study.json is of a newer q1lab", FAILED, next="upgrade q1lab to open it")
    if version < FORMAT:
        raise ValueError(f"v is {version}, and must be {FORMAT}")
    study = json_records.from_json(
        Study,
        record,
        trainer=json_records.from_json(Trainer, record),
        design=json_records.from_json(Design, record),
        origin=json_records.from_json(Origin, record),
        prediction=json_records.bounded_json(record.get("prediction"), "prediction"),
    )
    if set(study.arms) != set(ARMS):
        raise ValueError(f"arms holds {', '.join(study.arms) or 'none'}, not {' and '.join(ARMS)}")
    return study


def read_plan(file: Path) -> dict[str, Any]:
    """Read a study.json, for ``from_dict``. OSError; ValueError if it is not a JSON object."""
    record = read_json(file, MOST_PLAN_BYTES, refuse_link=True)
    if not isinstance(record, dict):
        raise ValueError("it holds no object")
    return record


def load(study_id: str) -> Study:
    """Read a study's plan. Problem when there is none or it can't be read."""
    if not is_id(study_id):
        raise Problem(f"{study_id!r} is not a study's name", next="`q1lab status` lists them")
    file = paths.StudyPaths(paths.study_dir(study_id)).plan
    try:
        study = from_dict(read_plan(file))
        if study.id != study_id:
            raise ValueError(f"it is the plan of {study.id!r}")
        return study
    except (FileNotFoundError, NotADirectoryError):
        if has_runs(file.parent):
            raise _plan_problem(file, "is missing") from None
        raise Problem(f"no study called {study_id!r}", next="`q1lab status` lists them") from None
    except OSError as error:
        raise Problem(f"cannot read {file}: {os_reason(error)}", FAILED, file=file) from None
    except (ValueError, RecursionError) as error:
        raise _plan_problem(file, f"is damaged ({printable(str(error))[:200]})") from None


def _plan_problem(file: Path, fault: str) -> Problem:
    return Problem(
        f"{file} {fault}; the runs of {file.parent.name} are kept, and the other studies go on. ",
        FAILED,
        next=f"Put a good copy in its place, or give the study up: q1lab delete {file.parent.name}",
        file=file,
    )


def has_runs(folder: Path) -> bool:
    """True if a study's folder holds any file of a run: events, weights, a log."""
    return any(file.is_file() for file in folder.glob("runs/*/*"))


def ids_without_plan() -> list[str]:
    """Studies on disk that have runs and no study.json."""
    return sorted(
        folder.name
        for folder in _study_folders()
        if not (folder / "study.json").is_file() and has_runs(folder)
    )


def _study_folders() -> Iterator[Path]:
    root = paths.studies_dir()
    return (folder for folder in (root.iterdir() if root.is_dir() else ()) if is_id(folder.name))


def is_id(text: str) -> bool:
    """True if ``text`` can be a study's name: a plain folder name that leads nowhere else."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", text) is not None


def free_folder(name: str) -> Path:
    """The folder of a study to be restored under ``name``. Problem where that is no study's name,
    or is taken."""
    if not is_id(name):
        raise Problem(f"{name!r} is not a study's name: letters, digits, dots, hyphens")
    folder = paths.study_dir(name)
    if folder.exists() or folder.is_symlink():
        raise Problem(f"there is a study called {name} already", next="restore it with --name NAME")
    return folder


def save(study: Study) -> None:
    """Write the plan atomically."""
    write_atomic(study.files.plan, encode_plan(study))


def encode_plan(study: Study) -> str:
    return json.dumps(study.to_dict(), indent=1, ensure_ascii=False) + "\n"


def ids() -> list[str]:
    """All studies on disk, oldest first (by when they were planned, then by name)."""
    return oldest_first(
        folder.name for folder in _study_folders() if (folder / "study.json").is_file()
    )


def load_readable() -> list[Study]:
    """Load all studies that can be read, oldest first. Each of the others is left out, with a
    notice at the command's end."""
    loaded, unreadable = load_each(ids())
    for study_id, why in unreadable.items():
        notice(f"{study_id} is left out: {why}")
    return loaded


def load_each(names: Iterable[str]) -> tuple[list[Study], dict[str, str]]:
    """Load the studies that can be read; returns them, and the reasons why the others can't, by id;
    both in the order of ``names``."""
    loaded, unreadable = [], {}
    for study_id in names:
        try:
            loaded.append(load(study_id))
        except Problem as problem:
            unreadable[study_id] = str(problem)
    return loaded, unreadable


def plan_stamps() -> dict[str, str] | None:
    """The stamp of each plan on disk, by the study's id, in no order. One stat call each, for
    viewers. None when the folder can't be read."""
    stamp_by_id: dict[str, str] = {}
    try:
        with os.scandir(paths.studies_dir()) as entries:
            for entry in entries:
                if is_id(entry.name) and (stamp := _stamp(f"{entry.path}/study.json")):
                    stamp_by_id[entry.name] = stamp
    except FileNotFoundError:
        return {}
    except OSError:
        return None
    return stamp_by_id


class StudiesOnDisk:
    """The studies that can be read, newest first. Each is read once, when a walk first comes to
    it."""

    def __init__(self) -> None:
        self._stamps = plan_stamps()
        self._unread = reversed(ids())
        self._read: list[Study] = []

    def __iter__(self) -> Iterator[Study]:
        index = 0
        while index < len(self._read) or self._load_next():
            yield self._read[index]
            index += 1

    def _load_next(self) -> bool:
        for study_id in self._unread:
            loaded, _ = load_each([study_id])
            if loaded:
                self._read += loaded
                return True
        return False

    @property
    def is_current(self) -> bool:
        """True if no plan was added, changed or deleted since."""
        return self._stamps is not None and self._stamps == plan_stamps()


def plan_stamp(study_id: str) -> str:
    """A stamp that changes whenever the study's plan does; empty without a plan."""
    return _stamp(f"{paths.study_dir(study_id)}/study.json")


def _stamp(file: str) -> str:
    try:
        status = os.stat(file)  # noqa: PTH116  (speed)
    except OSError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def oldest_first(names: Iterable[str]) -> list[str]:
    """Sort some studies by age, oldest first, as ``ids`` does."""
    return sorted(names, key=lambda name: (_planned_at(paths.study_dir(name)), name))


def _planned_at(folder: Path) -> float:
    """Birth order without opening every plan: ``source/`` is made once, with the study."""
    try:
        return (folder / "source").stat().st_mtime
    except OSError:
        return folder.stat().st_mtime


def latest() -> str:
    """The id of the study that was planned last. Problem when there is none."""
    study_ids = ids()
    if not study_ids:
        raise Problem("no study yet", next="start one with `q1lab run rope --seeds 3`")
    return study_ids[-1]


def next_number(stem: str, names: Iterable[str]) -> int:
    """The number after the highest N of all ``names`` of the form ``stem-N``."""
    form = re.compile(re.escape(stem) + r"-([0-9]{1,9})")
    numbers = [int(match[1]) for name in names if (match := form.fullmatch(name))]
    return max(numbers, default=0) + 1


def reserve_id(variant: str, taken_names: Iterable[str]) -> str:
    """The next free ``rope-N`` that is not among ``taken_names``; makes its folder, which reserves
    the name."""
    stem = safe_name(variant)
    root = paths.studies_dir()
    private_folder(root)
    number = next_number(stem, [*(folder.name for folder in root.iterdir()), *taken_names])
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


LONGEST_SAFE_NAME = 40


def safe_name(name: str) -> str:
    """A name that is safe in paths and on a command line."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:LONGEST_SAFE_NAME] or "model"


def shortened_name_note(variant: str) -> str:
    """A sentence for a person whose model file's name is too long for the name of its study, or
    has letters that the study's can't have; empty for any other."""
    name = variant.removesuffix("*")
    if not name.isascii():
        why = f"a study's name has A to Z, digits and _ only, and the file is {name}"
    elif len(name) > LONGEST_SAFE_NAME:
        why = f"a study's name takes {LONGEST_SAFE_NAME} letters of the file's {len(name)}"
    else:
        return ""
    return f"{why}: the study is called {safe_name(name)}-N"

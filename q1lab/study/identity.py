"""Four kinds of sameness, each with one use:

- ``run_fingerprint``: both runs end with the same numbers to the last bit; one is copied for the
  other (finished_runs.py).
- ``find_same_arm``: an arm that trains the same, perhaps under another name, in another number
  format, or after an edit that changes nothing; a seed whose run was seen there is not a fresh one
  (ledger.py).
- ``questions_of``: studies that the learner would say ask the same question; the looks at it are
  counted (ledger.py).
- ``kin_of``: arms that may be the same idea, on any text and with any settings; seeds that were
  named after results of either arm's kin could be seen are picked (picked_seeds.py).

The first is the narrowest and the last the widest. Pure, except that ``arm_code_hash`` reads model
files for plans of an older q1lab.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any

from q1lab.ground.files import read_text
from q1lab.ground.python_source import parse_python
from q1lab.study.studies import ARMS, Arm, Data, Run, Study

NO_EFFECT_ON_WEIGHTS = frozenset({"log_interval", "eval_interval", "eval_windows", "compile"})
"""Settings that change what a run shows or how fast it goes, but not its weights."""

FIRST_LOSSES = 8
"""Number of iters at the beginning of a run whose training loss is always logged
(labs/train.py)."""

FEWEST_SHARED_LOSSES, LARGEST_DISTANCE = 3, 1e-3
"""Two runs begin alike if at least so many of their first losses are known of both, and none
differs by more than this share."""


def run_fingerprint(study: Study, run: Run) -> str:
    """A key of everything that affects the bits of a run's numbers: equal keys, equal numbers."""
    versions = {key: study.trainer.versions.get(key) for key in ("torch", "trainer", "platform")}
    facts = [
        study.arms[run.arm].sha256,
        study.trainer.drawn_seed(run),
        {**study.trainer.hyperparameters, **study.trainer.arm_overrides(run.arm)},
        study.data.sha256,
        study.trainer.device,
        study.trainer.number_format,
        study.trainer.threads,
        versions,
        *filter(None, [study.trainer.imports]),
    ]
    return json.dumps(facts, sort_keys=True)


LossesBySeed = Mapping[int, Mapping[int, float]]
"""Seed that a run was drawn with → iter → training loss (nats), of the first iters."""


@dataclass(frozen=True, eq=False)
class ArmTraining:
    """The training of one arm of a study, and the first losses of its runs."""

    text: frozenset[str]
    code: str
    settings: str
    losses: LossesBySeed = field(default_factory=dict)


def find_same_arm(
    other: ArmTraining,
    arms: Mapping[str, ArmTraining],
    edited: Sequence[str] = (),
    distance: Callable[[ArmTraining, ArmTraining], float] | None = None,
) -> str | None:
    """Find the arm among ``arms`` that trains the same as another study's arm, perhaps under
    another name; None if there is none. With the same seed both make the same run: they train on
    the same text by the same code and settings, or their first losses agree, on whatever text. If
    they agree with those of both arms (a change that takes effect later), the closer arm is
    returned, and the baseline at a tie. ``edited``: the arms that count as the same if too few
    losses of both are known. ``distance``: in place of ``loss_distance``."""
    distance_by_arm = {}
    for arm, training in arms.items():
        same_text = bool(training.text & other.text)
        same_code = (training.code, training.settings) == (other.code, other.settings)
        if same_text and same_code:
            return arm
        distance_to_arm = (distance or loss_distance)(training, other)
        unknown = same_text and arm in edited and distance_to_arm == math.inf
        if distance_to_arm <= LARGEST_DISTANCE or unknown:
            distance_by_arm[arm] = distance_to_arm
    return min(distance_by_arm, key=lambda arm: distance_by_arm[arm], default=None)


def begin_alike(
    trainings: Iterable[ArmTraining],
) -> dict[ArmTraining, dict[ArmTraining, float]]:
    """For each training the others whose first losses agree with its own, and their distance.

    Only runs of one seed whose losses at the last of their first iters lie within the distance are
    compared, where losses of the same iters are known; else all of them are.
    """
    runs: dict[int, dict[frozenset[int], list[tuple[float, ArmTraining]]]] = {}
    for training in dict.fromkeys(trainings):
        for seed, losses in training.losses.items():
            if len(losses) >= FEWEST_SHARED_LOSSES:
                loss = abs(losses[max(losses)])
                runs.setdefault(seed, {}).setdefault(frozenset(losses), []).append((loss, training))
    alike: dict[ArmTraining, dict[ArmTraining, float]] = {}

    def compare(first: ArmTraining, second: ArmTraining) -> None:
        for left, right in ((first, second), (second, first)):
            if right not in alike.get(left, {}):
                distance = loss_distance(left, right)
                if distance <= LARGEST_DISTANCE:
                    alike.setdefault(left, {})[right] = distance

    for runs_by_iters in runs.values():
        groups = list(runs_by_iters.values())
        for group in groups:
            group.sort(key=lambda run: run[0])
            for at, (loss, training) in enumerate(group):
                for other_loss, other in islice(group, at + 1, None):
                    if other_loss > loss * (1 + 2 * LARGEST_DISTANCE):
                        break
                    compare(training, other)
        for group, other_group in combinations(groups, 2):
            for (_, training), (_, other) in product(group, other_group):
                compare(training, other)
    return alike


@dataclass(frozen=True)
class Question:
    """The question of a study, as numbers for its text and for the files of its arms, which stay
    the same through edits and renames. Equal ``key``, same question: arms may be swapped."""

    text: int
    baseline: int
    modified: int

    @property
    def key(self) -> tuple[int, frozenset[int]]:
        return self.text, frozenset((self.baseline, self.modified))


Fingerprints = Mapping[str, frozenset[str]]
"""Fingerprints of the ``text`` and of each arm: two studies that share one of each ask the same
question."""


def study_fingerprints(study: Study) -> Fingerprints:
    return {
        "text": text_fingerprints(study.data),
        **{arm: _arm_fingerprints(study, arm) for arm in ARMS},
    }


def questions_of(fingerprints: Sequence[Fingerprints]) -> list[Question]:
    """The questions of studies with these fingerprints. Two arms are the same modification if they
    share their name or their code, directly or through others."""
    texts = _number_classes([study["text"] for study in fingerprints])
    arms = _number_classes([study[arm] for arm in ARMS for study in fingerprints])
    n = len(fingerprints)
    return [Question(*numbers) for numbers in zip(texts, arms[:n], arms[n:], strict=True)]


@dataclass(frozen=True)
class Kin:
    """The arms of a study as numbers: equal numbers, perhaps the same idea."""

    baseline: int
    modified: int


def kin_of(studies: Sequence[Study]) -> list[Kin]:
    """The kin of each of these studies' arms: those that share the name, the file or its place, the
    code, or for a command the program, directly or through others."""
    n = len(studies)
    numbers = _number_classes([_kin_fingerprints(study, arm) for arm in ARMS for study in studies])
    return [Kin(*pair) for pair in zip(numbers[:n], numbers[n:], strict=True)]


# ── the facts that are compared


def arm_training(study: Study, arm: str, losses: LossesBySeed | None = None) -> ArmTraining:
    """The training of an arm of a study; ``losses`` as in ``ArmTraining``."""
    config = {
        key: value
        for key, value in study.trainer.hyperparameters.items()
        if key not in NO_EFFECT_ON_WEIGHTS
    }
    settings = json.dumps(config | study.trainer.arm_overrides(arm), sort_keys=True)
    losses_by_seed = {} if losses is None else losses
    return ArmTraining(
        text_fingerprints(study.data), arm_code_hash(study, arm), settings, losses_by_seed
    )


def text_fingerprints(data: Data) -> frozenset[str]:
    """Fingerprints of a text: two texts that share one train the same."""
    return frozenset({data.sha256, f"training {data.training}"} if data.training else {data.sha256})


def training_text_hash(text: str, characters: int) -> str:
    """A hash of the training part of a text, ``characters`` long: of its beginning up to the
    largest power of two, so that text added at the end changes nothing."""
    beginning = text[: 1 << max(0, characters.bit_length() - 1)]
    return hashlib.sha256(beginning.encode()).hexdigest()


@lru_cache(maxsize=256)  # a hash takes 10 ms, and most studies share the baseline's file
def code_hash(text: str) -> str:
    """A hash of a Python file's syntax tree without docstrings: comments, blank lines, line breaks
    and the names of local variables change nothing. Empty if the text is not Python."""
    try:
        tree = parse_python(text)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            _number_locals(node)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _number_locals(function: ast.AST) -> None:
    """Rename a function's arguments and local variables to numbers."""
    numbers: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            numbers.setdefault(node.arg, f"local {len(numbers)}")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            numbers.setdefault(node.id, f"local {len(numbers)}")
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            node.arg = numbers.get(node.arg, node.arg)
        elif isinstance(node, ast.Name):
            node.id = numbers.get(node.id, node.id)


def arm_code_hash(study: Study, arm: str) -> str:
    """The hash of an arm's code (``code_hash``). A plan of an older q1lab has none: then it comes
    from the study's copy of the file; for runs from elsewhere, from the file's hash or the arm's
    name."""
    arm_record = study.arms[arm]
    if arm_record.code or not arm_record.sha256:
        return arm_record.code or f"name {arm_record.variant}"
    return _copy_code_hash(study.files.root / arm_record.source, arm_record.sha256)


@lru_cache(maxsize=4096)
def _copy_code_hash(file: Path, sha256: str) -> str:
    try:
        text = read_text(file, 1 << 20)
    except (OSError, ValueError):
        text = ""
    same = hashlib.sha256(text.encode()).hexdigest() == sha256
    return (code_hash(text) if same else "") or sha256


def _is_docstring(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def loss_distance(training: ArmTraining, other: ArmTraining) -> float:
    """The largest relative distance between the first losses of runs with the same seed; infinite
    if too few are known of both. Of several seeds the nearest counts."""
    losses, other_losses = training.losses, other.losses
    distances = []
    for seed in losses.keys() & other_losses.keys():
        loss_by_iter, other_by_iter = losses[seed], other_losses[seed]
        shared = loss_by_iter.keys() & other_by_iter.keys()
        if len(shared) >= FEWEST_SHARED_LOSSES:
            distances.append(
                max(
                    (
                        abs(loss_by_iter[iteration] / other_by_iter[iteration] - 1)
                        for iteration in shared
                        if other_by_iter[iteration]
                    ),
                    default=math.inf,
                )
            )
    return min(distances, default=math.inf)


def _arm_fingerprints(study: Study, arm: str) -> frozenset[str]:
    """Fingerprints of an arm's modification: the name of a model that ships, the name of an arm of
    a command with the program, and the code (which may be moved or copied). A file's place is not a
    fingerprint, since another idea may be written into the file."""
    arm_record: Arm = study.arms[arm]
    name = ""
    if not study.origin.is_ours or not arm_record.origin:
        name = f"name {arm_record.variant.removesuffix('*')}"
    elif not is_own_file(study, arm):
        name = f"name {arm_record.origin}"
    if name and (programs := study.trainer.programs):
        name = f"{name} of {' '.join(sorted(programs))}"
    return frozenset({name, arm_code_hash(study, arm), arm_record.sha256} - {""})


def _kin_fingerprints(study: Study, arm: str) -> frozenset[str]:
    """Fingerprints by which an arm may be the same idea as another one: those of its modification,
    the place of its file, and the program of a command in any folder."""
    arm_record = study.arms[arm]
    place = {f"file {arm_record.origin}"} if is_own_file(study, arm) else set()
    folder = study.trainer.start_folder
    for program, sha256 in study.trainer.programs.items():
        place |= {f"program {sha256 or program}", f"program {folder} {program}"}
    return _arm_fingerprints(study, arm) | place


def is_own_file(study: Study, arm: str) -> bool:
    """True if an arm is a model file of the learner's."""
    origin = study.arms[arm].origin
    return study.origin.is_ours and ("/" in origin or "\\" in origin or origin.endswith(".py"))


def _number_classes(fingerprint_sets: Sequence[frozenset[str]]) -> list[int]:
    """Number each set of fingerprints: equal numbers if two sets share one, directly or through
    others."""
    class_by_fingerprint: dict[str, int] = {}
    for index, fingerprints in enumerate(fingerprint_sets):
        shared_classes = {
            class_by_fingerprint[fingerprint]
            for fingerprint in fingerprints
            if fingerprint in class_by_fingerprint
        }
        if len(shared_classes) > 1:  # this set joins classes that were separate
            class_by_fingerprint = {
                fingerprint: index if class_number in shared_classes else class_number
                for fingerprint, class_number in class_by_fingerprint.items()
            }
        class_by_fingerprint.update(
            dict.fromkeys(fingerprints, shared_classes.pop() if len(shared_classes) == 1 else index)
        )
    return [class_by_fingerprint[min(fingerprints)] for fingerprints in fingerprint_sets]

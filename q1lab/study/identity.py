"""Three kinds of sameness, each with one use:

- ``run_fingerprint``: both runs end with the same numbers to the last bit; one is copied for the
  other (finished_runs.py).
- ``question_hash``: studies that ask the same question; the looks at it are counted (history.py).
- ``is_twin``: studies of the same plan but for the number of pairs; a request continues the newest.

Pure.
"""

from __future__ import annotations

import ast
import hashlib
import json
from functools import lru_cache
from typing import Any

from q1lab.ground.files import sha256_json
from q1lab.ground.python_source import parse_python
from q1lab.study.studies import ARMS, Run, Study

NO_EFFECT_ON_WEIGHTS = frozenset({"log_interval", "eval_interval", "eval_windows", "compile"})
"""Settings that change what a run shows or how fast it goes, but not its weights."""


def run_fingerprint(study: Study, run: Run) -> str:
    """A key of everything that affects the bits of a run's numbers: equal keys, equal numbers."""
    versions = {key: study.trainer.versions.get(key) for key in ("torch", "trainer", "platform")}
    facts = [
        study.arms[run.arm].sha256,
        study.drawn_seed(run),
        study.trainer.config,
        study.data.sha256,
        study.trainer.device,
        study.trainer.dtype,
        study.trainer.threads,
        versions,
    ]
    return json.dumps(facts, sort_keys=True)


def is_twin(study: Study, other: Study) -> bool:
    """True if two studies have the same plan in everything but the number of pairs."""
    return (
        identity_key(study) == identity_key(other)
        and study.design.fresh_seeds == other.design.fresh_seeds
    )


def identity_key(study: Study) -> str:
    """A key that is equal for two studies that differ in nothing but their seeds."""
    facts = {
        "sources": [study.arms[arm].sha256 for arm in ARMS],
        "data": study.data.sha256,
        "config": study.trainer.config,
        "device": study.trainer.device,
        "dtype": study.trainer.dtype,
    }
    return json.dumps(facts, sort_keys=True)


def question_hash(study: Study) -> str:
    """The question of a study: its text, the settings that train, and both arms, which may be
    swapped."""
    arms = sorted(arm_fingerprint(study, arm) for arm in ARMS)
    return sha256_json([training_text(study), training_settings(study), arms])


def training_settings(study: Study) -> dict[str, Any]:
    """The hyperparameters that change a run's weights. Device, number format, threads, and what is
    logged or evaluated don't count: another machine asks the same question."""
    # what was declared before has a 0 where the iters are not known
    settings = {"max_iters": 0, **study.trainer.config}
    return {key: value for key, value in settings.items() if key not in NO_EFFECT_ON_WEIGHTS}


def training_text(study: Study) -> str:
    """A hash of the text that a study trains on: text added at the end changes nothing, as long as
    the part for training is the same."""
    return study.data.training or study.data.sha256


def arm_fingerprint(study: Study, arm: str) -> str:
    """The fingerprint of an arm: of its file's syntax tree, or of its command with the files that
    it reads; of those in Python the syntax tree counts, too."""
    code = arm_code_hash(study, arm)
    loop = study.trainer.loop
    inputs = sorted({**loop.inputs, **loop.code}.items())
    return sha256_json([code, inputs] if inputs else code)


def is_same_program(one: Study, other: Study) -> bool:
    """True if both are trained by q1lab's own loop, or by commands of one folder that read a file
    in common; of a command that reads none its folder alone is known."""
    ours, theirs = one.trainer.loop, other.trainer.loop
    files = set(ours.inputs), set(theirs.inputs)
    return ours.folder == theirs.folder and (not all(files) or not files[0].isdisjoint(files[1]))


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
    """The hash of an arm's code (``code_hash``), or its name where no file trains."""
    arm_record = study.arms[arm]
    return arm_record.code or arm_record.sha256 or f"name {arm_record.variant}"


def _is_docstring(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )

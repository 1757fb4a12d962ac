"""The passages that a study's trained models write (labs/sample.py): both arms go on from one
prompt, with the same random numbers, by the saved weights of one seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, sha256_file
from q1lab.ground.paths import models_dir
from q1lab.study import child_processes, corpora
from q1lab.study.events import has_ended
from q1lab.study.studies import ARMS, StudiesOnDisk, Study, run_name

MOST_TOKENS = 10_000
"""Characters of one passage at most."""
LONGEST_PROMPT = 10_000
SECONDS_TO_START, SECONDS_PER_TOKEN = 120.0, 0.5
"""The time that a model may take; a model of the preset ``cpu`` takes some milliseconds a token."""


@dataclass(frozen=True)
class PassagePair:
    """The passages of both models from the same prompt, without control characters."""

    prompt: str
    baseline: str
    modified: str

    @property
    def shared(self) -> int:
        """The number of characters before the two part."""
        pairs = zip(self.baseline, self.modified, strict=False)
        shortest = min(len(self.baseline), len(self.modified))
        return next((k for k, (first, other) in enumerate(pairs) if first != other), shortest)


def choose_seed(study: Study, seed: int | None) -> int:
    """The seed whose weights are used: ``seed``, or the first of which both arms' are here.
    Problem, with the reason, where a study has none."""
    if not study.model_files:
        raise Problem(
            f"{study.id} trains by a command: only your own program can load what it trained"
        )
    if seed is not None and seed not in study.seeds:
        raise Problem(
            f"{study.id} has no seed {seed}", next=f"it has {', '.join(map(str, study.seeds))}"
        )
    if gone := [file for file in _model_files(study) if not file.is_file()]:
        raise Problem(
            f"the model file {gone[0]} is gone",
            next="`q1lab run` with --fresh trains the study again",
        )
    seeds_here = [
        seed
        for seed in study.seeds
        if all(study.files.run(run_name(arm, seed)).model.is_file() for arm in ARMS)
    ]
    if usable := [one for one in seeds_here if seed in (None, one)]:
        return usable[0]
    which = f"{study.id} has no weights" + ("" if seed is None else f" of seed {seed}")
    if seeds_here:
        raise Problem(which, next=f"it has those of seed {', '.join(map(str, seeds_here))}")
    runs = [study.files.run(run.name) for run in study.runs if seed in (None, run.seed)]
    if not all(has_ended(run.events) for run in runs):
        raise Problem(which, next="a run keeps them when it has finished")
    raise Problem(
        f"{which} here: they are on the machine that trained, or its runs diverged",
        next="`q1lab run` with --fresh trains the study again",
    )


def _model_files(study: Study) -> list[Path]:
    return [study.files.root / name for name in study.model_files.values()]


def unseen_files(study: Study) -> list[str]:
    """The study's model files that neither ship nor ever trained on this machine."""
    if study.files.launch.exists():
        return []
    hashes_trained_here = {sha256_file(file) for file in models_dir().glob("*.py")}
    for other in StudiesOnDisk():
        if other.files.launch.exists():
            hashes_trained_here |= {
                sha256_file(file) for file in _model_files(other) if file.is_file()
            }
    return [
        str(file)
        for file in _model_files(study)
        if not file.is_file() or sha256_file(file) not in hashes_trained_here
    ]


def write_passages(
    study: Study, seed: int, prompt: str | None, tokens: int, number: int
) -> PassagePair:
    """The passages of ``tokens`` characters by both models of one seed. The ``number`` fixes their
    random numbers and, without a prompt, the place in the validation text that they go on from.
    Problem for anything that a person can fix. The caller has chosen the seed, and asked about
    ``unseen_files``."""
    if prompt is not None and len(prompt) > LONGEST_PROMPT:
        raise Problem(
            f"the prompt has {len(prompt):,} characters, and may have {LONGEST_PROMPT:,} at most"
        )
    text = corpora.cached_corpus(study.data.sha256)
    if text is None:
        raise Problem(
            f"the text of {study.id} ({study.data.name}) is not here any more",
            FAILED,
            next="any study that trains on it brings it back",
        )
    question: dict[str, Any] = {
        "files": {arm: str(study.files.root / study.arms[arm].source) for arm in ARMS},
        "weights": {arm: str(study.files.run(run_name(arm, seed)).model) for arm in ARMS},
        "configs": dict.fromkeys(ARMS, study.trainer.config),
        "text": str(text),
        "sha256": study.data.sha256,
        "prompt": prompt,
        "tokens": tokens,
        "passage": number,
        "threads": 1,
    }
    answer = child_processes.ask_child(
        child_processes.python_module("labs.sample"),
        question,
        seconds=SECONDS_TO_START + SECONDS_PER_TOKEN * tokens,
        env=child_processes.stranger_environment(1),
    )
    try:
        texts = answer["prompt"], *(answer["passages"][arm] for arm in ARMS)
        return PassagePair(*map(printable, texts))
    except (KeyError, TypeError, ValueError):  # a model file got hold of the answer
        raise Problem(f"the models of {study.id} gave no passages", FAILED) from None

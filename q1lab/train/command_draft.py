"""Plan a study whose arms are a command.

What is decided before the first run is the same as for q1lab's own loop, and so is everything after
it. Only parameters and FLOPs, which a model file would show, and the corpus are not known here.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab import __version__
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import read_text, sha256_text, utc_now, write_atomic
from q1lab.ground.git_repository import Repository, repository_facts
from q1lab.ground.options import COMMAND
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.command_arms import CommandSpec, arm_words, hash_inputs, itself, takes_seed
from q1lab.study.command_line import OPTIONS, Request, option_values
from q1lab.study.design import Design
from q1lab.study.identity import code_hash
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.origin import Origin, TypedOptions
from q1lab.study.studies import Arm, Data, Study
from q1lab.study.study_draft import Draft
from q1lab.study.trainer import COMMAND as COMMAND_KIND
from q1lab.study.trainer import SEED_OFFSET, Trainer
from q1lab.study.typed_seeds import TypedSeeds
from q1lab.train import finished_runs, first_run
from q1lab.train.machine import cores

UNCOMMITTED_DIFF = "uncommitted.diff"
"""The file, next to a study's sources, with the uncommitted changes of the command's repository."""

LARGEST_DIFF = 64 << 20
"""Bytes of a file with uncommitted changes that is read."""


@dataclass(frozen=True)
class CommandDraft(Draft):
    def write(self, study: Study) -> None:
        """Write the uncommitted changes of the command's repository into the study, and move its
        first run there, if it is trained."""
        prove_inputs(self.study.trainer.loop)
        if (study.origin.repo or {}).get("dirty"):
            with contextlib.suppress(Problem):
                text = Repository.discover(self.study.trainer.loop.folder).uncommitted_diff()
                write_atomic(study.files.source / UNCOMMITTED_DIFF, text)
        first_run.take_over(study, self.study.trainer.loop)


def draft(request: Request, seeds: TypedSeeds, kept_study: KeptStudy | None) -> CommandDraft:
    """The study that a request for a command would be. Problem for anything that a person can
    fix."""
    paths.ensure_home()
    return CommandDraft(request, seeds, kept_study, _study(request, seeds))


def _study(request: Request, seeds: TypedSeeds) -> Study:
    loop = request.loop
    assert loop is not None
    _refuse_own_loop_options(request)
    if not takes_seed(loop):
        raise Problem("the command has no {seed}: ", next="put {seed} where the seed goes")
    names = {"baseline": request.baseline or loop.arms[0], "modified": request.variant}
    loop = replace(loop, args={name: loop.args[name] for name in names.values()})
    words = {arm: arm_words(loop, name) for arm, name in names.items()}
    is_floor = names["modified"] == itself(names["baseline"])
    if words["baseline"] == words["modified"] and not is_floor:
        raise Problem(
            f"{names['modified']} and {names['baseline']} run the same command",
            next=f"the VARIANT {names['baseline']} compares {names['baseline']} with itself, on "
            "other seeds",
        )
    inputs = hash_inputs(loop)
    loop = replace(loop, inputs=inputs, code=code_hashes(loop.folder, inputs))
    folder = Path(loop.folder)
    settings = [loop.metric, loop.better, loop.take, loop.pattern, sorted(loop.inputs.items())]
    arms = {
        arm: Arm(
            variant=name,
            title=shlex.join(words[arm])[:1000],
            source="",
            sha256=sha256_text(json.dumps([words[arm], settings])),
            origin=name,
            n_params=0,
            flops_per_token=0,
            code=sha256_text(json.dumps(sorted(words[arm]))),
        )
        for arm, name in names.items()
    }
    jobs = request.jobs or 1
    threads = max(1, cores() // jobs)
    trainer = Trainer(
        kind=COMMAND_KIND,
        device="" if request.device == "auto" else request.device,
        jobs=jobs,
        threads=threads,
        versions={
            "q1lab": __version__,
            "platform": f"{platform.system()} {platform.machine()}",
            "trainer": finished_runs.trainer_version(COMMAND_KIND),
        },
        wandb=wandb_state.wandb_mode(request.wandb),
        launcher=request.launcher_words,
        loop=loop,
        seed_shift={"modified": SEED_OFFSET} if is_floor else {},
    )
    return Study(
        id="",
        created=utc_now(),
        arms=arms,
        data=Data(
            name=folder.name or "command",
            sha256=sha256_text(json.dumps([str(folder), loop.metric])),
            file="",
            characters=0,
            vocab_size=0,
            train_tokens=0,
            val_tokens=0,
            training=sha256_text(str(folder)),  # the question is the same for each metric
        ),
        trainer=trainer,
        design=Design(batches=(seeds.seeds,), fresh_seeds=seeds.fresh),
        origin=Origin(
            typed=TypedOptions(wandb=request.wandb, baseline=request.baseline),
            repo=repository_facts(folder, lambda repo: bool(repo.uncommitted_diff())),
        ),
    )


def changed_code_note(study: Study) -> str:
    """A sentence where the repository of a study's command is at another commit than when the study
    was planned, or has other local changes; empty where neither is known."""
    commit = (study.origin.repo or {}).get("commit")
    file = study.files.source / UNCOMMITTED_DIFF
    try:
        planned = commit, read_text(file, LARGEST_DIFF) if file.exists() else ""
        repo = Repository.discover(study.trainer.loop.folder)
        now = repo.head().sha, repo.uncommitted_diff()
    except (Problem, OSError, UnicodeDecodeError):
        return ""
    if not commit or now == planned:
        return ""
    return (
        f"the code in {repo.root} changed since {study.id} was planned at commit {commit[:7]}, and "
        "that study keeps its runs (--fresh trains a new one)"
    )


# ── small pieces


def _refuse_own_loop_options(request: Request) -> None:
    """Problem for an option of q1lab's own loop."""
    values, defaults = map(option_values, (request, Request(request.variant)))
    for name, option in OPTIONS.items():
        if COMMAND not in option.goes_with and values[name] != defaults[name]:
            raise Problem(
                f"{option.flag} is for q1lab's own loop",
                next="give a command its settings in its own arguments",
            )


def code_hashes(folder: str, names: Iterable[str]) -> dict[str, str]:
    """The hashes of the syntax trees of the Python files among these, by name."""
    hashes = {}
    for name in names:
        with contextlib.suppress(OSError, UnicodeDecodeError):  # its bytes alone tell it, then
            if name.endswith(".py"):
                hashes[name] = code_hash(read_text(Path(folder, name)))
    return {name: found for name, found in hashes.items() if found}


def prove_inputs(loop: CommandSpec) -> None:
    """Problem for a file that has changed since the loop was planned: every run would fail."""
    current_hashes = hash_inputs(loop)
    changed = [name for name, sha256 in loop.inputs.items() if current_hashes.get(name) != sha256]
    for name in changed:
        raise Problem(f"{name} changed while the study was planned", next="run the command again")

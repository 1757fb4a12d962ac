"""Plan a study whose arms are a command: look at the command beforehand, then draft the study.

What is decided before the first run is the same as for q1lab's own loop, and so is everything after
it; only what a model file would tell (parameters, FLOPs) and the corpus are not known here.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from q1lab import __version__
from q1lab.designs.fixed import Fixed
from q1lab.ground import json_records, paths
from q1lab.ground.config import load_settings
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import sha256_file, sha256_text, utc_now, write_atomic
from q1lab.ground.git_repository import Repository, repository_facts
from q1lab.runner import child_processes, finished_runs
from q1lab.runner.machine import cores
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.command_arms import CommandSpec
from q1lab.study.command_line import Request
from q1lab.study.design import TypedSeeds
from q1lab.study.engine_choice import EngineChoice, choose_engine, load_engine
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.origin import Planned, TypedOptions
from q1lab.study.studies import Arm, Data, Study
from q1lab.study.study_draft import Draft
from q1lab.trainers.command import Command

PREFLIGHT_SECONDS = 600.0
"""The seconds that each short run of the preflight may take."""
ALIKE = 1e-4
"""Numbers of one seed that differ by no more than this share repeat to 1e-4."""
UNCOMMITTED_DIFF = "uncommitted.diff"
"""Beside a study's sources: what its repository held that was not committed."""


@dataclass(frozen=True)
class CommandDraft(Draft):
    @property
    def trainer(self) -> Command:
        assert isinstance(self.study.trainer, Command)
        return self.study.trainer

    def preflight(self) -> Command:
        return preflight_command(self.trainer, self.study.baseline, self.study.variant)

    def seconds(self, study: Study, missing: Sequence[str]) -> None:
        return None

    def write(self, study: Study) -> None:
        """Write the uncommitted changes of the command's repository into the study."""
        prove_inputs(self.trainer.loop)
        if (study.origin.repo or {}).get("dirty"):
            with contextlib.suppress(Problem):
                text = Repository.discover(self.trainer.loop.folder).uncommitted_diff()
                write_atomic(study.files.source / UNCOMMITTED_DIFF, text)


def draft(
    request: Request, seeds: TypedSeeds, kept_study: KeptStudy | None, wandb: str | None = None
) -> CommandDraft:
    """The study that a request for a command would be; ``wandb`` is where it logs, whatever the
    request says. Problem for what a person can mend."""
    paths.ensure_home()
    engine = choose_engine(request.engine, None, request.engine_options, load_settings().engine)
    study = study_from_request(
        request, seeds, engine, wandb or wandb_state.wandb_mode(request.wandb)
    )
    return CommandDraft(request, seeds, kept_study, study)


def study_from_request(
    request: Request, seeds: TypedSeeds, engine: EngineChoice | None, wandb: str
) -> Study:
    """The study that a request would be. Problem for what a person can mend."""
    loop = request.loop
    assert loop is not None
    _only_what_fits(request)
    if not load_engine(engine).runs_commands:
        raise Problem(f"--engine {request.engine}: a command trains here or on Slurm")
    names = {"baseline": request.baseline or loop.arms[0], "modified": request.variant}
    loop = replace(loop, args={name: loop.args[name] for name in names.values()})
    words = {arm: arm_words(loop, name) for arm, name in names.items()}
    if words["baseline"] == words["modified"]:
        raise Problem(f"{names['modified']} and {names['baseline']} run the same command")
    inputs = hash_inputs(loop)
    if inputs != loop.inputs:  # what an earlier look showed, it showed of other files
        loop = replace(loop, inputs=inputs, reads="", repeats="")
    folder = Path(loop.folder)
    how = [loop.metric, loop.better, loop.take, loop.pattern, sorted(loop.inputs.items())]
    arms = {
        arm: Arm(
            variant=name,
            title=shlex.join(words[arm])[:1000],
            source="",
            sha256=sha256_text(json.dumps([words[arm], how])),
            origin=name,
            n_params=0,
            flops_per_token=0,
            code=sha256_text(json.dumps(sorted(words[arm]))),
        )
        for arm, name in names.items()
    }
    jobs = request.jobs or 1
    trainer = Command(
        device="" if request.device == "auto" else request.device,
        jobs=jobs,
        threads=max(1, cores() // jobs),
        versions={
            "q1lab": __version__,
            "platform": f"{platform.system()} {platform.machine()}",
            "trainer": finished_runs.trainer_version(by_command=True),
        },
        wandb=wandb,
        engine=engine,
        loop=loop,
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
        ),
        trainer=trainer,
        design=Fixed(batches=(seeds.seeds,), headline=request.headline, fresh_seeds=seeds.fresh),
        origin=Planned(
            typed=TypedOptions(wandb=request.wandb, baseline=request.baseline),
            repo=repository_facts(folder, lambda repo: bool(repo.uncommitted_diff())),
        ),
    )


# ── the look beforehand


def preflight_command(trainer: Command, baseline: str, modified: str) -> Command:
    """The trainer with what a short run of each arm showed: where the metric is, and whether a seed
    repeats. Problem where the command can't be compared: it fails, reports no metric, takes no
    seed, reports the arms at different steps, or the same of both."""
    if trainer.loop.repeats:
        return trainer
    return replace(trainer, loop=_preflight_loop(trainer.loop, baseline, modified))


def _preflight_loop(loop: CommandSpec, baseline: str, modified: str) -> CommandSpec:
    by_name = "{seed}" in loop.run
    if loop.smoke is None:
        if not by_name:
            raise Problem(
                "the command has no {seed}. Where it reads Q1LAB_SEED, a look has to prove it: ",
                next="give --smoke with what makes a run short, such as --smoke '--max_iters=20'",
            )
        return loop
    first = _short_run(loop, baseline, 0)
    source = str(first["source"])
    loop = replace(loop, reads=source)
    again, other = _short_run(loop, baseline, 0, again=True), _short_run(loop, baseline, 1)
    theirs = _short_run(loop, modified, 0)
    apart = _apart(first, again)
    repeats = "bit" if apart == 0 else "1e-4" if apart <= ALIKE else "no"
    if _apart(first, other) <= apart or (repeats == "1e-4" and _apart(first, other) <= ALIKE):
        same = "seed 1 gives what seed 0 gave"
        far = "seed 0 differs from itself as much as from seed 1"
        raise Problem(
            f"{far if repeats == 'no' else same}: the command's seed does nothing. Pass it on: "
            "{seed} in the command, or Q1LAB_SEED in its environment"
        )
    if repeats == "no" and not by_name:
        raise Problem(
            "the same seed gives other numbers each time, so that the command reads Q1LAB_SEED "
            "can't be proved",
            next="put {seed} into the command",
        )
    if _steps(first) != _steps(theirs):
        raise Problem(
            f"{baseline} reports {loop.metric} at steps {_some(first)}, {modified} at "
            f"{_some(theirs)}",
            next="both arms must report at the same steps",
        )
    if _is_same(first, theirs) and _is_same(other, _short_run(loop, modified, 1)):
        raise Problem(
            f"{modified} and {baseline} gave the same numbers at seeds 0 and 1, to the last bit: "
            f"the arguments of {modified} do nothing in a short run. ",
            next="Check how they are spelled; where they act only later, give a --smoke that "
            "trains longer",
        )
    return replace(loop, repeats=repeats)


def _is_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """True if two runs reported something, and the same. The runs of one seed may be equal by
    chance if a metric takes few values."""
    return bool(first["values"]) and first["values"] == second["values"]


def _short_run(loop: CommandSpec, variant: str, seed: int, again: bool = False) -> dict[str, Any]:
    """The numbers that one short run reported (labs/loop.py). Problem if it failed."""
    one_arm_spec = replace(loop, args={variant: loop.args[variant]})
    answer = _ask(json.dumps(json_records.to_json(one_arm_spec)), variant, seed, again)
    if answer["wrong"]:
        raise Problem(f"a short run of {variant}, seed {seed}: {answer['wrong']}", FAILED)
    return answer


@cache
def _ask(loop: str, variant: str, seed: int, again: bool) -> dict[str, Any]:
    """One short run, once in a process: members of a sweep share their baseline's. ``again``: a
    second one of the same."""
    spec = json.loads(loop)
    with tempfile.TemporaryDirectory(dir=paths.scratch_dir(), prefix="look-") as scratch:
        question = {
            "loop": spec,
            "variant": variant,
            "seed": seed,
            "more": spec["smoke"],
            "scratch": scratch,
            "seconds": PREFLIGHT_SECONDS,
        }
        program = [*child_processes.python_module("labs.loop"), "--look"]
        return child_processes.ask_child(
            program, question, threads=cores(), seconds=PREFLIGHT_SECONDS + 30
        )


def _apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """The largest difference of two runs, as a share; infinite if they report other steps."""
    if _steps(first) != _steps(second):
        return float("inf")
    pairs = [(a, b) for (_, a), (_, b) in zip(first["values"], second["values"], strict=True)]
    return max((abs(a - b) / (max(abs(a), abs(b)) or 1.0) for a, b in pairs), default=0.0)


def _steps(reported: Mapping[str, Any]) -> list[int]:
    return [step for step, _ in reported["values"]]


def _some(reported: Mapping[str, Any]) -> str:
    steps = _steps(reported)
    return ", ".join(map(str, steps[:4])) + (f", … {steps[-1]}" if len(steps) > 4 else "")


# ── small pieces


def _only_what_fits(request: Request) -> None:
    """Problem for an option of q1lab's own loop."""
    plain = Request(request.variant)
    for key in ("preset", "data", "dtype", "overrides", "match", "tune", "unchecked"):
        if getattr(request, key) != getattr(plain, key):
            option = "--set or --max-iters" if key == "overrides" else f"--{key}"
            raise Problem(
                f"{option} is for q1lab's own loop", next="a command takes it among its words"
            )


def arm_words(loop: CommandSpec, name: str) -> list[str]:
    """The command's words with this arm's arguments, seed and folder left open."""
    words: list[str] = []
    args = shlex.split(loop.args[name])
    for word in shlex.split(loop.run):
        words += args if word == "{args}" else [word.replace("{args}", shlex.join(args))]
    return words if "{args}" in loop.run else words + args


def hash_inputs(loop: CommandSpec) -> dict[str, str]:
    """The files that are named, in the command or as its inputs, with their hashes."""
    program, *words = shlex.split(loop.run)
    words += [] if Path(program).is_absolute() else [program]
    words += [word for args in loop.args.values() for word in shlex.split(args)]
    named = [word for word in words if Path(loop.folder, word).is_file()]
    found = {}
    for name in (*named, *loop.inputs):
        file = Path(loop.folder, name)
        try:
            found[name] = sha256_file(file)
        except OSError as error:
            raise Problem(
                f"{file}: {error.strerror or error}; the command's inputs name it", file=file
            ) from None
    return found


def prove_inputs(loop: CommandSpec) -> None:
    """Problem for a file that is no longer what it was when the loop was planned: its runs would
    all fail by that."""
    now = hash_inputs(loop)
    for name, sha256 in loop.inputs.items():
        if now.get(name) != sha256:
            raise Problem(
                f"{name} changed while the study was planned", next="run the command again"
            )

"""Plan a study whose arms are a command: look at the command beforehand, then draft the study.

What is decided before the first run is the same as for q1lab's own loop, and so is everything after
it. Only parameters and FLOPs, which a model file would show, and the corpus are not known here.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab import __version__
from q1lab.designs.fixed import Fixed
from q1lab.ground import json_records, paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import sha256_text, utc_now, write_atomic
from q1lab.ground.git_repository import Repository, repository_facts
from q1lab.ground.options import COMMAND
from q1lab.planning import first_run
from q1lab.runner import child_processes, finished_runs
from q1lab.runner.machine import cores
from q1lab.study import imported_code
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.command_arms import CommandSpec, arm_words, itself, takes_seed
from q1lab.study.command_line import OPTIONS, Request, option_values
from q1lab.study.design import TypedSeeds
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.origin import Origin, TypedOptions
from q1lab.study.studies import Arm, Data, Study
from q1lab.study.study_draft import Draft
from q1lab.study.trainer import SEED_OFFSET, Trainer
from q1lab.trainers.command import Command

PREFLIGHT_SECONDS = 600.0
"""The seconds that each short run of the preflight may take."""
ALIKE = 1e-4
"""Numbers of one seed that differ by no more than this share repeat to 1e-4."""
MORE_SEEDS, CHEAP_SECONDS = 6, 60.0
"""Further seeds that are tried where two can't tell, and the seconds that they may take in all."""
FEW_DIGITS, MOST_EXAMPLES = 4, 1000
"""A number of at most so many digits, or a fraction of at most so many parts, may tie by luck."""
ShortRun = Mapping[str, Any]
"""The answer of one short run: its ``values``, [step, value] each, its ``source`` and
``seconds``."""
UNCOMMITTED_DIFF = "uncommitted.diff"
"""The file, next to a study's sources, with the uncommitted changes of the command's repository."""

if TYPE_CHECKING:
    from q1lab.index.store import Store


@dataclass(frozen=True)
class CommandDraft(Draft):
    preflight_notes: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        return "; ".join(self.preflight_notes)

    def preflight(self) -> Trainer:
        return preflight_command(self.study.trainer, self.study.baseline, self.study.variant)[0]

    @property
    def same_studies(self) -> tuple[Study, ...]:
        paired = self.study.with_design(headline="paired")
        return (self.study, paired) if self._may_be_paired else (self.study,)

    @property
    def _may_be_paired(self) -> bool:
        """True if a seed that repeats to the bit makes runs of one seed pairs."""
        return self.request.may_be_paired and not self.study.is_floor

    def after_preflight(self) -> CommandDraft:
        names = self.study.baseline, self.study.variant
        trainer, notes = preflight_command(self.study.trainer, *names)
        study = replace(self.study, trainer=trainer)
        if self._may_be_paired and trainer.loop.repeats == "bit":
            study = study.with_design(headline="paired")
        return replace(self, study=study, preflight_notes=notes or self.preflight_notes)

    def seconds(self, study: Study, missing: Sequence[str]) -> None:
        return None

    def write(self, study: Study) -> None:
        """Write the uncommitted changes of the command's repository into the study, and move its
        first run there, if it is trained."""
        prove_inputs(self.study.trainer.loop)
        if (study.origin.repo or {}).get("dirty"):
            with contextlib.suppress(Problem):
                text = Repository.discover(self.study.trainer.loop.folder).uncommitted_diff()
                write_atomic(study.files.source / UNCOMMITTED_DIFF, text)
        first_run.take_over(study, self.study.trainer.loop)


def draft(
    request: Request,
    seeds: TypedSeeds,
    kept_study: KeptStudy | None,
    store: Store | None = None,
    *,
    wandb: str | None = None,
) -> CommandDraft:
    """The study that a request for a command would be; ``wandb`` is where it logs, whatever the
    request says. Problem for anything that a person can fix."""
    paths.ensure_home()
    study = study_from_request(request, seeds, wandb or wandb_state.wandb_mode(request.wandb))
    return CommandDraft(request, seeds, kept_study, study)


def study_from_request(request: Request, seeds: TypedSeeds, wandb: str) -> Study:
    """The study that a request would be. Problem for anything that a person can fix."""
    loop = request.loop
    assert loop is not None
    _refuse_own_loop_options(request)
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
    inputs, imports = imported_code.hash_inputs(loop), imported_code.hash_imports(loop)
    if inputs != loop.inputs or imported_code.changed_imports(loop.folder, loop.imports):
        loop = replace(loop, reads="", repeats="")  # an earlier preflight ran other files
    loop = replace(loop, inputs=inputs, imports=imports)
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
    trainer = Command(
        device="" if request.device == "auto" else request.device,
        jobs=jobs,
        threads=threads,
        versions={
            "q1lab": __version__,
            "platform": f"{platform.system()} {platform.machine()}",
            "trainer": finished_runs.trainer_version(by_command=True),
        },
        wandb=wandb,
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
        design=Fixed(batches=(seeds.seeds,), headline=request.headline, fresh_seeds=seeds.fresh),
        origin=Origin(
            typed=TypedOptions(wandb=request.wandb, baseline=request.baseline),
            repo=repository_facts(folder, lambda repo: bool(repo.uncommitted_diff())),
        ),
    )


# ── the preflight


def preflight_command(
    trainer: Trainer, baseline: str, modified: str
) -> tuple[Trainer, tuple[str, ...]]:
    """The trainer with the results of a short run of each arm (the place of the metric, and how
    exactly a seed repeats), and notes on what they could not show. Problem where the command can't
    be compared: it fails, reports no metric, takes no seed, or its arms do the same."""
    loop = trainer.loop
    if loop.repeats:
        return trainer, ()
    if loop.smoke is None:
        _refuse_unproved_seed(
            loop,
            "the command has no {seed}, and only a short run proves that it reads Q1LAB_SEED: ",
            "give --smoke the arguments that make a run short, such as --smoke '--max_iters=20'",
        )
        return trainer, ()
    loop, notes = _ShortRuns(loop).look(baseline, modified)
    return replace(trainer, loop=loop), tuple(notes)


def _refuse_unproved_seed(loop: CommandSpec, why: str, advice: str) -> None:
    """Problem for a command that does not name its seed: nothing else proves that it takes one."""
    if not takes_seed(loop):
        raise Problem(why, next=advice)


@dataclass(frozen=True)
class _ShortRuns:
    """Short runs of a command, on a machine that trains."""

    loop: CommandSpec

    def look(self, baseline: str, modified: str) -> tuple[CommandSpec, list[str]]:
        """The command with what its short runs showed, and notes on what they could not show.
        Problem as for ``preflight_command``."""
        metric = self.loop.metric
        first = self.run(baseline, 0)
        if not first["values"]:
            raise Problem(f"a short run of {baseline}, seed 0: {metric} was never a finite number")
        result = replace(self, loop=replace(self.loop, reads=str(first["source"])))
        repeated, other_seed = result.run(baseline, 0, repeat=True), result.run(baseline, 1)
        repeat_difference = _relative_difference(first, repeated)
        repeats = (
            "bit" if repeat_difference == 0 else "1e-4" if repeat_difference <= ALIKE else "no"
        )
        notes = [result.seed_note(baseline, first, other_seed, repeats, repeat_difference)]
        if modified != itself(baseline):
            modified_run = result.run(modified, 0)
            if _steps(first) != _steps(modified_run):
                counts = "best" if self.loop.take == "best" else "last"
                notes.append(
                    f"{baseline} reports {metric} at steps {_steps_text(first)}, {modified} at "
                    f"{_steps_text(modified_run)}: the {counts} number of each run counts"
                )
            elif _is_same(first, modified_run) and _is_same(other_seed, result.run(modified, 1)):
                notes.append(result.equal_note(baseline, modified, first))
        return replace(result.loop, repeats=repeats), list(filter(None, notes))

    def seed_note(
        self,
        baseline: str,
        first: ShortRun,
        other_seed: ShortRun,
        repeats: str,
        repeat_difference: float,
    ) -> str:
        """A note where the short runs don't show that the seed does something. Problem where they
        show that it does nothing, or where only they could have shown that it is taken."""
        difference = _relative_difference(first, other_seed)
        if repeats == "no":
            _refuse_unproved_seed(
                self.loop,
                "the same seed gives other numbers each time, which leaves no proof that the "
                "command reads Q1LAB_SEED",
                "put {seed} into the command",
            )
            if difference > repeat_difference:
                return ""
            return (
                f"{baseline} at seed 0 differs from itself as much as from seed 1, so that "
                "nothing shows what the seed does"
            )
        if difference > (repeat_difference if repeats == "bit" else ALIKE):
            return ""
        more_seeds = self.more_seeds(first)
        if any(_relative_difference(first, self.run(baseline, seed)) for seed in more_seeds):
            return ""
        if not _is_coarse(first) or not takes_seed(self.loop):
            raise Problem(
                f"seed 1 gives what seed 0 gave{_up_to(more_seeds)}: the command's seed does "
                "nothing. Pass it on: {seed} in the command, or Q1LAB_SEED in its environment"
            )
        return (
            f"seed 1 gives what seed 0 gave{_up_to(more_seeds)}: {self.loop.metric} takes few "
            "values, and more seeds show whether the seed does anything"
        )

    def equal_note(self, baseline: str, modified: str, first: ShortRun) -> str:
        """A note on two arms that were equal at two seeds of a metric that takes few values; empty
        where more seeds tell them apart. Problem where the metric takes many."""
        if not _is_coarse(first):
            raise Problem(
                f"{modified} and {baseline} gave the same numbers at seeds 0 and 1, to the last "
                f"bit: the arguments of {modified} do nothing in a short run. ",
                next="Check how they are spelled; where they act only later, give a --smoke that "
                "trains longer",
            )
        seeds = self.more_seeds(first)
        if any(not _is_same(self.run(baseline, at), self.run(modified, at)) for at in seeds):
            return ""
        return (
            f"{modified} and {baseline} gave the same {self.loop.metric} at seeds 0 and 1"
            f"{_up_to(seeds)}: it takes few values, so plan more seeds if the arguments of "
            f"{modified} are spelled right"
        )

    def more_seeds(self, first: ShortRun) -> range:
        """Other seeds to try where two seeds can't tell, as many as cost little time; none for a
        metric of which every number is another."""
        many = int(CHEAP_SECONDS / max(0.1, first["seconds"])) if _is_coarse(first) else 0
        return range(2, 2 + min(MORE_SEEDS, many))

    def run(self, variant: str, seed: int, repeat: bool = False) -> ShortRun:
        """The numbers that one short run reported (labs/loop.py). Problem if it failed."""
        one_arm = replace(self.loop, args={variant: self.loop.args[variant]})
        spec = json.dumps(json_records.to_json(one_arm))
        answer = _ask(spec, variant, seed, repeat)
        if answer["wrong"]:
            raise Problem(f"a short run of {variant}, seed {seed}: {answer['wrong']}", FAILED)
        return answer


def _up_to(seeds: range) -> str:
    return f", and so do seeds up to {seeds[-1]}" if seeds else ""


def _is_coarse(reported: ShortRun) -> bool:
    """True if a metric seems to take few values, as an accuracy on few examples does: numbers of
    at most four digits, or simple fractions."""
    return all(
        len(f"{value:.15g}".replace(".", "").lstrip("-0")) <= FEW_DIGITS
        or abs(value - float(Fraction(value).limit_denominator(MOST_EXAMPLES))) < 1e-9
        for _, value in reported["values"]
    )


def _is_same(first: ShortRun, second: ShortRun) -> bool:
    """True if two runs reported values, and the same ones."""
    return bool(first["values"]) and first["values"] == second["values"]


@cache
def _ask(loop: str, variant: str, seed: int, repeat: bool) -> dict[str, Any]:
    """One short run, once in a process: members of a sweep share their baseline's. ``repeat`` makes
    a second one with the same arguments."""
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


def _relative_difference(first: ShortRun, second: ShortRun) -> float:
    """The largest relative difference between two runs' values; infinite if they report at
    different steps."""
    if _steps(first) != _steps(second):
        return float("inf")
    pairs = [(a, b) for (_, a), (_, b) in zip(first["values"], second["values"], strict=True)]
    return max((abs(a - b) / (max(abs(a), abs(b)) or 1.0) for a, b in pairs), default=0.0)


def _steps(reported: ShortRun) -> list[int]:
    return [step for step, _ in reported["values"]]


def _steps_text(reported: ShortRun) -> str:
    steps = _steps(reported)
    return ", ".join(map(str, steps[:4])) + (f", … {steps[-1]}" if len(steps) > 4 else "")


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


def prove_inputs(loop: CommandSpec) -> None:
    """Problem for a file that has changed since the loop was planned: every run would fail."""
    current_hashes = imported_code.hash_inputs(loop)
    changed = [name for name, sha256 in loop.inputs.items() if current_hashes.get(name) != sha256]
    changed += imported_code.changed_imports(loop.folder, loop.imports)
    for name in changed:
        raise Problem(f"{name} changed while the study was planned", next="run the command again")

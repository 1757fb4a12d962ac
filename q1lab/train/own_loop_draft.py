"""Draft a study that q1lab's own loop trains: two model files, hyperparameters, a text, a place."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from q1lab import __version__
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import absolute_path, utc_now, write_atomic
from q1lab.ground.git_repository import repository_facts
from q1lab.ground.python_source import code_of
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.study import child_processes, corpora, identity, kept_folder, presets, studies, variants
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.command_line import Request
from q1lab.study.design import Design
from q1lab.study.kept_folder import KeptStudy
from q1lab.study.model_source import with_advice
from q1lab.study.origin import Origin, TypedOptions
from q1lab.study.own_model import parents
from q1lab.study.own_model.run_checks import CheckReport, made_for, run_checks
from q1lab.study.studies import Arm, Data, Study
from q1lab.study.study_draft import Draft
from q1lab.study.trainer import OWN, SEED_OFFSET, Trainer
from q1lab.study.typed_seeds import TypedSeeds
from q1lab.study.variants import Variant
from q1lab.train import finished_runs, machine

Settings = tuple[tuple[str, Any], ...]
"""Fields of a file's own GPTConfig, with their values."""

STARTUP_SECONDS = 3.0
"""Seconds of a processor that each trainer takes to begin: it imports torch once."""


@dataclass(frozen=True)
class OwnLoopDraft(Draft):
    """``pair``: the two model files. ``answer``: the probe's answer on them, from where they will
    train (labs/probe.py)."""

    pair: parents.Pair
    answer: dict[str, Any]

    @property
    def note(self) -> str:
        return self.pair.note

    @property
    def checks(self) -> Mapping[str, Callable[[], object]]:
        return {
            f"{file.path} {settings}": partial(check_model_file, file, settings, baseline)
            for file, (settings, baseline) in self._checked_files.items()
        }

    @property
    def _checked_files(self) -> dict[Variant, tuple[Settings, Path | None]]:
        """The learner's files, each with the fields of its own at the values that will train, and
        with the baseline that was asked for."""
        if self.request.unchecked:
            return {}
        config = self.study.trainer.config
        own_fields = [
            key
            for key in self.request.overrides
            if key in config and key not in presets.PRESETS[self.study.trainer.preset]
        ]
        baseline = self.pair.baseline.path if self.request.baseline else None
        return {
            file: (tuple((key, config[key]) for key in own_fields if key in file.fields), compared)
            for file, compared in ((self.pair.baseline, None), (self.pair.modified, baseline))
            if file.is_learners
        }

    def seconds(self, study: Study, missing: Sequence[str]) -> float | None:
        """From the seconds of an iter on this machine."""
        arms = [self.answer["arms"][run.arm] for run in study.runs if run.name in missing]
        paces = [arm.get("seconds_per_iter") for arm in arms]
        if None in paces:
            return None
        config, val_tokens = study.trainer.config, study.data.val_tokens
        per_eval = min(val_tokens, config["eval_windows"] * config["block_size"])
        between = per_eval * ((study.max_iters - 1) // config["eval_interval"])
        evaluated = between * studies.EVALUATION_WORK / study.tokens_per_iter
        work = sum(paces) * (study.max_iters + evaluated + study.iters_after_last)
        at_once = max(1, min(study.trainer.jobs, len(missing)))
        work += STARTUP_SECONDS * min(at_once, len(missing))
        return float(
            work / min(at_once, machine.free_slots(study.trainer.device, study.trainer.threads))
        )

    def write(self, study: Study) -> None:
        """Copies of both model files."""
        for arm, file in (("baseline", self.pair.baseline), ("modified", self.pair.modified)):
            now = variants.read_variant(file.path, file.name, file.origin)
            if now.sha256 != file.sha256:
                raise Problem(
                    f"{file.path} changed while the study was planned",
                    next="run the command again",
                    file=file.path,
                )
            write_atomic(study.files.root / study.arms[arm].source, file.text)


def draft(
    request: Request, seeds: TypedSeeds, kept_study: KeptStudy | None, store: Store
) -> OwnLoopDraft:
    """The study that a request for model files would be. Problem for anything that a person can
    fix."""
    pair = parents.find_pair(request.variant, request.baseline)
    pair.prove_different_code(is_kept=kept_study is not None)
    paths.ensure_home()
    device, runs = likely_device(request.device), 2 * len(seeds.seeds)
    preset, config = _settings(request, pair, device)
    text, data = _data(request.data, store, config["block_size"])
    if kept_study is not None:
        kept_folder.check_same_data(kept_study, data)
    threads = slots(device, runs, request.jobs)[1]
    answer = _probe(request, pair, config, data, threads)
    if (now := _settings(request, pair, answer["device"])) != (preset, config):
        preset, config = now  # the guess of the device was wrong
        answer = _probe(request, pair, config, data, threads)
    jobs, threads = slots(answer["device"], runs, request.jobs)
    if kept_study is not None:
        # as many threads as the kept study had: another number may change the last bits
        threads = kept_study.study.trainer.threads
        if not request.jobs and answer["device"] == "cpu":
            jobs = min(jobs, machine.free_slots("cpu", threads))
    modified, baseline = pair.modified, pair.baseline
    is_same = modified.sha256 == baseline.sha256
    trainer = Trainer(
        kind=OWN,
        preset=preset,
        config=config,
        device=answer["device"],
        dtype=answer["dtype"],
        jobs=jobs,
        threads=threads,
        versions={
            "q1lab": __version__,
            "python": platform.python_version(),
            "torch": answer["torch"],
            "platform": answer.get("platform", f"{platform.system()} {platform.machine()}"),
            "trainer": finished_runs.trainer_version(OWN),
        },
        wandb=wandb_state.wandb_mode(request.wandb),
        launcher=request.launcher_words,
        seed_shift={"modified": SEED_OFFSET} if is_same else {},
        unchecked=request.unchecked and modified.is_learners,
    )
    study = Study(
        id="",
        created=utc_now(),
        arms=_arms(pair, answer),
        data=data,
        trainer=trainer,
        design=Design(batches=(seeds.seeds,), fresh_seeds=seeds.fresh),
        origin=_origin(request, pair, text),
    )
    return OwnLoopDraft(request, seeds, kept_study, study, pair, answer)


def _settings(request: Request, pair: parents.Pair, device: str) -> tuple[str, presets.Config]:
    """The preset and the hyperparameters on a device."""
    preset = request.preset or presets.default_preset(device)
    fields = (*pair.baseline.fields, *pair.modified.fields)
    return preset, presets.resolve_config(preset, request.overrides, fields)


def _probe(
    request: Request, pair: parents.Pair, config: presets.Config, data: Data, threads: int
) -> dict[str, Any]:
    """The answer of labs/probe.py. Problem for a file that does not fit the trainer."""
    question = {
        "files": {"baseline": str(pair.baseline.path), "modified": str(pair.modified.path)},
        "vocab_size": data.vocab_size,
        "device": request.device,
        "dtype": request.dtype,
        "threads": threads,
        "config": config,
    }
    try:
        return child_processes.ask_child(child_processes.probe_command(), question, threads=threads)
    except Problem as problem:
        for file in (pair.baseline, pair.modified):
            if file.is_learners and str(file.path) in str(problem):
                raise Problem(with_advice(str(problem), file.path), problem.code) from None
        raise


def _origin(request: Request, pair: parents.Pair, text: str) -> Origin:
    """What was typed, so that it works from any folder, and the repository of the learner's
    file."""
    file, repo = pair.modified.path, None
    if pair.modified.is_learners:
        repo = repository_facts(file.parent, lambda repo: not repo.has_committed(file))
    typed = TypedOptions(
        data=text if text in corpora.BUILT_IN else str(absolute_path(text)),
        wandb=request.wandb,
        baseline=request.baseline and pair.baseline.origin,
    )
    return Origin(typed=typed, repo=repo)


def likely_device(typed: str) -> str:
    """The device for this value of ``--device``; for "auto" a guess, which the probe may
    correct."""
    if typed != "auto":
        return typed
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    return "cuda" if machine.gpus() else "cpu"


def slots(device: str, runs: int, jobs: int | None) -> tuple[int, int]:
    """The number of runs that train at once, and threads of each; ``jobs`` is the value of
    ``--jobs``."""
    jobs = jobs or max(1, min(machine.free_slots(device), runs))
    return jobs, max(1, machine.cores() // jobs) if device == "cpu" else 1


def _arms(pair: parents.Pair, answer: dict[str, Any]) -> dict[str, Arm]:
    names = {"baseline": pair.baseline.name, "modified": pair.modified.name}
    if names["baseline"] == names["modified"]:
        names["modified"] += "*"
    return {
        arm: Arm(
            variant=names[arm],
            title=file.title,
            source=f"source/{arm}/{studies.safe_name(file.name)}.py",
            sha256=file.sha256,
            origin=file.origin,
            n_params=answer["arms"][arm]["n_params"],
            flops_per_token=answer["arms"][arm]["flops_per_token"],
            code=identity.code_hash(file.text),
            same_code=file.sha256 != pair.baseline.sha256
            and code_of(file.text) == code_of(pair.baseline.text),
        )
        for arm, file in (("baseline", pair.baseline), ("modified", pair.modified))
    }


def _data(typed_name: str, store: Store, block_size: int) -> tuple[str, Data]:
    """The text to train on: by the name or file that was typed, else the learner's choice."""
    if typed_name:
        return typed_name, corpora.prepare_corpus(typed_name, block_size)
    chosen = learner_tables.data_to_train_on(store)
    try:
        return chosen, corpora.prepare_corpus(chosen, block_size)
    except Problem as problem:
        raise Problem(
            f"the data that `q1lab data` chose: {problem}. ",
            problem.code,
            next="Choose again, or give --data",
        ) from None


@cache
def check_model_file(
    file: Variant, settings: Settings = (), baseline: Path | None = None
) -> CheckReport:
    """The report of the property checks of a learner's file, with fields of its own at these
    values, compared with a baseline. Once a process: members of a sweep share their baseline.
    Problem when one fails, or none could see the modification: the study would not be about it."""
    report = run_checks(file.path, baseline=baseline, settings=dict(settings))
    failed = [result.name for result in report.failed]
    checked = "" if made_for(file.path) else f" --for {report.for_}"
    compared = f" --baseline {shlex.quote(str(baseline))}" if baseline else ""
    with_settings = "".join(f" --set {key}={str(value).lower()}" for key, value in settings)
    if report.unusable is not None:
        raise Problem(report.unusable)
    if not report.passed:
        names = f"{', '.join(failed[:3])}{', …' if len(failed) > 3 else ''}"
        fails = f"fails {len(failed)} of {len(report.checks)} checks ({names})"
        raise Problem(
            f"{file.path.name} {fails}" if failed else f"{file.path.name}: {report.summary}",
            next=f"see `q1lab check {file.origin}{checked}{compared}{with_settings}`, "
            "or train it anyway with --unchecked",
        )
    return report

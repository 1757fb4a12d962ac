"""Check a bundle as a stranger does: its files, what follows from its numbers, and runs that are
trained again (cells, of the grid of arms and seeds).

Nothing of the bundle is taken in: it is opened in a home of its own, which is thrown away. What is
wrong has a name (docs/verify.md lists them), so that a program can ask for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from q1lab.commands.verify.retrain import Agree, Retraining, Tell, training_order
from q1lab.commands.verify.run_record import (
    DAMAGED,
    DATA,
    LOSS,
    READS_ANSWERS,
    SEED,
    SOURCE,
    VERDICT,
    RunRecord,
    record_faults,
)
from q1lab.compare import claim as claims
from q1lab.compare.claim import Claim
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, sha256_json
from q1lab.ground.text_formats import plural
from q1lab.journal import ingest_events
from q1lab.journal.store import Row, Store
from q1lab.judgment import interim_analyses
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.run_states import ENDED
from q1lab.study import bundle, seed_range
from q1lab.study.bundle import Bundle
from q1lab.study.command_arms import differing_settings
from q1lab.study.own_model import run_checks
from q1lab.study.run_ends import RunEnd, pair_differences
from q1lab.study.studies import ARMS, Run, Study, run_name
from q1lab.study.trainer import COMMAND

LEVEL_TOLERANCE = 1e-4
"""Relative: levels of a planned range are found numerically, and versions of SciPy may differ."""
MOST_NAMED = 5
"""The most studies of a repository that a message names."""


@dataclass
class BundleReport:
    """What a check did: ``done`` and ``unchecked`` in words, ``refused`` as (reason, words).
    ``missing`` are planned runs that are not there. ``trained`` are the runs that were trained
    again and compared to the last bit, of ``of`` that could be; ``chance`` is the chance that they
    catch a single forged run. ``found`` is the verdict as it was worked out here."""

    study: str
    done: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    of: int = 0
    number: int = 0
    found: Claim | None = None

    @property
    def chance(self) -> float:
        return len(self.trained) / self.of if self.of else 0.0


@dataclass(frozen=True)
class CheckOptions:
    """Options of a check: train ``cells`` of the runs again (None: all), chosen by ``number``, on
    the text in ``data`` if the bundle has none."""

    cells: int | None = 1
    number: int = 0
    data: Path | None = None


def check_bundle(place: Path, options: CheckOptions, tell: Tell, agree: Agree) -> BundleReport:
    """Check the bundle at ``place``, an archive or a folder. Problem if it is not a bundle."""
    _prove_place(place)
    packed = place.is_file()
    with contextlib.ExitStack() as opened:
        if packed:
            opened_bundle = opened.enter_context(bundle.taken_in(place, collect_faults=True))
        else:
            opened_bundle = bundle.read_bundle(place, str(place), collect_faults=True)
        if not opened_bundle.has_list:
            raise Problem(
                f"{place} has no list of its files: it is not a bundle", FAILED, file=place
            )
        study = opened_bundle.study
        report = BundleReport(study.id, number=options.number)
        _check_files(opened_bundle, report)
        if report.refused:  # nothing of it would be worth training
            return report
        with _open_alone(opened_bundle) as (home, store):
            where = None if packed else place
            retraining = Retraining(opened_bundle, study, home, where, options.data)
            record_by_run = retraining.records()
            rows = store.runs(study.id)
            _check_runs(study, rows, record_by_run, report)
            _check_verdict(opened_bundle.about, study, rows, report)
            _tell_settings(study, report)
            if study.trainer.unchecked:
                report.unchecked.append(
                    "its maker trained a model file without its checks (--unchecked)"
                )
            if options.cells != 0 and not report.refused:
                _check_models(study, report, tell)
                if not report.refused:
                    _check_training(retraining, record_by_run, options, report, tell, agree)
        return report


def _prove_place(place: Path) -> None:
    """Problem for a place that can't be a bundle."""
    if not place.exists():
        raise Problem(f"{place}: no such file or folder", file=place)
    if place.is_file() and not bundle.is_archive(place):
        raise Problem(f"{place} is neither a q1lab archive nor a study's folder", file=place)
    studies_kept = [plan.parent for plan in sorted(place.glob("studies/*/study.json"))]
    if studies_kept and not (place / "study.json").exists():
        commands = ", ".join(f"`q1lab verify {folder}`" for folder in studies_kept[:MOST_NAMED])
        raise Problem(
            f"{place} is not one study",
            FAILED,
            next=f"it keeps {len(studies_kept)}: {commands}",
            file=place,
        )


# ── files


def _reason(name: str, words: str) -> str:
    """What a file of the bundle that does not match its list stands for."""
    if name.endswith("events.jsonl"):
        return SEED if "missing" in words else LOSS
    return {"source": SOURCE, "data": DATA}.get(name.partition("/")[0], DAMAGED)


def _check_files(opened_bundle: Bundle, report: BundleReport) -> None:
    """Refuse files that don't match the list or the plan, with the reason for each kind."""
    study, files = opened_bundle.study, opened_bundle.files
    report.refused += [(_reason(*fault), fault[1]) for fault in opened_bundle.faults.items()]
    for arm, name in study.model_files.items():
        file = files.get(name)
        if file is None or study.arms[arm].sha256 not in bundle.possible_hashes(file):
            report.refused.append((SOURCE, f"{name} is not the file that the plan names"))
    planned_runs = {run.name: run for run in study.runs}
    for name, file in files.items():
        folder, _, inside = name.partition("/")
        run = inside.partition("/")[0]
        if folder == "data" and name != f"data/{study.data.sha256}.txt":
            report.refused.append((DATA, f"{name} is not the text that the plan names"))
        elif folder == "runs" and run not in planned_runs:
            report.refused.append((SEED, f"{run} is there, and the plan does not have it"))
        elif folder == "runs" and name.endswith("events.jsonl"):
            faults = record_faults(file, study, planned_runs[run])
            report.refused += [(reason, f"{name}: {fault}") for reason, fault in faults]
    if not report.refused:
        report.done.append(f"all {plural(len(files), 'file')} match its list of hashes")


# ── the verdict


@contextlib.contextmanager
def _open_alone(opened_bundle: Bundle) -> Iterator[tuple[Path, Store]]:
    """Make a home that holds this study alone, for the length of a block."""
    study = opened_bundle.study
    previous_home = os.environ.get("Q1LAB_HOME")
    with tempfile.TemporaryDirectory(prefix=".take-in-", dir=paths.ensure_home()) as name:
        home = Path(name)
        copies: dict[str, Path] = {}
        for name_in_bundle, file in opened_bundle.files.items():
            copies[name_in_bundle] = home / "in" / name_in_bundle
            (home / "in" / name_in_bundle).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, home / "in" / name_in_bundle)
        os.environ["Q1LAB_HOME"] = name
        try:
            bundle.adopt_study(study, copies, study.id)
            with Store() as store:
                ingest_events.ingest_study(store, study)
                yield home, store
        finally:
            if previous_home is None:
                del os.environ["Q1LAB_HOME"]
            else:
                os.environ["Q1LAB_HOME"] = previous_home


def _tell_settings(study: Study, report: BundleReport) -> None:
    """Name each setting in which the commands of the arms differ."""
    if study.trainer.kind != COMMAND or study.is_floor:
        return
    try:
        names = [study.arms[arm].variant for arm in ARMS]
        differ = differing_settings(study.trainer.loop, names)
    except ValueError as error:
        report.unchecked.append(f"in what its commands differ ({error})")
        return
    text = f"{' and '.join(names)} differ in {'; '.join(differ)}"
    if len(differ) > 1:
        report.unchecked.append(f"which of {len(differ)} settings is the reason: {text}")
    else:
        report.done.append(f"the commands of {text}")


def _check_runs(
    study: Study, rows: Sequence[Row], record_by_run: Mapping[Run, RunRecord], report: BundleReport
) -> None:
    """Name the planned runs that are not there, and refuse a bundle of which the verdict counts
    other runs than can be trained again."""
    counted_runs = {run_name(row["arm"], row["seed"]) for row in rows if row["state"] in ENDED}
    if different := counted_runs ^ {run.name for run in record_by_run}:
        words = f"{', '.join(sorted(different))}: counted, or read, and not both"
        report.refused.append((DAMAGED, words))
    ends = {
        (run.arm, run.seed): RunEnd(record.state, record.final)
        for run, record in record_by_run.items()
    }
    seeds, pairs = study.seeds, pair_differences(study, ends)
    if study.design.is_sequential:
        over = study.design.over_after(pairs, study.smallest_that_matters)
        if over is None and len(seeds) < study.design.pairs[1]:
            rest = f"pairs {len(seeds) + 1} to {study.design.pairs[1]} of its range"
            report.missing.append(f"{rest} (cut off before it was over)")
        seeds = seeds[: over or max(study.design.pairs[0], len(pairs) + 1)]
    state_by_run = {run_name(row["arm"], row["seed"]): row["state"] for row in rows}
    for seed in seeds:
        for arm in ARMS:
            if (arm, seed) not in ends:
                name = run_name(arm, seed)
                state = state_by_run.get(name, "hidden by the plan")
                report.missing.append(f"{name} ({'missing' if state == 'queued' else state})")


def _check_verdict(
    about: Mapping[str, Any], study: Study, rows: Sequence[Row], report: BundleReport
) -> None:
    """Work the verdict out from the runs' numbers at the level that the bundle claims, and compare
    the claim with it."""
    missing = f"planned, and not there: {', '.join(report.missing)}" if report.missing else ""
    if "claim" not in about:
        report.unchecked += [*filter(None, [missing]), "it claims no verdict"]
        return
    try:
        claimed = claims.load_claim(about["claim"])
    except ValueError as error:
        report.refused.append((VERDICT, f"its claim can't be read ({printable(str(error))[:100]})"))
        return
    if fault := _level_fault(study, claimed):
        report.refused.append((VERDICT, fault))
        return
    found = claims.recompute_claim(study, rows, claimed.alpha)
    report.found = found
    if found.agrees(claimed):
        report.done.append(f"from the numbers given follows: {_describe_claim(found, study)}")
        report.unchecked += [missing] if missing else []
    elif missing:
        report.refused.append((SEED, f"its claim hides what was {missing}"))
    else:
        claimed_text, found_text = (_describe_claim(claim, study) for claim in (claimed, found))
        report.refused.append((VERDICT, f"it claims {claimed_text}; its runs say {found_text}"))


def _level_fault(study: Study, claimed: Claim) -> str:
    """What is wrong with the level of a claim; empty for one that a study may have. How often the
    question was asked before, only its maker knows."""
    series = study.origin.series
    most = ALPHA if series is None else series.alpha
    if (levels := study.design.levels) is not None:
        most = interim_analyses.level_per_look(*study.design.pairs, most)
        limits_hold = seed_range.limits_hold(levels, LEVEL_TOLERANCE)
        if claimed.alpha != levels.alpha or not limits_hold:
            return "its looks are not at the level that its plan declares"
    if not 0 < claimed.alpha <= (1 + LEVEL_TOLERANCE) * most:
        return f"it is judged at {claimed.alpha:.3%}, and such a study has {most:.3%} at most"
    return ""


def _describe_claim(claim: Claim, study: Study) -> str:
    level = f"at {100 * claim.alpha:.3g}%"
    if claim.mean is None:
        return f"{claim.verdict}, {level}"
    ends = f" ({claim.ends[0]:+.5f} to {claim.ends[1]:+.5f})" if claim.ends else ""
    return f"{claim.verdict}, {claim.mean:+.5f}{ends}, {plural(claim.n, 'pair')}, {level}"


# ── model files, and runs that are trained again

ANSWER_CHECKS = (run_checks.INTERFACE, run_checks.CAUSALITY)
"""The checks that a model which sees what it should predict fails."""


def _check_models(study: Study, report: BundleReport, tell: Tell) -> None:
    """Refuse a model file that reads its targets or later tokens: its loss means nothing."""
    baseline = paths.models_dir() / "baseline.py"
    for name in study.model_files.values():
        tell(f"checks {name}")
        checked = run_checks.run_checks(
            study.files.root / name,
            "baseline",
            baseline=baseline,
            of_stranger=ANSWER_CHECKS,
        )
        results = [result for result in checked.checks if result.name in ANSWER_CHECKS]
        failed = [result.words for result in results if result.failed]
        if failed:
            report.refused.append((READS_ANSWERS, f"{name}: {failed[0]}"))
        elif checked.unusable or not all(result.judged for result in results):
            why = checked.unusable or next(r.words for r in results if not r.judged)
            report.unchecked.append(f"whether {name} reads its targets or later tokens: {why}")
        else:
            report.done.append(f"{name} reads neither its targets nor later tokens")


def _check_training(
    retraining: Retraining,
    record_by_run: Mapping[Run, RunRecord],
    options: CheckOptions,
    report: BundleReport,
    tell: Tell,
    agree: Agree,
) -> None:
    """Train some of the runs again, and compare."""
    report.of = len(record_by_run)
    if why := retraining.why_not_here():
        report.unchecked.append(why)
        return
    key = sha256_json(retraining.bundle.about)
    runs = training_order(list(record_by_run), key, options.number)[: options.cells]
    if (commands := retraining.displayed_commands(runs)) and not agree(commands):
        report.unchecked.append("its command was not run")
        return
    for run in runs:
        recorded = record_by_run[run]
        long = recorded.seconds
        tell(f"trains {run.name} again" + (f": it took {long:.0f} s" if long else ""))
        retrained = retraining.train(run)
        if retrained.state not in ENDED:
            why = retrained.message or "its trainer ended without a word"
            report.unchecked.append(f"{run.name} could not be trained again: {why}")
            return
        difference = retrained.difference_from(recorded)
        if difference and (why := retraining.why_not_exact(retrained, recorded)):
            report.unchecked.append(
                f"{run.name}, trained again, ends at {retrained.end_text} here and at "
                f"{recorded.end_text} by its record; they need not be equal, since {why}"
            )
            continue
        report.trained.append(run.name)
        if difference:
            report.refused.append((LOSS, f"{run.name}, trained again: {difference}"))
            return
        report.done.append(f"{run.name}, trained again: equal to the last bit")

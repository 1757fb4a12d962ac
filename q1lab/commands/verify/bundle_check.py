"""Check a bundle as a stranger does: its files, the journal, the verdict, and runs that are trained
again (cells, of the grid of arms and seeds).

Nothing of the bundle is taken in: it is opened in a home of its own, which is thrown away. What is
wrong has a name (docs/verify.md lists them), so that a program can ask for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from q1lab.commands.verify.foreign_commits import ForeignCommits
from q1lab.commands.verify.retrain import DATA, SOURCE, Agree, Retraining, Tell, training_order
from q1lab.commands.verify.run_record import DAMAGED, LOSS, RunRecord, record_faults
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, read_bytes, sha256_json
from q1lab.ground.text_formats import plural
from q1lab.index import ingest_events
from q1lab.index.store import Row, Store
from q1lab.judgment import interim_analyses
from q1lab.judgment.intervals import ALPHA
from q1lab.record import declarations, traveling_lines
from q1lab.record.history import Line, read_history
from q1lab.study import bundle, studies
from q1lab.study.bundle import Bundle
from q1lab.study.run_ends import RunEnd, pair_differences
from q1lab.study.run_states import ENDED
from q1lab.study.series import OVER, Series
from q1lab.study.studies import ARMS, Run, Study, run_name
from q1lab.verdict import claim as claims
from q1lab.verdict.claim import Claim

TRIMMED = "trimmed-ledger"
LEVEL_TOLERANCE = 1e-4
"""Relative: levels of a planned range are found numerically, and versions of SciPy may differ."""
MOST_NAMED = 5
"""The most studies of a repository that a message names."""
SEED, VERDICT, CHANGED = (declarations.DIFFERENCE_CODES[key] for key in ("seeds", "judged", "plan"))


@dataclass
class BundleReport:
    """The result of a check: ``passed`` and ``unchecked`` in words, ``refused`` as (reason, words).
    ``missing`` are declared runs that are not there. ``of`` is the number of runs that could be
    trained again; ``not_to_the_end`` are those of the trained ones that could be compared at their
    beginning alone; ``chance`` that the others catch a single forged run. ``found`` is the verdict
    as it was worked out here, after ``earlier_looks`` at its question; ``commits`` is the number of
    commits of its repository that hold it, None where none could be read."""

    study: str
    passed: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    not_to_the_end: list[str] = field(default_factory=list)
    of: int = 0
    number: int = 0
    found: Claim | None = None
    earlier_looks: int | None = None
    commits: int | None = None

    @property
    def chance(self) -> float:
        whole = len(self.trained) - len(self.not_to_the_end)
        return whole / self.of if self.of else 0.0


@dataclass(frozen=True)
class CheckOptions:
    """Options of a check: train ``cells`` of the runs again (None: all), chosen by ``number``, on
    the text in ``data`` if the bundle has none."""

    cells: int | None = 1
    number: int = 0
    data: Path | None = None


def check_bundle(place: Path, options: CheckOptions, tell: Tell, agree: Agree) -> BundleReport:
    """Check the bundle at ``place``, an archive or a folder. Problem if it is not a bundle."""
    if not place.exists():
        raise Problem(f"{place}: no such file or folder", file=place)
    packed = place.is_file()
    if packed and not bundle.is_archive(place):
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
    with contextlib.ExitStack() as opened:
        if packed:
            opened_bundle = opened.enter_context(bundle.taken_in(place, collect_faults=True))
        else:
            opened_bundle = bundle.read_bundle(place, str(place), collect_faults=True)
        if not opened_bundle.has_list:
            raise Problem(
                f"{place} has no list of its files: it is not a bundle", FAILED, file=place
            )
        report = BundleReport(opened_bundle.study.id, number=options.number)
        _check_files(opened_bundle, report)
        lines = _check_declarations(opened_bundle, report)
        if lines:
            _check_levels(opened_bundle.study, lines, report)
        if not packed and lines:
            _check_commits(place, opened_bundle, lines, report)
        if report.refused:  # nothing of it would be worth training
            return report
        study = _as_declared(opened_bundle.study, lines)
        with _open_alone(opened_bundle, study) as (home, store):
            where = None if packed else place
            retraining = Retraining(opened_bundle, study, home, where, options.data)
            record_by_run = retraining.records()
            rows = store.runs(study.id)
            _check_runs(study, rows, record_by_run, report)
            _check_verdict(opened_bundle.about, study, rows, lines, report)
            if options.cells != 0 and not report.refused:
                _check_training(retraining, record_by_run, options, report, tell, agree)
        return report


# ── files and journal


def _check_files(opened_bundle: Bundle, report: BundleReport) -> None:
    """Refuse files that don't match the list, with the reason for each kind; the plan is compared
    with the journal later."""
    for name, words in opened_bundle.faults.items():
        if name.startswith("source/"):
            reason = SOURCE
        elif name.startswith("data/"):
            reason = DATA
        elif name.endswith("events.jsonl"):
            reason = SEED if "missing" in words else LOSS
        elif name == bundle.DECLARATIONS:
            reason = TRIMMED
        elif name == "study.json":
            continue
        else:
            reason = DAMAGED
        report.refused.append((reason, words))
    for arm, name in opened_bundle.study.model_files.items():
        file, sha256 = opened_bundle.files.get(name), opened_bundle.study.arms[arm].sha256
        if file is None or sha256 not in bundle.possible_hashes(file):
            report.refused.append((SOURCE, f"{name} is not the file that the plan names"))
    planned_runs = {run.name: run for run in opened_bundle.study.runs}
    for name, file in opened_bundle.files.items():
        if not name.startswith("runs/"):
            continue
        run_in_plan = planned_runs.get(name.split("/")[1])
        if run_in_plan is None:
            words = f"{name.split('/')[1]} is there, and the plan does not have it"
            report.refused.append((SEED, words))
        elif name.endswith("events.jsonl"):
            for reason, fault in record_faults(file, opened_bundle.study, run_in_plan):
                report.refused.append((reason, f"{name}: {fault}"))
    if not report.refused:
        report.passed.append(
            f"all {plural(len(opened_bundle.files), 'file')} are what the list says"
        )


def _check_declarations(opened_bundle: Bundle, report: BundleReport) -> list[Line]:
    """The lines of the bundle, the study's own last. Parts of the plan that differ from the
    declaration are refused."""
    changed = "study.json" in opened_bundle.faults
    study = opened_bundle.study
    own_name = declarations.declared_name(study.id, study.created)
    try:
        lines = traveling_lines.read_lines(opened_bundle)
        if lines:
            read_history(lines, own_name)  # reads all that is needed of each
    except (OSError, *bundle.DAMAGE_ERRORS, RecursionError):
        report.refused.append((TRIMMED, "its declarations are damaged"))
        return []
    if not lines:
        report.unchecked.append(
            "it has no declarations: what was declared, and asked before, is unknown"
        )
        if changed:
            report.refused.append((DAMAGED, opened_bundle.faults["study.json"]))
        return []
    if lines[-1]["study"] != own_name:
        report.refused.append((TRIMMED, "its declarations do not end with its own"))
        return []
    if bundle.DECLARATIONS in opened_bundle.faults:
        return []  # changed lines declare nothing
    declared = lines[-1]
    for earlier in (line for line in lines[:-1] if line["study"] == own_name):
        for key in declarations.disagreeing_fields(earlier, declared):
            words = f"{PLAN_PARTS[key]}: not the same in all lines that declare it"
            report.refused.append((CHANGED, words))
    differing_parts = declarations.differing_fields(declared, study)
    if not differing_parts:
        now = declarations.declaration_of(study)
        if any(declared[key] != now[key] for key in ("question", "arms")):
            report.refused.append((CHANGED, "the plan's question: not what was declared"))
    for key in differing_parts:
        words = f"{PLAN_PARTS[key]}: not what was declared"
        report.refused.append((declarations.DIFFERENCE_CODES[key], words))
    if changed and not differing_parts:
        report.refused.append((DAMAGED, opened_bundle.faults["study.json"]))
    report.passed.append(f"the plan is what line {len(lines)} of its declarations says")
    return lines


PLAN_PARTS = {
    "seeds": "the plan's seeds",
    "source": "the plan's source",
    "data": "the plan's text",
    "budget": "the plan's budget (hyperparameters, device, number format, threads)",
    "judged": "the plan's way to judge",
    "plan": "the plan's names, versions, prediction or other settings",
    "series": "the plan's series",
}


def _check_levels(study: Study, lines: Sequence[Line], report: BundleReport) -> None:
    """Refuse levels that the lines before the study's own don't leave."""
    own_line = lines[-1]
    bare = {key: own_line[key] for key in own_line if key != "level"}
    # its level was given in its first home, by the lines there
    before = [] if "earlier" in own_line else lines[:-1]
    allowed = read_history([*before, bare], own_line["study"]).level
    if own_line["level"] > (1 + LEVEL_TOLERANCE) * allowed:
        words = f"its look has {own_line['level']:.3%}; the looks before it leave {allowed:.3%}"
        report.refused.append((VERDICT, words))
    report.refused += [(VERDICT, fault) for fault in _series_faults(study, lines)]
    if study.design.level is not None:
        first, most = study.design.pairs
        look = interim_analyses.level_per_look(first, most, own_line["level"])
        if study.design.level > (1 + LEVEL_TOLERANCE) * look:
            words = f"looks after {first} to {most} pairs have {look:.3%} for each"
            report.refused.append((VERDICT, words))
        elif not study.design.limits_hold(LEVEL_TOLERANCE):
            words = "its looks are not at the level that it declares"
            report.refused.append((VERDICT, words))


def _series_faults(study: Study, lines: Sequence[Line]) -> Iterator[str]:
    """Faults of a study's share of its series: another series, or more than its part."""
    declared, series = lines[-1]["series"], study.origin.series
    if series is not None and (
        not declared or declared[:2] != [sha256_json(series.id), series.alpha]
    ):
        yield "its series is not the one that was declared"
    if declared:
        members = {line["study"] for line in lines if (line["series"] or [""])[0] == declared[0]}
        most = max([2, len(members), *declared[2:]])
        if declared[1] > (1 + LEVEL_TOLERANCE) * ALPHA / most or len(members) > declared[2]:
            yield f"a series of {most} studies has {ALPHA / most:.2%} for each"


def _check_commits(
    folder: Path, opened_bundle: Bundle, lines: Sequence[Line], report: BundleReport
) -> None:
    """Check the commits of the folder's repository: those that changed the folder hold the plan and
    the results of that time, and every version of the declarations of this home is the beginning of
    the longest one."""
    try:
        with ForeignCommits.around(folder) as commits:
            if commits is None:
                return
            names = commits.of_folder()
            for name in names:
                _check_commit(commits, name, opened_bundle, report)
            versions = [_comparable(text) for text in commits.versions_of(bundle.DECLARATIONS)]
    except Problem as problem:
        report.unchecked.append(f"what the commits here have: {problem}")
        return
    own_lines = _comparable(traveling_lines.encode_lines(lines))
    # no two homes share a line: what comes with a study lies inside its own
    ours = [own_lines, *(version for version in versions if not set(own_lines).isdisjoint(version))]
    longest = max(ours, key=len)
    report.commits = len(names)
    if any(version != longest[: len(version)] for version in ours):
        words = "a commit here has other declarations of the same home"
        report.refused.append((TRIMMED, words))
    elif names and not report.refused:
        report.passed.append(f"commits here that hold it: {len(names)}, all with these results")


def _comparable(text: bytes) -> list[str | bytes]:
    """The lines of a declarations.jsonl, each written in one way; one that can't be read as it
    is."""
    lines: list[str | bytes] = []
    for line in text.splitlines():
        try:
            lines.append(json.dumps(json.loads(line), sort_keys=True))
        except (ValueError, RecursionError):
            lines.append(line)
    return lines


def _check_commit(
    commits: ForeignCommits, commit: str, opened_bundle: Bundle, report: BundleReport
) -> None:
    """Refuse differences from a commit: in the plan, except seeds added later, and in results."""
    plan = commits.content_at(commit, "study.json")
    if plan is None:
        return
    try:
        committed = studies.from_dict(json.loads(plan))
    except (Problem, *bundle.DAMAGE_ERRORS):
        return
    for key in declarations.differing_fields(
        declarations.declaration_of(committed), opened_bundle.study
    ):
        first = opened_bundle.study.design.batches[: len(committed.design.batches)]
        if key == "seeds" and first == committed.design.batches:
            continue
        words = f"{PLAN_PARTS[key]}: not what commit {commit[:12]} has"
        report.refused.append((declarations.DIFFERENCE_CODES[key], words))
    for run in committed.runs:
        name = f"runs/{run.name}/events.jsonl"
        committed_events = commits.content_at(commit, name)
        events_file = opened_bundle.files.get(name)
        if committed_events is None or events_file is None:
            continue
        if bundle.with_git_line_ends(committed_events) != bundle.with_git_line_ends(
            read_bytes(events_file)
        ):
            words = f"{name}: not what commit {commit[:12]} has"
            report.refused.append((LOSS, words))


def _as_declared(study: Study, lines: Sequence[Line]) -> Study:
    """The study with its share of its series' α, which a kept folder leaves out."""
    share = lines[-1]["series"] if lines else None
    if share is None or study.origin.series is not None:
        return study
    return study.with_origin(series=Series("declared", OVER, ("", ""), 0, float(share[1])))


# ── the verdict


@contextlib.contextmanager
def _open_alone(opened_bundle: Bundle, study: Study) -> Iterator[tuple[Path, Store]]:
    """Make a home that holds this study alone, for the length of a block."""
    previous_home = os.environ.get("Q1LAB_HOME")
    with tempfile.TemporaryDirectory(prefix=".take-in-", dir=paths.ensure_home()) as name:
        home = Path(name)
        copies: dict[str, bundle.Content] = {}
        for name_in_bundle, file in opened_bundle.files.items():
            copies[name_in_bundle] = home / "in" / name_in_bundle
            (home / "in" / name_in_bundle).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, home / "in" / name_in_bundle)
        os.environ["Q1LAB_HOME"] = name
        try:
            bundle.adopt_study(study, copies, [study.id])
            with Store() as store:
                ingest_events.ingest_study(store, study)
                yield home, store
        finally:
            if previous_home is None:
                del os.environ["Q1LAB_HOME"]
            else:
                os.environ["Q1LAB_HOME"] = previous_home


def _check_runs(
    study: Study, rows: Sequence[Row], record_by_run: Mapping[Run, RunRecord], report: BundleReport
) -> None:
    """Name the declared runs that are not there, and refuse a bundle of which the verdict counts
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
    about: Mapping[str, Any],
    study: Study,
    rows: Sequence[Row],
    lines: Sequence[Line],
    report: BundleReport,
) -> None:
    """Work the verdict out from the runs' numbers at the level that the study declares, and compare
    the claim with it."""
    missing = f"declared, and not there: {', '.join(report.missing)}" if report.missing else ""
    if "claim" not in about:
        report.unchecked += [*filter(None, [missing]), "it claims no verdict"]
        return
    try:
        claimed = claims.load_claim(about["claim"])
    except ValueError as error:
        report.refused.append((VERDICT, f"its claim can't be read ({printable(str(error))[:100]})"))
        return
    is_old = not lines or "level" not in lines[-1]
    before = ""
    if is_old:  # its level was said above to be unchecked
        level, picked = claimed.alpha, claimed.picked
    else:
        history = read_history(lines, lines[-1]["study"])
        level, picked = study.design.level or history.level, history.picked
        report.earlier_looks = sum(look.study != lines[-1]["study"] for look in history.looks)
        before = _looks_before(report.earlier_looks)
    report.found = found = claims.recompute_claim(study, rows, level, picked=picked)
    if found.agrees(claimed):
        words = f"the verdict, computed again: {_describe_claim(found, study)}{before}"
        (report.unchecked if is_old else report.passed).append(words)
        report.unchecked += [missing] if missing else []
    elif missing:
        report.refused.append((SEED, f"its claim hides what was {missing}"))
    else:
        claimed_text, found_text = (_describe_claim(claim, study) for claim in (claimed, found))
        words = f"it claims {claimed_text}; its runs say {found_text}"
        if picked and not claimed.picked:
            words += ", since its seeds were picked among known ones"
        report.refused.append((VERDICT, words))


def _looks_before(before: int) -> str:
    """The number of looks at the question before the study's own, in words."""
    return f", after {plural(before, 'earlier look')}" if before else ""


def _describe_claim(claim: Claim, study: Study) -> str:
    if claim.mean is None:
        return claim.verdict
    ends = f" ({claim.ends[0]:+.5f} to {claim.ends[1]:+.5f})" if claim.ends else ""
    is_paired = study.design.headline == "paired"
    sample = plural(claim.n, "pair") if is_paired else f"{plural(claim.n, 'seed')} per arm"
    return f"{claim.verdict}, {claim.mean:+.5f}{ends}, {sample}"


# ── runs, trained again


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
        long = record_by_run[run].seconds
        tell(f"trains {run.name} again" + (f": it took {long:.0f} s" if long else ""))
        retrained = retraining.train(run)
        if retrained.state not in ENDED:
            why = retrained.message or "its trainer ended without a word"
            report.unchecked.append(f"{run.name} could not be trained again: {why}")
            return
        agreement = retraining.compare_run(run, retrained, record_by_run)
        words = f"{run.name}: {agreement.words}"
        if agreement.reason and retraining.study.trainer.repeat_tolerance is None:
            report.unchecked.append(f"{words}; no short run showed whether its command repeats")
            return
        report.trained.append(run.name)
        if not agreement.to_the_end:
            report.not_to_the_end.append(run.name)
        if agreement.reason:
            report.refused.append((agreement.reason, words))
            return
        if agreement.to_the_end and retrained.state == record_by_run[run].state:
            report.passed.append(f"{run.name}, trained again: {agreement.words}")
        else:
            report.unchecked.append(words)

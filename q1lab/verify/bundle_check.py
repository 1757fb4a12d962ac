"""Check a bundle as a stranger does: its files, the journal, the verdict, and runs that are trained
again (cells, of the grid of arms and seeds).

Nothing of the bundle is taken in: it is opened in a home of its own, which is thrown away. What is
wrong has a name (docs/verify.md lists them), so that a program can ask for it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable, read_bytes, sha256_json
from q1lab.ground.git_repository import ForeignCommits
from q1lab.ground.text_formats import plural
from q1lab.index import ingest_events, journal
from q1lab.index.store import Store
from q1lab.record import declarations, questions
from q1lab.study import bundle, events, studies
from q1lab.study.bundle import Bundle
from q1lab.study.run_states import ENDED
from q1lab.study.series import OVER, Series
from q1lab.study.studies import ARMS, Study
from q1lab.verify import claim as claims
from q1lab.verify.claim import Claim
from q1lab.verify.retrain import DATA, LOSS, SOURCE, Agree, Retraining, Tell, training_order

DAMAGED, TRIMMED = "damaged", "trimmed-ledger"
SEED, VERDICT = declarations.DIFFERENCE_CODES["seeds"], declarations.DIFFERENCE_CODES["judged"]


@dataclass
class BundleReport:
    """The result of a check: ``passed`` and ``unchecked`` in words, ``refused`` as (reason, words).
    ``of`` is the number of runs that could be trained again; ``chance`` that the trained ones catch
    a single forged run."""

    study: str
    passed: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    of: int = 0
    number: int = 0

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
    if not place.exists():
        raise Problem(f"{place}: no such file or folder", file=place)
    packed = place.is_file()
    if packed and not bundle.is_archive(place):
        raise Problem(
            f"{place} is neither an archive of q1lab nor the folder of a study", file=place
        )
    with contextlib.ExitStack() as opened:
        if packed:
            opened_bundle = opened.enter_context(bundle.unpacked(place, collect_faults=True))
        else:
            opened_bundle = bundle.read_bundle(place, str(place), collect_faults=True)
        if not opened_bundle.has_list:
            raise Problem(
                f"{place} has no list of its files: it is not a bundle", FAILED, file=place
            )
        report = BundleReport(opened_bundle.study.id, number=options.number)
        _check_files(opened_bundle, report)
        lines, links = _check_journal(opened_bundle, report)
        if not packed and lines:
            _check_commits(place, opened_bundle, links, report)
        if report.refused:  # nothing of it would be worth training
            return report
        study = _as_declared(opened_bundle.study, lines)
        with _open_alone(opened_bundle, study) as (home, store):
            _check_verdict(opened_bundle, study, lines, store, report)
            if options.cells != 0 and not report.refused:
                where = None if packed else place
                _check_training(
                    Retraining(opened_bundle, study, home, where, options.data),
                    options,
                    report,
                    tell,
                    agree,
                )
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
        elif name == "journal.jsonl":
            reason = TRIMMED
        elif name == "study.json":
            continue
        else:
            reason = DAMAGED
        report.refused.append((reason, words))
    for arm in ARMS if opened_bundle.study.trainer.has_model_files else ():
        arm_record = opened_bundle.study.arms[arm]
        file = opened_bundle.files.get(arm_record.source)
        if file is None or arm_record.sha256 not in bundle.possible_hashes(file):
            report.refused.append(
                (SOURCE, f"{arm_record.source} is not the file that the plan names")
            )
    for name, file in opened_bundle.files.items():
        if name.endswith("events.jsonl") and (behind := events.read_ended_run(file)[1]):
            words = f"{name}: {plural(behind, 'event')} behind the one that ends the run"
            report.refused.append((DAMAGED, words))
    if not report.refused:
        report.passed.append(
            f"all {plural(len(opened_bundle.files), 'file')} are what the list says"
        )


def _check_journal(
    opened_bundle: Bundle, report: BundleReport
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The declarations in the journal, the study's own last, and the hashes of its lines. Parts of
    the plan that differ from the declaration are refused."""
    changed = "study.json" in opened_bundle.faults
    file = opened_bundle.files.get("journal.jsonl")
    if file is None:
        report.unchecked.append(
            "it has no journal: what was declared, and asked before, is unknown"
        )
        if changed:
            report.refused.append((DAMAGED, opened_bundle.faults["study.json"]))
        return [], []
    try:
        outlines = [json.loads(line) for line in read_bytes(file, bundle.LARGEST_LIST).splitlines()]
        links = list(journal.chain_links(outlines))
        declarations_so_far = [
            outline["declares"] for outline in outlines if outline.get("act") == "begin"
        ]
        own_declarations = [
            outline
            for outline in declarations_so_far
            if outline["study"] == declarations.declared_name(opened_bundle.study)
        ]
        for outline in declarations_so_far:
            declarations.earlier_studies(outline, [])  # reads all that is needed of it
    except (OSError, *bundle.DAMAGE_ERRORS, RecursionError):
        report.refused.append((TRIMMED, "the journal is damaged"))
        return [], []
    if not own_declarations or outlines[-1].get("declares") is not own_declarations[-1]:
        report.refused.append((TRIMMED, "the journal does not end with what the study declared"))
        return [], []
    broken = [number for number, outline in enumerate(outlines, 1) if "prev" in outline]
    for number in broken:
        report.unchecked.append(f"line {number} of the journal doesn't follow from the one before")
    if "journal.jsonl" in opened_bundle.faults:  # a changed journal declares nothing
        return [], []
    differing_parts = declarations.differing_fields(own_declarations[-1], opened_bundle.study)
    for key in differing_parts:
        words = f"{PLAN_PARTS[key]}: not what the journal declares"
        report.refused.append((declarations.DIFFERENCE_CODES[key], words))
    if changed and not differing_parts:
        report.refused.append((DAMAGED, opened_bundle.faults["study.json"]))
    if silent := sum("sha" in outline for outline in outlines):  # as q1lab wrote them once
        words = f"{plural(silent, 'line')} of the journal that show nothing"
        report.unchecked.append(f"whether the question was asked before: in {words}")
    report.passed.append(
        f"the plan is what line {len(outlines)} of the journal declares; up to there it is "
        f"{links[-1][:16]}…"
    )
    return declarations_so_far, links


PLAN_PARTS = {
    "seeds": "the plan's seeds",
    "source": "the plan's source",
    "data": "the plan's text",
    "budget": "the plan's budget (hyperparameters, device, number format, threads)",
    "judged": "the plan's way to judge",
}


def _check_commits(
    folder: Path, opened_bundle: Bundle, links: Sequence[str], report: BundleReport
) -> None:
    """Check the commits in the folder's repository that name the study: each names the journal's
    hash at that time, and may hold the bundle of that time."""
    words = questions.commit_trailer(opened_bundle.study.id, "")
    try:
        with ForeignCommits.around(folder) as commits:
            if commits is None:
                return
            links_by_commit = [
                (name, line.removeprefix(words).strip())
                for name, message in commits.with_message(words)
                for line in message.splitlines()
                if line.startswith(words)
            ]
            for name, link in links_by_commit:
                before = len(report.refused)
                _check_commit(commits, name, opened_bundle, report)
                if link not in links and len(report.refused) == before:
                    other = f"commit {name[:12]} names another journal ({link[:16]}…)"
                    report.refused.append((TRIMMED, other))
    except Problem as problem:
        report.unchecked.append(f"what the commits here have: {problem}")
        return
    if not links_by_commit:
        report.passed.append("no commit here names its journal")
    elif not report.refused:
        report.passed.append(
            f"commits here that name a link of this journal: {len(links_by_commit)}"
        )


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


def _as_declared(study: Study, lines: Sequence[Mapping[str, Any]]) -> Study:
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


def _check_verdict(
    opened_bundle: Bundle,
    study: Study,
    lines: Sequence[Mapping[str, Any]],
    store: Store,
    report: BundleReport,
) -> None:
    """Check the claimed verdict against the runs' numbers and the α that the journal allows."""
    if "claim" not in opened_bundle.about:
        report.unchecked.append("it claims no verdict")
        return
    try:
        claimed = claims.load_claim(opened_bundle.about["claim"])
    except ValueError as error:
        report.refused.append((VERDICT, f"its claim can't be read ({printable(str(error))[:100]})"))
        return
    before = declarations.earlier_studies(lines[-1], lines[:-1]) if lines else []
    unclaimed = [name for name in before if name not in (claimed.before or {})]
    if unclaimed:
        report.refused.append(
            (
                TRIMMED,
                f"{plural(len(unclaimed), 'earlier asking')} of the question "
                "in the journal, and not in the claim",
            )
        )
        return
    missing_runs = [
        run.name for run in study.runs if f"runs/{run.name}/events.jsonl" not in opened_bundle.files
    ]
    recomputed = claims.recompute_claim(study, store.runs(study.id), claimed)
    if recomputed.agrees(claimed):
        asked_text = f", asked {plural(len(before), 'time')} before" if before else ""
        report.passed.append(
            f"the verdict, worked out anew: {_describe_claim(recomputed)}{asked_text}"
        )
    elif missing_runs and not study.design.is_sequential:
        report.refused.append((SEED, f"{', '.join(missing_runs)}: declared, and not there"))
    else:
        words = f"it claims {_describe_claim(claimed)}; its runs say {_describe_claim(recomputed)}"
        report.refused.append((VERDICT, words))


def _describe_claim(claim: Claim) -> str:
    if claim.mean is None:
        return claim.verdict
    low, high = claim.ends or (math.nan, math.nan)
    return (
        f"{claim.verdict}, {claim.mean:+.5f} ({low:+.5f} to {high:+.5f}), {plural(claim.n, 'pair')}"
    )


# ── runs, trained again


def _check_training(
    retraining: Retraining, options: CheckOptions, report: BundleReport, tell: Tell, agree: Agree
) -> None:
    """Train some of the runs again, and compare."""
    record_by_run = retraining.records()
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
        reason, words = retraining.compare_run(run, retrained, record_by_run[run])
        if reason and (doubt := retraining.study.trainer.repeat_caveat):
            words += f"; {doubt}"
            report.unchecked.append(f"{run.name}: {words}")
            return
        report.trained.append(run.name)
        if reason:
            report.refused.append((reason, f"{run.name}: {words}"))
            return
        report.passed.append(f"{run.name}, trained again: {words}")

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
from q1lab.ground.foreign_commits import ForeignCommits
from q1lab.ground.text_formats import plural
from q1lab.index import ingest_events, journal
from q1lab.index.store import Row, Store
from q1lab.record import declarations, questions, traveling_chains
from q1lab.record.declarations import Declaration
from q1lab.record.declared_history import DeclaredHistory, level_faults, read_history
from q1lab.record.recorded_studies import RunEnd, pair_differences
from q1lab.study import bundle, studies
from q1lab.study.bundle import Bundle
from q1lab.study.run_states import ENDED
from q1lab.study.series import OVER, Series
from q1lab.study.studies import ARMS, Run, Study, run_name
from q1lab.verify import claim as claims
from q1lab.verify.claim import Claim
from q1lab.verify.retrain import DATA, SOURCE, Agree, Retraining, Tell, training_order
from q1lab.verify.run_record import DAMAGED, LOSS, RunRecord, record_faults

TRIMMED = "trimmed-ledger"
MOST_NAMED = 5
"""The most studies of a repository that a message names."""
SEED, VERDICT, CHANGED = (declarations.DIFFERENCE_CODES[key] for key in ("seeds", "judged", "plan"))


@dataclass
class BundleReport:
    """The result of a check: ``passed`` and ``unchecked`` in words, ``refused`` as (reason, words).
    ``missing`` are declared runs that are not there. ``of`` is the number of runs that could be
    trained again; ``not_to_the_end`` are those of the trained ones that could be compared at their
    beginning alone; ``chance`` that the others catch a single forged run."""

    study: str
    passed: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    not_to_the_end: list[str] = field(default_factory=list)
    of: int = 0
    number: int = 0

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
        history = _check_levels(opened_bundle.study, lines, report)
        if not packed and lines:
            _check_commits(place, opened_bundle, links, report)
        if report.refused:  # nothing of it would be worth training
            return report
        study = _as_declared(opened_bundle.study, lines)
        with _open_alone(opened_bundle, study) as (home, store):
            where = None if packed else place
            retraining = Retraining(opened_bundle, study, home, where, options.data)
            record_by_run = retraining.records()
            rows = store.runs(study.id)
            _check_runs(study, rows, record_by_run, report)
            _check_verdict(opened_bundle.about, study, rows, history, report)
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


def _check_journal(
    opened_bundle: Bundle, report: BundleReport
) -> tuple[list[Declaration], list[str]]:
    """The declarations in the journal, the study's own last, and the hashes of its lines. Parts of
    the plan that differ from the declaration are refused."""
    changed = "study.json" in opened_bundle.faults
    own_name = declarations.declared_name(*questions.study_key(opened_bundle.study))
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
            outline for outline in declarations_so_far if outline["study"] == own_name
        ]
        for line in declarations_so_far:
            declarations.check_declaration(line)
        read_history(opened_bundle.study, declarations_so_far)
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
    declared = own_declarations[-1]
    for earlier in own_declarations[:-1]:
        for key in declarations.disagreeing_fields(earlier, declared):
            words = f"{PLAN_PARTS[key]}: not the same in all lines of the journal that declare it"
            report.refused.append((CHANGED, words))
    differing_parts = declarations.differing_fields(declared, opened_bundle.study)
    for key in differing_parts:
        words = f"{PLAN_PARTS[key]}: not what the journal declares"
        report.refused.append((declarations.DIFFERENCE_CODES[key], words))
    if changed and not differing_parts:
        report.refused.append((DAMAGED, opened_bundle.faults["study.json"]))
    if "plan" not in declared:
        report.unchecked.append(
            "names, versions and the prediction: a journal of an older q1lab does not declare them"
        )
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
    "plan": "the plan's names, versions, prediction or other settings",
    "series": "the plan's series",
}


def _check_levels(
    study: Study, lines: Sequence[Declaration], report: BundleReport
) -> DeclaredHistory:
    """The history that the journal shows. Levels that it does not allow are refused."""
    history = read_history(study, lines)
    if history.unread:
        words = f"in {plural(history.unread, 'line')} of the journal of its first home"
        report.unchecked.append(f"whether the question was asked before: {words}")
    if lines:
        report.refused += [(VERDICT, fault) for fault in level_faults(study, lines, history)]
    return history


def _check_commits(
    folder: Path, opened_bundle: Bundle, links: Sequence[str], report: BundleReport
) -> None:
    """Check the commits in the folder's repository that name the study: each names the journal's
    hash at that time, and may hold the bundle of that time."""
    words = traveling_chains.commit_trailer(opened_bundle.study.id, "")
    try:
        with ForeignCommits.around(folder) as commits:
            if commits is None:
                return
            naming = 0
            for name, message in commits.with_message(words):
                # a squash indents the messages that it joins
                lines = [line.strip() for line in message.splitlines()]
                named = {
                    line.removeprefix(words).strip() for line in lines if line.startswith(words)
                }
                if not named:
                    continue
                naming += 1
                before = len(report.refused)
                _check_commit(commits, name, opened_bundle, report)
                other_links = sorted(named.difference(links))
                if other_links and len(report.refused) == before:
                    other = f"commit {name[:12]} names another journal ({other_links[0][:16]}…)"
                    report.refused.append((TRIMMED, other))
    except Problem as problem:
        report.unchecked.append(f"what the commits here have: {problem}")
        return
    if not naming:
        report.passed.append("no commit here names its journal")
    elif not report.refused:
        report.passed.append(f"commits here that name a link of this journal: {naming}")


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


def _as_declared(study: Study, lines: Sequence[Declaration]) -> Study:
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
            if study.design.asks_for_run(arm, seed) and (arm, seed) not in ends:
                name = run_name(arm, seed)
                state = state_by_run.get(name, "hidden by the plan")
                report.missing.append(f"{name} ({'missing' if state == 'queued' else state})")


def _check_verdict(
    about: Mapping[str, Any],
    study: Study,
    rows: Sequence[Row],
    history: DeclaredHistory,
    report: BundleReport,
) -> None:
    """Work the verdict out from the runs' numbers at the α that the journal allows, and compare the
    claim with it. A claim may say less than that: its ledger may know more than its journal
    shows."""
    missing = f"declared, and not there: {', '.join(report.missing)}" if report.missing else ""
    if "claim" not in about:
        report.unchecked += [*filter(None, [missing]), "it claims no verdict"]
        return
    try:
        claimed = claims.load_claim(about["claim"])
    except ValueError as error:
        report.refused.append((VERDICT, f"its claim can't be read ({printable(str(error))[:100]})"))
        return
    claimed_looks = claimed.before or {}
    unclaimed = [
        name for name, looks in history.paid_looks.items() if looks and not claimed_looks.get(name)
    ]
    if unclaimed:
        words = f"{plural(len(unclaimed), 'earlier asking')} of the question in the journal"
        report.refused.append((TRIMMED, f"{words}, and not in the claim"))
        return

    def claim_at(alpha: float, *, picked: bool) -> Claim:
        return claims.recompute_claim(study, rows, history, alpha, picked=picked)

    alpha = history.alpha(study)
    allowed = claim_at(alpha, picked=history.picked)
    later_alpha = min(alpha, history.look_alpha(later=True))
    smaller = [(alpha, True), (later_alpha, history.picked), (later_alpha, True)]
    earlier_askings = sum(map(bool, history.paid_looks.values()))
    asked_text = f", asked {plural(earlier_askings, 'time')} before" if earlier_askings else ""
    if allowed.agrees(claimed):
        words = f"the verdict, worked out anew: {_describe_claim(allowed, study)}{asked_text}"
    elif any(claim_at(level, picked=picked).agrees(claimed) for level, picked in smaller):
        words = (
            f"the verdict, worked out anew: {_describe_claim(claimed, study)}{asked_text}; by its "
            f"journal it could claim more ({_describe_claim(allowed, study)})"
        )
    elif missing:
        report.refused.append((SEED, f"its claim hides what was {missing}"))
        return
    else:
        claimed_text, allowed_text = (_describe_claim(claim, study) for claim in (claimed, allowed))
        words = f"it claims {claimed_text}; its runs say {allowed_text}"
        if history.picked and not claimed.picked:
            words += ", since its seeds were picked among known ones"
        larger = [(history.look_alpha(later=False), picked) for picked in (False, True)]
        if not history.lists_seen_runs and any(
            claim_at(level, picked=picked).agrees(claimed) for level, picked in larger
        ):
            report.unchecked.append(
                f"{words}, unless earlier studies had shown nothing yet: its journal doesn't say"
            )
        else:
            report.refused.append((VERDICT, words))
        return
    report.passed.append(words)
    if missing:
        report.unchecked.append(missing)


def _describe_claim(claim: Claim, study: Study) -> str:
    if claim.mean is None:
        return claim.verdict
    low, high = claim.ends or (math.nan, math.nan)
    is_paired = study.design.headline == "paired"
    sample = plural(claim.n, "pair") if is_paired else f"{plural(claim.n, 'seed')} per arm"
    return f"{claim.verdict}, {claim.mean:+.5f} ({low:+.5f} to {high:+.5f}), {sample}"


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
        if agreement.reason and (doubt := retraining.study.trainer.repeat_caveat):
            report.unchecked.append(f"{words}; {doubt}")
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

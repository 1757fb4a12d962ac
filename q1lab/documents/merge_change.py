"""The merge of a modification into the learner's model as a change: checked and shown before it
is written, for the command and the app alike."""

from __future__ import annotations

import tempfile
from pathlib import Path

from q1lab.documents.change import Change, SavedChange
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.git_repository import Repository
from q1lab.index.store import Store
from q1lab.study import variants
from q1lab.week import evidence
from q1lab.week.own_model import model_file
from q1lab.week.own_model.run_checks import CheckReport, run_checks


def check_merge(plan: model_file.ModelMerge) -> CheckReport:
    """Check the merged text before it is written."""
    with tempfile.TemporaryDirectory(prefix="q1lab-merge-") as folder:
        trial = Path(folder) / plan.into.name
        trial.write_bytes(plan.new)
        return run_checks(
            trial, plan.variant if plan.variant in variants.checked_variants() else None
        )


def passed_words(plan: model_file.ModelMerge, report: CheckReport) -> str:
    """A sentence that the merged file passes. Problem with the first fault if it does not."""
    if report.passed:
        return f"the merged {plan.into.name} passes all {report.counted}, as {report.for_}"
    first = report.unusable or report.failed[0].words
    raise Problem(
        f"the merged {plan.into.name} fails its checks: {first}. Nothing was written",
        FAILED,
        next="--unchecked goes on",
    )


def nothing_to_merge(plan: model_file.ModelMerge) -> str:
    """A sentence that the merge changes nothing; "" if it changes something."""
    if plan.new != plan.old:
        return ""
    return f"{plan.into.name} already has what {plan.file.name} changes"


def conflict_words(plan: model_file.ModelMerge) -> str:
    """The number of conflicts, in words; "" without one."""
    if not plan.conflicts:
        return ""
    return f"{plan.conflicts} conflict{'s' if plan.conflicts > 1 else ''} in {plan.into.name}"


SETTLE = f"{model_file.SETTLE}, then check and commit it"


def model_change(
    plan: model_file.ModelMerge, repo: Repository | None, week: str, note: str = ""
) -> Change:
    """The merge as it would be written: committed alone, or with git's markers and not committed.
    ``note`` is the outcome of the checks."""
    if repo is not None and not plan.into.is_relative_to(repo.root):
        raise Problem(f"{plan.into} is not in the repository {repo.root}", file=plan.into)
    conflict_text = conflict_words(plan)

    def after(store: Store, done: SavedChange) -> None:
        evidence.note_merge(store, week, plan.file.absolute(), plan.into, done.sha)

    return Change(
        {plan.into: plan.new},
        f"feat: merge {plan.variant} into {plan.into.name}",
        None if conflict_text else repo,
        plan.diff,
        notes=(note,) if note else (),
        unsettled=f"{conflict_text}: {SETTLE}" if conflict_text else "",
        after=None if conflict_text else after,
        keep_copy=lambda: model_file.save_copy(plan),
    )


def typed_merge_change(file: Path, week: str) -> Change:
    """The merge of ``file`` into the model.py beside it, as `q1lab merge FILE` would do it. Problem
    when there is nothing to merge, and when the result fails its checks."""
    file = file.absolute()
    plan = model_file.merge_into(file, file.parent / "model.py")
    if reason := nothing_to_merge(plan):
        raise Problem(reason)
    note = "" if plan.conflicts else passed_words(plan, check_merge(plan))
    return model_change(plan, Repository.around(plan.into.parent), week, note)

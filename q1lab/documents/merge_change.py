"""The merge of a modification into the learner's model as a change: checked and shown before it
is written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from q1lab.documents.change import Change, SavedChange
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.git_repository import Repository
from q1lab.ground.text_formats import plural
from q1lab.journal.store import Store
from q1lab.study import variants
from q1lab.study.own_model.run_checks import CheckReport, run_checks
from q1lab.week import evidence
from q1lab.week.own_model import model_file


def check_merge(merge: model_file.ModelMerge) -> CheckReport:
    """Check the merged text before it is written."""
    with tempfile.TemporaryDirectory(prefix="q1lab-merge-") as folder:
        trial = Path(folder) / merge.into.name
        trial.write_bytes(merge.new)
        return run_checks(
            trial, merge.variant if merge.variant in variants.checked_variants() else None
        )


def passed_words(merge: model_file.ModelMerge, report: CheckReport) -> str:
    """A sentence that the merged file passes. Problem with the first fault if it does not."""
    if report.passed:
        return f"the merged {merge.into.name} passes all {report.counted}, as {report.for_}"
    raise Problem(
        f"the merged {merge.into.name} does not pass its checks: {report.fault}. "
        "Nothing was written",
        FAILED,
        next="--unchecked writes it all the same",
    )


def nothing_to_merge(merge: model_file.ModelMerge) -> str:
    """A sentence that the merge changes nothing; "" if it changes something, or its result is
    still to be committed."""
    repo = Repository.around(merge.into.parent)
    if merge.new != merge.old or (repo is not None and not repo.has_committed(merge.into)):
        return ""
    return f"{merge.into.name} already has what {merge.file.name} changes"


def conflict_words(merge: model_file.ModelMerge) -> str:
    """The number of conflicts, in words; "" without one."""
    if not merge.conflicts:
        return ""
    return f"{plural(merge.conflicts, 'conflict')} in {merge.into.name}"


SETTLE = f"{model_file.SETTLE}, then check and commit it"


def model_change(merge: model_file.ModelMerge, repo: Repository | None, week: str) -> Change:
    """The merge as it would be written: committed alone; with conflicts, which have git's markers,
    ``repo`` is None."""
    if repo is not None and not merge.into.is_relative_to(repo.root):
        raise Problem(f"{merge.into} is not in the repository {repo.root}", file=merge.into)

    def after(store: Store, done: SavedChange) -> None:
        evidence.note_merge(store, week, merge.file.absolute(), merge.into, done.sha)

    return Change(
        {merge.into: merge.new},
        f"feat: merge {merge.variant} into {merge.into.name}",
        repo,
        merge.diff,
        after=None if merge.conflicts else after,
        keep_copy=lambda: model_file.save_copy(merge),
    )

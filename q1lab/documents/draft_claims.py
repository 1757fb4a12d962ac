"""The claim lint of the week's draft, for the learner who is about to publish it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from q1lab.documents import claim_lint, document_data, modification
from q1lab.documents.change import read_document
from q1lab.documents.claim_lint import ClaimFinding
from q1lab.journal.store import Store
from q1lab.judgment.metric import VAL_LOSS
from q1lab.week.lists import posts
from q1lab.week.syllabus import Week


def draft_findings(store: Store, week: Week, path: Path) -> list[ClaimFinding]:
    """The claim lint's findings in a draft."""
    record = modification.gather_modification(store, week)
    verdict = record.study.verdict if record.study else ""
    metric = (record.study.metric if record.study else VAL_LOSS).name
    told = modification.modification_document(record, week.root).text
    return claim_lint.lint_draft(
        read_document(path) or b"",
        verdict,
        document_data.postable_numbers(store, week) + claim_lint.decimals_in(told),
        metric=metric,
        where=path.name,
    )


def post_findings(store: Store, week: Week, post: Mapping[str, Any]) -> list[ClaimFinding]:
    """The findings in a post's draft; [] if it has no draft on disk."""
    draft = Path(post["path"]) if post["path"] else None
    return draft_findings(store, week, draft) if draft is not None and draft.is_file() else []


def publish_notes(
    post: Mapping[str, Any], findings: Sequence[ClaimFinding], empty: int
) -> list[str]:
    """Notes before publishing, a line each: the number of empty sections, and of open findings with
    the first of them."""
    lines = []
    if empty:
        lines.append(f"{posts.empty_words(empty)} in the draft: the post counts once it is written")
    if findings:
        many = "1 finding is" if len(findings) == 1 else f"{len(findings)} findings are"
        first = f"{Path(post['path']).name}:{findings[0].line}: {findings[0].message}"
        lines.append(f"{many} open in the draft; `q1lab post lint` lists them. The first: {first}")
    return lines

"""`q1lab keep`: copy a study's files and settings into the learner's repository, so that anybody
can train it again."""

from __future__ import annotations

import click

from q1lab.commands import _documents as shared
from q1lab.commands._names import study_argument
from q1lab.commands._store import open_store


@click.command(
    epilog="""\b
Examples:
  q1lab keep
  q1lab keep rope-1 --dry-run"""
)
@study_argument(required=False)
@shared.writing_options
@shared.json_option
def keep(study: str | None, write_options: shared.WriteOptions, as_json: bool) -> int:
    """Keep STUDY (default: the latest) in your repo, so that anyone can train it again.

    The folder studies/STUDY gets both model files as they trained, the plan, the events of the runs
    that ended, and a list of hashes. `q1lab run studies/STUDY` trains from it. `q1lab modification`
    does the same for the study that its document is about.
    """
    from q1lab.documents import document_changes
    from q1lab.study import studies

    chosen = studies.load(study or studies.latest())
    root, repo = shared.open_repository(write_options)
    with open_store() as store:
        return shared.write_document(
            document_changes.kept_study_change(store, chosen, root, repo),
            store,
            write_options,
            as_json=as_json,
        )

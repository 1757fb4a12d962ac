"""`q1lab modification`: write and refresh MODIFICATION.md, and commit exactly it."""

from __future__ import annotations

import click

from q1lab.commands._ask import ask_user
from q1lab.commands._documents import open_repository, write_document
from q1lab.commands._options import WriteOptions, json_option, overwrite_option, writing_options
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.documents import document_changes, document_data
from q1lab.ground.errors import FAILED, Problem
from q1lab.study import variants
from q1lab.week import chosen_variant, evidence


@click.command(
    epilog="""\b
Examples:
  q1lab modification
  q1lab modification --dry-run
  q1lab modification rope --repo ~/transformer-from-scratch

Exit status: 0 done, 1 git or a hook refused, 2 something must be decided first (the message
says which option)."""
)
@click.argument("variant", required=False)
@click.option(
    "--reference",
    is_flag=True,
    help="Show the code of q1lab's own implementation, before yours passes its checks.",
)
@writing_options
@overwrite_option
@click.option(
    "--no-study",
    "keep_study",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Leave the study's own folder (its model files and settings) out.",
)
@json_option
def modification(
    variant: str | None,
    reference: bool,
    write_options: WriteOptions,
    overwrite: bool,
    keep_study: bool,
    as_json: bool,
) -> int:
    """Write MODIFICATION.md, or bring it up to date, and commit it.

    Between its markers q1lab writes your choice, notes, sketch and prediction, the diff that
    ran, and the comparison. Every other byte is yours. Your edits between the markers stay, and are
    shown as a diff, until you give --overwrite. The commit locks your prediction.

    With it goes a folder, studies/STUDY: the two files that trained and all settings, so that
    anyone can train the study again (--no-study leaves it out). Nothing else is committed.

    The diff is that of your own file. Where the runs used q1lab's implementation, its code is left
    out until a file of yours passes its checks, or you say --reference.

    Each modification has a record of its own. VARIANT chooses another one, asks first where
    you have trained the one before, and keeps both: their notes, and their documents.
    """
    week = current_week()
    offered = {item.name for item in week.variants}
    if variant is not None and variant not in offered:
        variant = variants.find_variant(variant).name
    with open_store() as store:
        if reference:
            name = document_data.chosen_modification(store, week, variant).name
            evidence.note_reference_shown(store, week.label, name)
        if variant in offered and not (write_options.dry_run or write_options.yes):
            _ask_before_changing(chosen_variant.change_question(store, week.label, variant))
        root, repo = open_repository(write_options)
        change = document_changes.modification_change(
            store,
            week,
            root,
            repo,
            variant=variant,
            overwrite=overwrite,
            keep_study=keep_study,
        )
        return write_document(change, store, write_options, as_json=as_json)


def _ask_before_changing(question: str) -> None:
    """Problem unless the learner answers yes. An empty question is not put."""
    unanswered = Problem(
        "nothing was changed: the question had no answer: ", next="--yes changes your choice"
    )
    if question and ask_user(question, unanswered) != "yes":
        raise Problem("nothing was changed", FAILED)

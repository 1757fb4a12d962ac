"""`q1lab modification`: write and refresh MODIFICATION.md, and commit exactly it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.errors import OK
from q1lab.files import utc_now
from q1lab.index.store import Store


@click.command(
    epilog="""\b
Examples:
  q1lab modification
  q1lab modification --dry-run
  q1lab modification --variant rope --repo ~/transformer-from-scratch

\b
Exit codes: 0 done, 1 git or a hook refused, 2 something must be decided first (the message says which
option)."""
)
@click.option(
    "--variant", metavar="NAME", help="The modification. Default: the one you chose for the week."
)
@shared.writing_options
@click.option("--overwrite", is_flag=True, help="Replace what you edited between q1lab's marks.")
@click.option("--add-missing", is_flag=True, help="Put back regions that you took out of the file.")
@click.option(
    "--stdout", is_flag=True, help="Print the document as it would be, and write nothing."
)
@shared.json_option
def modification(
    variant: str | None,
    repo: Path | None,
    dry_run: bool,
    yes: bool,
    no_commit: bool,
    init: bool,
    overwrite: bool,
    add_missing: bool,
    stdout: bool,
    as_json: bool,
) -> int:
    """Write MODIFICATION.md, or bring it up to date, and commit it alone.

    Between its marks q1lab writes what it knows: choice, notes, sketch, prediction, the diff that
    ran, the comparison. Every other byte is yours. What you edit between the marks stays, and is
    shown as a diff, until you say --overwrite. The commit locks your prediction.
    """
    from q1lab.documents import gather
    from q1lab.documents import modification as documents
    from q1lab.documents.save import draft
    from q1lab.journal import predictions
    from q1lab.study import variants

    week = shared.week()
    how = shared.Writing(repo, dry_run, yes, no_commit, init)
    if variant is not None and variant not in {item.name for item in week.variants}:
        variant = variants.find(variant).name
    with Store() as store:
        record = gather.modification_record(store, week, variant)
        if as_json and stdout:
            shared.emit(dataclasses.asdict(record))
            return OK
        if stdout:
            existing = shared.folder_of(repo) / documents.FILE
            rendered = documents.document(record, week.root)
            made = draft(existing, rendered, overwrite=overwrite, add_missing=add_missing)
            shared.show(made.new.decode(errors="replace"))
            return OK
        root, found = shared.repository(how)
        if found is not None:
            record = gather.about_to_be_locked(record, utc_now())
        made = draft(
            root / documents.FILE,
            documents.document(record, week.root),
            overwrite=overwrite,
            add_missing=add_missing,
        )
        if made.edited:
            shared.remark(
                f"kept as you edited it: {', '.join(made.edited)} (--overwrite replaces it). The difference:"
            )
            shared.show_diff(made.edited_diff, err=True)
        if dry_run and not as_json:
            shared.show_diff(made.diff)
        told = message(made.old is None, made.changed, record)
        result = shared.save({made.path: made.new}, told, found, how, quiet=as_json)
        if (
            found is not None
            and not dry_run
            and "prediction" not in made.edited
            and record.prediction
        ):
            predictions.lock(store, record.variant, gather.LOCKED_BY_COMMIT, week.label)
        if as_json:
            shared.emit(
                {
                    **result,
                    "changed": list(made.changed),
                    "kept": list(made.edited),
                    "diff": made.diff,
                }
            )
    return OK


def message(new: bool, changed: tuple[str, ...], record: object) -> str:
    """A short commit message that says what changed."""
    variant = getattr(record, "variant", "")
    if new:
        return f"docs: add MODIFICATION.md for {variant}"
    if "comparison" in changed:
        study = getattr(record, "study", None)
        outcome = f" ({study.verdict})" if study else ""
        return f"docs: record the {variant} comparison in MODIFICATION.md{outcome}"
    if "prediction" in changed:
        return f"docs: record the prediction for {variant} in MODIFICATION.md"
    what = ", ".join(changed[:3]) or "text"
    return f"docs: update {what} in MODIFICATION.md"

"""`q1lab course roadmap`: the week's checkboxes in AI_EXPERT_ROADMAP.md."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import print_json, print_text, remark
from q1lab.commands._store import open_store
from q1lab.ground.errors import OK, Problem


@click.command(
    epilog="""\b
Examples:
  q1lab course roadmap
  q1lab course roadmap --tick 1 --tick 3-4
  q1lab course roadmap --tick "retrospective post" --dry-run

Exit status: 0 done, 1 git or a hook refused, 2 no such file or box, or a yes is missing."""
)
@click.option(
    "--tick",
    multiple=True,
    metavar="BOX",
    help="A number, a range (2-4), words of a title, or all.",
)
@click.option("--untick", multiple=True, metavar="BOX", help="Open a box again.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Another file than AI_EXPERT_ROADMAP.md.",
)
@shared.writing_options
@shared.json_option
def roadmap(
    tick: tuple[str, ...],
    untick: tuple[str, ...],
    file: Path | None,
    write_options: shared.WriteOptions,
    as_json: bool,
) -> int:
    """List the week's checkboxes in your roadmap, or tick some.

    The file is AI_EXPERT_ROADMAP.md, and a tick is committed. It changes one character per box and
    no other byte.
    """
    from q1lab.documents import document_changes
    from q1lab.documents import roadmap as documents
    from q1lab.documents.change import read_document

    week = shared.current_week()
    writing = bool(tick or untick)
    if writing:
        root, repo = shared.open_repository(write_options)
    else:
        repo = shared.repository_if_any(write_options.repo)
        root = repo.root if repo else shared.repository_folder(write_options.repo)
    path = root / (file or documents.FILE)
    data = read_document(path)
    if data is None:
        raise Problem(
            f"there is no {path}",
            next="name another file with --file, or another repository with --repo",
            file=path,
        )
    listed = documents.boxes(data, week.label)
    if not listed and not as_json:
        raise Problem(
            f"{path} has no checkbox for {week.label}: ",
            next="a heading or the item must name the week",
            file=path,
        )
    if not writing:
        if as_json:
            print_json(
                {"file": str(path), "week": week.label, "boxes": [asdict(box) for box in listed]}
            )
            return OK
        heading = None
        for box in listed:
            if box.heading != heading:
                heading = box.heading
                print_text(heading)
            print_text(f"{box.number:>4}  [{'x' if box.ticked else ' '}] {box.title}")
        open_boxes = sum(not box.ticked for box in listed)
        remark(
            f"{open_boxes} of {len(listed)} open"
            + (": q1lab course roadmap --tick NUMBER" if open_boxes else "")
        )
        return OK
    change, changed = document_changes.roadmap_change(
        path,
        data,
        week.label,
        documents.choose_boxes(listed, tick),
        documents.choose_boxes(listed, untick),
        repo,
    )
    with open_store() as store:
        return shared.write_document(
            change,
            store,
            write_options,
            as_json=as_json,
            extra={"changed": [asdict(box) for box in changed]},
        )

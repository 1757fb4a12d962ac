"""`q1lab course roadmap`: the week's open boxes in AI_EXPERT_ROADMAP.md."""

from __future__ import annotations

from dataclasses import asdict

import click

from q1lab.commands._documents import folder_to_read, open_repository, write_document
from q1lab.commands._options import WriteOptions, json_option, writing_options
from q1lab.commands._output import print_json, print_text, remark
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.documents import document_changes
from q1lab.documents import roadmap as documents
from q1lab.documents.change import read_document
from q1lab.ground.errors import OK, Problem


@click.command(
    epilog="""\b
Examples:
  q1lab course roadmap
  q1lab course roadmap --tick 14 --tick 16
  q1lab course roadmap --tick 14 --dry-run

Exit status: 0 done, 1 git or a hook refused, 2 no such file or box, or a yes is missing."""
)
@click.option(
    "--tick", "lines", type=int, multiple=True, metavar="LINE", help="Tick the box in this line."
)
@writing_options
@json_option
def roadmap(lines: tuple[int, ...], write_options: WriteOptions, as_json: bool) -> int:
    """List the roadmap's open boxes, or tick some.

    They are the week's, in AI_EXPERT_ROADMAP.md. A tick changes one character and no other byte,
    and is committed.
    """
    week = current_week().label
    repo = None
    if lines:
        root, repo = open_repository(write_options)
    else:
        root = folder_to_read(write_options.repo)
    path = root / documents.FILE
    data = read_document(path)
    if data is None:
        raise Problem(f"there is no {path}", next="name another repository with --repo", file=path)
    boxes = documents.week_boxes(data, week)
    if lines:
        change = document_changes.roadmap_change(path, data, week, boxes, lines, repo)
        with open_store() as store:
            return write_document(change, store, write_options, as_json=as_json)
    boxes = [box for box in boxes if not box.is_ticked]
    if as_json:
        print_json({"file": str(path), "week": week, "open": [asdict(box) for box in boxes]})
        return OK
    heading = None
    for box in boxes:
        if box.heading != heading:
            heading = box.heading
            print_text(heading)
        print_text(f"{box.line:>4}  [ ] {box.title}")
    if boxes:
        remark("q1lab course roadmap --tick LINE ticks one")
    else:
        remark(f"{path} has no open box for {week}: a heading or the box must name the week")
    return OK

"""`q1lab restore`: a study back from the trash, a folder or an archive."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import click

from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_text
from q1lab.commands._store import open_store
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import expand_user, remove_inside
from q1lab.journal import delete_restore, on_record, study_names
from q1lab.journal.store import Store
from q1lab.study import bundle, studies
from q1lab.study.studies import Study


@click.command(
    epilog="""\b
Examples:
  q1lab restore rope-1.zip
  q1lab restore rope-1/ --name rope-1-laptop
  q1lab restore rope-1

Exit status: 0 restored, 1 the files are damaged or no study's, 2 usage."""
)
@click.argument("place", metavar="PLACE|STUDY", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Another name for the study.")
@json_option
def restore(place: Path, name: str | None, as_json: bool) -> int:
    """Bring back a study from PLACE, a folder or archive that `q1lab export` wrote, or a deleted
    STUDY from the trash, completely or not at all."""
    paths.ensure_home()
    place = expand_user(place)
    if not bundle.is_bundle(place):
        with open_store() as store:
            trashed = _trashed(store, str(place))
            if trashed is not None:
                study = studies.load(delete_restore.restore_study(store, trashed, name))
                return _report(study, as_json)
    if not place.exists():
        raise Problem(
            f"{place}: no such file or folder, and no study of that name in the trash",
            FAILED,
            next="`q1lab delete --empty --dry-run` lists the trash, `q1lab status` the studies",
        )
    with bundle.taken_in(place) as received, open_store() as store:
        adopted: Study | None = None
        try:
            with store.act():
                declared = replace(received.study, id=name or received.study.id)
                on_record.record_begin(store, declared)
                study = adopted = bundle.restore(received, place, name)
        except BaseException:
            if adopted is not None:  # the record of it was refused
                remove_inside(adopted.files.root)
            raise
        if received.learners_name:
            with contextlib.suppress(Problem):  # another study has its name by now
                study_names.give_name(store, study.id, received.learners_name)
    return _report(study, as_json)


def _report(study: Study, as_json: bool) -> int:
    if as_json:
        print_json({"study": study.id, "runs": len(study.runs)})
        return OK
    print_text(f"{study.id}: restored, {len(study.runs)} runs; q1lab compare {study.id}")
    return OK


def _trashed(store: Store, name: str) -> Path | None:
    """The place of a deleted study, by its own name or the learner's; None without one."""
    names = name, *study_names.all_named(store, name)
    return next(filter(None, map(delete_restore.trashed_folder, names)), None)

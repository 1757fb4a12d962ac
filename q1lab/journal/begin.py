"""Putting a study on record before its first trainer starts: ``begin`` is an act of the journal,
with the study's plan as it is then.
"""

from __future__ import annotations

from q1lab.ground.errors import FAILED, Problem
from q1lab.journal import declarations, on_record
from q1lab.journal.on_record import study_key
from q1lab.journal.store import Store
from q1lab.study.studies import Study


def record_begin(store: Store, study: Study) -> None:
    """Put a study on record with the seeds that it has now, unless it is. Problem when that can't
    be written: then nothing may train."""
    with store.act() as add:
        recorded = on_record.begun_study(store, *study_key(study))
        if recorded is not None:
            refuse_changed_plan(recorded, study)
            if set(study.seeds) <= set(recorded.seeds):
                return
        add("begin", at=on_record.record_time(store), plan=study.to_dict())


def refuse_changed_plan(declared: Study, study: Study) -> None:
    """Problem where the plan of a study that goes on is not the one that was declared with more
    seeds, or with the first ones of a range."""
    changed = declarations.changed_parts(declared, study)
    if "seeds" in changed and declarations.has_grown(declared, study):
        changed.remove("seeds")
    if changed:
        raise Problem(
            f"{study.id}: its study.json was changed after it was declared ({', '.join(changed)})",
            FAILED,
            next="put it back as it was, or ask again with --fresh",
        )

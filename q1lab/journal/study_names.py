"""The names that a learner gives to studies (`q1lab run --name`), acts of the journal.

A name is not part of the plan. It stands beside the study's own (``rope-1``), which its folder, its
archives and its runs at W&B keep; it is taken wherever a study's own name is.
"""

from __future__ import annotations

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.journal.store import Store
from q1lab.study import series, studies, variants

LONGEST_NAME = 40
"""Characters of a name."""


def name_of(store: Store, study_id: str) -> str:
    """The name that the learner gave a study; "" where there is none."""
    row = store.db.execute("SELECT name FROM names WHERE study_id = ?", (study_id,)).fetchone()
    return "" if row is None else str(row["name"])


def study_named(store: Store, name: str) -> str | None:
    """The study that a learner named so; None where none is, or it is in the trash."""
    return next(filter(has_plan, all_named(store, name)), None)


def all_named(store: Store, name: str) -> list[str]:
    """The studies that a learner named so, also those in the trash."""
    rows = store.db.execute("SELECT study_id FROM names WHERE name = ?", (name,))
    return [row["study_id"] for row in rows]


def give_name(store: Store, study_id: str, name: str) -> None:
    """Name a study. Problem for a name that it can't be given."""
    with store.act() as add:
        if name != name_of(store, study_id):
            check_name(store, study_id, name)
            add("name", study=study_id, name=name)


def check_name(store: Store, study_id: str, name: str) -> None:
    """Problem for a name that a study can't be given: not one word, or taken."""
    if not studies.is_id(name) or len(name) > LONGEST_NAME:
        raise Problem(
            f"{printable(name)!r} is not a name: letters a to z, digits, dots, hyphens, "
            f"{LONGEST_NAME} at most"
        )
    if name in variants.variant_names() or series.is_sweep(name):
        raise Problem(f"{name} names something else here", next="give the study another name")
    holder = name if has_plan(name) else study_named(store, name)
    if holder not in (None, study_id):
        also = "" if holder == name else f": {holder}"
        raise Problem(f"a study is already called {name}{also}", next="give another name")


def has_plan(study_id: str) -> bool:
    """True if the study is on disk."""
    return studies.is_id(study_id) and (paths.study_dir(study_id) / "study.json").is_file()

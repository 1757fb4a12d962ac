"""The learner's work in the week: ticks, answers, minutes, the variant, its hints.

Here are the questions to the tables, and the acts that go on record; what they mean is in
week/progress.py and week/own_model/model_file.py. Every act is in the journal before its
function returns (or when the ``store.act()`` ends that the caller began).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePath

from q1lab.journal.store import Row, Store
from q1lab.study.corpus_titles import DEFAULT_DATA

# ── steps


def step_rows(store: Store, week: str) -> list[Row]:
    """Rows of step_records: step_id, done, answer, done_at, updated."""
    return store.db.execute("SELECT * FROM step_records WHERE week = ?", (week,)).fetchall()


# ── minutes


def part_seconds(store: Store, week: str) -> dict[str, float]:
    """Seconds that counted, by part id."""
    rows = store.db.execute("SELECT part_id, seconds FROM part_times WHERE week = ?", (week,))
    return {row["part_id"]: float(row["seconds"]) for row in rows}


def credit_seconds(store: Store, week: str, credited: Mapping[str, float]) -> None:
    """Credit seconds by part; a negative number takes some away, never below nothing."""
    with store.act() as add:
        entry = int(store.setting(f"timer:{week}", 0)) + 1
        add("time", week=week, seconds=dict(credited), entry=entry)


# ── the chosen variant, its file, its hints


def modification_row(store: Store, week: str) -> Row | None:
    """The choice for the week: variant, file, base, chosen (when); None before a choice. That
    of one that is not chosen now is under its ``record_key``."""
    row: Row | None = store.db.execute(
        "SELECT * FROM modifications WHERE week = ?", (week,)
    ).fetchone()
    return row


def chosen_variant(store: Store, week: str) -> str | None:
    """The name of the chosen modification."""
    row = modification_row(store, week)
    return str(row["variant"]) if row else None


def record_key(store: Store, week: str, variant: str) -> str:
    """The key under which a modification's row, and the steps that belong to it, are stored. It is
    the week for the one that is chosen, and before a choice; for another it is the week with its
    name."""
    now = chosen_variant(store, week)
    return week if now in (None, variant) else f"{week} {variant}"


def names_of_modification(row: Row | None) -> frozenset[str]:
    """Names under which the studies of a chosen modification run: its own, and its model file's."""
    if row is None:
        return frozenset()
    file = str(row["file"] or "")
    return frozenset({str(row["variant"]), PurePath(file).stem} - {""})


def choose_variant(store: Store, week: str, variant: str, shared: Collection[str] = ()) -> None:
    """Note the chosen modification. ``shared`` are the steps of the week whose ticks and answers
    belong to it: those of the one before are put aside with its row, and come back with it."""
    with store.act() as add:
        if chosen_variant(store, week) != variant:
            add("choose", week=week, variant=variant, shared=sorted(shared))


def used_hints(store: Store, week: str, variant: str) -> list[int]:
    """The stages that were opened, in order."""
    rows = store.db.execute(
        "SELECT stage FROM hints WHERE week = ? AND variant = ? ORDER BY stage", (week, variant)
    )
    return [int(row["stage"]) for row in rows]


def use_hint(store: Store, week: str, variant: str, stage: int) -> None:
    """Note that a stage was opened; the first time counts."""
    store.add("hint", week=week, variant=variant, stage=stage)


# ── what steps tick themselves by


def evidence_rows(store: Store, week: str) -> list[Row]:
    """The rows that acts left behind in the week: act, subject (a study, a document), variant, file
    (which has to be there), sha, facts (JSON), at."""
    return store.db.execute("SELECT * FROM evidence WHERE week = ?", (week,)).fetchall()


# ── data


def data_to_train_on(store: Store) -> str:
    """The default data for training: the learner's choice, else Python's own source text. Commands
    and app use no other default."""
    chosen_data = store.setting("data")
    return str(chosen_data["corpus"]) if isinstance(chosen_data, Mapping) else DEFAULT_DATA

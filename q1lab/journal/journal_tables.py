"""The effect of each act on the tables: only this writes the learner's rows. Taking all acts into
empty tables gives the same rows whenever it is done, so the tables can be thrown away."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from q1lab.journal.acts import Body

DOCUMENTS = frozenset({"modification", "post", "retro", "roadmap", "merge"})
"""Acts that write a document of the learner's repository; the app shows their commit first."""

Fold = Callable[[sqlite3.Connection, Body], None]
"""Takes a line of the journal into the tables."""


def fold_act(db: sqlite3.Connection, body: Body) -> None:
    """Take one act into the tables; nothing where this version knows no such act."""
    act = body["act"]
    folded: str | Fold | None = FOLDS.get(act, _written if act in DOCUMENTS else None)
    if isinstance(folded, str):
        db.execute(folded, body)
    elif folded is not None:
        folded(db, body)


def read_setting(db: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """A value of the settings table (JSON)."""
    row = db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    try:
        return json.loads(row[0]) if row else default
    except ValueError:
        return default


def write_setting(db: sqlite3.Connection, key: str, value: Any, at: str) -> None:
    """Put a value into the settings table."""
    db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (key, json.dumps(value), at))


def _kept(db: sqlite3.Connection, body: Body, name: str) -> Any:
    """The week's settings under ``name``; an empty object if there are none."""
    return read_setting(db, f"{name}:{body['week']}", {})


def _keep(db: sqlite3.Connection, body: Body, name: str, value: Any) -> None:
    write_setting(db, f"{name}:{body['week']}", value, body["at"])


def _some(body: Body, *names: str) -> dict[str, Any]:
    return {name: body[name] for name in names}


# ── steps and minutes


def _set_step(
    db: sqlite3.Connection, body: Body, done: bool, answer: str | None = None, *, keep: bool
) -> None:
    """Set a step's row: done or not, and its answer, which ``keep`` leaves as it is."""
    db.execute(
        "INSERT INTO step_records (week, step_id, done, answer, done_at, updated) "
        "VALUES (:week, :step, :done, :answer, :done_at, :at) "
        "ON CONFLICT (week, step_id) DO UPDATE SET done = excluded.done, "
        "updated = excluded.updated, "
        "answer = CASE WHEN :keep THEN answer ELSE excluded.answer END, "
        "done_at = CASE WHEN excluded.done THEN COALESCE(done_at, excluded.done_at) END",
        {
            "week": body["week"],
            "step": body["step"],
            "done": int(done),
            "answer": answer,
            "done_at": body["at"] if done else None,
            "at": body["at"],
            "keep": keep,
        },
    )


def _tick(db: sqlite3.Connection, body: Body) -> None:
    _set_step(db, body, bool(body["done"]), keep=True)


def _answer(db: sqlite3.Connection, body: Body) -> None:
    _set_step(db, body, body["text"] is not None, body["text"], keep=False)


def _recall(db: sqlite3.Connection, body: Body) -> None:
    grade = "right" if body["right"] else f"wrong {body.get('missed', '')}".rstrip()
    _keep(db, body, "recall", {**_kept(db, body, "recall"), body["step"]: grade})
    _set_step(db, body, True, keep=True)


def _time(db: sqlite3.Connection, body: Body) -> None:
    for part, seconds in body["seconds"].items():
        db.execute(
            "INSERT INTO part_times (week, part_id, seconds, started, updated) "
            "VALUES (:week, :part, MAX(0, :seconds), :at, :at) ON CONFLICT (week, part_id) "
            "DO UPDATE SET seconds = MAX(0, seconds + :seconds), updated = :at",
            {"week": body["week"], "part": part, "seconds": float(seconds), "at": body["at"]},
        )
    _keep(db, body, "timer", int(body["entry"]))


# ── the modification


def _choose(db: sqlite3.Connection, body: Body) -> None:
    """``shared`` are the steps whose ticks and answers belong to the modification: those of the one
    before are put aside with its row, under the week with its name, and come back with it."""
    week, variant, at = body["week"], body["variant"], body["at"]
    before = _chosen(db, week)
    if before == variant:
        return
    if before is not None:
        aside, back = f"{week} {before}", f"{week} {variant}"
        db.execute("UPDATE modifications SET week = ? WHERE week = ?", (aside, week))
        rows = db.execute("SELECT step_id FROM step_records WHERE week = ?", (week,)).fetchall()
        for (step,) in rows:
            if step.partition("@")[0] in body["shared"]:
                db.execute(
                    "UPDATE step_records SET week = ? WHERE week = ? AND step_id = ?",
                    (aside, week, step),
                )
        # what the week counts as its own by now stays where it is
        db.execute("UPDATE OR IGNORE step_records SET week = ? WHERE week = ?", (week, back))
        db.execute(
            "UPDATE modifications SET week = ?, chosen = COALESCE(NULLIF(chosen, ''), ?) "
            "WHERE week = ?",
            (week, at, back),
        )
    db.execute(
        "INSERT OR IGNORE INTO modifications (week, variant, chosen) VALUES (?, ?, ?)",
        (week, variant, at),
    )


def _file(db: sqlite3.Connection, body: Body) -> None:
    is_chosen = _chosen(db, body["week"]) in (None, body["variant"])
    place = body["week"] if is_chosen else f"{body['week']} {body['variant']}"
    db.execute(
        "INSERT INTO modifications (week, variant, file, base, chosen) "
        "VALUES (:place, :variant, :file, :base, :chosen) ON CONFLICT (week) DO UPDATE "
        "SET file = excluded.file, base = excluded.base",
        {**body, "place": place, "chosen": body["at"] if is_chosen else ""},
    )


def _chosen(db: sqlite3.Connection, week: str) -> str | None:
    row = db.execute("SELECT variant FROM modifications WHERE week = ?", (week,)).fetchone()
    return str(row[0]) if row else None


def _reference(db: sqlite3.Connection, body: Body) -> None:
    _evidence(db, body, "reference", body["variant"], variant=body["variant"])


NEWEST_PREDICTION = (
    "SELECT id FROM predictions WHERE week = :week AND variant = :variant ORDER BY id DESC LIMIT 1"
)


def _predict(db: sqlite3.Connection, body: Body) -> None:
    """A prediction that is locked is amended by the next one; another is replaced."""
    before = db.execute(
        f"SELECT id, locked FROM predictions WHERE id = ({NEWEST_PREDICTION})", body
    ).fetchone()
    row = _some(body, "week", "variant", "direction", "size", "matters", "confidence", "reasoning")
    row["created"] = body["at"]
    if before is not None and before["locked"] is None:
        columns = ", ".join(f"{name} = :{name}" for name in row)
        db.execute(f"UPDATE predictions SET {columns} WHERE id = :id", {**row, "id": before["id"]})
    else:
        insert(db, "predictions", {**row, "amends": before["id"] if before else None})


# ── what steps tick themselves by


def _evidence(
    db: sqlite3.Connection,
    body: Body,
    act: str,
    subject: str,
    *,
    variant: str = "",
    file: str | None = None,
    sha: str | None = None,
    **facts: Any,
) -> None:
    """``file`` has to be there for it to count, ``sha`` is its text's or its commit's."""
    row = {"act": act, "subject": subject, "variant": variant, "file": file, "sha": sha}
    row |= _some(body, "week", "at") | {"facts": json.dumps(facts)}
    insert(db, "evidence", row, replace=True)


def _check(db: sqlite3.Connection, body: Body) -> None:
    file, variant = body["file"], body["variant"]
    _evidence(db, body, "check", file, variant=variant, file=file, sha=body["sha256"])


def _merge(db: sqlite3.Connection, body: Body) -> None:
    _evidence(db, body, "merge", body["file"], file=body["into"], sha=body["commit"])


def _document(db: sqlite3.Connection, body: Body) -> None:
    """The document of a modification ("": before the choice). A file tells of one modification: the
    one that it was written for last."""
    db.execute(
        "DELETE FROM evidence WHERE week = :week AND act = 'modification' AND file = :path", body
    )
    facts, name = _some(body, "committed", "prediction"), body["variant"]
    _evidence(db, body, "modification", name, variant=name, file=body["path"], **facts)


def _written(db: sqlite3.Connection, body: Body) -> None:
    """A document of the week, under the name of its act. Without a new commit the old one stays."""
    before = db.execute(
        "SELECT sha FROM evidence WHERE week = :week AND act = :act AND subject = ''", body
    ).fetchone()
    sha = body.get("commit") or (before["sha"] if before else None)
    _evidence(db, body, body["act"], "", file=body["path"], sha=sha)


def _look(db: sqlite3.Connection, body: Body) -> None:
    _evidence(db, body, body["command"], body["what"], variant=body["variant"])


# ── lists


def _paper(db: sqlite3.Connection, body: Body) -> None:
    """``was``: the title that this one corrects."""
    if body.get("was"):
        db.execute("UPDATE papers SET title = :title WHERE title = :was", body)
        return
    row = _some(body, "title", "link", "week", "depth", "notes")
    insert(db, "papers", {**row, "added": body["at"]})


def _artifact(db: sqlite3.Connection, body: Body) -> None:
    if body.get("removed"):
        db.execute("DELETE FROM artifacts WHERE kind = :kind AND title = :title", body)
        return
    row = _some(body, "kind", "title", "location", "week")
    insert(db, "artifacts", {**row, "added": body["at"]})


def _post(db: sqlite3.Connection, body: Body) -> None:
    post = _post_of(db, body["week"])
    if post is None:
        row = _some(body, "week", "title", "path")
        insert(db, "posts", {**row, "updated": body["at"]})
        return
    db.execute(
        "UPDATE posts SET title = :title, path = coalesce(:path, path), updated = :at "
        "WHERE id = :id",
        {**body, "id": post["id"]},
    )


def _publish(db: sqlite3.Connection, body: Body) -> None:
    if _post_of(db, body["week"]) is None:
        _post(db, {**body, "path": None})
    db.execute(
        "UPDATE posts SET url = :url, published = coalesce(published, :at), title = :title, "
        "updated = :at WHERE week = :week",
        body,
    )


def _record_share(db: sqlite3.Connection, body: Body) -> None:
    """The channel in which the week's post was shared, and where."""
    post = _post_of(db, body["week"])
    if post is None:
        raise ValueError("a share without a post")
    db.execute(
        "INSERT OR REPLACE INTO shares VALUES (?, ?, ?, ?)",
        (post["id"], body["channel"], body["url"], body["at"]),
    )


def _post_of(db: sqlite3.Connection, week: str) -> sqlite3.Row | None:
    post: sqlite3.Row | None = db.execute(
        "SELECT * FROM posts WHERE week = ? ORDER BY id LIMIT 1", (week,)
    ).fetchone()
    return post


# ── studies


def _begin(db: sqlite3.Connection, body: Body) -> None:
    """``plan`` is None for a line of an older record that could not be read. A new study under a
    name that was given before is not called as the one before."""
    study_id, created = _name(body["plan"])
    begun = db.execute(
        "SELECT 1 FROM begun WHERE study_id = ? AND created = ?", (study_id, created)
    ).fetchone()
    if begun is None:
        db.execute("DELETE FROM names WHERE study_id = ?", (study_id,))
    row = {"study_id": study_id, "created": created, "at": body["at"]}
    insert(db, "begun", {**row, "plan": json.dumps(body["plan"])})


def _delete(db: sqlite3.Connection, body: Body) -> None:
    """``plan`` is None where it could not be read."""
    row = {"study_id": body["study"], "created": _name(body["plan"])[1], "at": body["at"]}
    texts = {name: json.dumps(body[name]) for name in ("plan", "runs")}
    insert(db, "deleted", {**row, **texts}, replace=True)


def _name(plan: Mapping[str, Any] | None) -> tuple[str, str]:
    return ("", "") if plan is None else (plan["id"], plan["created"])


def _name_study(db: sqlite3.Connection, body: Body) -> None:
    insert(db, "names", {"study_id": body["study"], "name": body["name"]}, replace=True)


# ── the rest


def insert(
    db: sqlite3.Connection, table: str, row: Mapping[str, Any], *, replace: bool = False
) -> None:
    """Put a row in."""
    how = "INSERT OR REPLACE" if replace else "INSERT"
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    db.execute(f"{how} INTO {table} ({columns}) VALUES ({values})", row)


FOLDS: Mapping[str, str | Fold] = {
    "tick": _tick,
    "answer": _answer,
    "recall": _recall,
    "time": _time,
    "choose": _choose,
    "file": _file,
    "hint": "INSERT OR IGNORE INTO hints VALUES (:week, :variant, :stage, :at)",
    "reference": _reference,
    "predict": _predict,
    "lock": (
        "UPDATE predictions SET locked = :at, locked_by = :by "
        f"WHERE id = ({NEWEST_PREDICTION}) AND locked IS NULL"
    ),
    "check": _check,
    "merge": _merge,
    "document": _document,
    "look": _look,
    "kpi": (
        "INSERT OR REPLACE INTO kpis (name, target, actual, source, updated) "
        "VALUES (:name, :target, :actual, iif(:actual IS NULL, NULL, 'by hand'), :at)"
    ),
    "paper": _paper,
    "read": (
        "UPDATE papers SET done = coalesce(done, :at), depth = coalesce(:depth, depth), "
        "notes = coalesce(:notes, notes) WHERE title = :title"
    ),
    "artifact": _artifact,
    "post": _post,
    "publish": _publish,
    "share": _record_share,
    "begin": _begin,
    "delete": _delete,
    "name": _name_study,
    "setting": lambda db, body: write_setting(db, body["key"], body["value"], body["at"]),
}

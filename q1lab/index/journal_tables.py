"""What each act in the journal does to the tables: the only code that writes the learner's rows.

``fold`` is given a body (see journal.py) and a connection inside a transaction. Folding all bodies
into empty tables gives the same rows whenever it is done, so the tables can be thrown away. A body
that makes no sense raises; the reader counts it as damaged and goes on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from q1lab.index.journal import Body

OWN_TABLES = (
    "step_records",
    "part_times",
    "predictions",
    "kpis",
    "papers",
    "artifacts",
    "shares",
    "posts",
    "modifications",
    "retros",
    "hints",
    "begun",
    "gated",
    "deleted",
    "labels",
    "settings",
)
"""The tables that come from the journal, children before parents."""

MOST_LOOKS = 50
"""Studies or files that are remembered for each kind of look."""

SENSELESS = (KeyError, TypeError, ValueError, sqlite3.Error)
"""What a body that makes no sense raises."""


def fold(db: sqlite3.Connection, body: Body) -> bool:
    """Take one act into the tables; False when this version knows no such act."""
    folded = FOLDS.get(str(body["act"]))
    if folded is None:
        return False
    folded(db, body)
    return True


def setting(db: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """A value of the settings table (JSON)."""
    row = db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    try:
        return json.loads(row[0]) if row else default
    except ValueError:
        return default


def set_setting(db: sqlite3.Connection, key: str, value: Any, at: str) -> None:
    """Put a value into the settings table."""
    db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (key, json.dumps(value), at))


# ── steps and minutes


def _step(
    db: sqlite3.Connection, body: Body, done: bool, answer: str | None = None, *, keep: bool
) -> None:
    """``keep``: the answer stays as it is."""
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
    _step(db, body, bool(body["done"]), keep=True)


def _answer(db: sqlite3.Connection, body: Body) -> None:
    _step(db, body, body["text"] is not None, body["text"], keep=False)


def _recall(db: sqlite3.Connection, body: Body) -> None:
    key = f"recall:{body['week']}"
    how = "right" if body["right"] else "wrong"
    set_setting(db, key, {**setting(db, key, {}), body["step"]: how}, body["at"])
    _step(db, body, True, keep=True)


def _time(db: sqlite3.Connection, body: Body) -> None:
    for part, seconds in body["seconds"].items():
        db.execute(
            "INSERT INTO part_times (week, part_id, seconds, started, updated) "
            "VALUES (:week, :part, MAX(0, :seconds), :at, :at) ON CONFLICT (week, part_id) "
            "DO UPDATE SET seconds = MAX(0, seconds + :seconds), updated = :at",
            {"week": body["week"], "part": part, "seconds": float(seconds), "at": body["at"]},
        )
    set_setting(db, f"timer:{body['week']}", int(body["entry"]), body["at"])


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
    mine = _chosen(db, body["week"]) in (None, body["variant"])
    place = body["week"] if mine else f"{body['week']} {body['variant']}"
    db.execute(
        "INSERT INTO modifications (week, variant, file, base, chosen) "
        "VALUES (:place, :variant, :file, :base, :chosen) ON CONFLICT (week) DO UPDATE "
        "SET file = excluded.file, base = excluded.base",
        {**body, "place": place, "chosen": body["at"] if mine else ""},
    )


def _chosen(db: sqlite3.Connection, week: str) -> str | None:
    row = db.execute("SELECT variant FROM modifications WHERE week = ?", (week,)).fetchone()
    return str(row[0]) if row else None


def _hint(db: sqlite3.Connection, body: Body) -> None:
    db.execute("INSERT OR IGNORE INTO hints VALUES (:week, :variant, :stage, :at)", body)


def _reference(db: sqlite3.Connection, body: Body) -> None:
    key = f"reference:{body['week']}"
    set_setting(db, key, {body["variant"]: body["at"], **setting(db, key, {})}, body["at"])


def _predict(db: sqlite3.Connection, body: Body) -> None:
    before = _prediction(db, body)
    columns = ("direction", "size", "matters", "confidence", "reasoning")
    values = {name: body[name] for name in columns} | {"created": body["at"]}
    if before is not None and before["locked"] is None:
        db.execute(
            f"UPDATE predictions SET {', '.join(f'{name} = :{name}' for name in values)} "
            "WHERE id = :id",
            {**values, "id": before["id"]},
        )
        return
    row = {
        **values,
        "week": body["week"],
        "variant": body["variant"],
        "amends": before["id"] if before else None,
    }
    _insert(db, "predictions", row)


def _lock(db: sqlite3.Connection, body: Body) -> None:
    found = _prediction(db, body)
    if found is not None and found["locked"] is None:
        db.execute(
            "UPDATE predictions SET locked = ?, locked_by = ? WHERE id = ?",
            (body["at"], body["by"], found["id"]),
        )


def _prediction(db: sqlite3.Connection, body: Body) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute(
        "SELECT * FROM predictions WHERE week = ? AND variant = ? ORDER BY id DESC LIMIT 1",
        (body["week"], body["variant"]),
    ).fetchone()
    return found


# ── what steps tick themselves by


def _check(db: sqlite3.Connection, body: Body) -> None:
    key = f"checks:{body['week']}"
    found = {name: body[name] for name in ("variant", "sha256", "at")}
    set_setting(db, key, {**setting(db, key, {}), body["file"]: found}, body["at"])


def _merge(db: sqlite3.Connection, body: Body) -> None:
    found = {name: body[name] for name in ("file", "into", "commit", "at")}
    set_setting(db, f"merged:{body['week']}", found, body["at"])


def _document(db: sqlite3.Connection, body: Body) -> None:
    """The document of a modification ("": before the choice). A file tells of one modification: the
    one that it was written for last."""
    key = f"written:modification:{body['week']}"
    kept = setting(db, key, {})
    if "path" in kept:  # noted before there was one for each
        kept = {_chosen(db, body["week"]) or "": {"committed": True, **kept}}
    kept = {name: found for name, found in kept.items() if found["path"] != body["path"]}
    kept[body["variant"]] = {name: body[name] for name in ("path", "at", "committed", "prediction")}
    set_setting(db, key, kept, body["at"])


def _roadmap(db: sqlite3.Connection, body: Body) -> None:
    found = {name: body[name] for name in ("path", "at")}
    set_setting(db, f"written:roadmap:{body['week']}", found, body["at"])


def _look(db: sqlite3.Connection, body: Body) -> None:
    key = f"looked:{body['week']}"
    kept = setting(db, key, {})
    seen = {**kept.get(body["command"], {})}
    seen.pop(body["what"], None)
    seen[body["what"]] = {"variant": body["variant"], "at": body["at"]}
    newest = dict(list(seen.items())[-MOST_LOOKS:])
    set_setting(db, key, {**kept, body["command"]: newest}, body["at"])


def _retro(db: sqlite3.Connection, body: Body) -> None:
    db.execute(
        "INSERT INTO retros (week, path, written, commit_sha) VALUES (:week, :path, :at, :commit) "
        "ON CONFLICT (week) DO UPDATE SET path = excluded.path, written = excluded.written, "
        "commit_sha = coalesce(excluded.commit_sha, commit_sha)",
        body,
    )


# ── lists


def _kpi(db: sqlite3.Connection, body: Body) -> None:
    row = {name: body[name] for name in ("name", "target", "actual")}
    source = "by hand" if body["actual"] is not None else None
    _insert(db, "kpis", {**row, "source": source, "updated": body["at"]}, replace=True)


def _paper(db: sqlite3.Connection, body: Body) -> None:
    """``was``: the title that this one corrects."""
    if body.get("was"):
        db.execute("UPDATE papers SET title = :title WHERE title = :was", body)
        return
    row = {name: body[name] for name in ("title", "link", "week", "depth", "notes")}
    _insert(db, "papers", {**row, "added": body["at"]})


def _read(db: sqlite3.Connection, body: Body) -> None:
    db.execute(
        "UPDATE papers SET done = coalesce(done, :at), depth = coalesce(:depth, depth), "
        "notes = coalesce(:notes, notes) WHERE title = :title",
        body,
    )


def _artifact(db: sqlite3.Connection, body: Body) -> None:
    if body.get("removed"):
        db.execute("DELETE FROM artifacts WHERE kind = :kind AND title = :title", body)
        return
    row = {name: body[name] for name in ("kind", "title", "location", "week")}
    _insert(db, "artifacts", {**row, "added": body["at"]})


def _post(db: sqlite3.Connection, body: Body) -> None:
    found = _post_of(db, body["week"])
    if found is None:
        row = {name: body[name] for name in ("week", "title", "path")}
        _insert(db, "posts", {**row, "updated": body["at"]})
        return
    db.execute(
        "UPDATE posts SET title = :title, path = coalesce(:path, path), updated = :at "
        "WHERE id = :id",
        {**body, "id": found["id"]},
    )


def _publish(db: sqlite3.Connection, body: Body) -> None:
    if _post_of(db, body["week"]) is None:
        _post(db, {**body, "path": None})
    db.execute(
        "UPDATE posts SET url = :url, published = coalesce(published, :at), title = :title, "
        "updated = :at WHERE week = :week",
        body,
    )


def _share(db: sqlite3.Connection, body: Body) -> None:
    found = _post_of(db, body["week"])
    if found is None:
        raise ValueError("a share without a post")
    db.execute(
        "INSERT OR REPLACE INTO shares VALUES (?, ?, ?, ?)",
        (found["id"], body["channel"], body["url"], body["at"]),
    )


def _post_of(db: sqlite3.Connection, week: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute(
        "SELECT * FROM posts WHERE week = ? ORDER BY id LIMIT 1", (week,)
    ).fetchone()
    return found


# ── studies


def _begin(db: sqlite3.Connection, body: Body) -> None:
    """``plan`` is None for a line of an older record that could not be read. A new study under a
    name that was given before has none of the labels of the one before."""
    study_id, created = _name(body["plan"])
    known = db.execute(
        "SELECT 1 FROM begun WHERE study_id = ? AND created = ?", (study_id, created)
    ).fetchone()
    if known is None:
        db.execute("DELETE FROM labels WHERE study_id = ?", (study_id,))
    row = {"study_id": study_id, "created": created, "at": body["at"]}
    _insert(db, "begun", {**row, "plan": json.dumps(body["plan"])})


def _delete(db: sqlite3.Connection, body: Body) -> None:
    """``plan`` is None where it could not be read."""
    row = {"study_id": body["study"], "created": _name(body["plan"])[1], "at": body["at"]}
    texts = {name: json.dumps(body[name]) for name in ("plan", "runs")}
    _insert(db, "deleted", {**row, **texts}, replace=True)


def _gate(db: sqlite3.Connection, body: Body) -> None:
    row = {"study_id": body["study"], "created": body["created"], "at": body["at"]}
    told = {"kept": int(bool(body["kept"])), "facts": json.dumps(body["facts"])}
    _insert(db, "gated", {**row, **told}, replace=True)


def _name(plan: Mapping[str, Any] | None) -> tuple[str, str]:
    return ("", "") if plan is None else (plan["id"], plan["created"])


def _label(db: sqlite3.Connection, body: Body) -> None:
    if not all(isinstance(tag, str) for tag in body["tags"]):
        raise ValueError("a tag is a text")
    row = {"study_id": body["study"], "note": body["note"], "tags": json.dumps(body["tags"])}
    _insert(db, "labels", row, replace=True)


# ── the rest


def _setting(db: sqlite3.Connection, body: Body) -> None:
    set_setting(db, body["key"], body["value"], body["at"])


def _row(db: sqlite3.Connection, body: Body) -> None:
    """A row of a home of 0.1.0, as it was."""
    if body["table"] not in OWN_TABLES or not all(map(str.isidentifier, body["row"])):
        raise ValueError("no row of the learner's")
    _insert(db, body["table"], body["row"], replace=True)


def _insert(
    db: sqlite3.Connection, table: str, row: Mapping[str, Any], *, replace: bool = False
) -> None:
    how = "INSERT OR REPLACE" if replace else "INSERT"
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    db.execute(f"{how} INTO {table} ({columns}) VALUES ({values})", row)


FOLDS: Mapping[str, Callable[[sqlite3.Connection, Body], None]] = {
    "tick": _tick,
    "answer": _answer,
    "recall": _recall,
    "time": _time,
    "choose": _choose,
    "file": _file,
    "hint": _hint,
    "reference": _reference,
    "predict": _predict,
    "lock": _lock,
    "check": _check,
    "merge": _merge,
    "document": _document,
    "roadmap": _roadmap,
    "look": _look,
    "retro": _retro,
    "kpi": _kpi,
    "paper": _paper,
    "read": _read,
    "artifact": _artifact,
    "post": _post,
    "publish": _publish,
    "share": _share,
    "begin": _begin,
    "gate": _gate,
    "delete": _delete,
    "label": _label,
    "setting": _setting,
    "row": _row,
    "take over": lambda db, body: None,
}
